"""Events that are logged elsewhere than in the loop: from threads, and in children of a fork."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from naq_runtime import EventService, JobEventType, NAQConfig, ServiceManager
from naq_runtime.events.models import Event, JobEvent
from tests.conftest import MakeConfig
from tests.support.history import all_events
from tests.support.processes import environment
from tests.support.waiting import eventually


def log(events: EventService, job_id: str) -> None:
    """Log that a job started."""
    events.job(JobEventType.STARTED, job_id=job_id, queue_name="mail")


async def jobs_in_log(config: NAQConfig) -> list[str]:
    """Whose events are stored, in order."""
    return [stored.event.job_id for stored in await all_events(config) if isinstance(stored.event, JobEvent)]


# Threads


async def test_a_full_batch_of_a_thread_does_not_wait_for_the_interval(make_config: MakeConfig) -> None:
    config = make_config(events__flush_interval=60, events__batch_size=10)
    async with ServiceManager(config) as services:
        events = await services.get_service(EventService)
        Thread(target=lambda: list(map(log, [events] * 10, map(str, range(10))))).start()
        await eventually(lambda: events.statistics().stored >= 10)


async def test_many_threads_log_as_much_as_they_can_and_each_finds_its_events_in_its_order(
    config: NAQConfig, services: ServiceManager
) -> None:
    events = await services.get_service(EventService)

    def one(thread: int) -> None:
        for number in range(1_000):
            log(events, f"t{thread}-{number}")

    with ThreadPoolExecutor(8) as pool:
        running = [asyncio.get_running_loop().run_in_executor(pool, one, thread) for thread in range(8)]
        for number in range(1_000):
            log(events, f"loop-{number}")
            await asyncio.sleep(0)
        await asyncio.gather(*running)
    await events.flush()

    stored = await jobs_in_log(config)
    assert len(stored) == 9_000
    for who in ["loop", *(f"t{thread}" for thread in range(8))]:
        own = [int(name.partition("-")[2]) for name in stored if name.startswith(f"{who}-")]
        assert own == list(range(1_000))


async def test_threads_keep_the_bounds_and_every_event_is_counted(make_config: MakeConfig) -> None:
    config = make_config(events__flush_interval=60, events__batch_size=1_000, events__max_buffer_size=500)
    async with ServiceManager(config) as services:
        events = await services.get_service(EventService)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: log(events, f"j{number}"), range(5_000)))
        found = events.statistics()
        with_startup = 5_001
        assert (found.buffered, found.dropped) == (500, with_startup - 500)


async def test_a_processor_sees_what_threads_log(services: ServiceManager) -> None:
    events = await services.get_service(EventService)
    seen: list[str] = []

    async def see(event: Event) -> None:
        if isinstance(event, JobEvent):
            seen.append(event.job_id)

    processing = events.register_event_processor(see)
    Thread(target=log, args=(events, "j1")).start()
    await eventually(lambda: bool(seen))
    await processing.flush()
    assert seen == ["j1"]


# Forks

FORKING = """
import asyncio, os, sys, threading
from naq_runtime import EventService, JobEventType, NAQConfig, ServiceManager

def log(events, job_id):
    return events.job(JobEventType.STARTED, job_id=job_id, queue_name="mail")

async def main():
    async with ServiceManager(NAQConfig.load()) as services:
        events = await services.get_service(EventService)
        log(events, "stored-before")
        await events.flush()
        log(events, "waiting")
        busy, ended = threading.Thread(target=lambda: [log(events, f"busy-{n}") for n in range(20_000)]), []
        busy.start()
        for number in range(5):
            child = os.fork()
            if not child:
                kept = events.statistics().buffered
                log(events, "in-child")
                asyncio.run(mine(number))
                os._exit(kept + events.statistics().buffered)
            ended.append(os.waitpid(child, 0)[1])
        busy.join()
        print(*ended)

async def mine(number):
    async with ServiceManager(NAQConfig.load()) as services:
        log(await services.get_service(EventService), f"child-{number}")

asyncio.run(main())
"""

FORK_AND_RETURN = """
import asyncio, os, sys
from naq_runtime import EventService, JobEventType, NAQConfig, ServiceManager

async def main():
    services = ServiceManager(NAQConfig.load())
    await services.__aenter__()
    events = await services.get_service(EventService)
    for number in range(3):
        events.job(JobEventType.STARTED, job_id=f"j{number}", queue_name="mail")
    child = os.fork()
    if not child:
        await events.flush()
        await events.stop()
        await events.start()
        os._exit(0)
    print(os.waitpid(child, 0)[1])
    await services.__aexit__(None, None, None)

asyncio.run(main())
"""


async def script(code: str, config: NAQConfig) -> str:
    """Run a script to its end; returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=environment(config)
    )
    async with asyncio.timeout(40):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


async def test_a_child_has_nothing_of_its_parents_buffer_and_can_log_by_services_of_its_own(
    make_config: MakeConfig,
) -> None:
    config = make_config(events__flush_interval=0.05)

    assert await script(FORKING, config) == "0 0 0 0 0"

    stored = await jobs_in_log(config)
    expected = ["stored-before", "waiting", *(f"busy-{n}" for n in range(20_000)), *(f"child-{n}" for n in range(5))]
    assert sorted(stored) == sorted(expected)


async def test_a_child_that_ends_the_logger_of_its_parent_sends_nothing(make_config: MakeConfig) -> None:
    config = make_config(events__flush_interval=60)

    assert await script(FORK_AND_RETURN, config) == "0"

    assert await jobs_in_log(config) == ["j0", "j1", "j2"]
    assert [stored.event.event_type for stored in await all_events(config)].count("startup") == 1
