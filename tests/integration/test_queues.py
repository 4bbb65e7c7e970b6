"""Whole queues: paused, limited, emptied, and how they say so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naq_runtime import Job, NAQConfig, Queue, QueueService, ServiceManager
from naq_runtime.errors import ConfigError, InvalidName, NotFound
from naq_runtime.events.models import SystemEvent
from naq_runtime.job import After, JobStatus
from naq_runtime.nats.publish import Outgoing
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events, event_types
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@pytest.fixture
async def queues(services: ServiceManager) -> QueueService:
    """The operations, as another process has them."""
    return await services.get_service(QueueService)


async def system_events(config: NAQConfig, event_type: str) -> list[SystemEvent]:
    """The events of a type, in order."""
    events = [stored.event for stored in await all_events(config, event_type=event_type)]
    return [event for event in events if isinstance(event, SystemEvent)]


async def nothing_starts(marks: Path, worker_s: float = 0.5) -> bool:
    """Whether the file stays as it is for a while."""
    before = marks.read_text() if marks.exists() else ""
    with pytest.raises(AssertionError):
        await eventually(lambda: marks.exists() and marks.read_text() != before, within=worker_s)
    return True


class TestPause:
    async def test_a_paused_queue_begins_no_job_until_it_is_resumed(
        self, config: NAQConfig, queues: QueueService, tmp_path: Path
    ) -> None:
        mark = tmp_path / "mark"
        async with Queue("default", config=config) as queue, running_worker(config):
            await queue.pause()
            handle = await queue.enqueue(tasks.nap, 0.0, mark)

            assert await nothing_starts(mark)

            await queue.resume()
            assert await handle.result(timeout=30) == "rested"

    async def test_a_worker_that_asked_during_the_pause_is_served_though_the_word_came_late(
        self, config: NAQConfig, queues: QueueService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        too_late_ns = -1_000_000
        monkeypatch.setattr("naq_runtime.nats.queues._SOON_NS", (too_late_ns, 500_000_000))

        async def asked() -> bool:
            return (await queues.state("default")).pulls > 0

        async with Queue("default", config=config) as queue:
            handle = await queue.enqueue(tasks.add, 1, 2)
            await queue.pause()
            async with running_worker(config):
                await eventually(asked)
                await queue.resume()

                assert await handle.result(timeout=30) == 3

    async def test_a_pause_takes_effect_within_a_second_however_much_was_asked_for_ahead(
        self, config: NAQConfig, tmp_path: Path
    ) -> None:
        lines = tmp_path / "lines"
        async with Queue("default", config=config) as queue, running_worker(config, concurrency=2) as worker:
            await queue.enqueue_many(Job(tasks.append, (lines, "x", 0.001)) for _ in range(2_000))
            await eventually(lambda: worker.counts.completed > 100)
            await queue.pause()
            await eventually(lambda: worker.active == 0)

            assert await nothing_starts(lines)
            assert worker.counts.completed < 2_000

            await queue.resume()
            await eventually(lambda: worker.counts.completed == 2_000)

    async def test_a_pause_may_come_before_any_job_or_worker_and_outlives_both(
        self, config: NAQConfig, queues: QueueService, tmp_path: Path
    ) -> None:
        mark = tmp_path / "mark"
        await queues.pause("default")
        async with Queue("default", config=config) as queue, running_worker(config):
            await queue.enqueue(tasks.nap, 0.0, mark)
            assert await nothing_starts(mark, 0.3)

        async with running_worker(config) as worker:
            assert await nothing_starts(mark, 0.3)
            await queues.resume("default")
            await eventually(lambda: worker.counts.completed == 1)

    async def test_a_job_that_runs_while_its_queue_is_paused_ends_once(
        self, make_config: MakeConfig, tmp_path: Path
    ) -> None:
        config, mark = make_config(jobs__ack_wait=2), tmp_path / "mark"
        async with Queue("default", config=config) as queue, running_worker(config), running_worker(config):
            handle = await queue.enqueue(tasks.nap, 4.5, mark)
            await eventually(mark.exists)
            await queue.pause()

            assert await handle.result(timeout=30) == "rested"

            await queue.resume()
            assert await nothing_starts(mark)
            assert len(mark.read_text().splitlines()) == 1

    async def test_other_queues_go_on(self, config: NAQConfig) -> None:
        async with (
            Queue("held", config=config) as held,
            Queue("free", config=config) as free,
            running_worker(config, "held", "free"),
        ):
            await held.pause()
            await held.enqueue(tasks.add, 1)

            assert await (await free.enqueue(tasks.add, 1)).result(timeout=30) == 2

    async def test_who_pauses_and_resumes_says_so(self, config: NAQConfig) -> None:
        async with Queue("mail", config=config) as queue:
            await queue.pause("the relay is down")
            await queue.resume()

        (paused,) = await system_events(config, "queue_paused")
        (resumed,) = await system_events(config, "queue_resumed")
        assert (paused.queue_name, paused.reason, paused.role) == ("mail", "the relay is down", "producer")
        assert resumed.queue_name == "mail"
        assert "the relay is down" in paused.message

    async def test_a_queue_that_never_was_cannot_be_resumed(self, queues: QueueService) -> None:
        with pytest.raises(NotFound, match="there is no queue nowhere"):
            await queues.resume("nowhere")

    async def test_a_queue_without_a_name_cannot_be_paused(self, config: NAQConfig) -> None:
        async with Queue(config=config) as nameless:
            with pytest.raises(InvalidName, match="has no name"):
                await nameless.pause()


class TestConcurrency:
    async def test_no_more_run_at_a_time_over_all_workers_and_all_complete(
        self, config: NAQConfig, queues: QueueService
    ) -> None:
        await queues.limit("default", concurrency=2)
        async with (
            Queue("default", config=config) as queue,
            running_worker(config, concurrency=4) as one,
            running_worker(config, concurrency=4) as two,
            running_worker(config, concurrency=1) as three,
        ):
            workers = (one, two, three)
            handles = await queue.enqueue_many(Job(tasks.nap, (0.25,)) for _ in range(40))
            seen: list[int] = []

            async def all_done() -> bool:
                seen.append(sum(worker.active for worker in workers))
                return sum(worker.counts.completed for worker in workers) == 40

            begun = asyncio.get_running_loop().time()
            await eventually(all_done)

            assert max(seen) == 2
            assert asyncio.get_running_loop().time() - begun < 10  # 5 s when two run all the time, 10 when one does
            assert await handles[-1].result(timeout=30) == "rested"

    async def test_short_jobs_are_not_hoarded_by_one_worker(self, config: NAQConfig, queues: QueueService) -> None:
        await queues.limit("default", concurrency=2)
        async with (
            Queue("default", config=config) as queue,
            running_worker(config, concurrency=1) as one,
            running_worker(config, concurrency=1) as two,
        ):
            await queue.enqueue_many(Job(tasks.nap, (0.001,)) for _ in range(400))
            await eventually(lambda: one.counts.completed + two.counts.completed == 400)

            assert min(one.counts.completed, two.counts.completed) > 50

    async def test_a_limit_takes_effect_at_once_and_so_does_its_removal(
        self, config: NAQConfig, queues: QueueService
    ) -> None:
        async with Queue("default", config=config) as queue, running_worker(config, concurrency=8) as worker:
            await queue.limit(concurrency=1)
            await queue.enqueue_many(Job(tasks.nap, (60.0,)) for _ in range(8))
            await eventually(lambda: worker.active == 1)
            await queue.limit(concurrency=0)

            await eventually(lambda: worker.active >= 6)

    async def test_without_a_limit_the_configured_number_stands_again(
        self, config: NAQConfig, services: ServiceManager, queues: QueueService
    ) -> None:
        await queues.limit("q", concurrency=3)
        await queues.limit("q", concurrency=0)

        consumer = await services.connection.api(
            f"CONSUMER.INFO.{config.names.jobs_stream}.{config.names.queue_consumer('q')}"
        )
        assert consumer["config"]["max_ack_pending"] == config.jobs.max_ack_pending
        assert (await queues.state("q")).concurrency_limit == 0

    async def test_a_limit_below_nothing_is_refused(self, queues: QueueService) -> None:
        with pytest.raises(ConfigError, match="1 to 1,000,000 jobs at a time"):
            await queues.limit("q", concurrency=-1)


class TestAdoption:
    async def test_a_paused_and_limited_queue_is_adopted_as_it_is(
        self, config: NAQConfig, queues: QueueService
    ) -> None:
        await queues.pause("q")
        await queues.limit("q", concurrency=3, rate="10/30s")

        async with Queue("q", config=config) as queue, running_worker(config, "q"):
            await queue.enqueue(tasks.add, 1)

            state = await queues.state("q")
        assert (state.paused, state.concurrency_limit, state.rate_limit) == (True, 3, "10/30s")

    async def test_a_limit_leaves_a_pause_and_the_other_limit_as_they_are(self, queues: QueueService) -> None:
        await queues.limit("q", rate="5/s")
        await queues.pause("q")
        await queues.limit("q", concurrency=2)
        await queues.resume("q")

        state = await queues.state("q")
        assert (state.paused, state.concurrency_limit, state.rate_limit) == (False, 2, "5/1s")


class TestStates:
    async def test_each_queue_tells_how_it_stands(self, config: NAQConfig, queues: QueueService) -> None:
        async with Queue("a", config=config) as a, Queue("b", config=config) as b:
            await a.enqueue(tasks.add, 1)
            await a.pause()
            await b.limit(concurrency=7, rate="100/min")

        states = {state.name: state for state in await queues.states()}
        assert (states["a"].paused, states["a"].waiting) == (True, 1)
        assert (states["b"].paused, states["b"].concurrency_limit, states["b"].rate_limit) == (False, 7, "100/60s")
        assert (states["a"].concurrency_limit, states["a"].rate_limit) == (0, "")

    async def test_a_queue_that_never_was_has_no_state(self, queues: QueueService) -> None:
        with pytest.raises(NotFound, match="there is no queue nowhere"):
            await queues.state("nowhere")

    async def test_limits_are_told_as_an_event(self, config: NAQConfig) -> None:
        async with Queue("mail", config=config) as queue:
            await queue.limit(concurrency=4, rate="100/min")
            await queue.limit(rate="")

        set_, changed = await system_events(config, "queue_limited")
        assert (set_.queue_name, set_.concurrency_limit, set_.rate_limit) == ("mail", 4, "100/60s")
        assert (changed.concurrency_limit, changed.rate_limit or "") == (4, "")


class TestPurge:
    async def test_what_no_worker_has_is_cancelled_and_its_owners_hear_so(self, config: NAQConfig) -> None:
        async with Queue("default", config=config) as queue:
            handles = await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(1_200))

            assert await queue.purge() == 1_200

            result = await handles[700].outcome(timeout=30)
            assert (result.status, result.error) == (JobStatus.CANCELLED, "purged")
            async with running_worker(config) as worker:
                assert await (await queue.enqueue(tasks.add, 1)).result(timeout=30) == 2
                assert worker.counts.completed == 1
        assert await event_types(config, handles[0].job_id) == ["enqueued", "cancelled", "result_stored"]

    async def test_jobs_that_run_go_on(self, config: NAQConfig, tmp_path: Path) -> None:
        mark = tmp_path / "mark"
        async with Queue("default", config=config) as queue, running_worker(config, concurrency=1):
            running = await queue.enqueue(tasks.nap, 3.0, mark)
            await eventually(mark.exists)
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(5))

            assert await queue.purge() == 5
            assert await running.result(timeout=30) == "rested"

    async def test_a_job_that_a_worker_has_handed_back_is_purged(
        self, config: NAQConfig, queues: QueueService, tmp_path: Path
    ) -> None:
        mark = tmp_path / "mark"
        async with Queue("default", config=config) as queue:
            handle = await queue.enqueue(tasks.nap, 30.0, mark)
            async with running_worker(config) as worker:
                await eventually(mark.exists)
                await queue.pause()
                worker.request_stop(at_once=True)
            async with running_worker(config):
                assert await queue.purge() == 1
            assert (await handle.outcome(timeout=30)).status is JobStatus.CANCELLED

    async def test_only_the_functions_that_are_meant(self, config: NAQConfig, queues: QueueService) -> None:
        async with Queue("default", config=config) as queue:
            await queue.enqueue_many([Job(tasks.add, (1,)), Job(tasks.nap, (1.0,)), Job(tasks.add_plainly, (1, 2))])

            assert await queue.purge(function="*.add*") == 2
            assert (await queues.state("default")).waiting == 1

    async def test_only_what_is_old_enough(self, config: NAQConfig, queues: QueueService) -> None:
        async with Queue("default", config=config) as queue:
            await queue.enqueue(tasks.add, 1)

            assert await queue.purge(older_than_s=60) == 0
            assert await queue.purge(older_than_s=0) == 1

    async def test_of_unknown_age_is_not_old(self, config: NAQConfig, services: ServiceManager) -> None:
        job = Job("a.b", job_id="undated", queue_name="default", enqueued_at_ns=0)
        async with Queue("default", config=config) as queue:
            await queue.enqueue(tasks.add, 1)
            payload = services.serializer.encode_job(job)
            await services.streams.publish([Outgoing(services.names.job("default", job.job_id), payload)])

            assert await queue.purge(older_than_s=0) == 1
            assert await queue.purge() == 1

    async def test_what_waits_for_its_time_or_for_others_only_on_request(self, config: NAQConfig) -> None:
        async with Queue("default", config=config) as queue, Queue("other", config=config) as other:
            parent = await other.enqueue(tasks.add, 1)
            later = await queue.enqueue_in(60, tasks.add, 1)
            waiting = await queue.enqueue_job(Job(tasks.add, (1,), depends_on=(After(parent.job_id),)))

            assert await queue.purge() == 0
            assert await queue.purge(scheduled=True) == 1
            assert await queue.purge(waiting=True) == 1
            assert [await handle.status() for handle in (later, waiting, parent)] == [
                JobStatus.CANCELLED,
                JobStatus.CANCELLED,
                JobStatus.QUEUED,
            ]

    async def test_those_that_depend_on_a_purged_job_are_cancelled(self, config: NAQConfig) -> None:
        async with Queue("default", config=config) as queue, Queue("other", config=config) as other:
            parent = await queue.enqueue(tasks.add, 1)
            child = await other.enqueue_job(Job(tasks.add, (1,), depends_on=(After(parent.job_id),)))
            await queue.purge()

            result = await child.outcome(timeout=30)
            assert (result.status, result.error_type) == (JobStatus.CANCELLED, "DependencyFailed")

    async def test_what_is_no_job_is_purged_too(self, config: NAQConfig, services: ServiceManager) -> None:
        async with Queue("default", config=config) as queue:
            await queue.enqueue(tasks.add, 1)
            await services.connection.publish(config.names.job("default", "garbage"), b"\xff")
            await services.connection.flush()

            assert await queue.purge() == 2

    @pytest.mark.parametrize("paused", [True, False])
    async def test_a_queue_is_as_paused_afterwards_as_before(
        self, config: NAQConfig, queues: QueueService, paused: bool
    ) -> None:
        async with Queue("default", config=config) as queue:
            await queue.enqueue(tasks.add, 1)
            if paused:
                await queue.pause()
            await queue.purge()

        assert (await queues.state("default")).paused is paused

    async def test_a_purge_says_how_many_jobs_went(self, config: NAQConfig) -> None:
        async with Queue("mail", config=config) as queue:
            await queue.enqueue_many(Job(tasks.add, (1,)) for _ in range(3))
            await queue.purge()

        (purged,) = await system_events(config, "queue_purged")
        assert (purged.queue_name, purged.count) == ("mail", 3)

    async def test_a_queue_that_never_was_cannot_be_purged(self, queues: QueueService) -> None:
        with pytest.raises(NotFound, match="there is no queue nowhere"):
            await queues.purge("nowhere")
