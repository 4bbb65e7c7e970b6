"""Tasks whose ends are hard to write down."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from naq_runtime import current_job, task
from naq_runtime.errors import SerializationError
from naq_runtime.job import JobResult
from naq_runtime.serializer import JsonSerializer
from tests.support.wayward_tasks import note


class PickySerializer(JsonSerializer):
    """Finds no form for how some jobs completed."""

    def encode_outcome(self, job: bytes, result: JobResult, value: bytes) -> bytes:
        if value == b'"unspeakable"':
            raise SerializationError("there is no word for it")
        return super().encode_outcome(job, result, value)


@task
async def say(text: str) -> str:
    return text


@task
async def cry(length: int) -> None:
    """Fail with an error whose text is long, and longer still where only ASCII may stand."""
    raise ValueError("\N{LOUDLY CRYING FACE}" * length)


@task
async def nameless(length: int) -> None:
    """Fail with an error whose type has a long name."""
    raise type("E" * length, (Exception,), {})("no")


@task(retries=2, retry_delay=0.05)
async def spoil(file: Path, items, how: str) -> str:  # type: ignore[no-untyped-def]
    """Change what it was given, and fail twice."""
    note(file, f"{current_job().attempt} {items}")
    items.append(object() if how == "badly" else "spoilt")
    if current_job().attempt < 3:
        raise ConnectionError("not yet")
    return "done"


@task
async def count_parents() -> list[str]:
    """The results of those that it depends on."""
    return sorted(str(parent.result) for parent in current_job().dependencies.values())


@task
async def fail_once(file: Path) -> list[str]:
    """The same, the second time that it is enqueued."""
    note(file, "run")
    if len(file.read_text().splitlines()) == 1:
        raise ConnectionError("not yet")
    return sorted(str(parent.result) for parent in current_job().dependencies.values())


@task
def deaf(seconds: float) -> str:
    """Run on in a thread, whatever it is told."""
    time.sleep(seconds)
    return "over"


@task
async def nap(seconds: float) -> str:
    """Be asleep for a moment."""
    await asyncio.sleep(seconds)
    return "rested"
