"""What a worker does with the jobs it is given."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naq_runtime import (
    EventService,
    Job,
    JobFailed,
    JobService,
    NAQConfig,
    Queue,
    ServiceManager,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.job import JobStatus
from naq_runtime.monitor import Monitor
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events, event_types, history
from tests.support.waiting import eventually
from tests.support.wayward_tasks import leave_as_a_generator, notes, untidy
from tests.support.workers import running_worker


async def test_a_plain_function_runs_in_a_thread(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.add_plainly, 1, 2)

        assert await handle.result(timeout=30) == 3


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        (tasks.leave, (), "SystemExit: 3"),
        (tasks.unspeakable, (), "SerializationError: the result cannot be stored"),
        (tasks.huge, (1_100_000,), "above the server's limit"),
        ("tests.support.sample_tasks.not_a_task", (), "UnknownTask: this worker has no task"),
        ("os.remove", ("x",), "UnknownTask: this worker has no task 'os.remove'"),
        ("tests.support.sample_tasks.add", ("one",), "ArgumentError: argument 1: Expected `int`, got `str`"),
        ("tests.support.sample_tasks.add", (1, 2, 3), "ArgumentError: the arguments do not fit"),
    ],
)
async def test_a_job_that_cannot_succeed_fails_and_the_worker_goes_on(
    config: NAQConfig, function: str, arguments: tuple[object, ...], error: str
) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(function, arguments))

        with pytest.raises(JobFailed, match=error):
            await handle.result(timeout=30)

        assert await (await queue.enqueue(tasks.add, 1)).result(timeout=30) == 2


async def test_a_message_that_is_no_job_becomes_a_failed_job(config: NAQConfig, services: ServiceManager) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        await services.connection.publish(config.names.job("default", "garbage"), b"\xff not json")

        with pytest.raises(JobFailed, match="SerializationError: the message is not a job"):
            await queue.handle("garbage").result(timeout=30)

        assert await (await queue.enqueue(tasks.add, 1)).result(timeout=30) == 2


@pytest.mark.parametrize("how", ["thread", "task", "task, cleaning up"])
async def test_a_job_ends_that_passes_a_generator_exit_on(config: NAQConfig, how: str) -> None:
    async with Queue(config=config) as queue, running_worker(config) as worker:
        handle = await queue.enqueue_job(Job(leave_as_a_generator, (how,), retries=1, retry_delay=0.0))
        outcome = await handle.outcome(timeout=30)

        assert (outcome.status, outcome.attempt) == (JobStatus.FAILED, 2 if "cleaning" in how else 1)
        assert "GeneratorExit" in f"{outcome.error_type} {outcome.error}"
        await eventually(lambda: (worker.active, worker.counts.failed) == (0, 1))
        assert await (await queue.enqueue(tasks.add, 1)).result(timeout=30) == 2


@pytest.mark.parametrize("fault", [ValueError("a fault of ours"), SystemExit("a fault of ours")])
async def test_a_job_that_cannot_be_handled_fails_under_its_own_name(
    config: NAQConfig, services: ServiceManager, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def report(_: EventService, job: Job, *rest: object, **__: object) -> None:
        if job.args == (17,):
            raise fault

    monkeypatch.setattr("naq_runtime.worker.handling.report_started", report)
    async with Queue(config=config) as queue, running_worker(config) as worker:
        handle = await queue.enqueue(tasks.add, 17)
        with pytest.raises(JobFailed, match="a fault of ours"):
            await handle.result(timeout=30)

        assert await (await queue.enqueue(tasks.add, 1)).result(timeout=30) == 2
        assert worker.counts.failed == 1
        outcome = await (await services.get_service(JobService)).outcome(handle.job_id)
        assert outcome is not None
        assert outcome.job.function == "tests.support.sample_tasks.add"


async def test_a_large_job_keeps_its_result_without_its_arguments(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.fail, "x" * 1_000_000)

        with pytest.raises(JobFailed, match="characters left out"):
            await handle.result(timeout=30)


async def test_no_more_jobs_run_at_a_time_than_there_are_slots(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, concurrency=3) as worker:
        handles = await queue.enqueue_many(Job(tasks.nap, (0.1,)) for _ in range(12))
        most = 0
        while worker.counts.completed < 12:
            most = max(most, worker.active)
            await asyncio.sleep(0)

        assert most == 3
        assert await handles[0].result(timeout=30) == "rested"


async def test_a_job_longer_than_the_servers_patience_runs_once(make_config: MakeConfig, tmp_path: Path) -> None:
    config, mark = make_config(jobs__ack_wait=2), tmp_path / "mark"
    async with Queue(config=config) as queue, running_worker(config), running_worker(config):
        handle = await queue.enqueue(tasks.nap, 5.0, mark)

        assert await handle.result(timeout=30) == "rested"

    assert len(mark.read_text().splitlines()) == 1


async def test_a_stop_lets_running_jobs_end_and_takes_no_more(make_config: MakeConfig, tmp_path: Path) -> None:
    config, mark = make_config(worker__shutdown_grace=30), tmp_path / "mark"
    async with Queue(config=config) as queue:
        async with running_worker(config, concurrency=1) as worker:
            running = await queue.enqueue(tasks.nap, 2.0, mark)
            waiting = await queue.enqueue(tasks.add, 1)
            await eventually(mark.exists)
            worker.request_stop()

        assert (worker.counts.completed, worker.counts.interrupted) == (1, 0)
        assert await running.result(timeout=30) == "rested"
        async with running_worker(config):
            assert await waiting.result(timeout=30) == 2


async def test_a_job_that_outlasts_the_grace_is_handed_back_and_runs_elsewhere(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config, mark = make_config(worker__shutdown_grace=0.1), tmp_path / "mark"
    async with Queue(config=config) as queue:
        async with running_worker(config, name="first") as worker:
            handle = await queue.enqueue(tasks.nap, 2.0, mark)
            await eventually(mark.exists)
            worker.request_stop("deploy")
        assert worker.counts.interrupted == 1

        async with running_worker(config, name="second"):
            assert await handle.result(timeout=30) == "rested"

    types = await event_types(config, handle.job_id)
    assert types == ["enqueued", "started", "interrupted", "started", "completed", "result_stored"]
    interrupted = (await history(config, handle.job_id))[2]
    assert (interrupted.worker_id, interrupted.reason) == ("first", "deploy")  # type: ignore[union-attr]


async def test_a_job_whose_clean_up_fails_is_handed_back_too(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(worker__shutdown_grace=0.0)
    async with Queue(config=config) as queue:
        async with running_worker(config) as worker:
            handle = await queue.enqueue(untidy, tmp_path / "runs")
            await eventually(lambda: notes(tmp_path / "runs") == ["begun"])
        assert (worker.counts.failed, worker.counts.interrupted) == (0, 1)
        async with running_worker(config):
            outcome = await handle.outcome(timeout=30)

    assert (outcome.result, outcome.attempt) == ("done", 1)
    types = await event_types(config, handle.job_id)
    assert types == ["enqueued", "started", "interrupted", "started", "completed", "result_stored"]


async def test_a_worker_serves_several_queues_without_starving_one(config: NAQConfig) -> None:
    async with (
        Queue("left", config=config) as left,
        Queue("right", config=config) as right,
        running_worker(config, "left", "right", concurrency=1),
    ):
        jobs = [await queue.enqueue(tasks.add, 1) for _ in range(20) for queue in (left, right)]

        assert [await handle.result(timeout=30) for handle in jobs] == [2] * 40


async def test_a_worker_that_has_no_free_slot_leaves_the_job_to_another(config: NAQConfig, tmp_path: Path) -> None:
    """With two queues, credit is out for both; what comes when the only slot is taken must not wait for it."""
    mark = tmp_path / "mark"
    async with (
        Queue("slow", config=config) as slow,
        Queue("quick", config=config) as quick,
        running_worker(config, "slow", "quick", concurrency=1),
    ):
        await slow.enqueue(tasks.nap, 4.0, mark)
        await eventually(mark.exists)
        async with running_worker(config, "quick", concurrency=1):
            handle = await quick.enqueue(tasks.add, 1)

            assert await handle.result(timeout=30) == 2


async def test_a_worker_says_that_it_started_beat_worked_and_stopped(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config, name="chatty", concurrency=7):
        await (await queue.enqueue(tasks.nap, 0.3)).result(timeout=30)

    events = [stored.event for stored in await all_events(config, worker_id="chatty")]
    by_type = {event.event_type: event for event in events if isinstance(event, WorkerEvent)}
    assert {"started", "heartbeat", "busy", "stopped"} <= set(by_type)
    started, stopped = by_type[WorkerEventType.STARTED], by_type[WorkerEventType.STOPPED]
    assert (started.queue_names, started.concurrency_limit) == (("default",), 7)
    assert (stopped.reason, stopped.jobs_completed) == ("end of test", 1)


async def test_a_worker_says_in_turn_that_it_is_busy_and_after_a_second_without_jobs_that_it_is_idle(
    config: NAQConfig,
) -> None:
    async def turns() -> list[str]:
        types = [str(stored.event.event_type) for stored in await all_events(config, worker_id="calm")]
        return [one for one in types if one in ("busy", "idle")]

    async def is_idle() -> bool:
        return (await turns())[-1:] == ["idle"]

    async with Queue(config=config) as queue, running_worker(config, name="calm"):
        handles = [await queue.enqueue(tasks.add, 1) for _ in range(20)]
        assert [await handle.result(timeout=30) for handle in handles] == [2] * 20
        await eventually(is_idle)

    told = await turns()
    assert told == ["busy", "idle"] * (len(told) // 2)
    assert len(told) < 20


async def test_a_worker_is_in_the_list_while_it_lives_with_what_it_does(
    config: NAQConfig, services: ServiceManager
) -> None:
    monitor = await services.get_service(Monitor)
    async with Queue(config=config) as queue, running_worker(config, name="listed"):
        handle = await queue.enqueue(tasks.nap, 60.0)

        async def busy() -> bool:
            return any(record.active_jobs == 1 for record in await monitor.workers())

        await eventually(busy)
        (record,) = await monitor.workers()

        assert record.worker_id == "listed"
        assert record.state == "busy"
        assert record.running_job_ids == (handle.job_id,)
        assert record.rss_bytes > 1_000_000
        await handle.cancel()
    (record,) = await monitor.workers()
    assert record.state == "stopped"


async def test_the_depth_of_a_queue_is_what_the_stream_says(config: NAQConfig, services: ServiceManager) -> None:
    monitor = await services.get_service(Monitor)
    async with Queue("deep", config=config) as queue:
        await queue.enqueue_many(Job(tasks.nap, (5.0,)) for _ in range(10))
        assert [(q.name, q.waiting, q.running) for q in (await monitor.snapshot()).queues] == [("deep", 10, 0)]

        async with running_worker(make_impatient(config), "deep", concurrency=4) as worker:
            await eventually(lambda: worker.active == 4)

            async def told() -> bool:
                (deep,) = (await monitor.snapshot()).queues
                return (deep.waiting, deep.running) == (6, 4)

            await eventually(told)


async def test_all_about_a_job_can_be_asked_before_while_and_after_it_runs(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    monitor, mark = await services.get_service(Monitor), tmp_path / "mark"
    async with Queue(config=config) as queue:
        handle = await queue.enqueue(tasks.nap, 3.0, mark)
        queued = await monitor.job(handle.job_id)
        assert queued.status is JobStatus.QUEUED
        assert queued.job is not None
        assert queued.job.args == (3.0, str(mark))

        async with running_worker(config):

            async def status() -> bool:
                return (await monitor.job(handle.job_id)).status is JobStatus.RUNNING

            await eventually(status)
            await handle.result(timeout=30)

        ended = await monitor.job(handle.job_id)
        assert ended.status is JobStatus.COMPLETED
        assert ended.result is not None
        assert ended.result.result == "rested"
        told = [str(stored.event.event_type) for stored in ended.events]
        assert told[:4] == ["enqueued", "started", "completed", "result_stored"]


def make_impatient(config: NAQConfig) -> NAQConfig:
    """The same settings, with no grace at the end."""
    import msgspec

    worker = msgspec.structs.replace(config.worker, shutdown_grace=0.0)
    return msgspec.structs.replace(config, worker=worker)
