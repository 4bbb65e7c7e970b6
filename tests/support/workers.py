"""A worker in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import NAQConfig
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.worker import Worker

__all__ = ["running_worker"]

MODULE = "tests.support.sample_tasks"


@asynccontextmanager
async def running_worker(
    config: NAQConfig,
    *queues: str,
    name: str | None = None,
    concurrency: int = 4,
    modules: Sequence[str] = (MODULE, "tests.support.wayward_tasks"),
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[Worker]:
    """A worker of the tests' tasks, stopped at the end of the block."""
    async with ServiceManager(config, role="worker", clock=clock) as services:
        worker = Worker(
            services,
            queues or ("default",),
            TaskRegistry.load(modules),
            modules=modules,
            name=name,
            concurrency=concurrency,
        )
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.request_stop("end of test")
            await running
