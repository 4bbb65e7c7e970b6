"""Waiting for something to become true."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

__all__ = ["eventually"]

T = TypeVar("T")


@overload
async def eventually(condition: Callable[[], Awaitable[T]], *, within: float = 30.0) -> T: ...
@overload
async def eventually(condition: Callable[[], T], *, within: float = 30.0) -> T: ...
async def eventually(condition: Callable[[], object], *, within: float = 30.0) -> object:
    """Ask until the answer is true, and return it; an assertion error when it never is."""
    last: object = None
    try:
        async with asyncio.timeout(within):
            while True:
                answer = condition()
                last = await answer if inspect.isawaitable(answer) else answer
                if last:
                    return last
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s; the last answer was {last!r}") from None
