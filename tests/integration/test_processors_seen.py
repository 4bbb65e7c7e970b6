"""What is seen of processors, what they cost the server, and what is left when they are removed."""

from __future__ import annotations

import pytest

from naq_runtime import EventService, ServiceManager
from naq_runtime.embedded import EmbeddedServer
from naq_runtime.errors import Rejected
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.processing import dead as module
from naq_runtime.processing.overview import processors, remove_processor
from tests.support.processing import MAIL, Seen, dead_of, log
from tests.support.server import config_for
from tests.support.waiting import eventually


def refuse(job_id: str) -> None:
    raise Rejected("never")


async def test_a_server_with_little_room_has_room_for_processors() -> None:
    async with EmbeddedServer(config="jetstream { max_file_store: 20MB }") as server:
        config = config_for(server.url, dead__max_bytes=1024**3)
        async with ServiceManager(config, role="test") as services:
            events, seen = await services.get_service(EventService), Seen()
            async with events.process_events("billing", seen.one, filters=MAIL):
                await log(services, 1)
                await eventually(lambda: seen.ids == ["job-0"])


async def test_dead_events_are_counted_and_not_read(services: ServiceManager, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(message: StoredMessage) -> None:
        raise AssertionError("a dead event was read")

    events = await services.get_service(EventService)
    async with events.process_events("billing", Seen(refuse).one, filters=MAIL) as processor:
        await log(services, 3)
        await eventually(lambda: processor.statistics().dead == 3)
    async with events.process_events("idle", Seen().one, filters=MAIL):
        pass

    monkeypatch.setattr(module, "_read", read)
    assert [(state.name, state.dead) for state in await processors(services)] == [("billing", 3), ("idle", 0)]


async def test_of_one_that_is_removed_its_dead_events_are_left_and_no_consumer(services: ServiceManager) -> None:
    events, names = await services.get_service(EventService), services.names
    async with events.process_events("billing", Seen(refuse).one, filters=MAIL) as processor:
        await log(services, 1)
        await eventually(lambda: processor.statistics().dead == 1)

    await remove_processor(services, "billing")

    for stream in (names.events_stream, names.processors_stream):
        answer = await services.connection.api(f"CONSUMER.LIST.{stream}", {"offset": 0})
        assert answer["total"] == 0
    assert len(await dead_of(services)) == 1
