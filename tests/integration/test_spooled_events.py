"""Outages that are longer than the buffer of events, with a folder on disk, and processes that are killed in them."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from naq_runtime import EventService, JobEventType, NAQConfig, ServiceManager
from naq_runtime.events.models import JobEvent
from tests.support.history import all_events
from tests.support.processes import environment
from tests.support.restarting import RestartableServer, restartable
from tests.support.server import config_for
from tests.support.waiting import eventually

LOGGING = """
import asyncio
from naq_runtime import EventService, JobEventType, NAQConfig, ServiceManager

async def main():
    async with ServiceManager(NAQConfig.load()) as services:
        events = await services.get_service(EventService)
        events.job(JobEventType.STARTED, job_id="before", queue_name="mail")
        await events.flush()
        print("ready", flush=True)
        input()
        for number in range(3_000):
            events.job(JobEventType.STARTED, job_id=f"j{number}", queue_name="mail")
            while events.statistics().buffered > 900:
                await asyncio.sleep(0.01)
        while events.statistics().spooled < 1_000:
            await asyncio.sleep(0.01)
        print(events.statistics().spooled, flush=True)
        input()

asyncio.run(main())
"""


def settings(server: RestartableServer, folder: Path) -> NAQConfig:
    """Those of a logger with little room, and a folder."""
    return config_for(server.url, events__max_buffer_size=1_000, events__spool=str(folder))


async def jobs_in_log(config: NAQConfig) -> list[tuple[int, str]]:
    """Whose events are stored, in order, with their sequences."""
    events = await all_events(config)
    return [(stored.sequence, stored.event.job_id) for stored in events if isinstance(stored.event, JobEvent)]


@asynccontextmanager
async def killed_in_an_outage(server: RestartableServer, config: NAQConfig) -> AsyncIterator[int]:
    """A process that is killed while the server is away, both; the number of its events on disk."""
    extra = {"NAQ_EVENTS_SPOOL": str(config.events.spool), "NAQ_EVENTS_MAX_BUFFER_SIZE": "1000"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOGGING),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment(config, extra),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
            await server.kill()
            process.stdin.write(b"\n")
            spooled = int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()
    await server.start()
    yield spooled


async def test_nothing_is_lost_in_an_outage_longer_than_the_buffer_and_all_comes_once_in_order(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = settings(server, tmp_path / "spool")
        async with ServiceManager(config, role="test") as services:
            events = await services.get_service(EventService)
            events.job(JobEventType.STARTED, job_id="j0", queue_name="mail")
            await events.flush()
            await server.kill()
            await eventually(lambda: not services.connection.is_connected)
            number = 0
            while number < 5_000:
                if events.statistics().buffered < 900:
                    number += 1
                    events.job(JobEventType.STARTED, job_id=f"j{number}", queue_name="mail")
                else:
                    await asyncio.sleep(0.01)
            assert events.statistics().spooled >= 4_000
            await server.start()
            events.job(JobEventType.STARTED, job_id="j5001", queue_name="mail")
            await events.flush()
            assert (events.statistics().spooled, events.statistics().dropped) == (0, 0)

        assert [name for _, name in await jobs_in_log(config)] == [f"j{number}" for number in range(5_002)]
        assert list((tmp_path / "spool").glob("*/*.jsonl")) == []


async def test_what_a_killed_process_had_on_disk_is_stored_by_the_next_one(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = settings(server, tmp_path / "spool")
        async with killed_in_an_outage(server, config) as spooled, ServiceManager(config, role="test") as services:
            events = await services.get_service(EventService)
            events.job(JobEventType.STARTED, job_id="newer", queue_name="mail")
            await events.flush()

            stored = [name for _, name in await jobs_in_log(config)]

    assert spooled >= 1_000
    assert stored[:-1] == ["before", *(f"j{number}" for number in range(len(stored) - 2))]
    assert len(stored) >= spooled + 1, "of what was on disk, one told that the connection was lost"
    assert stored[-1] == "newer"


async def test_what_was_stored_from_the_disk_already_is_not_stored_again(tmp_path: Path) -> None:
    async with restartable(tmp_path) as server:
        config = settings(server, tmp_path / "spool")
        async with killed_in_an_outage(server, config):
            shutil.copytree(tmp_path / "spool", tmp_path / "as it was")
            async with ServiceManager(config, role="test") as services:
                await eventually(lambda: _all_stored(services))
            stored = await jobs_in_log(config)

            # as if that one had been killed just before it could remove the files
            shutil.copytree(tmp_path / "as it was", tmp_path / "spool", dirs_exist_ok=True)
            async with ServiceManager(config, role="test") as services:
                await eventually(lambda: _all_stored(services))

            assert await jobs_in_log(config) == stored
            assert list((tmp_path / "spool").glob("*/*.jsonl")) == []


async def _all_stored(services: ServiceManager) -> bool:
    found = (await services.get_service(EventService)).statistics()
    return found.stored >= 1_000 and found.spooled == 0
