"""What a million events cost the server, and what it takes to let old heartbeats go.

    python benchmarks/event_retention.py [--events 1000000] [--heartbeats 0.2]

A server of its own stores events as busy workers log them, a part of them heartbeats of 50 workers. Disk is what its
store takes, RSS what its process has more than before. Then the heartbeats and metrics of the older half are purged as
the leader does, while somebody stores 100 events at a time: the longest of these is the stall.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import psutil

from naq_runtime import EmbeddedServer, JobEvent, JobEventType, NAQConfig, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import Event, WorkerEvent, WorkerEventType
from naq_runtime.events.retiring import Retiring
from naq_runtime.nats.direct import last_by_subject, stream_bounds
from naq_runtime.nats.publish import Outgoing, StreamWriter, open_writer

_CHUNK = 500
_TYPES = (JobEventType.ENQUEUED, JobEventType.STARTED, JobEventType.COMPLETED, JobEventType.RESULT_STORED)


def made_up(number: int, heartbeats: float) -> Event:
    """One event of a made-up history."""
    if (number * 7919) % 1000 < heartbeats * 1000:
        return WorkerEvent(
            event_type=WorkerEventType.HEARTBEAT,
            event_id=f"bench-{number}",
            timestamp_ns=time.time_ns(),
            worker_id=f"worker-{number % 50:02d}",
            queue_names=("orders", "mail"),
            concurrency_limit=10,
            active_jobs=4,
            running_job_ids=tuple(f"job{(number + offset):016d}" for offset in range(4)),
            cpu_percent=34.5,
            rss_bytes=81_000_000,
            loop_lag_ms=1.2,
            events_buffered=12,
        )
    job, kind = divmod(number, 4)
    return JobEvent(
        event_type=_TYPES[kind],
        event_id=f"bench-{number}",
        timestamp_ns=time.time_ns(),
        job_id=f"job{job:016d}",
        queue_name=f"queue-{job % 20:02d}",
        function_name="shop.orders.confirm_order",
        worker_id=None if kind == 0 else f"worker-{job % 50:02d}",
        attempt=None if kind == 0 else 1,
        wait_ms=12.4 if kind == 1 else None,
        duration_ms=812.5 if kind == 2 else None,
    )


async def store(config: NAQConfig, writer: StreamWriter, first: int, number: int, heartbeats: float) -> None:
    """Store events from a number on."""
    for start in range(first, first + number, _CHUNK):
        events = [made_up(n, heartbeats) for n in range(start, min(first + number, start + _CHUNK))]
        await writer.store([Outgoing(event_subject(config.names, one), encode_event(one)) for one in events])


def disk_mb(folder: Path) -> float:
    """What files below a folder take."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 1e6


async def history_ms(services: ServiceManager, job: int) -> float:
    """The time of one job's history."""
    begun = time.perf_counter()
    await last_by_subject(
        services.connection, services.names.events_stream, [services.names.job_history(f"job{job:016d}")]
    )
    return (time.perf_counter() - begun) * 1000


async def purge(services: ServiceManager, before: int) -> int:
    """Purge as the leader does, up to a sequence."""
    retiring = Retiring(services.connection, services.names, 0.0)
    return await retiring.remove(before)


async def stalls(config: NAQConfig, writer: StreamWriter, first: int, done: asyncio.Event) -> list[float]:
    """Milliseconds of each hundred events that are stored until then."""
    found = []
    while not done.is_set():
        begun = time.perf_counter()
        await store(config, writer, first, 100, 0.0)
        found.append((time.perf_counter() - begun) * 1000)
        first += 100
        await asyncio.sleep(0.01)
    return found


async def measure(number: int, heartbeats: float) -> None:
    """Fill, look, purge, look again."""
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedServer(store=Path(folder)) as server:
            config = NAQConfig.load(arguments={"nats.url": server.url, "events.max_bytes": -1}, environ={})
            process = psutil.Process(server.pid)
            async with ServiceManager(config, role="bench") as services:
                stream = await services.topology.events()
                writer = await open_writer(services.connection, fast=stream.fast_ingest)
                before = process.memory_info().rss
                begun = time.perf_counter()
                await store(config, writer, 0, number // 2, heartbeats)
                await store(config, writer, number // 2, number - number // 2, heartbeats)
                took_s = time.perf_counter() - begun
                print(f"stored     {number:>10,} events in {took_s:.0f} s")
                await report(services, process, before, Path(folder), number)

                done = asyncio.Event()
                storing = asyncio.create_task(stalls(config, writer, number, done))
                await asyncio.sleep(0.5)
                begun = time.perf_counter()
                purged = await purge(services, number // 2)
                purge_ms = (time.perf_counter() - begun) * 1000
                done.set()
                times = await storing
                print(f"purged     {purged:>10,} heartbeats in {purge_ms:.0f} ms, longest stall {max(times):.0f} ms")
                for step in range(1, 4):
                    begun = time.perf_counter()
                    purged = await purge(services, number // 2 + step * 3_000)
                    print(f"a step     {purged:>10,} heartbeats in {(time.perf_counter() - begun) * 1000:.0f} ms")
                await report(services, process, before, Path(folder), number)
                await writer.close()


async def report(services: ServiceManager, process: psutil.Process, before: int, folder: Path, number: int) -> None:
    """Print what the server has now."""
    first, last, _ = await stream_bounds(services.connection, services.names.events_stream)
    times = sorted([await history_ms(services, number // 4 * place // 100) for place in range(100)])
    print(
        f"  disk {disk_mb(folder):,.0f} MB, RSS {(process.memory_info().rss - before) / 1e6:,.0f} MB more, "
        f"sequences {first:,} to {last:,}, a history {times[50]:.1f} ms (p95 {times[95]:.1f})"
    )


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--heartbeats", type=float, default=0.2)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.events, arguments.heartbeats))


if __name__ == "__main__":
    main()
