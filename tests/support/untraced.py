"""Enqueues and runs a job, and says what that has imported of OpenTelemetry."""

from __future__ import annotations

import asyncio
import sys

from naq_runtime import Queue
from tests.support import sample_tasks as tasks
from tests.support.workers import running_worker


async def main() -> None:
    """Do so."""
    async with Queue("default") as queue, running_worker(queue._services.config, "default"):  # type: ignore[union-attr]
        handle = await queue.enqueue(tasks.add, 1, 2)
        assert await handle.result(timeout=30) == 3
    print([name for name in sys.modules if name.startswith("opentelemetry")])  # noqa: T201 - whoever started it reads it


asyncio.run(main())
