"""How many no-op jobs one worker process gets through, and what a job costs it.

    python benchmarks/worker_throughput.py [--jobs 20000] [--rounds 3] [--concurrency 100]

Each round runs, one after the other on one server: a plain worker that fetches one job at a time, runs it and
acknowledges it (no results, no events), then naq's worker with results but no events, then naq's worker with
results and events. Rates are from the first to the last job, CPU is that of the worker's process only. Read the
figures as ratios: machines differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import time
from pathlib import Path

import nats
from noop_tasks import noop

from naq_runtime import EmbeddedServer, Job, NAQConfig, Queue, ServiceManager, TaskRegistry, Worker

KINDS = ("fetch(1)", "naq, no events", "naq")
PLAIN_SHARE = 5
"""The plain worker gets so many times fewer jobs, so that a round does not take minutes."""


def cpu_seconds() -> float:
    """User and system time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def run_plain(url: str, jobs: int) -> None:
    """The worker that everyone writes first."""
    client = await nats.connect(url)
    subscription = await client.jetstream().pull_subscribe_bind(consumer="queue-default", stream="NAQ_JOBS")
    begun, cpu = time.perf_counter(), cpu_seconds()
    for _ in range(jobs):
        (message,) = await subscription.fetch(1, timeout=10)
        json.loads(message.data)
        await noop()
        await message.ack()
    await client.flush()
    report(jobs, time.perf_counter() - begun, cpu_seconds() - cpu)
    await client.close()


async def run_naq(url: str, jobs: int, concurrency: int, events: bool) -> None:
    """One worker of ours, until so many jobs are settled and their events are stored."""
    config = NAQConfig.load(arguments={"nats.url": url, "events.enabled": events}, environ={})
    async with ServiceManager(config, role="worker") as services:
        worker = Worker(services, ["default"], TaskRegistry.load(["noop_tasks"]), concurrency=concurrency)
        begun, cpu = time.perf_counter(), cpu_seconds()
        running = asyncio.create_task(worker.run())
        while worker.counts.completed < jobs:
            await asyncio.sleep(0.005)
        seconds = time.perf_counter() - begun
        worker.request_stop()
        await running
    report(jobs, seconds, cpu_seconds() - cpu)


def report(jobs: int, seconds: float, cpu: float) -> None:
    """One line for the parent."""
    print(json.dumps({"rate": jobs / seconds, "cpu_us": cpu / jobs * 1e6}))


async def measure(url: str, kind: str, jobs: int, concurrency: int) -> dict[str, float]:
    """Fill the queue, run a worker of the kind in a process of its own, and hear its figures."""
    config = NAQConfig.load(arguments={"nats.url": url}, environ={})
    async with Queue("default", config=config) as queue:
        await queue.enqueue_many(Job(noop) for _ in range(jobs))
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--role",
        kind,
        "--url",
        url,
        "--jobs",
        str(jobs),
        "--concurrency",
        str(concurrency),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await worker.communicate()
    return dict(json.loads(output))


async def compare(jobs: int, rounds: int, concurrency: int) -> None:
    """All kinds in turn, several times."""
    figures: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind in KINDS:
            async with EmbeddedServer() as server:
                count = jobs // PLAIN_SHARE if kind == KINDS[0] else jobs
                figures[kind].append(await measure(server.url, kind, count, concurrency))
    plain = statistics.median(figure["rate"] for figure in figures[KINDS[0]])
    print(f"{jobs} no-op jobs, concurrency {concurrency}, medians of {rounds} rounds")
    print(f"{'worker':<16}{'jobs/s':>10}{'ratio':>8}{'CPU µs/job':>12}")
    for kind, rows in figures.items():
        rate = statistics.median(row["rate"] for row in rows)
        cpu = statistics.median(row["cpu_us"] for row in rows)
        print(f"{kind:<16}{rate:>10,.0f}{rate / plain:>8.1f}{cpu:>12.0f}")


def main() -> None:
    """Parent or worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--role", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    if arguments.role is None:
        asyncio.run(compare(arguments.jobs, arguments.rounds, arguments.concurrency))
    elif arguments.role == KINDS[0]:
        asyncio.run(run_plain(arguments.url, arguments.jobs))
    else:
        asyncio.run(run_naq(arguments.url, arguments.jobs, arguments.concurrency, arguments.role == KINDS[2]))


if __name__ == "__main__":
    main()
