"""What is told of outcomes: who has them, and that they were missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from naq_runtime import Job, JobFailed, JobService, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import NotFound
from naq_runtime.events.models import JobEvent
from tests.support import sample_tasks as tasks
from tests.support.history import history
from tests.support.lifecycle import faults
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def looks(config: NAQConfig, job_id: str) -> list[str]:
    """What is told of the outcome of a job."""
    kinds = [str(event.event_type) for event in await history(config, job_id, fetched=True)]
    return [kind for kind in kinds if kind in ("result_fetched", "result_expired")]


async def test_whoever_waited_for_an_outcome_and_has_it_is_told_of(config: NAQConfig) -> None:
    async with ServiceManager(config, role="producer") as services, running_worker(config):
        async with Queue(services=services) as queue:
            good, bad = await queue.enqueue(tasks.add, 1), await queue.enqueue_job(Job(tasks.fail, retries=0))
            await good.result(timeout=30)
            with pytest.raises(JobFailed):
                await bad.result(timeout=30)

    for handle in (good, bad):
        events = [event for event in await history(config, handle.job_id, fetched=True) if isinstance(event, JobEvent)]
        assert [event.by for event in events if event.event_type == "result_fetched"] == [services.instance]
        assert faults(events) == []


async def test_who_only_looks_at_a_job_does_not_fetch_its_outcome(config: NAQConfig) -> None:
    async with ServiceManager(config) as services, Queue(services=services) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.add, 1)
        jobs = await services.get_service(JobService)

        async def has_ended() -> bool:
            return (await jobs.detail(handle.job_id)).result is not None

        await eventually(has_ended)

    assert await looks(config, handle.job_id) == []


async def test_an_outcome_that_was_missed_has_expired_and_is_told_of_once(config: NAQConfig) -> None:
    async with ServiceManager(config) as services, Queue(services=services) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(tasks.add, (1,), result_ttl=3))
        jobs = await services.get_service(JobService)

        async def is_kept() -> bool:
            return await jobs.outcome(handle.job_id) is not None

        async def is_gone() -> bool:
            return not await is_kept()

        await eventually(is_kept)
        await eventually(is_gone)
        for _ in range(2):
            with pytest.raises(NotFound, match=f"the outcome of job {handle.job_id} has expired"):
                await handle.result(timeout=30)

    events = [event for event in await history(config, handle.job_id) if isinstance(event, JobEvent)]
    assert [str(event.event_type) for event in events] == [
        "enqueued", "started", "completed", "result_stored", "result_expired",
    ]  # fmt: skip
    assert faults(events) == []


async def test_a_job_that_keeps_no_outcome_has_none_that_could_expire(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(tasks.add, (1,), result_ttl=0))
        with pytest.raises(NotFound, match="it has ended and stores none"):
            await handle.result(timeout=30)

    assert await looks(config, handle.job_id) == []


@pytest.mark.parametrize(("reason", "told"), [("enough", "enough"), ("", None)], ids=["a reason", "no reason"])
async def test_who_ended_a_job_that_ran_is_told(config: NAQConfig, tmp_path: Path, reason: str, told: str) -> None:
    async with ServiceManager(config) as services, Queue(services=services) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.nap, 60, tmp_path / "begun")
        await eventually((tmp_path / "begun").exists)
        jobs = await services.get_service(JobService)

        assert await jobs.cancel(handle.job_id, reason=reason, by="anna")
        await handle.outcome(timeout=30)

    (ended,) = [event for event in await history(config, handle.job_id) if event.event_type == "cancelled"]
    assert isinstance(ended, JobEvent)
    assert (ended.state, ended.by, ended.reason) == ("running", "anna", told)
