"""How fast the log answers, and how fast it is read, beside what the server does for the same without us.

    python benchmarks/event_queries.py [--events 100000 1000000] [--rounds 100]

For each size: events of made-up jobs, four each, are stored on an embedded server. The history of one job (another one
each time) stands beside one direct get of one message; after a restart of the server, the first answer is taken, too.
Then the last hundred of selective filters, and a time. Streaming reads what is stored from its beginning to one
consumer, in order, and ends when the last sequence has come with none left out; a plain pull consumer of the client
that only counts stands beside it. The machine is shared: the ratios say more than the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from monitor_ingest import made_up
from nats.js.api import AckPolicy, ConsumerConfig

from naq_runtime import EmbeddedServer, EventQueries, NAQConfig, NATSJobEventStorage, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.nats.direct import page_from
from naq_runtime.nats.publish import Outgoing, open_writer

_CHUNK = 500
_RECENT = (
    "type:failed",
    "queue:queue-07 type:failed",
    "job:{job}",
    "worker:worker-07 type:completed",
    "type:failed duration>2900ms",
    "type:timed_out",
    "error:mail function:confirm_order",
)


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


async def times_ms(ask: Callable[[int], Awaitable[object]], rounds: int) -> list[float]:
    """How long each of some answers took, the shortest first."""
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        await ask(number)
        times.append((time.perf_counter() - began) * 1e3)
    return sorted(times)


def shown(label: str, times: list[float], floor: float | None = None) -> float:
    """Print the middle and the 95th percentile; the middle."""
    middle = statistics.median(times)
    ratio = f"{middle / floor:6.1f} times one message" if floor else ""
    print(f"  {label:44} p50 {middle:8.2f} ms  p95 {times[int(len(times) * 0.95) - 1]:8.2f} ms  {ratio}", flush=True)
    return middle


def job_at(number: int, count: int) -> str:
    """One of the jobs, far from the one before."""
    return f"job{(number * 7_919) % (count // 4):016d}"


async def answers(services: ServiceManager, queries: EventQueries, count: int, rounds: int) -> None:
    """Histories, filters and a time."""

    async def one_message(number: int) -> None:
        first = 1 + int(job_at(number, count).removeprefix("job")) * 4
        await page_from(services.connection, services.names.events_stream, first, 1)

    async def history(number: int) -> None:
        assert len(await queries.history(job_at(number, count))) == 4

    floor = shown("one message, by direct get", await times_ms(one_message, rounds))
    shown("history of a job", await times_ms(history, rounds), floor)
    for text in _RECENT:
        filters = text.format(job=job_at(3, count))
        found = (await queries.recent(100, filters)).events
        times = await times_ms(lambda _, filters=filters: queries.recent(100, filters), max(5, rounds // 10))
        shown(f"recent(100, {text!r}): {len(found)}", times, floor)
    shown("recent(100)", await times_ms(lambda _: queries.recent(100), rounds), floor)
    shown("recent(100, since=1 s)", await times_ms(lambda _: queries.recent(100, since="1s"), rounds), floor)


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
    """The first answers of a server that has just been started; the messages lie far apart."""
    for number in range(4):
        began = time.perf_counter()
        await page_from(services.connection, services.names.events_stream, 1 + count * (2 * number) // 8, 1)
        message_ms = (time.perf_counter() - began) * 1e3
        began = time.perf_counter()
        await queries.history(f"job{count * (2 * number + 1) // 32:016d}")
        history_ms = (time.perf_counter() - began) * 1e3
        print(
            f"  after a restart, the {number + 1}.: one message {message_ms:6.2f} ms, a history {history_ms:6.2f} ms",
            flush=True,
        )


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
