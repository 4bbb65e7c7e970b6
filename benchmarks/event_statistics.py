"""Statistics of a day with a million events: by roll-ups against reading all of them, and what roll-ups cost.

    python benchmarks/event_statistics.py [--events 1000000] [--repeats 15]

The events are of 20 queues, 5 functions and 50 workers, evenly over 24 hours up to now. They are stored as fast as can
be; so the leader has all of them to roll up at once, and the late ticks are those beside that work. An answer begins
and ends in the middle of a minute. Times are wall-clock; CPU is that of this process alone, without the server.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from naq_runtime import EmbeddedServer, EventService, JobEvent, JobEventType, NAQConfig, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, open_writer
from naq_runtime.services.statistics import writer_of
from naq_runtime.statistics.folding import count, told_by
from naq_runtime.statistics.rollup import MINUTE, Tally
from naq_runtime.testing.shelf import moment

_DAY_NS = 24 * 3600 * 10**9
_TYPES = (JobEventType.ENQUEUED, JobEventType.STARTED, JobEventType.COMPLETED, JobEventType.RESULT_STORED)
_BEAT_S = 0.01
_IDLE_S = 3.0


def made_up(number: int, time_ns: int) -> JobEvent:
    """One event of a made-up history: four a job."""
    job, kind = divmod(number, 4)
    event_type = JobEventType.FAILED if kind == 2 and job % 25 == 0 else _TYPES[kind]
    return JobEvent(
        event_type=event_type,
        event_id=f"bench-{number}",
        timestamp_ns=time_ns,
        job_id=f"job{job:016d}",
        queue_name=f"queue-{job % 20:02d}",
        function_name=f"shop.orders.step_{job % 5}",
        worker_id=None if kind == 0 else f"worker-{job * 7 % 50:02d}",
        attempt=None if kind == 0 else 1,
        wait_ms=(job * 7919) % 900 / 10 if kind == 1 else None,
        duration_ms=(job * 104_729) % 30_000 / 10 if kind == 2 else None,
        error_type="ConnectionError" if event_type is JobEventType.FAILED else None,
        error_message="the mail server closed the connection" if event_type is JobEventType.FAILED else None,
    )


async def store(services: ServiceManager, events: int) -> None:
    """Fill the log."""
    stream = await services.topology.events()
    writer = await open_writer(services.connection, fast=stream.fast_ingest)
    begun_ns, step_ns = time.time_ns() - _DAY_NS, _DAY_NS // events
    for start in range(0, events, 500):
        some = [made_up(n, begun_ns + n * step_ns) for n in range(start, min(events, start + 500))]
        await writer.store([Outgoing(event_subject(services.names, one), encode_event(one)) for one in some])
    await writer.close()


@asynccontextmanager
async def worst_lag() -> AsyncIterator[list[float]]:
    """How late a tick of 10 ms was, each time."""
    late: list[float] = []

    async def beat() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            late.append((loop.time() - due) * 1000)

    task = asyncio.create_task(beat())
    yield late
    task.cancel()


async def timed(repeats: int, ask: Callable[[], Awaitable[object]]) -> str:
    """Median and worst, in milliseconds, and the CPU of the median."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        await ask()
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    wall, cpu = statistics.median(walls), statistics.median(cpus)
    return f"median {wall:7.0f} ms   worst {max(walls):7.0f} ms   cpu {cpu:6.0f} ms"


def fold_rate() -> float:
    """Events a second that are counted, once they are here."""
    messages = [
        StoredMessage("", n, encode_event(made_up(n, time.time_ns())), moment(time.time_ns())) for n in range(50_000)
    ]
    tally, begun = Tally(MINUTE.length_ns, most=2_000), time.process_time()
    for message in messages:
        count(told_by(message), tally)
    return len(messages) / (time.process_time() - begun)


async def measure(events: int, repeats: int) -> None:
    """Print all figures."""
    async with EmbeddedServer() as server:
        config = NAQConfig.load(arguments={"nats.url": server.url}, environ={})
        async with ServiceManager(config, role="benchmark") as services:
            service = await services.get_service(EventService)
            begun = time.perf_counter()
            await store(services, events)
            print(f"{events:,} events stored in {time.perf_counter() - begun:.0f} s")
            print(f"counting alone     {fold_rate():,.0f} events/s of CPU")
            hours = 23.99
            print(f"reading all        {await timed(1, lambda: service.get_event_statistics(hours))}")
            scanned = await service.get_event_statistics(hours, until_ns=(now_ns := time.time_ns()))
            await roll_up(services, events)
            rolled = await service.get_event_statistics(hours, until_ns=now_ns)
            print(f"the same answer    {rolled.total == scanned.total and rolled.is_exact}")
            for name, by in (("all", ()), ("by queue", (True,)), ("by queue, worker", (True, True))):
                took = await timed(repeats, lambda by=by: service.get_event_statistics(hours, *by))
                print(f"{name:18} {took}")


async def roll_up(services: ServiceManager, events: int) -> None:
    """Have all of it rolled up, and say what that cost."""
    async with worst_lag() as idle:
        await asyncio.sleep(_IDLE_S)
    async with worst_lag() as late:
        wall, cpu = time.perf_counter(), time.process_time()
        await writer_of(services, ahead_ns=120 * 10**9).catch_up()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"rolling up         {events / wall:,.0f} events/s, {cpu / events * 1e6:.0f} µs of CPU each")
    for name, lags in (("beside it", late), ("when idle", idle)):
        lags.sort()
        usual, most = statistics.median(lags), lags[int(len(lags) * 0.99)]
        print(f"  ticks {name}  late by {usual:.1f} ms (median), {most:.1f} (99 %), {lags[-1]:.1f} (worst)")
    state = (await services.connection.api(f"STREAM.INFO.{services.names.stats_stream}"))["state"]
    print(f"  stored           {state['messages']:,} messages, {state['bytes'] / 1e6:.1f} MB for the day")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    asyncio.run(measure(options.events, options.repeats))


if __name__ == "__main__":
    main()
