"""Ends that are hard to write down: each is written all the same, and keeps no other job from its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from naq_runtime import Job, JobFailed, JobService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import JobRefused, NotFound
from naq_runtime.events.models import JobEvent
from naq_runtime.jobs.store import JobStore
from tests.conftest import MakeConfig
from tests.support import awkward_tasks as tasks
from tests.support.history import history
from tests.support.waiting import eventually
from tests.support.wayward_tasks import notes
from tests.support.workers import running_worker

MODULES = ("tests.support.awkward_tasks",)


@pytest.fixture
async def service(services: ServiceManager) -> JobService:
    """The operations, as another process has them."""
    return await services.get_service(JobService)


async def events_of(config: NAQConfig, job_id: str, last: str) -> list[str]:
    """The types of a job's events, once the last one is there."""

    async def there() -> bool:
        return last in [event.event_type for event in await history(config, job_id)]

    await eventually(there)
    return [str(event.event_type) for event in await history(config, job_id) if isinstance(event, JobEvent)]


@pytest.mark.parametrize("task", [tasks.cry, tasks.nameless])
async def test_an_error_of_any_length_is_buried_and_holds_up_nobody(config: NAQConfig, task: object) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=MODULES):
        loud = await queue.enqueue(task, 100_000)  # type: ignore[arg-type]
        quiet = await queue.enqueue(tasks.say, "ok")

        assert await quiet.result(timeout=30) == "ok"
        with pytest.raises(JobFailed):
            await loud.result(timeout=30)
    async with ServiceManager(config, role="test") as services:
        letter = await (await services.get_service(JobService)).dead_letter(loud.job_id)
    assert letter.attempts == 1
    assert letter.error


@pytest.mark.parametrize("how", ["well", "badly"])
async def test_each_attempt_gets_the_arguments_that_were_enqueued(config: NAQConfig, tmp_path: Path, how: str) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=MODULES):
        handle = await queue.enqueue(tasks.spoil, tmp_path / "runs", ["fresh"], how)

        assert await handle.result(timeout=30) == "done"
    assert notes(tmp_path / "runs") == ["1 ['fresh']", "2 ['fresh']", "3 ['fresh']"]


async def test_a_result_that_is_too_large_is_a_failure_to_all_who_look(config: NAQConfig) -> None:
    parent = Job(tasks.say, ("x" * 900_000,), job_id="parent")

    async with Queue(config=config) as queue, running_worker(config, modules=("tests.support.sample_tasks", *MODULES)):
        fits = await queue.enqueue_job(parent)
        large = await queue.enqueue_job(Job("tests.support.sample_tasks.letters", (3_000_000,), job_id="large"))
        child = await queue.enqueue_job(Job(tasks.count_parents, depends_on=large))

        assert len(await fits.result(timeout=30)) == 900_000
        assert (await large.outcome(timeout=30)).status is JobStatus.FAILED
        assert (await child.outcome(timeout=30)).status is JobStatus.CANCELLED
        told = await events_of(config, "large", "result_stored")
    assert told == ["enqueued", "started", "failed", "dead_lettered", "result_stored"]


async def test_an_end_that_has_no_form_is_a_failure_and_holds_up_nobody(make_config: MakeConfig) -> None:
    config = make_config(jobs__serializer="tests.support.awkward_tasks:PickySerializer")

    async with Queue(config=config) as queue, running_worker(config, modules=MODULES):
        bad = await queue.enqueue(tasks.say, "unspeakable")
        good = [await queue.enqueue(tasks.say, str(number)) for number in range(20)]

        assert [await handle.result(timeout=30) for handle in good] == [str(number) for number in range(20)]
        outcome = await bad.outcome(timeout=30)
    assert (outcome.status, outcome.error_type) == (JobStatus.FAILED, "OutcomeRefused")
    assert "there is no word for it" in (outcome.error or "")


async def test_a_job_that_keeps_no_outcome_has_one_end_when_it_does_not_heed_its_cancelling(
    config: NAQConfig, services: ServiceManager
) -> None:
    # Given a job in a thread that runs on whatever it is told
    async with Queue(config=config) as queue, running_worker(config, modules=MODULES):
        handle = await queue.enqueue_job(Job(tasks.deaf, (0.3,), result_ttl=0))
        await events_of(config, handle.job_id, "started")

        # When it is cancelled, and nothing of it is left in the queue
        await handle.cancel()

        async def gone() -> bool:
            return await JobStore(services.streams, services.names).find(handle.job_id) is None

        await eventually(gone)

    # Then it has completed, and nothing else
    assert await events_of(config, handle.job_id, "completed") == ["enqueued", "started", "completed"]


async def test_an_outcome_cannot_be_kept_for_longer_than_the_stream_keeps_any(make_config: MakeConfig) -> None:
    config = make_config(results__ttl=60)

    async with Queue(config=config) as queue:
        with pytest.raises(JobRefused, match=r"result_ttl of 61 s.*raise results\.ttl"):
            await queue.enqueue_job(Job(tasks.say, ("ok",), result_ttl=61))


async def test_a_dead_letter_that_is_put_back_has_the_results_of_what_it_depended_on(
    config: NAQConfig, service: JobService, tmp_path: Path
) -> None:
    async with Queue(config=config) as queue, running_worker(config, modules=MODULES):
        parents = [Job(tasks.say, (text,)) for text in ("one", "two")]
        *_, heir = await queue.enqueue_many([*parents, Job(tasks.fail_once, (tmp_path / "runs",), depends_on=parents)])
        assert (await heir.outcome(timeout=30)).status is JobStatus.FAILED

        letter = await service.dead_letter(heir.job_id)
        await service.retry_dead(letter)

        async def done() -> bool:
            outcome = await service.outcome(heir.job_id)
            return outcome is not None and outcome.result.result == ["one", "two"]

        await eventually(done)
        with pytest.raises(NotFound):
            await service.retry_dead(letter)


async def test_the_reason_of_a_cancelling_may_be_any_text(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        handle = await queue.enqueue_in(3600, tasks.say, "never")

        assert await handle.cancel("\ud800" + "\N{LOUDLY CRYING FACE}" * 100_000)
        assert (await handle.outcome(timeout=30)).status is JobStatus.CANCELLED
