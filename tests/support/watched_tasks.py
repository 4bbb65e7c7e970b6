"""Tasks with middleware that tells what it saw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from naq_runtime import Retry, middleware, task
from naq_runtime.context import JobContext, current_job

seen: list[tuple[str, str]] = []


class Refused(Exception):
    """An error of the module's own."""

    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code


@middleware
async def watch(job: JobContext, call: Callable[[], Awaitable[Any]]) -> Any:
    """Keep what came; replace some results and wrap some errors."""
    try:
        result = await call()
    except Exception as error:
        seen.append((type(error).__name__, str(error)))
        if isinstance(error, Refused) and error.code == 2:
            raise RuntimeError("wrapped") from error
        raise
    seen.append(("result", repr(result)))
    return {"wrapped": result} if result == "wrap me" else result


@task
async def give(value: Any) -> Any:
    """The value."""
    return value


@task(process=True)
def give_in_process(value: Any) -> Any:
    """The value."""
    return value


@task
async def refuse(code: int) -> None:
    """Raise an error."""
    raise Refused(code)


@task(process=True)
def refuse_in_process(code: int) -> None:
    """Raise an error."""
    raise Refused(code)


@task(process=True, retries=1)
def come_again_in_process() -> str:
    """Ask for a second time."""
    if current_job().attempt == 1:
        raise Retry(after=0.05)
    return "second"
