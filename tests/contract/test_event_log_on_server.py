"""The log on the server: what else may be in its stream, and what happens when storing goes wrong half-way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from naq_runtime.errors import NaqError
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import Event, JobEvent, JobEventType
from naq_runtime.events.queries import EventQueries
from naq_runtime.events.storage import NATSJobEventStorage
from naq_runtime.nats.publish import Outgoing
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from tests.conftest import MakeConfig
from tests.unit.samples import a_job_event

ALL = EventFilter()


@pytest.fixture
async def storage(services: ServiceManager) -> AsyncIterator[NATSJobEventStorage]:
    """A log on the server, empty."""
    made = NATSJobEventStorage(services.connection, services.config, services.topology)
    await made.store([])
    yield made
    await made.close()


def entry(services: ServiceManager, event: Event) -> Outgoing:
    """The event as the logger hands it over."""
    return Outgoing(event_subject(services.names, event), encode_event(event))


async def ids(storage: NATSJobEventStorage) -> list[str]:
    """The ids of all that is stored."""
    return [stored.event.event_id for stored in (await EventQueries(storage).recent(10_000)).events]


async def test_messages_of_others_that_are_no_events_are_passed_over(
    services: ServiceManager, storage: NATSJobEventStorage
) -> None:
    place = services.names.job_event("j1", "mail", "started", "x-1")
    await storage.store([entry(services, a_job_event(event_id="a", queue_name="mail"))])
    await storage.store([Outgoing(place, b"hello"), Outgoing(f"{place}0", b"\xff")])
    await storage.store([entry(services, a_job_event(event_id="b", queue_name="mail"))])

    assert await ids(storage) == ["a", "b"]
    assert [stored.event.event_id for stored in await storage.history("j1")] == ["a", "b"]
    tail = await storage.tail(ALL, after=0)
    batch = await asyncio.wait_for(tail.next_batch(), 20)
    assert [stored.event.event_id for stored in batch.events] == ["a", "b"]
    assert batch.missed == 0
    await tail.stop()


async def test_two_processes_write_into_one_log(services: ServiceManager, storage: NATSJobEventStorage) -> None:
    async with ServiceManager(services.config, role="other") as others:
        other = NATSJobEventStorage(others.connection, others.config, others.topology)
        await storage.store([entry(services, a_job_event(event_id="a"))])
        await other.store([entry(services, a_job_event(event_id="b"))])
        await storage.store([entry(services, a_job_event(event_id="c"))])
        assert await ids(other) == ["a", "b", "c"]
        await other.close()


@pytest.mark.parametrize("spoilt_by", ["size", "subject"])
async def test_a_chunk_of_which_a_part_was_stored_is_stored_again_without_repeating_that_part(
    services: ServiceManager, storage: NATSJobEventStorage, spoilt_by: str
) -> None:
    entries = [entry(services, a_job_event(event_id=f"n{number}")) for number in range(400)]
    too_large = entries[390]._replace(payload=b"x" * (services.connection.max_payload + 1))
    spoilt = too_large if spoilt_by == "size" else entries[390]._replace(subject="nowhere.at.all")
    tail = await storage.tail(ALL)
    with pytest.raises(NaqError):
        await storage.store([*entries[:390], spoilt, *entries[391:]])

    await storage.store(entries)

    seen: list[str] = []
    async with asyncio.timeout(20):
        while len(seen) < 400 or tail_is_behind(seen, await ids(storage)):
            seen += [stored.event.event_id for stored in (await tail.next_batch()).events]
    await tail.stop()
    assert len(seen) == len(set(seen)) == 400, "each is seen once"
    assert sorted(await ids(storage)) == sorted(seen)


def tail_is_behind(seen: list[str], stored: list[str]) -> bool:
    """Whether something is stored that was not seen."""
    return not set(stored) <= set(seen)


async def test_a_log_that_was_deleted_is_made_anew(services: ServiceManager, storage: NATSJobEventStorage) -> None:
    await storage.store([entry(services, a_job_event(event_id="a"))])
    await services.connection.api(f"STREAM.DELETE.{services.names.events_stream}")

    with pytest.raises(NaqError):
        await storage.store([entry(services, a_job_event(event_id="b"))])
    await storage.store([entry(services, a_job_event(event_id="b"))])

    assert await ids(storage) == ["b"]


async def test_an_event_that_the_server_will_never_take_does_not_hold_up_the_others(
    make_config: MakeConfig,
) -> None:
    config = make_config(events__batch_size=5)
    async with ServiceManager(config, role="test") as services:
        events = await services.get_service(EventService)
        too_large = "x" * (services.connection.max_payload + 1)
        for number in range(3):
            events.log(a_job_event(event_id=f"before-{number}"))
        events.log(a_job_event(event_id="too-large", traceback=too_large))
        for number in range(3):
            events.log(a_job_event(event_id=f"after-{number}"))

        try:
            await asyncio.wait_for(events.flush(), 20)
        except TimeoutError:
            pytest.fail(f"the log stands still: {events.statistics()}")

        stored = [one.event for one in await events.get_recent_events(100)]
        assert [event.event_id for event in stored if isinstance(event, JobEvent)] == [
            *(f"before-{number}" for number in range(3)),
            *(f"after-{number}" for number in range(3)),
        ]
        assert events.statistics().dropped == 1


@pytest.mark.parametrize("broken", [{"event_id": ""}, {"job_id": "not a name"}, {"queue_name": "a\r\nb"}], ids=str)
async def test_an_event_that_somebody_made_without_a_proper_name_does_not_hold_up_the_others(
    services: ServiceManager, broken: dict[str, str]
) -> None:
    events = await services.get_service(EventService)
    names: dict[str, Any] = {"job_id": "j1", "queue_name": "mail", "event_id": "e-1"} | broken
    events.log(JobEvent(event_type=JobEventType.STARTED, timestamp_ns=1, **names))
    events.job(JobEventType.STARTED, job_id="j2", queue_name="mail")

    try:
        await asyncio.wait_for(events.flush(), 20)
    except TimeoutError:
        pytest.fail(f"the log stands still: {events.statistics()}, {services.connection!r}")

    assert len(await events.get_job_event_history("j2")) == 1
    assert services.connection.is_connected
