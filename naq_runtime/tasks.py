"""`task` marks the functions that a worker may run, and `TaskRegistry` holds those of the modules it was given.

A job names its function by ``module.qualname``. A worker never imports what a job names: it looks the name up among
the marked functions of its own modules, so that nobody runs code by publishing a message.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, overload

from naq_runtime.arguments import ArgumentPlan
from naq_runtime.errors import ModuleNotLoaded, NotImportable, TaskError, UnknownTask
from naq_runtime.hooks import CallHook, HookKind, Middleware, call_here, hook_of
from naq_runtime.naming import check_name
from naq_runtime.retry import NO_RETRIES, Backoff, Delay, RetryPolicy

__all__ = ["Task", "TaskOptions", "TaskRegistry", "options_of", "reference", "task"]

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_MARK = "__naq_task__"


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What `task` was told of a function; defaults for its jobs."""

    queue: str | None = None
    result_ttl: float | None = None
    retry: RetryPolicy = NO_RETRIES
    timeout: float | None = None
    process: bool = False
    log_level: int | None = None


@overload
def task(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def task(
    *,
    queue: str | None = None,
    result_ttl: float | None = None,
    retries: int = 0,
    retry_delay: Delay | None = None,
    backoff: Backoff | None = None,
    jitter: float = 0.1,
    max_retry_delay: float = 3600.0,
    retry_on: Sequence[type[BaseException]] = (Exception,),
    ignore_on: Sequence[type[BaseException]] = (),
    timeout: float | None = None,
    process: bool = False,
    log: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    queue: str | None = None,
    result_ttl: float | None = None,
    retries: int = 0,
    retry_delay: Delay | None = None,
    backoff: Backoff | None = None,
    jitter: float = 0.1,
    max_retry_delay: float = 3600.0,
    retry_on: Sequence[type[BaseException]] = (Exception,),
    ignore_on: Sequence[type[BaseException]] = (),
    timeout: float | None = None,
    process: bool = False,
    log: str | None = None,
) -> Any:
    """Mark a function as one that workers may run. The function itself stays as it is.

    Args:
        queue: where its jobs go unless the enqueuer says otherwise.
        result_ttl: seconds for which its outcomes can be read; 0 stores none.
        retries: further tries after an error.
        retry_delay: seconds before each of them, or a sequence of such; from one second on, doubling, when left out.
        backoff: how a single delay grows: ``fixed``, ``linear`` or ``exponential``.
        jitter: the share of the delay that chance may add, 0 to 1.
        max_retry_delay: the longest delay in seconds.
        retry_on: the errors after which it is tried again.
        ignore_on: errors after which it is not, even when ``retry_on`` names them.
        timeout: seconds that an attempt may take.
        process: run it in a process of its own, for work that keeps a core busy.
        log: the level from which on what it writes by `logging` goes into the job's events (``"INFO"``).

    Raises:
        InvalidName: the queue's name cannot be used.
        NotImportable: the function could not be found again by its name.
        ValueError: a number is out of range, or there is no such level.
        TypeError: ``retry_on`` or ``ignore_on`` has something in it that is no class of errors.
    """
    options = TaskOptions(
        queue=None if queue is None else check_name("queue", queue),
        result_ttl=result_ttl,
        retry=RetryPolicy.of(
            retries,
            retry_delay,
            backoff=backoff,
            jitter=jitter,
            cap=max_retry_delay,
            retry_on=retry_on,
            ignore_on=ignore_on,
        ),
        timeout=timeout,
        process=process,
        log_level=_level(log),
    )

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        _check_importable(function)
        if process and inspect.iscoroutinefunction(function):
            raise ValueError(f"{function.__qualname__} is async: only plain functions can run in a process")
        setattr(function, _MARK, options)
        return function

    return mark if function is None else mark(function)


def _level(name: str | None) -> int | None:
    if name is None:
        return None
    level = logging.getLevelNamesMapping().get(name.upper())
    if level is None:
        raise ValueError(f"there is no log level {name!r}: use DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def options_of(function: object) -> TaskOptions | None:
    """The options of a marked function, ``None`` for any other object."""
    return getattr(function, _MARK, None)


def reference(function: Callable[..., Any] | str) -> str:
    """The name by which a worker finds the function: ``module.qualname``.

    Raises:
        NotImportable: it is a lambda, nested, bound, or defined in ``__main__``.
    """
    if isinstance(function, str):
        return _checked_reference(function)
    _check_importable(function)
    if function.__module__ == "__main__":
        raise NotImportable(
            f"{function.__qualname__}() is defined in __main__, where no worker can import it: move it into a module"
        )
    return f"{function.__module__}.{function.__qualname__}"


@lru_cache(maxsize=4096)
def _checked_reference(name: str) -> str:
    if "." not in name or not all(part.isidentifier() for part in name.split(".")):
        raise NotImportable(f"{name!r} is not the name of a function: write it as module.function")
    return name


def _check_importable(function: Callable[..., Any]) -> None:
    name = getattr(function, "__qualname__", None)
    if name is None or not inspect.isfunction(inspect.unwrap(function)):
        raise NotImportable(f"{function!r} is not a function: only functions of a module can be enqueued")
    if "<lambda>" in name:
        raise NotImportable("a lambda has no name that a worker could import: define a function in a module")
    if "." in name:
        raise NotImportable(
            f"{name} is defined inside a function or a class, where no worker looks for it: move it to the module"
        )


@dataclass(frozen=True, slots=True)
class Task:
    """A function that this worker may run."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    options: TaskOptions
    arguments: ArgumentPlan

    @classmethod
    def of(cls, function: Callable[..., Any], name: str | None = None) -> Task:
        """Inspect a function once, so that each job costs little."""
        return cls(
            name=name or reference(function),
            function=function,
            is_async=inspect.iscoroutinefunction(function),
            options=options_of(function) or TaskOptions(),
            arguments=ArgumentPlan.of(function),
        )


class TaskRegistry:
    """The functions that one worker may run, by name; and what its modules want to happen around them.

    Args:
        tasks: what it may run.
        allowed: the patterns by which functions without a mark were admitted.
        hooks: functions marked by `naq_runtime.hooks`, in the order of their definition.
    """

    def __init__(
        self,
        tasks: Iterable[Task] = (),
        *,
        allowed: Sequence[str] = (),
        hooks: Sequence[Callable[..., Any]] = (),
    ) -> None:
        self._tasks = {task.name: task for task in tasks}
        self._hooks = tuple(hooks)
        self.allowed = tuple(allowed)

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._tasks))

    @classmethod
    def load(cls, modules: Iterable[str], allow: Sequence[str] = ()) -> TaskRegistry:
        """Import the modules and collect the functions that are marked with `task`.

        Args:
            allow: names of functions that may run without a mark, ``module.function``, with the shell's wildcards; only
            functions that are defined in the modules are looked at.

        Raises:
            ModuleNotLoaded: a module is missing, or fails while it is imported.
        """
        loaded = [_import(name) for name in modules]
        names = {module.__name__ for module in loaded}
        return cls(
            (task for module in loaded for task in _tasks_of(module, allow, names)),
            allowed=allow,
            hooks=[value for module in loaded for value in vars(module).values() if hook_of(value) is not None],
        )

    @property
    def middleware(self) -> list[Middleware]:
        """What is called around each attempt, the first one outermost."""
        return self._hooks_of(HookKind.MIDDLEWARE)

    @property
    def lowest_log_level(self) -> int | None:
        """The lowest level of `logging` that one of the tasks wants in its events; ``None`` when none wants any."""
        levels = [task.options.log_level for task in self._tasks.values()]
        return min((level for level in levels if level is not None), default=None)

    async def start_up(self, call: CallHook = call_here) -> None:
        """Call what the modules want to be called before the first job, one after the other.

        Raises:
            TaskError: one of them failed.
        """
        for hook in self._hooks_of(HookKind.STARTUP):
            try:
                await call(hook)
            except Exception as error:  # user code
                raise TaskError(f"on_startup {hook.__qualname__}() failed: {type(error).__name__}: {error}") from error

    async def shut_down(self, call: CallHook = call_here) -> None:
        """Call what the modules want to be called after the last job; whatever fails is only logged."""
        for hook in self._hooks_of(HookKind.SHUTDOWN):
            try:
                await call(hook)
            except Exception:  # user code
                log.exception("on_shutdown %s() failed", hook.__qualname__, extra={"action": "hook_failed"})

    def _hooks_of(self, kind: HookKind) -> list[Callable[..., Any]]:
        return list(dict.fromkeys(hook for hook in self._hooks if hook_of(hook) is kind))

    def get(self, name: str) -> Task:
        """The task of this name.

        Raises:
            UnknownTask: it is not among this worker's tasks.
        """
        try:
            return self._tasks[name]
        except KeyError:
            raise UnknownTask(
                f"this worker has no task {name!r}: give it the module (--module), mark the function with @task, "
                "and restart the worker after changes"
            ) from None


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            hint = (
                f"write it without .py, as {name[:-3]}"
                if name.endswith(".py")
                else "start in its folder, or install it"
            )
            raise ModuleNotLoaded(f"there is no module {name!r} on the path: {hint}") from error
        raise ModuleNotLoaded(f"module {name!r} does not import: {error}") from error
    except (Exception, SystemExit) as error:  # user code runs here, and may raise anything
        where = _last_line_in(error, name)
        raise ModuleNotLoaded(f"module {name!r} does not import: {type(error).__name__}: {error}{where}") from error


def _last_line_in(error: BaseException, name: str) -> str:
    """`` (file, line n)`` of the module where its import failed."""
    if isinstance(error, SyntaxError):
        return ""
    trace, found = error.__traceback__, ""
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == name:
            found = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found


def _tasks_of(module: Any, allow: Sequence[str], loaded: Collection[str]) -> Iterator[Task]:
    for value in list(vars(module).values()):
        if not inspect.isroutine(value) or hook_of(value) is not None:
            continue
        home = getattr(value, "__module__", None)
        if home is None or home == "__main__" or home not in sys.modules:
            continue
        if options_of(value) is not None or (home in loaded and _is_allowed(value, allow)):
            yield Task.of(value)


def _is_allowed(function: Any, allow: Sequence[str]) -> bool:
    name = f"{function.__module__}.{function.__qualname__}"
    return (
        inspect.isfunction(function)
        and "." not in function.__qualname__
        and any(fnmatchcase(name, pattern) for pattern in allow)
    )
