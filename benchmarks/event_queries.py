"""How fast the log answers, and how fast it is read, beside what the server does for the same without us.

    python benchmarks/event_queries.py [--events 100000 1000000] [--rounds 100]

For each size: events of made-up jobs, four each, are stored on an embedded server. The history of one job (another one
each time) stands beside one direct get of one message. The last hundred of each filter stand beside one plain read of
the part of the log in which they lie, narrowed as far as the server can, of which nothing is decoded. After a restart
of the server, histories and single messages are asked for in turn, each in a block of the store that nobody has read,
and `naq events history` runs as a process. Streaming reads what is stored from its beginning to one consumer, in order,
and ends when the last sequence has come with none left out; a plain pull consumer of the client that only counts stands
beside it. The machine is shared: the ratios, and the CPU of this process, say more than the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from monitor_ingest import made_up
from nats.js.api import AckPolicy, ConsumerConfig

from naq_runtime import EmbeddedServer, EventQueries, EventService, NAQConfig, NATSJobEventStorage, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.direct import messages_from, page_from
from naq_runtime.nats.publish import Outgoing, open_writer
from naq_runtime.worker.record import WorkerRecord, WorkerState, encode_worker

_CHUNK = 500
_WORKERS = 200
_BLOCKS_APART = 10
_RECENT = {
    "type:failed": "naq.events.job.*.*.failed.*",
    "queue:queue-07 type:failed": "naq.events.job.*.queue-07.failed.*",
    "job:{job}": "naq.events.job.{job}.>",
    "worker:worker-07 type:completed": "naq.events.job.*.*.completed.*",
    "type:failed duration>2900ms": "naq.events.job.*.*.failed.*",
    "type:timed_out": "naq.events.job.*.*.timed_out.*",
    "error:mail function:confirm_order": None,
}
"""Filters, and the subject that the server can be asked for."""


@asynccontextmanager
async def serving(store: Path, port: int) -> AsyncIterator[tuple[ServiceManager, EventQueries]]:
    """A server with what is in the store, and the log on it."""
    async with EmbeddedServer(store=store, port=port) as server:
        config = NAQConfig.load(
            arguments={"nats.url": server.url, "events.max_count": 20_000_000, "events.max_bytes": 16 * 2**30},
            environ={},
        )
        async with ServiceManager(config, role="benchmark") as services:
            await services.topology.events()
            yield services, EventQueries(NATSJobEventStorage(services.connection, config, services.topology))


async def fill(services: ServiceManager, count: int) -> float:
    """Store so many events; how many a second."""
    stream = await services.topology.events()
    writer = await open_writer(services.connection, fast=stream.fast_ingest)
    began = time.perf_counter()
    for first in range(0, count, _CHUNK):
        events = [made_up(number) for number in range(first, min(count, first + _CHUNK))]
        await writer.store([Outgoing(event_subject(services.names, e), encode_event(e)) for e in events])
    await writer.close()
    return count / (time.perf_counter() - began)


class Times(NamedTuple):
    """How long some answers took, in milliseconds."""

    wall: list[float]
    """The shortest first."""
    cpu: float
    """Of this process, of each."""


async def times_ms(ask: Callable[[int], Awaitable[object]], rounds: int) -> Times:
    """Ask so many times."""
    wall, cpu = [], time.process_time()
    for number in range(rounds):
        began = time.perf_counter()
        await ask(number)
        wall.append((time.perf_counter() - began) * 1e3)
    return Times(sorted(wall), (time.process_time() - cpu) * 1e3 / rounds)


def shown(label: str, times: Times, floor: Times | None = None) -> None:
    """Print the shortest, the middle and the 95th percentile, and the middle of the floor."""
    wall, middle = times.wall, statistics.median(times.wall)
    beside = f"floor {statistics.median(floor.wall):7.2f} ms" if floor else ""
    print(
        f"  {label:50} p50 {middle:8.2f} ms  p95 {wall[int(len(wall) * 0.95) - 1]:8.2f}  least {wall[0]:8.2f}  "
        f"CPU {times.cpu:6.2f}  {beside}",
        flush=True,
    )


def job_at(number: int, count: int) -> str:
    """One of the jobs, far from the one before."""
    return f"job{(number * 7_919) % (count // 4):016d}"


async def answers(services: ServiceManager, queries: EventQueries, count: int, rounds: int) -> None:
    """Histories, filters, a time and workers."""
    stream = services.names.events_stream

    async def one_message(number: int) -> None:
        first = 1 + int(job_at(number, count).removeprefix("job")) * 4
        await page_from(services.connection, stream, first, 1)

    async def history(number: int) -> None:
        assert len(await queries.history(job_at(number, count))) == 4

    await times_ms(one_message, rounds)  # the server reads what it has not in its memory
    floor = await times_ms(one_message, rounds)
    shown("one message, by direct get", floor)
    shown("history of a job", await times_ms(history, rounds), floor)
    few = max(5, rounds // 10)
    for text, subject in _RECENT.items():
        filters, subject = text.format(job=job_at(3, count)), subject and subject.format(job=job_at(3, count))
        found = (await queries.recent(100, filters)).events
        times = await times_ms(lambda _, filters=filters: queries.recent(100, filters), few)
        first = found[0].sequence if found else count
        plain = await times_ms(lambda _, first=first, subject=subject: read(services, first, subject), few)
        shown(f"recent(100, {text!r}): {len(found)}", times, plain)
    shown("recent(100)", await times_ms(lambda _: queries.recent(100), rounds), floor)
    shown("recent(100, since=1 s)", await times_ms(lambda _: queries.recent(100, since="1s"), rounds), floor)
    shown("recent(100, 'nowhere'): 0, in the last 200,000", await times_ms(lambda _: queries.recent(100, "nowhere"), 1))
    shown(f"status of {_WORKERS} workers", await times_ms(await status(services), rounds))


async def read(services: ServiceManager, first: int, subject: str | None) -> None:
    """All messages of a subject from a sequence on, and nothing done with them."""
    stream = services.names.events_stream
    async for _ in messages_from(services.connection, stream, first, subject=subject, page_size=10_000):
        pass


async def status(services: ServiceManager) -> Callable[[int], Awaitable[object]]:
    """Ask for the status of many workers, that have leases now."""
    await services.topology.workers()
    bucket, now_ns = LeaseBucket(services.connection, services.names, services.names.workers_bucket), time.time_ns()
    for number in range(_WORKERS):
        record = WorkerRecord(
            worker_id=f"worker-{number:03d}",
            state=WorkerState.BUSY,
            hostname="bench",
            pid=number,
            queue_names=("queue-00",),
            concurrency_limit=10,
            started_at_ns=now_ns,
            beat_at_ns=now_ns,
            heartbeat_interval=10.0,
            running_job_ids=tuple(f"job{n:016d}" for n in range(10)),
        )
        await bucket.put(record.worker_id, encode_worker(record), 600)
        await bucket.remember(record.worker_id, encode_worker(record))
    await services.connection.flush()
    events = await services.get_service(EventService)

    async def ask(_: int) -> None:
        assert len(await events.get_worker_status(include_inactive=True)) == _WORKERS

    return ask


async def streamed(services: ServiceManager, queries: EventQueries, count: int) -> None:
    """Read all of it by one consumer of ours, and by a plain one."""
    for text in ("", "type:failed"):
        began, cpu = time.perf_counter(), time.process_time()
        tail = await queries.follow(text, after=0)
        seen = missed = last = 0
        while last < count - 1_000 if text else last < count:
            batch = await tail.next_batch()
            seen, missed = seen + len(batch.events), missed + batch.missed
            last = batch.events[-1].sequence if batch.events else last
        await tail.stop()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(
            f"  streaming {text or 'everything':20} {count / took:9,.0f} events/s {cpu / count * 1e6:5.1f} µs CPU each "
            f"{seen:,} seen, {missed} missed",
            flush=True,
        )
    began, cpu, seen = time.perf_counter(), time.process_time(), 0
    consumer = ConsumerConfig(ack_policy=AckPolicy.NONE)
    js = services.connection.client.jetstream()
    subscription = await js.pull_subscribe("", stream=services.names.events_stream, config=consumer)
    while seen < count:
        seen += len(await subscription.fetch(min(1_000, count - seen)))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"  {'plain pull consumer':30} {count / took:9,.0f} events/s  {cpu / count * 1e6:5.1f} µs of CPU each",
        flush=True,
    )


async def cold(services: ServiceManager, queries: EventQueries, count: int) -> None:
    """The first answers of a server that has just been started, each of a block of the store that it has not read."""
    stream, step = services.names.events_stream, count // (2 * _BLOCKS_APART)

    async def one_message(number: int) -> None:
        await page_from(services.connection, stream, 1 + step * 2 * number + step // 2, 1)

    async def history(number: int) -> None:
        assert len(await queries.history(f"job{(step * (2 * number + 1) + step // 2) // 4:016d}")) == 4

    messages, histories = [], []
    for number in range(_BLOCKS_APART):
        messages += (await times_ms(lambda _, number=number: one_message(number), 1)).wall
        histories += (await times_ms(lambda _, number=number: history(number), 1)).wall
    shown("history of a job, after a restart", Times(sorted(histories), 0), Times(sorted(messages), 0))


async def as_process(services: ServiceManager, count: int) -> None:
    """The history of a job by the command line, from the start of the process to its end."""
    command = [sys.executable, "-m", "naq_tui.cli.main", "events", "history", job_at(3, count)]
    environment = {**os.environ, "NAQ_NATS_URL": services.config.nats.url}

    async def ran(arguments: Sequence[str]) -> None:
        process = await asyncio.create_subprocess_exec(*arguments, env=environment, stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0

    floor = await cpu_of_children(lambda _: ran([sys.executable, "-c", "import nats, typer"]))
    shown("naq events history; floor: client and typer alone", await cpu_of_children(lambda _: ran(command)), floor)


async def cpu_of_children(ask: Callable[[int], Awaitable[object]]) -> Times:
    """The same as `times_ms`, with the CPU of the processes that were run."""
    before = os.times()
    times = await times_ms(ask, 10)
    after = os.times()
    used_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Times(times.wall, used_s * 1e3 / 10)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def measure(count: int, rounds: int) -> None:
    """All of it, at one size."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        async with serving(Path(folder), port) as (services, queries):
            print(f"{count:,} events, stored at {await fill(services, count):,.0f} events/s")
            await answers(services, queries, count, rounds)
            await streamed(services, queries, count)
        async with serving(Path(folder), port) as (services, queries):
            await cold(services, queries, count)
            await as_process(services, count)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    for count in options.events:
        asyncio.run(measure(count, options.rounds))


if __name__ == "__main__":
    main()
