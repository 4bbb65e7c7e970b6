"""Tasks with what is to happen around them; the order of it all is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from naq_runtime import middleware, on_shutdown, on_startup, task
from naq_runtime.context import JobContext

happened: list[str] = []


@on_startup
async def connect() -> None:
    """Before the first job."""
    happened.append("start")


@on_startup
def read() -> None:
    """A plain one."""
    happened.append("plain start")


@on_shutdown
async def disconnect() -> None:
    """After the last job."""
    happened.append("end")


@middleware
async def outer(job: JobContext, call: Callable[[], Awaitable[Any]]) -> Any:
    """Replace results, and errors of one kind."""
    happened.append(f"outer before {job.function_name.rpartition('.')[2]}")
    try:
        return await call()
    except KeyError:
        return "replaced"
    finally:
        happened.append("outer after")


@middleware
async def inner(_: JobContext, call: Callable[[], Awaitable[Any]]) -> Any:
    """Refuse some."""
    happened.append("inner")
    result = await call()
    if result == "refuse":
        raise ValueError("refused by middleware")
    return result


@task
async def give(value: str) -> str:
    """The value."""
    if value == "missing":
        raise KeyError(value)
    return value
