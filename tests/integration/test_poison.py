"""Messages and jobs that mean harm: each costs at most itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from naq_runtime import Job, JobFailed, NAQConfig, Queue, ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.worker import Worker
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import MODULE, running_worker

RECORD = {"v": 1, "id": "poison", "function": "tests.support.sample_tasks.add", "queue": "default", "enqueued_at_ns": 1}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"result_ttl": -1},
        {"result_ttl": 1e300},
        {"enqueued_at_ns": -(10**400)},
        {"enqueued_at_ns": 10**400},
        {"attempt": 0},
        {"attempt": 2**70},
        {"function": "nodots"},
        {"function": "x" * 900_000},
        {"id": "somebody-else"},
        {"queue": "a.b"},
    ],
    ids=str,
)
async def test_a_job_with_impossible_fields_fails_and_its_worker_goes_on(
    config: NAQConfig, services: ServiceManager, spoilt: dict[str, Any]
) -> None:
    payload = msgspec.json.encode(RECORD | {name: 0 for name in spoilt if name == "enqueued_at_ns"})
    for name, value in spoilt.items():
        record = msgspec.json.decode(payload)
        record.pop(name, None)
        text = str(value) if isinstance(value, int) else msgspec.json.encode(value).decode()
        payload = msgspec.json.encode(record)[:-1] + f',"{name}":{text}}}'.encode()
    async with Queue(config=config) as queue, running_worker(config):
        await services.connection.publish(config.names.job("default", "poison"), payload)

        with pytest.raises(JobFailed, match="SerializationError"):
            await queue.handle("poison").result(timeout=30)

        assert await (await queue.enqueue(tasks.add, 1)).result(timeout=30) == 2


async def test_an_id_that_is_used_again_while_its_first_job_still_runs_is_run_too(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    lines = tmp_path / "lines"
    async with Queue(config=config) as queue, running_worker(config) as worker:
        await queue.enqueue_job(Job(tasks.append, (lines, "first", 1.0), job_id="again"))
        await eventually(lambda: worker.active == 1)
        await services.connection.api(f"STREAM.PURGE.{config.names.jobs_stream}")

        second = await queue.enqueue_job(Job(tasks.append, (lines, "second"), job_id="again"))
        await second.result(timeout=30)

    assert lines.read_text().split() == ["first", "second"]


async def test_a_worker_that_was_cancelled_takes_no_more_jobs(config: NAQConfig, services: ServiceManager) -> None:
    async with Queue(config=config) as queue:
        worker = Worker(services, ["default"], TaskRegistry.load([MODULE]), name="dead")
        running = asyncio.create_task(worker.run())
        await (await queue.enqueue(tasks.add, 1)).result(timeout=30)
        running.cancel()
        await asyncio.wait({running})

        handles = await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(5))
        async with running_worker(config, name="alive"):
            outcomes = [await handle.outcome(timeout=30) for handle in handles]

    assert running.cancelled()
    assert {outcome.worker_id for outcome in outcomes} == {"alive"}


async def test_a_job_that_heeds_no_cancellation_does_not_keep_the_worker(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config, mark = make_config(worker__shutdown_grace=0.1), tmp_path / "mark"
    async with Queue(config=config) as queue:
        async with asyncio.timeout(25), running_worker(config) as worker:
            await queue.enqueue(tasks.stubborn, mark)
            await eventually(mark.exists)

        assert worker.stuck == 1
        mark.unlink()
        await eventually(lambda: worker.stuck == 0)


async def test_a_result_above_the_streams_own_limit_does_not_hold_up_the_others(
    config: NAQConfig, services: ServiceManager
) -> None:
    names = config.names
    await services.topology.results()
    stream = (await services.connection.api(f"STREAM.INFO.{names.results_stream}"))["config"]
    await services.connection.api(f"STREAM.UPDATE.{names.results_stream}", stream | {"max_msg_size": 5_000})

    async with Queue(config=config) as queue, running_worker(config):
        large = await queue.enqueue(tasks.huge, 10_000)
        small = await queue.enqueue_many(Job(tasks.add, (n,)) for n in range(20))

        assert [await handle.result(timeout=30) for handle in small] == list(range(1, 21))
        with pytest.raises(JobFailed, match="above the server's limit"):
            await large.result(timeout=30)


async def test_one_id_twice_in_one_call_is_stored_once_and_said_so(config: NAQConfig) -> None:
    from naq_runtime import PartlyRefused

    async with Queue(config=config) as queue:
        with pytest.raises(PartlyRefused, match="1 of 2 jobs") as caught:
            await queue.enqueue_many([Job(tasks.add, (1,), job_id="twin"), Job(tasks.add, (2,), job_id="twin")])

    assert caught.value.enqueued == ["twin"]
    assert list(caught.value.refused) == ["twin"]
