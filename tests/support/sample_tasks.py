"""Tasks for the tests' workers; those that must be watched from outside leave marks in files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from naq_runtime import current_job, task


@dataclass
class Order:
    """A value that is not plain JSON."""

    id: UUID
    placed: datetime
    total: Decimal
    note: bytes = b""


@task
async def add(left: int, right: int = 1) -> int:
    """The sum."""
    return left + right


@task
def add_plainly(left: int, right: int) -> int:
    """The sum, by a plain function."""
    return left + right


@task
async def echo(order: Order) -> dict[str, str]:
    """What arrived, by type."""
    return {name: type(value).__name__ for name, value in vars(order).items()}


@task
async def fail(message: str = "boom") -> None:
    """An error."""
    raise ValueError(message)


@task
async def leave() -> None:
    """An attempt to end the worker."""
    sys.exit(3)


@task
async def unspeakable() -> object:
    """A result that has no JSON form."""
    return object()


@task
async def huge(size: int) -> str:
    """A result of this many characters."""
    return "x" * size


@task
async def nap(seconds: float, mark: Path | None = None) -> str:
    """Sleep, and leave a mark at the start."""
    _leave_mark(mark)
    await asyncio.sleep(seconds)
    return "rested"


@task
def nap_plainly(seconds: float, mark: Path | None = None) -> str:
    """Sleep in a thread, and leave a mark at the start."""
    _leave_mark(mark)
    time.sleep(seconds)
    return "rested"


@task
async def append(path: Path, line: str, seconds: float = 0.0) -> None:
    """Append a line to a file, after some time."""
    await asyncio.sleep(seconds)
    with path.open("a") as file:
        file.write(line + "\n")


@task(queue="elsewhere")
async def placed_elsewhere() -> str:
    """A task that has a queue of its own."""
    return "done"


async def not_a_task() -> None:
    """Not marked, so no worker may run it."""


def _leave_mark(mark: Path | None) -> None:
    if mark is not None:
        with mark.open("a") as file:
            file.write(f"{os.getpid()}\n")


@task
async def stubborn(mark: Path) -> None:
    """Go on, whatever is cancelled, while the mark is there."""
    _leave_mark(mark)
    while mark.exists():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)


@task(process=True)
def pid_of_child() -> int:
    """Where it ran."""
    return os.getpid()


@task
def letters(number: int, letter: str = "x") -> str:
    """So many of one letter."""
    return letter * number


@task
async def length_of_dependency() -> int:
    """Of the result of the one job that this depends on."""
    (parent,) = current_job().dependencies.values()
    return len(parent.result)
