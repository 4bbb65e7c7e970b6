"""The server goes away and comes back; nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from naq_runtime import EmbeddedServer, EventFilter, EventService, Job, JobEvent, NAQConfig, Queue, ServiceManager, sync
from naq_runtime.errors import QueueFull, ResultTimeout, ServerError
from naq_runtime.events.models import JobEventType, SystemEvent
from naq_runtime.worker.dependants import Dependants
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.history import all_events, event_types
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def test_jobs_under_way_survive_a_server_that_is_killed_and_restarted(tmp_path: Path) -> None:
    done = tmp_path / "done"
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        async with Queue(config=config) as queue, running_worker(config, concurrency=5) as worker:
            handles = await queue.enqueue_many(Job(tasks.append, (done, str(n), 0.02)) for n in range(200))
            await eventually(lambda: worker.counts.completed > 20)

            await server.kill()
            await server.start()

            for handle in handles:
                await handle.result(timeout=30)
            await eventually(lambda: worker.counts.completed >= 200)
        histories = [await event_types(config, handle.job_id) for handle in handles[::20]]

    assert set(done.read_text().split()) == {str(n) for n in range(200)}
    assert all(types[0] == "enqueued" and types[-2:] == ["completed", "result_stored"] for types in histories)


async def test_a_wait_that_begins_as_the_server_falls_silent_outlasts_that() -> None:
    async with EmbeddedServer() as server:
        config = config_for(server.url, nats__request_timeout=1)
        async with Queue(config=config) as queue, running_worker(config) as worker:
            handle = await queue.enqueue_in(6.0, tasks.add, 1)
            plain = sync.Queue(config=config).handle(handle.job_id)
            assert await asyncio.to_thread(plain.status) == "scheduled"
            await eventually(lambda: worker._is_open)
            os.kill(server.pid, signal.SIGSTOP)

            waiting = asyncio.gather(handle.result(timeout=30), asyncio.to_thread(plain.result, 30))
            try:
                with pytest.raises(ResultTimeout):
                    await handle.result(timeout=0.3)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(waiting), 2.5)  # longer than the patience for any one answer
            finally:
                os.kill(server.pid, signal.SIGCONT)

            assert list(await waiting) == [2, 2]
            await asyncio.to_thread(sync.close)


async def test_events_of_an_outage_are_kept_and_stored_once_afterwards(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        async with ServiceManager(config, role="test") as services:
            events = await services.get_service(EventService)
            events.job(JobEventType.ENQUEUED, job_id="before", queue_name="default")
            await events.flush()

            await server.kill()
            await eventually(lambda: not services.connection.is_connected)
            for number in range(700):
                events.job(JobEventType.ENQUEUED, job_id=f"during-{number}", queue_name="default")
            assert events.statistics().buffered >= 700
            await server.start()

            await events.flush()
            stored = [s.event for s in await all_events(config)]

    ids = [event.job_id for event in stored if hasattr(event, "job_id")]
    assert ids == ["before", *(f"during-{n}" for n in range(700))]
    outage = [event for event in stored if isinstance(event, SystemEvent)]
    assert [event.event_type for event in outage] == ["startup", "connection_lost", "connection_restored"]
    assert outage[2].outage_ms is not None
    assert outage[2].outage_ms > 0


async def test_events_above_the_buffer_are_counted_by_type_and_the_count_is_stored(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url, events__max_buffer_size=100)
        async with ServiceManager(config, role="test") as services:
            events = await services.get_service(EventService)
            events.job(JobEventType.ENQUEUED, job_id="before", queue_name="default")
            await events.flush()
            await server.kill()
            await eventually(lambda: not services.connection.is_connected)
            room = 100 - events.statistics().buffered
            for number in range(room + 30):
                events.job(JobEventType.STARTED, job_id=f"job-{number}", queue_name="default")
            await server.start()
            await events.flush()
            stored = [s.event for s in await all_events(config)]

    (report,) = [e for e in stored if isinstance(e, SystemEvent) and e.event_type == "events_dropped"]
    assert report.dropped == {"job.started": 31}, "that the connection is back has made room for itself"
    assert sum(event.event_type == "started" for event in stored) == room - 1
    assert sum(event.event_type == "connection_restored" for event in stored) == 1


async def test_a_deleted_stream_of_events_is_made_anew_and_no_job_notices(
    config: NAQConfig, services: ServiceManager
) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        first = await queue.enqueue(tasks.add, 1)
        await eventually(lambda: _told_to_the_end(config, first.job_id))
        await services.connection.api(f"STREAM.DELETE.{config.names.events_stream}")

        second = await queue.enqueue(tasks.add, 2)

        assert await second.result(timeout=30) == 3
        await eventually(lambda: _told_to_the_end(config, second.job_id))


async def test_a_log_that_was_made_anew_is_followed_from_its_beginning(
    config: NAQConfig, services: ServiceManager
) -> None:
    events = await services.get_service(EventService)
    log_ten(events, "old")
    await events.flush()
    tail = await events.follow(EventFilter(), after=0)
    assert len((await tail.next_batch()).events) == 11  # and one that the process began

    await services.connection.api(f"STREAM.DELETE.{config.names.events_stream}")
    log_ten(events, "new")
    log_ten(events, "newer")
    await events.flush()

    seen: list[str] = []
    async with asyncio.timeout(30):
        while len(seen) < 20:
            batch = await tail.next_batch()
            seen += [stored.event.job_id for stored in batch.events if isinstance(stored.event, JobEvent)]
    await tail.stop()
    assert seen == ["new"] * 10 + ["newer"] * 10


def log_ten(events: EventService, job_id: str) -> None:
    for _ in range(10):
        events.job(JobEventType.STARTED, job_id=job_id, queue_name="default")


async def test_a_deleted_stream_of_jobs_is_made_anew_by_its_worker(config: NAQConfig, services: ServiceManager) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        await (await queue.enqueue(tasks.add, 1)).result(timeout=30)
        await services.connection.api(f"STREAM.DELETE.{config.names.jobs_stream}")

        async def enqueued_again() -> int:
            try:
                return int(await (await queue.enqueue(tasks.add, 2)).result(timeout=30))
            except (ServerError, TimeoutError):
                return 0

        assert await eventually(enqueued_again, within=30) == 3


async def test_without_events_jobs_run_all_the_same(make_config: MakeConfig) -> None:
    config = make_config(events__enabled=False)
    async with Queue(config=config) as queue, running_worker(config):
        assert await (await queue.enqueue(tasks.add, 1)).result(timeout=30) == 2

    assert await all_events(config) == []


async def _told_to_the_end(config: NAQConfig, job_id: str) -> bool:
    try:
        return "completed" in await event_types(config, job_id)
    except ServerError:
        return False


async def test_a_server_that_is_full_refuses_jobs_and_costs_counted_events_until_there_is_room() -> None:
    async with EmbeddedServer(config="jetstream { max_file_store: 20MB }") as server:
        config = config_for(server.url, events__max_bytes=-1, events__max_buffer_size=50)
        async with ServiceManager(config) as services, Queue(services=services) as queue:
            events = await services.get_service(EventService)
            with pytest.raises(QueueFull, match="takes no more jobs: insufficient resources"):
                await fill(queue)
            await eventually(lambda: events.statistics().failed_flushes > 0)
            room = 50 - events.statistics().buffered
            for number in range(room + 40):
                events.job(JobEventType.STARTED, job_id=f"job-{number}", queue_name="default")

            await services.connection.api(f"STREAM.PURGE.{config.names.jobs_stream}")
            await events.flush()

            stored = [s.event for s in await all_events(config)]
    assert sum(event.event_type == "started" for event in stored) == room
    (report,) = [event for event in stored if isinstance(event, SystemEvent) and event.dropped]
    assert report.dropped is not None
    assert report.dropped["job.started"] == 40


async def fill(queue: Queue) -> None:
    """Enqueue more than the server has room for."""
    for _ in range(30):
        await queue.enqueue(tasks.fail, "x" * 900_000)


async def test_after_an_outage_any_job_may_be_needed_until_a_worker_has_seen_what_waits_for_others(
    tmp_path: Path,
) -> None:
    job = Job("any.function", job_id="p")
    async with restartable(tmp_path) as server, ServiceManager(config_for(server.url)) as services:
        await services.topology.jobs()
        dependants = Dependants(services.connection, services.streams, services.names)
        await dependants.open()
        assert not dependants.may_be_needed(job)

        await server.kill()
        await eventually(lambda: not services.connection.is_connected)
        await server.start()
        await eventually(lambda: services.connection.is_connected)

        assert dependants.may_be_needed(job)
        await dependants.refresh()
        assert not dependants.may_be_needed(job)
        await dependants.close()
