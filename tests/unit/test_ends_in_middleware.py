"""Jobs that are made to end while the middleware around a plain function waits for something."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from naq_runtime.context import JobContext
from naq_runtime.job import Job, JobStatus
from naq_runtime.serializer import JsonSerializer
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.execution import Executor
from tests.support.waiting import eventually
from tests.unit import workload

HERE = "tests.unit.workload"

Call = Callable[[], Awaitable[Any]]


class Hanging:
    """Middleware that waits for ever at one place, and notes where it is and how that ended."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.notes: list[str] = []

    async def __call__(self, _: JobContext, call: Call) -> Any:
        if self.where == "before":
            await self._hang()
        try:
            return await call()
        finally:
            if self.where == "after":
                await self._hang()

    async def _hang(self) -> None:
        self.notes.append("hangs")
        try:
            await asyncio.Event().wait()
        finally:
            self.notes.append("ended")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds `wait_at_gate` back until it is set."""
    workload.GATE.open = threading.Event()
    yield workload.GATE.open
    workload.GATE.open.set()


@pytest.fixture
def middleware(request: pytest.FixtureRequest) -> Hanging:
    """What is around the jobs."""
    return Hanging(getattr(request, "param", "after"))


@pytest.fixture
def executor(middleware: Hanging) -> Iterator[Executor]:
    """Runs what the workload marks, with something around it."""
    find = TaskRegistry.load([HERE]).get
    running = Executor(find, JsonSerializer(), worker_id="w1", threads=2, middleware=[middleware])
    yield running
    running.close()


before_and_after = pytest.mark.parametrize("middleware", ["before", "after"], indirect=True)


@before_and_after
async def test_cancelled_the_job_ends_where_its_middleware_hangs(executor: Executor, middleware: Hanging) -> None:
    running = asyncio.create_task(executor.run(Job(f"{HERE}.add_plainly", (1,), job_id="j1")))
    await eventually(lambda: middleware.notes == ["hangs"])

    assert executor.cancel("j1", "enough")

    result = (await running).result
    assert (result.status, result.error) == (JobStatus.CANCELLED, "enough")
    assert middleware.notes == ["hangs", "ended"]
    assert running.cancelling() == 0


@before_and_after
async def test_at_its_limit_the_job_has_timed_out_where_its_middleware_hangs(
    executor: Executor, middleware: Hanging
) -> None:
    execution = await executor.run(Job(f"{HERE}.add_plainly", (1,), timeout=0.1))

    assert (execution.result.status, execution.timed_out) == (JobStatus.FAILED, True)
    assert middleware.notes == ["hangs", "ended"]


async def test_cancelled_in_its_thread_the_job_ends_where_its_middleware_hangs_after_that(
    executor: Executor, middleware: Hanging, gate: threading.Event
) -> None:
    running = asyncio.create_task(executor.run(Job(f"{HERE}.wait_at_gate", job_id="j1")))
    await eventually(lambda: executor.calls.threads_running == 1)
    assert executor.cancel("j1", "enough")
    await asyncio.sleep(0)
    assert not running.done()

    gate.set()

    result = (await running).result
    assert (result.status, result.error) == (JobStatus.CANCELLED, "enough")
    assert middleware.notes == ["hangs", "ended"]
    assert running.cancelling() == 0


@pytest.mark.parametrize("middleware", ["nowhere"], indirect=True)
async def test_cancelled_in_its_thread_a_job_whose_middleware_waits_for_nothing_was_faster(
    executor: Executor, gate: threading.Event
) -> None:
    async def run_and_go_on() -> JobStatus:
        execution = await executor.run(Job(f"{HERE}.wait_at_gate", job_id="j1"))
        await asyncio.sleep(0)
        return execution.result.status

    running = asyncio.create_task(run_and_go_on())
    await eventually(lambda: executor.calls.threads_running == 1)
    assert executor.cancel("j1", "enough")

    gate.set()

    assert await running is JobStatus.COMPLETED
    assert running.cancelling() == 0
