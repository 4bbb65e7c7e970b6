"""What the jobs of the unit tests do."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import functools
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from naq_runtime.retry import Cancel, Retry, Snooze
from naq_runtime.tasks import task

current_user: contextvars.ContextVar[str] = contextvars.ContextVar("current_user", default="nobody")
"""Set by a test, read by a job."""


class Unprintable(Exception):
    """Not even its text can be had."""

    broken: type[BaseException] = RuntimeError

    def __str__(self) -> str:
        raise self.broken("no text today")


class Doom(BaseException):
    """An error that ``except Exception`` does not catch."""


@task
async def add(left: int, right: int = 1) -> int:
    """The sum."""
    return left + right


@task
def add_plainly(left: int, right: int = 1) -> int:
    """The sum, by a plain function."""
    return left + right


@task
async def return_nothing() -> None:
    """Return nothing."""


@task
def thread_id() -> int:
    """Where this runs."""
    return threading.get_ident()


@task
async def loop_thread_id() -> int:
    """Where this runs."""
    return threading.get_ident()


@task
def who_am_i() -> str:
    """The user of the context."""
    return current_user.get()


@task
async def wait_for_ever(begun: str = "") -> None:
    """Never return."""
    await asyncio.Event().wait()


@task
async def cancel_itself() -> None:
    """Raise what a cancelled task raises, without being cancelled."""
    raise asyncio.CancelledError("my own doing")


@task
async def await_what_was_cancelled() -> None:
    """Cancel a task of its own, and wait for it."""
    inner = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    inner.cancel()
    await inner


@task
async def run_out_of_time() -> None:
    """Be too slow for its own limit."""
    async with asyncio.timeout(0.001):
        await asyncio.Event().wait()


@task
async def fail(text: str) -> None:
    """Raise an error with this text."""
    raise ValueError(text)


@task
def fail_plainly(text: str) -> None:
    """Raise an error with this text, from a thread."""
    raise ValueError(text)


@task
async def fail_deeply(depth: int) -> None:
    """Raise from far down."""
    raise ValueError("at the bottom") from functools.reduce(_caused, range(depth), ValueError("first"))


def _caused(error: ValueError, number: int) -> ValueError:
    caused = ValueError(f"number {number}")
    caused.__cause__ = error
    return caused


@task
async def fail_unprintably(broken: str = "RuntimeError") -> None:
    """Raise an error without text."""
    error = Unprintable()
    error.broken = {"RuntimeError": RuntimeError, "SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}[
        broken
    ]
    raise error


@task
async def fail_at_length() -> None:
    """Raise an error whose type has a long name."""
    raise type("N" * 100_000, (Exception,), {})("short")


@task
async def exit_process() -> None:
    """Try to end the worker."""
    raise SystemExit(3)


@task
def exit_process_plainly() -> None:
    """Try to end the worker, from a thread."""
    raise SystemExit(3)


@task
async def interrupt() -> None:
    """Raise what Ctrl-C raises."""
    raise KeyboardInterrupt


@task
async def doom() -> None:
    """Raise what nobody catches."""
    raise Doom("the end")


@task
def doom_plainly() -> None:
    """Raise what nobody catches, from a thread."""
    raise Doom("the end")


@task
def stop_iteration() -> None:
    """Raise what no future can carry."""
    raise StopIteration("over")


@task
async def return_what_has_no_json() -> object:
    """Return something that cannot be stored."""
    return object()


def _with_session(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(function)
    async def inner(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return function(*args, **kwargs)

    return inner


@task
@_with_session
def wrapped_into_async(left: int, right: int) -> int:
    """A plain function in an async wrapper."""
    return left + right


class Gate:
    """Holds plain functions back, and lets them go together."""

    def __init__(self) -> None:
        self.open = threading.Event()


GATE = Gate()


@task
def wait_at_gate() -> bool:
    """Return when the gate is opened."""
    return GATE.open.wait(30)


@task
async def clean_up_badly(how: str) -> str:
    """Never return; when cancelled, end in something else."""
    if how == "group":
        async with asyncio.TaskGroup() as group:
            group.create_task(_close_badly())
    NOTES.append("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        if how == "return":
            return "in time"
        if how == "again":  # as task groups do
            running = asyncio.current_task()
            assert running is not None
            running.cancel()
        if how in ENDS:
            raise ENDS[how] from None
        raise ConnectionError("aborted") from error
    return "never"


async def _close_badly() -> None:
    NOTES.append("begun")
    try:
        await asyncio.Event().wait()
    finally:
        raise OSError("cannot be closed")


ENDS: dict[str, Exception] = {
    "error": RuntimeError("clean-up failed"),
    "retry": Retry(after=20),
    "snooze": Snooze(20),
    "cancel": Cancel("no use"),
}


@task
def raise_plainly(kind: str) -> None:
    """Raise an error of this kind, from a thread."""
    raise RAISABLE[kind](kind)


RAISABLE: dict[str, type[BaseException]] = {
    kind.__name__: kind for kind in (TimeoutError, GeneratorExit, asyncio.CancelledError, StopAsyncIteration, Doom)
}


@dataclasses.dataclass
class Picky:
    """An argument that does not want to be one."""

    refusal: str

    def __post_init__(self) -> None:
        raise {"KeyError": KeyError, "SystemExit": SystemExit}[self.refusal]


@task
async def take(picky: Picky) -> None:
    """Never called."""


class OwnRetry(Retry):
    """One that forgets its base."""

    def __init__(self) -> None:
        pass


class OwnSnooze(Snooze):
    """One that forgets its base, or that means something else by the same name."""

    def __init__(self, after: Any = 1.0) -> None:
        self.after = after


class OwnCancel(Cancel):
    """One that forgets its base."""

    def __init__(self) -> None:
        pass


WISHES: dict[str, Exception] = {
    "retry": OwnRetry(),
    "snooze": OwnSnooze(),
    "soon": OwnSnooze("soon"),
    "never": OwnSnooze(-1),
    "cancel": OwnCancel(),
}


@task(retries=1, retry_delay=5.0, jitter=0.0)
async def wish(what: str) -> None:
    """Ask for something."""
    raise WISHES[what]


@task(timeout=0.02)
async def be_late(how: str) -> str:
    """Never return in time, and make something else of it."""
    try:
        await _wait_there()
    except asyncio.CancelledError:
        if how == "slowly":
            await asyncio.sleep(0.05)
            return "late"
        if how in ENDS:
            raise ENDS[how] from None
        if how == "raise":
            raise
    finally:
        if how == "finally":
            raise KeyError("clean-up")
    return "late"


async def _wait_there() -> None:
    await asyncio.Event().wait()


def _prepared(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain decorator, which does something before the function runs."""

    @functools.wraps(function)
    def inner(wait: bool = False) -> Any:
        NOTES.append("prepared")
        if wait:
            GATE.open.wait(30)
        return function(wait)

    return inner


NOTES: list[str] = []


@task
@_prepared
async def prepared_by_a_thread(wait: bool = False) -> str:
    """Never return."""
    NOTES.append("begun")
    await asyncio.Event().wait()
    return "never"
