"""Putting jobs into queues, and hearing what became of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from naq_runtime import (
    Event,
    EventService,
    Job,
    JobEvent,
    JobFailed,
    JobService,
    JobStatus,
    NAQConfig,
    NotFound,
    PartlyRefused,
    Queue,
    ResultTimeout,
    ServiceManager,
)
from naq_runtime.errors import (
    DuplicateJob,
    InvalidName,
    NotImportable,
    PayloadTooLarge,
    SerializationError,
)
from tests.support import sample_tasks as tasks
from tests.support.history import event_types, history
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def test_a_job_runs_and_its_result_comes_back(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.add, 2, right=40)

        assert await handle.result(timeout=30) == 42


async def test_a_job_that_was_enqueued_for_later_is_scheduled_and_never_enqueued(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_in(0.2, tasks.add, 1)
        await handle.outcome(timeout=30)

    types = await event_types(config, handle.job_id)
    assert types[:3] == ["scheduled", "started", "completed"]
    assert "enqueued" not in types


async def test_values_beyond_json_arrive_as_the_annotation_says(config: NAQConfig) -> None:
    order = tasks.Order(uuid4(), datetime.now(UTC), Decimal("12.50"), b"\x00\xff")
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.echo, order)

        assert await handle.result(timeout=30) == {
            "id": "UUID",
            "placed": "datetime",
            "total": "Decimal",
            "note": "bytes",
        }


async def test_the_error_of_a_job_comes_back_with_its_traceback(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.fail, "out of paper")

        with pytest.raises(JobFailed, match="ValueError: out of paper") as caught:
            await handle.result(timeout=30)

    assert caught.value.error_type == "ValueError"
    assert "raise ValueError(message)" in caught.value.traceback


async def test_a_result_that_does_not_come_in_time_is_an_error_of_its_own(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        handle = await queue.enqueue(tasks.add, 1)

        with pytest.raises(ResultTimeout, match=r"not ended within 0\.2 s"):
            await handle.result(timeout=0.2)


async def test_a_handle_on_a_job_that_ended_long_ago_answers_at_once(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        first = await queue.enqueue(tasks.add, 1)
        await first.result(timeout=30)

        assert await queue.handle(first.job_id).result(timeout=30) == 2


async def test_a_second_job_of_one_id_is_refused_while_the_first_is_queued(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        await queue.enqueue_job(Job(tasks.add, (1,), job_id="only-one"))

        with pytest.raises(DuplicateJob, match="job only-one of queue default has not ended yet"):
            await queue.enqueue_job(Job(tasks.add, (2,), job_id="only-one"))


async def test_an_id_is_free_again_once_its_job_has_ended_and_gives_the_new_result(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        first = await queue.enqueue_job(Job(tasks.add, (1,), job_id="again"))
        assert await first.result(timeout=30) == 2

        second = await queue.enqueue_job(Job(tasks.add, (10,), job_id="again"))

        assert await second.result(timeout=30) == 11


async def test_many_jobs_are_enqueued_at_once(config: NAQConfig) -> None:
    async with Queue("bulk", config=config) as queue, running_worker(config, "bulk", concurrency=50):
        handles = await queue.enqueue_many(Job(tasks.add, (number,)) for number in range(1_200))

        assert len({handle.job_id for handle in handles}) == 1_200
        assert await handles[-1].result(timeout=30) == 1_200


async def test_of_many_jobs_those_refused_are_named_and_the_others_stored(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        good = Job(tasks.add, (1,))
        with pytest.raises(PartlyRefused, match="1 of 2 jobs were not enqueued") as caught:
            await queue.enqueue_many([good, Job(tasks.huge, ("x" * 2_000_000,), job_id="too-large")])

        assert isinstance(caught.value.refused["too-large"], PayloadTooLarge)
        assert caught.value.enqueued == [good.job_id]
        assert await queue.handle(good.job_id).result(timeout=30) == 2


async def test_what_no_worker_could_import_is_refused_at_the_call(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        with pytest.raises(NotImportable, match="lambda"):
            await queue.enqueue(lambda: None)


async def test_what_has_no_json_form_is_refused_at_the_call(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        with pytest.raises(SerializationError, match="object has no JSON form"):
            await queue.enqueue(tasks.add, object())


async def test_arguments_that_do_not_fit_the_signature_are_refused_at_the_call(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        with pytest.raises(SerializationError, match="missing a required argument: 'left'"):
            await queue.enqueue(tasks.add)


async def test_a_payload_above_the_servers_limit_is_refused_with_both_sizes(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        with pytest.raises(PayloadTooLarge, match=r"the job is 1,100,\d+ bytes, the server takes 1,048,064"):
            await queue.enqueue(tasks.fail, "x" * 1_100_000)


@pytest.mark.parametrize("name", ["a.b", "a b", "*", ">", "", "é", "x" * 65])
def test_a_queue_name_that_cannot_be_one_token_is_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="use 1 to 64 letters"):
        Queue(name)


async def test_the_events_of_a_job_tell_its_story_in_order(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, name="teller"):
        handle = await queue.enqueue(tasks.add, 1, right=2)
        await handle.result(timeout=30)

    enqueued, started, completed, stored = await history(config, handle.job_id)

    assert await event_types(config, handle.job_id) == ["enqueued", "started", "completed", "result_stored"]
    assert enqueued.function_name == "tests.support.sample_tasks.add"  # type: ignore[union-attr]
    assert (enqueued.args_count, enqueued.kwargs_count) == (1, 1)  # type: ignore[union-attr]
    assert (started.worker_id, started.attempt) == ("teller", 1)  # type: ignore[union-attr]
    assert 0 <= started.wait_ms < 30_000  # type: ignore[union-attr,operator]
    assert 0 <= completed.duration_ms < 30_000  # type: ignore[union-attr,operator]
    assert completed.result_size == stored.result_size == len(b"3")  # type: ignore[union-attr]


async def test_a_job_may_ask_for_its_outcome_not_to_be_kept(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config) as worker:
        handle = await queue.enqueue_job(Job(tasks.add, (1,), result_ttl=0))
        await eventually(lambda: worker.counts.completed == 1)

        with pytest.raises(NotFound, match="result_ttl"):
            await handle.result(timeout=30)


async def test_a_task_may_name_its_own_queue(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, "elsewhere"):
        single = await queue.enqueue(tasks.placed_elsewhere)
        (many,) = await queue.enqueue_many([Job(tasks.placed_elsewhere)])

        assert [await handle.result(timeout=30) for handle in (single, many)] == ["done", "done"]


async def test_a_queue_that_is_named_stands_above_the_tasks_own(config: NAQConfig) -> None:
    async with Queue("named", config=config) as queue, running_worker(config, "named"):
        assert await (await queue.enqueue(tasks.placed_elsewhere)).result(timeout=30) == "done"


async def test_a_job_runs_in_this_process_with_its_events_and_without_a_worker(
    config: NAQConfig, services: ServiceManager
) -> None:
    jobs, events = await services.get_service(JobService), await services.get_service(EventService)
    seen: list[tuple[str, str]] = []

    async def processor(event: Event) -> None:
        if isinstance(event, JobEvent):
            seen.append((event.job_id, str(event.event_type)))

    processing = events.register_event_processor(processor)

    well = await jobs.execute_job(Job(tasks.add, (1, 2)), "test-worker")
    badly = await jobs.execute_job(Job(tasks.fail), "test-worker")
    await events.flush()

    assert (well.status, well.result) == (JobStatus.COMPLETED, 3)
    assert (badly.status, badly.error_type, badly.error) == (JobStatus.FAILED, "ValueError", "boom")
    assert await event_types(config, well.job_id) == ["started", "completed"]
    assert await event_types(config, badly.job_id) == ["started", "failed"]
    await processing.flush()
    assert seen == [
        (well.job_id, "started"),
        (well.job_id, "completed"),
        (badly.job_id, "started"),
        (badly.job_id, "failed"),
    ]
