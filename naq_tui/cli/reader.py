"""Who reads what a command prints: when there is nobody any more, it ends, though it had nothing to say for hours."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["while_read"]


@asynccontextmanager
async def while_read() -> AsyncIterator[None]:
    """End the block as soon as nobody reads the pipe that stdout is.

    Raises:
        BrokenPipeError: as the next line that is printed would.
    """
    descriptor = _pipe()
    if descriptor is None:
        yield
        return
    loop, task, has_gone = asyncio.get_running_loop(), asyncio.current_task(), False

    def leave() -> None:
        nonlocal has_gone
        has_gone = True
        loop.remove_reader(descriptor)
        if task is not None:
            task.cancel()

    loop.add_reader(descriptor, leave)  # the end that is written to becomes "readable" when the other one is closed
    try:
        yield
    except asyncio.CancelledError:
        if has_gone and task is not None and task.uncancel() == 0:
            raise BrokenPipeError from None
        raise
    finally:
        loop.remove_reader(descriptor)


def _pipe() -> int | None:
    """Of stdout, when it is a pipe."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return None
    return descriptor if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else None
