"""What a module of tasks may bring beside them: what happens at a worker's start and end, and around each job."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar

from naq_runtime.context import JobContext
from naq_runtime.threads import in_own_thread

__all__ = [
    "CallHook",
    "HookKind",
    "Middleware",
    "call_aside",
    "call_here",
    "hook_of",
    "middleware",
    "on_shutdown",
    "on_startup",
]

F = TypeVar("F", bound=Callable[..., Any])

Middleware = Callable[[JobContext, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Called around each attempt of a job; calls the second argument to go on, and returns what that returned."""

CallHook = Callable[[Callable[[], Any]], Awaitable[None]]
"""Calls a hook, plain or async, to its end."""

_MARK = "__naq_hook__"


class HookKind(StrEnum):
    """When a hook is called."""

    STARTUP = "on_startup"
    SHUTDOWN = "on_shutdown"
    MIDDLEWARE = "middleware"


def on_startup(function: F) -> F:
    """Mark a function of a module of tasks: called without arguments before the worker takes its first job.

    It may be async; a plain one is called in a thread. When it raises, the worker does not start; when the worker is
    asked to stop meanwhile, an async one is cancelled, and a thread left behind.
    """
    return _marked(function, HookKind.STARTUP)


def on_shutdown(function: F) -> F:
    """Mark a function of a module of tasks: called without arguments after the worker's last job.

    It may be async; a plain one is called in a thread. All of a worker's have ``worker.shutdown_grace`` seconds.
    """
    return _marked(function, HookKind.SHUTDOWN)


def middleware(function: F) -> F:
    """Mark an async function of a module of tasks: called around each attempt of each job.

    ::

        @middleware
        async def timed(job, call):
            begun = time.perf_counter()
            try:
                return await call()
            finally:
                print(job.function_name, time.perf_counter() - begun)

    Raises:
        TypeError: the function is not async.
    """
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{function.__qualname__} is not async: middleware must be")
    return _marked(function, HookKind.MIDDLEWARE)


def hook_of(function: object) -> HookKind | None:
    """When a function is to be called; ``None`` for any that is no hook."""
    return getattr(function, _MARK, None)


def _marked(function: F, kind: HookKind) -> F:
    setattr(function, _MARK, kind)
    return function


async def call_here(hook: Callable[[], Any]) -> None:
    """Call a hook on the event loop, also a plain one."""
    returned = hook()
    if inspect.isawaitable(returned):
        await returned


async def call_aside(hook: Callable[[], Any]) -> None:
    """Call a hook so that the event loop goes on: a plain one in a thread of its own, which nothing waits for later."""
    if inspect.iscoroutinefunction(hook):
        await hook()
        return
    returned = await in_own_thread(hook)
    if inspect.isawaitable(returned):
        await returned
