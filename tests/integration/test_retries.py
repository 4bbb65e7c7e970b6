"""Jobs that are tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from naq_runtime import Job, JobCancelled, JobFailed, JobService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.events.models import JobEvent
from tests.support import sample_tasks
from tests.support import wayward_tasks as tasks
from tests.support.history import history
from tests.support.lifecycle import Stage, faults, last_stages
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def story(config: NAQConfig, job_id: str) -> list[JobEvent]:
    """The events of a job, which must be a legal and complete story."""
    events = [event for event in await history(config, job_id) if isinstance(event, JobEvent)]
    assert faults(events) == []
    assert last_stages(events) <= {Stage.KEPT, Stage.BURIED}
    return events


async def test_a_job_is_tried_until_it_succeeds(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.flaky, tmp_path / "runs", 3)

        assert await handle.result(timeout=30) == 3

    assert tasks.notes(tmp_path / "runs") == ["1", "2", "3"]
    events = await story(config, handle.job_id)
    assert [event.event_type for event in events if event.event_type == "retry_scheduled"] == ["retry_scheduled"] * 2


async def test_out_of_tries_it_is_a_dead_letter_with_its_payload_and_error(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    async with Queue(config=config) as queue, running_worker(config, name="anna"):
        handle = await queue.enqueue_job(Job(tasks.flaky, (tmp_path / "runs", 9), retries=1))
        with pytest.raises(JobFailed, match="not yet"):
            await handle.result(timeout=30)

    letter = await (await services.get_service(JobService)).dead_letter(handle.job_id)
    payload = services.serializer.decode_job(letter.payload)
    assert payload.args == (str(tmp_path / "runs"), 9)
    assert (letter.error_type, letter.attempts, letter.worker_id) == ("ConnectionError", 2, "anna")
    assert "not yet" in letter.traceback
    assert (await story(config, handle.job_id))[-2].event_type == "dead_lettered"


@pytest.mark.parametrize(("kind", "runs"), [("os", 3), ("missing", 1), ("value", 1)])
async def test_only_the_errors_that_were_named_are_worth_another_try(
    config: NAQConfig, tmp_path: Path, kind: str, runs: int
) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(tasks.choosy, (tmp_path / "runs", kind), retries=2))

        assert (await handle.outcome(timeout=30)).status is JobStatus.FAILED

    assert len(tasks.notes(tmp_path / "runs")) == runs


@pytest.mark.parametrize(("what", "second"), [("retry", "retry 2"), ("snooze", "snooze 1")])
async def test_a_job_may_ask_for_another_time_itself(config: NAQConfig, tmp_path: Path, what: str, second: str) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.asking, tmp_path / "runs", what)

        assert await handle.result(timeout=30) == "done"

    assert tasks.notes(tmp_path / "runs") == [f"{what} 1", second]
    await story(config, handle.job_id)


async def test_a_job_may_give_up(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.asking, tmp_path / "runs", "cancel")

        with pytest.raises(JobCancelled, match="no use"):
            await handle.result(timeout=30)

    assert (await story(config, handle.job_id))[-2].event_type == "cancelled"


async def test_a_job_in_a_process_may_ask_too(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.asking_in_process, tmp_path / "runs")

        assert await handle.result(timeout=20) == "done"

    assert tasks.notes(tmp_path / "runs") == ["1", "2"]


async def test_a_retry_that_waits_holds_no_slot_and_no_acknowledgement(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue("default", config=config) as queue, running_worker(config, concurrency=1):
        await queue.limit(concurrency=1)
        job = Job(tasks.flaky, (tmp_path / "runs", 2), retry_delay=60.0)
        waiting = await queue.enqueue_job(job)
        await eventually(lambda: tasks.notes(tmp_path / "runs") == ["1"])

        assert await (await queue.enqueue(sample_tasks.add, 1)).result(timeout=30) == 2
        assert await waiting.status() == JobStatus.SCHEDULED


async def test_a_retry_outlives_the_worker_that_asked_for_it(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue:
        async with running_worker(config, name="first"):
            handle = await queue.enqueue_job(Job(tasks.flaky, (tmp_path / "runs", 2), retry_delay=1.0))
            await eventually(lambda: tasks.notes(tmp_path / "runs") == ["1"])
        async with running_worker(config, name="second"):
            outcome = await handle.outcome(timeout=30)

    assert (outcome.attempt, outcome.worker_id) == (2, "second")
    await story(config, handle.job_id)


async def test_a_worker_that_stops_costs_no_try(config: NAQConfig, tmp_path: Path) -> None:
    async with Queue(config=config) as queue:
        async with running_worker(config) as worker:
            handle = await queue.enqueue(tasks.waiting, tmp_path / "runs")
            await eventually(lambda: tasks.notes(tmp_path / "runs") == ["begun"])
            worker.request_stop(at_once=True)
        async with running_worker(config):
            await eventually(lambda: tasks.notes(tmp_path / "runs").count("begun") == 2)
            await handle.cancel()
            outcome = await handle.outcome(timeout=30)

    assert (outcome.status, outcome.attempt) == (JobStatus.CANCELLED, 1)
    await story(config, handle.job_id)
