"""Child processes that run the tasks of `tests.support.process_tasks`, and looking at what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from naq_runtime.context import JobContext
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job
from naq_runtime.serializer import JsonSerializer, Serializer
from naq_runtime.worker.children import Children
from naq_runtime.worker.raising import Raised
from tests.support.waiting import eventually

__all__ = ["HERE", "SERIALIZER", "Events", "pid_in", "ran", "running_children"]

HERE = "tests.support.process_tasks"
SERIALIZER = JsonSerializer()

Events = list[tuple[JobEventType, dict[str, Any]]]


@asynccontextmanager
async def running_children(
    *modules: str, allow: Sequence[str] = (), serializer: Serializer = SERIALIZER, most: int = 1
) -> AsyncIterator[Children]:
    """Child processes, ended at the end of the block."""
    children = Children(modules, allow, serializer, most=most)
    try:
        yield children
    finally:
        await children.close()


async def ran(children: Children, function: str, *args: Any, events: Events | None = None, **about: Any) -> Any:
    """What came of a job: its value, or what it raised."""
    name = function if "." in function else f"{HERE}.{function}"
    job = Job(name, args, queue_name="q1", job_id="j1", attempt=2)
    seen: Events = [] if events is None else events
    context = JobContext(job, "w1", lambda event_type, fields: seen.append((event_type, fields)), **about)
    answer = await children.run(SERIALIZER.encode_job(job), context)
    context.close()
    return answer if isinstance(answer, Raised) else msgspec.json.decode(answer)


async def pid_in(mark: Path) -> int:
    """What a job has left in a file."""
    await eventually(mark.exists)
    return int(mark.read_text())
