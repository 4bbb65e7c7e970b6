"""Durable processors when the server, the stream, the consumer or the function itself lets them down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from naq_runtime import EventService, NAQConfig, ServiceManager
from naq_runtime.errors import Unavailable
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import JobEventType, StoredEvent
from naq_runtime.nats.durable import ConsumerSettings, DurableConsumer
from naq_runtime.processing import processor as module
from naq_runtime.processing.processor import DurableProcessor
from naq_runtime.testing import MemoryBroker
from tests.support.processing import MAIL, Seen, dead_of, log
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.05)
    monkeypatch.setattr(module, "_AWAY_S", 0.02)


async def test_one_that_was_delivered_often_and_is_innocent_leaves_no_dead_event(services: ServiceManager) -> None:
    def judge(job_id: str) -> None:
        raise Unavailable("down", retry_after_s=60)

    events = await services.get_service(EventService)
    await log(services, 1)
    for _ in range(4):
        async with events.process_events(
            "billing", Seen(judge).one, filters=MAIL, retries=1, start="beginning"
        ) as processor:
            await eventually(lambda held=processor: held.statistics().held > 0)  # type: ignore[misc]
    seen = Seen()
    async with events.process_events("billing", seen.one, filters=MAIL, retries=1) as processor:
        await eventually(lambda: processor.statistics().processed == 1)
        await eventually(lambda: processor.statistics().held == 0)

    assert seen.ids == ["job-0"]
    assert await dead_of(services) == []


async def test_one_that_takes_longer_than_the_server_waits_keeps_its_event(services: ServiceManager) -> None:
    seen = Seen()

    async def slow(events: Sequence[StoredEvent]) -> None:
        await asyncio.sleep(4.5)
        await seen.many(events)

    processor = DurableProcessor(services, "billing", slow, ack_wait_s=2.0)
    async with processor:
        await log(services, 1)
        await eventually(lambda: processor.statistics().processed == 1)
        await eventually(lambda: processor.statistics().held == 0)

    assert seen.ids == ["job-0"]


async def test_a_function_that_is_cancelled_from_within_has_failed_and_the_rest_goes_on(
    services: ServiceManager,
) -> None:
    def judge(job_id: str) -> None:
        if job_id == "job-0":
            raise asyncio.CancelledError

    events = await services.get_service(EventService)
    seen = Seen(judge)
    async with events.process_events("billing", seen.one, filters=MAIL, retries=0) as processor:
        await log(services, 2)
        await eventually(lambda: processor.statistics().dead == 1)
        await eventually(lambda: seen.ids == ["job-1"])

    (dead,) = await dead_of(services)
    assert dead.reason == "the function was cancelled, and not by us"


@pytest.mark.parametrize("what", ["consumer", "stream"])
async def test_what_is_deleted_under_it_is_made_anew_where_it_stopped(services: ServiceManager, what: str) -> None:
    events = await services.get_service(EventService)
    stream, seen = services.names.events_stream, Seen()
    async with events.process_events("billing", seen.one) as processor:
        first = await log(services, 10)
        await eventually(lambda: len(seen.ids) == 10)
        await eventually(lambda: processor.statistics().held == 0)
        if what == "consumer":
            await services.connection.api(f"CONSUMER.DELETE.{stream}.processor-billing")
        else:
            await services.connection.api(f"STREAM.DELETE.{stream}")
        second = await log(services, 10, 10)
        await eventually(lambda: set(second) <= set(seen.ids), within=20)

    assert set(seen.ids) == set(first + second)


async def test_a_stream_that_was_made_anew_is_read_from_its_beginning(services: ServiceManager) -> None:
    names, topology = services.names, services.topology
    settings = ConsumerSettings((names.events,))
    consumer = DurableConsumer(
        services.connection, names.events_stream, "processor-billing", settings, ready=topology.events
    )
    await log(services, 20)
    await consumer.ensure()
    await services.connection.api(f"STREAM.DELETE.{names.events_stream}")
    await log(services, 3)

    await consumer.ensure()

    state = await consumer.look()
    assert state is not None
    assert state.waiting == 3


async def test_an_event_that_comes_again_while_it_is_in_work_is_processed_once(services: ServiceManager) -> None:
    begun, go_on, seen = asyncio.Event(), asyncio.Event(), Seen()

    async def slow(events: Sequence[StoredEvent]) -> None:
        begun.set()
        await go_on.wait()
        await seen.many(events)

    wanted = EventFilter(queue_name="mail", event_type="completed")
    async with DurableProcessor(services, "billing", slow, wanted=wanted) as processor:
        await log(services, 1)
        await begun.wait()
        (holding,) = processor._intake._held.values()
        first = holding.delivery
        await first.hand_back()  # as if the server had lost its patience
        await eventually(lambda: holding.delivery is not first)
        go_on.set()
        await eventually(lambda: processor.statistics().held == 0)

    assert seen.ids == ["job-0"]
    state = await processor._log.look()
    assert state is not None
    assert (state.waiting, state.unacknowledged) == (0, 0)


async def test_an_outage_in_between_loses_nothing(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url)
        async with ServiceManager(config, role="test") as services:
            events = await services.get_service(EventService)
            seen = Seen()
            processor = DurableProcessor(services, "billing", seen.many, batch=10, ack_wait_s=1.0)
            async with processor:
                ids = await log(services, 100)
                await eventually(lambda: len(seen.ids) > 20)
                await server.kill()
                for number in range(100, 200):
                    events.job(JobEventType.COMPLETED, job_id=f"job-{number}", queue_name="mail")
                await server.start()
                await events.flush()
                await eventually(lambda: len(set(seen.ids)) == 200, within=30)

    assert set(ids) < set(seen.ids)


async def test_in_memory_there_are_none(config: NAQConfig) -> None:
    async with MemoryBroker(config), ServiceManager(config) as services:
        events = await services.get_service(EventService)

        with pytest.raises(RuntimeError, match="need a server"):
            events.process_events("billing", Seen().one)
