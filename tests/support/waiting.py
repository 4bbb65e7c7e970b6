"""Waiting for something to become true."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["eventually"]

T = TypeVar("T")


async def eventually(condition: Callable[[], T | Awaitable[T]], *, within: float = 10.0) -> T:
    """Ask until the answer is true, and return it; an assertion error when it never is."""
    last: object = None
    try:
        async with asyncio.timeout(within):
            while True:
                answer = condition()
                last = await answer if inspect.isawaitable(answer) else answer
                if last:
                    return last  # type: ignore[return-value]  # awaited when it was awaitable
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {within:g} s; the last answer was {last!r}") from None
