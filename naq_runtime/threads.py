"""A thread for one call, which nothing waits for when the caller has gone."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

__all__ = ["in_own_thread"]

T = TypeVar("T")


async def in_own_thread(function: Callable[..., T], *args: Any) -> T:
    """What a function returns, called in a thread of its own; when cancelled, the thread is left behind.

    Threads of a pool would be waited for at the end of the process, and a few that hang would keep all others out.
    """
    future: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        with suppress(InvalidStateError):  # nobody waits any more
            try:
                future.set_result(context.run(function, *args))
            except BaseException as error:  # it is for whoever waits
                future.set_exception(error)

    Thread(target=run, name=getattr(function, "__qualname__", "call"), daemon=True).start()
    return await asyncio.wrap_future(future)
