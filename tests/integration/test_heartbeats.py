"""What others see of a worker: at once when it changes, and whatever goes wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naq_runtime import Monitor, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import NotFound
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.worker.heartbeat import Heartbeat
from naq_runtime.worker.record import WorkerRecord, WorkerState
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker
from tests.unit.test_roll import record


@pytest.fixture
def config(make_config: MakeConfig) -> NAQConfig:
    """Workers that say by themselves only once in an hour what they do."""
    return make_config(worker__heartbeat_interval=3600.0)


async def seen(services: ServiceManager, state: WorkerState, done: int = 0) -> WorkerRecord:
    """The worker, as soon as it is seen to be in this state, and to have done so many jobs."""
    monitor = await services.get_service(Monitor)

    async def there() -> WorkerRecord | None:
        try:
            anna = await monitor.worker("anna")
        except NotFound:
            return None
        return anna if (anna.state, anna.jobs_completed) == (state, done) else None

    found = await eventually(there)
    assert found is not None
    return found


async def test_a_worker_that_is_up_is_seen_to_be(config: NAQConfig, services: ServiceManager) -> None:
    async with running_worker(config, name="anna"):
        assert (await seen(services, WorkerState.IDLE)).active_jobs == 0


async def test_one_that_has_a_job_is_seen_to_be_busy_and_afterwards_what_it_has_done(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, running_worker(config, name="anna"):
        handle = await queue.enqueue(tasks.nap, 3.0, mark)

        busy = await seen(services, WorkerState.BUSY)
        await handle.result(timeout=30)
        idle = await seen(services, WorkerState.IDLE, done=1)

    assert (busy.active_jobs, busy.running_job_ids) == (1, (handle.job_id,))
    assert idle.active_jobs == 0


async def test_one_that_drains_is_seen_to_stop(config: NAQConfig, services: ServiceManager, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with Queue(config=config) as queue, running_worker(config, name="anna") as worker:
        handle = await queue.enqueue(tasks.nap, 60.0, mark)
        await eventually(mark.exists)

        worker.request_stop()

        assert (await seen(services, WorkerState.STOPPING)).running_job_ids == (handle.job_id,)
        worker.request_stop(at_once=True)


@pytest.mark.parametrize(("asked_s", "seconds"), [(0.6, 1), (1.2, 2), (2.4, 3), (3.0, 3)])
async def test_a_lease_stands_for_no_less_than_three_beats(
    services: ServiceManager, asked_s: float, seconds: int
) -> None:
    await services.topology.workers()
    bucket = LeaseBucket(services.connection, services.names, services.names.workers_bucket)

    await bucket.put("anna", b"{}", asked_s)

    lease = await eventually(lambda: bucket.get("anna"))
    assert lease is not None
    assert lease.headers["Nats-TTL"] == str(seconds), "the server counts whole seconds"


async def test_a_beat_that_fails_is_told_once_and_the_next_ones_come(services: ServiceManager) -> None:
    await services.topology.workers()
    bucket = LeaseBucket(services.connection, services.names, services.names.workers_bucket)
    faults = [OSError("no such process"), OSError("still none")]
    beaten: list[WorkerRecord] = []
    failures: list[Exception] = []

    def describe() -> WorkerRecord:
        if faults:
            raise faults.pop()
        return record("anna", WorkerState.IDLE)

    beating = Heartbeat(
        bucket, 0.1, describe=describe, renew=lambda known: known, beaten=beaten.append, failed=failures.append
    )
    running = asyncio.create_task(beating.run())
    await eventually(lambda: len(beaten) == 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert [str(failure) for failure in failures] == ["still none"]
