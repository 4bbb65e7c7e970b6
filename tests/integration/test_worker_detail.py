"""What can be known of one worker: what it runs and since when, its heartbeats, and how it ended."""

from __future__ import annotations

import pytest

from naq_runtime import NAQConfig, Queue
from naq_runtime.errors import NotFound
from naq_runtime.monitor import Monitor
from naq_runtime.services.manager import ServiceManager
from naq_runtime.snapshot import WorkerDetail
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def test_the_jobs_that_it_runs_are_told_with_when_they_began(config: NAQConfig, services: ServiceManager) -> None:
    monitor = await services.get_service(Monitor)

    async def runs_and_beats() -> WorkerDetail | None:
        detail = await monitor.worker_detail("postman")
        return detail if detail.beats and detail.jobs and detail.jobs[0].started_ns else None

    before_ns = monitor.now_ns()
    async with Queue("mail", config=config) as queue, running_worker(config, "mail", name="postman"):
        handle = await queue.enqueue(tasks.nap, 60)
        await eventually(lambda: _stands(monitor, "postman"))
        detail = await eventually(runs_and_beats)
        assert detail is not None
        await handle.cancel()

    (job,) = detail.jobs
    assert (job.job_id, job.queue_name, job.attempt) == (handle.job_id, "mail", 1)
    assert job.function_name.endswith("nap")
    assert before_ns - 10**9 <= job.started_ns <= monitor.now_ns()
    assert detail.status.state == "busy"


async def test_one_that_has_stopped_is_known_and_has_no_jobs(config: NAQConfig, services: ServiceManager) -> None:
    monitor = await services.get_service(Monitor)
    async with running_worker(config, "mail", name="postman"):
        await eventually(lambda: _stands(monitor, "postman"))

    async def stopped() -> bool:
        return (await monitor.worker_detail("postman")).status.state == "stopped"

    await eventually(stopped)
    assert (await monitor.worker_detail("postman")).jobs == ()


async def test_of_one_that_never_was_it_is_said_so(services: ServiceManager) -> None:
    monitor = await services.get_service(Monitor)

    with pytest.raises(NotFound, match="nobody"):
        await monitor.worker_detail("nobody")


async def _stands(monitor: Monitor, name: str) -> bool:
    return name in {record.worker_id for record in await monitor.workers()}
