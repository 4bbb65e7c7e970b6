"""The end of a logger: it stores what it can, and holds nobody up, whatever the server does."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from naq_runtime import EmbeddedServer, EventService, JobEventType, NAQConfig, ServiceManager
from naq_runtime.events.drops import DroppedEvents
from naq_runtime.events.logger import AsyncJobEventLogger
from naq_runtime.events.models import SystemEvent
from naq_runtime.events.storage import NATSJobEventStorage
from tests.support.history import all_events
from tests.support.restarting import restartable
from tests.support.server import config_for
from tests.unit.samples import a_job_event

EVENTS = 3_000


def no_report(dropped: DroppedEvents) -> SystemEvent:
    """Where no event is dropped, none is reported."""
    raise AssertionError(f"unexpectedly dropped: {dropped}")


@asynccontextmanager
async def busy_logger(config: NAQConfig) -> AsyncIterator[AsyncJobEventLogger]:
    """One with 3,000 events that wait for the end, and one that is stored."""
    async with ServiceManager(config, role="test") as services:
        storage = NATSJobEventStorage(services.connection, config, services.topology)
        logger = AsyncJobEventLogger(storage, config.events, config.names, report=no_report)
        await logger.start()
        logger.append(a_job_event(event_id="n-0"))
        await logger.flush()
        for number in range(1, EVENTS + 1):
            logger.append(a_job_event(event_id=f"n-{number}"))
        yield logger


def settings(server: EmbeddedServer, **others: object) -> NAQConfig:
    """Those of a logger that stores nothing before its end."""
    return config_for(server.url, **({"events__flush_interval": 60, "events__batch_size": 200} | others))


@contextmanager
def silent(server: EmbeddedServer) -> Iterator[None]:
    """It takes nothing and answers nothing, but is there."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@asynccontextmanager
async def slow(server: EmbeddedServer) -> AsyncIterator[None]:
    """It works for two milliseconds of thirty."""

    async def hold_up() -> None:
        while True:
            with silent(server):
                await asyncio.sleep(0.028)
            await asyncio.sleep(0.002)

    holding = asyncio.create_task(hold_up())
    try:
        yield
    finally:
        holding.cancel()
        await asyncio.wait({holding})


async def ids(config: NAQConfig) -> list[str]:
    """The ids of all that is stored, in order."""
    return [stored.event.event_id for stored in await all_events(config)]


async def test_with_a_silent_server_it_ends_at_its_deadline_and_says_what_is_lost() -> None:
    async with EmbeddedServer() as server:
        config = settings(server)
        async with busy_logger(config) as logger:
            with silent(server):
                async with asyncio.timeout(30):
                    assert await logger.stop(deadline_s=1) == EVENTS
        stored = await ids(config)

    assert stored == [f"n-{number}" for number in range(len(stored))], "what was under way may have come, in order"


async def test_with_a_server_that_is_gone_it_ends_at_its_deadline_and_says_what_is_lost(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = config_for(server.url, events__flush_interval=60, events__batch_size=200)
        async with busy_logger(config) as logger:
            await server.kill()
            async with asyncio.timeout(30):
                assert await logger.stop(deadline_s=1) == EVENTS
            await server.start()
        assert await ids(config) == ["n-0"]


async def test_a_slow_server_gets_everything_once_within_the_deadline() -> None:
    async with EmbeddedServer() as server:
        config = settings(server)
        async with busy_logger(config) as logger:
            async with slow(server):
                assert await logger.stop(deadline_s=30) == 0
        assert await ids(config) == [f"n-{number}" for number in range(EVENTS + 1)]


async def test_with_a_server_too_slow_for_the_deadline_what_is_not_lost_is_stored() -> None:
    async with EmbeddedServer() as server:
        config = settings(server, events__batch_size=5)
        async with busy_logger(config) as logger:
            async with slow(server), asyncio.timeout(20):
                lost = await logger.stop(deadline_s=0.3)
        stored = await ids(config)

    assert stored == [f"n-{number}" for number in range(len(stored))]
    assert EVENTS - lost < len(stored) <= EVENTS - lost + 1 + 5, "but for the batch under way, the counts agree"


async def test_a_process_that_ends_while_the_server_is_silent_is_held_up_for_seconds_only() -> None:
    async with EmbeddedServer() as server:
        config = settings(server)
        services = await ServiceManager(config, role="test").__aenter__()
        events = await services.get_service(EventService)
        events.job(JobEventType.STARTED, job_id="j1", queue_name="mail")
        with silent(server):
            async with asyncio.timeout(20):
                await services.__aexit__(None, None, None)
