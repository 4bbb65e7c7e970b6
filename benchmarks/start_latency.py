"""How soon an idle worker begins a job, from the producer's call to the function's first line.

    python benchmarks/start_latency.py [--jobs 500] [--rounds 3]

Producer, worker and server are three processes. Each round measures, one after the other on one server: a plain worker
that waits in ``fetch(1)`` for what ``js.publish`` stores, then naq's worker with its events, fed by ``Queue.enqueue``.
Jobs come one by one, each after a pause in which everything falls idle. Read the figures as ratios: machines differ.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import nats
from noop_tasks import moment

from naq_runtime import EmbeddedServer, NAQConfig, Queue

KINDS = ("fetch(1)", "naq")
_PAUSE_S = 0.01
_SERVED = "plain.jobs"
_TOLD = "plain.told"

Measure = Callable[[], Awaitable[int]]
"""Does one job; the nanoseconds between the call and the first line."""


async def serve_plainly(url: str) -> None:
    """The worker that everyone writes first; tells when each job began."""
    client = await nats.connect(url)
    subscription = await client.jetstream().pull_subscribe(_SERVED, durable="plain", stream="PLAIN")
    await client.publish(_TOLD, b"0")
    while True:
        with contextlib.suppress(nats.errors.TimeoutError):
            (message,) = await subscription.fetch(1, timeout=30)
            await client.publish(_TOLD, str(time.time_ns()).encode())
            await message.ack()


@contextlib.asynccontextmanager
async def plain(url: str) -> AsyncIterator[Measure]:
    """Publish, and hear when it began."""
    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(name="PLAIN", subjects=[_SERVED], retention="workqueue")
    told = await client.subscribe(_TOLD)
    worker = await asyncio.create_subprocess_exec(sys.executable, __file__, "--role", "plain", "--url", url)
    try:
        await told.next_msg(timeout=10)

        async def measure() -> int:
            begun_ns = time.time_ns()
            await stream.publish(_SERVED, b"{}")
            return int((await told.next_msg(timeout=10)).data) - begun_ns

        yield measure
    finally:
        worker.kill()
        await worker.wait()
        await client.close()


@contextlib.asynccontextmanager
async def ours(url: str) -> AsyncIterator[Measure]:
    """Enqueue, and read from the result when it began."""
    config = NAQConfig.load(arguments={"nats.url": url}, environ={})
    command = ("-m", "naq_tui.cli.main", "run-worker", "-m", "noop_tasks", "--server", url)
    folder = Path(__file__).parent
    with contextlib.suppress(ProcessLookupError):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=folder, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with Queue("default", config=config) as queue:

                async def measure() -> int:
                    begun_ns = time.time_ns()
                    handle = await queue.enqueue(moment)
                    return int(await handle.result(timeout=10)) - begun_ns

                await measure()
                yield measure
        finally:
            worker.terminate()
            await worker.wait()


async def sample(measure: Measure, jobs: int) -> list[float]:
    """Milliseconds, one by one."""
    taken = []
    for _ in range(jobs):
        await asyncio.sleep(_PAUSE_S * random.uniform(0.5, 1.5))
        taken.append(await measure() / 1e6)
    return taken


async def compare(jobs: int, rounds: int) -> None:
    """Both kinds in turn, several times."""
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    async with EmbeddedServer() as server:
        for _ in range(rounds):
            for kind, opened in zip(KINDS, (plain, ours), strict=True):
                async with opened(server.url) as measure:
                    taken[kind] += await sample(measure, jobs)
    print(f"{jobs * rounds} jobs, one at a time, from the producer's call to the function's first line")
    print(f"{'worker':<16}{'p50 ms':>8}{'p99 ms':>8}{'ratio of p50':>14}")
    base = statistics.median(taken[KINDS[0]])
    for kind, milliseconds in taken.items():
        p50, p99 = statistics.median(milliseconds), statistics.quantiles(milliseconds, n=100)[98]
        print(f"{kind:<16}{p50:>8.2f}{p99:>8.2f}{p50 / base:>14.2f}")


def main() -> None:
    """Parent or plain worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--role", choices=["plain"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role is None:
        asyncio.run(compare(arguments.jobs, arguments.rounds))
    else:
        asyncio.run(serve_plainly(arguments.url))


if __name__ == "__main__":
    main()
