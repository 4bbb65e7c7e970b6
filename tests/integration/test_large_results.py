"""Results above the server's limit for one message: refused, or kept in the object store."""

from __future__ import annotations

import asyncio
import json

import nats
import pytest

from naq_runtime import Job, JobFailed, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import NotFound
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.workers import running_worker

SIZE = 3_000_000
"""The server takes 1 MB in one message."""


@pytest.fixture
def storing(make_config: MakeConfig) -> NAQConfig:
    """Settings that keep large results."""
    return make_config(results__large="store")


async def test_a_large_result_fails_its_job_and_says_what_to_do(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        with pytest.raises(JobFailed, match=r"results\.large = 'store'"):
            await (await queue.enqueue(tasks.letters, SIZE)).result(timeout=30)


async def test_a_large_result_is_read_from_the_object_store(storing: NAQConfig) -> None:
    async with Queue(config=storing) as queue, running_worker(storing):
        handle = await queue.enqueue(tasks.letters, SIZE)

        assert len(await handle.result(timeout=20)) == SIZE
        assert await handle.status() is JobStatus.COMPLETED


async def test_a_child_reads_the_large_result_of_its_parent(storing: NAQConfig) -> None:
    async with Queue(config=storing) as queue, running_worker(storing):
        parent = await queue.enqueue(tasks.letters, SIZE)
        child = await queue.enqueue_job(Job(tasks.length_of_dependency, depends_on=parent))

        assert await child.result(timeout=20) == SIZE


async def test_large_results_at_the_same_time_do_not_mix(storing: NAQConfig) -> None:
    async with Queue(config=storing) as queue, running_worker(storing):
        handles = [await queue.enqueue(tasks.letters, 2_000_000 + number, str(number)) for number in range(4)]
        results = await asyncio.gather(*(handle.result(timeout=20) for handle in handles))

    assert [(len(result), result[-1]) for result in results] == [(2_000_000 + n, str(n)) for n in range(4)]


async def test_the_object_store_is_one_that_other_tools_can_read(storing: NAQConfig) -> None:
    async with Queue(config=storing) as queue, running_worker(storing):
        await (await queue.enqueue_job(Job(tasks.letters, (SIZE,), job_id="big"))).result(timeout=20)

    client = await nats.connect(storing.nats.url)
    try:
        bucket = await client.jetstream().object_store(storing.names.objects_bucket)
        kept = await bucket.get("big")
    finally:
        await client.close()
    assert kept.data is not None
    assert len(json.loads(kept.data)["result"]) == SIZE


async def test_a_large_result_lives_as_long_as_its_job_wants(storing: NAQConfig) -> None:
    async with Queue(config=storing) as queue, running_worker(storing):
        handle = await queue.enqueue_job(Job(tasks.letters, (SIZE,), result_ttl=0))
        with pytest.raises(NotFound):
            await handle.result(timeout=30)

    async with ServiceManager(storing) as reading:
        info = await reading.connection.api("STREAM.LIST", {})
    assert storing.names.objects_stream not in [stream["config"]["name"] for stream in info["streams"]]
