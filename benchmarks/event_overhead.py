"""What the events of a job cost its worker, and what they cost it in all.

    python benchmarks/event_overhead.py [--rounds 5] [--seconds 4]

Jobs that compute for 0, 1 and 10 ms run on one worker process, with events and without by turns, so that what else the
machine does hits both alike. What counts is the processor's time that the worker's process takes for a job; a round is
one pair, its order changes from round to round, and the figures are medians over the rounds. With events, the time in
which the last of them are stored is part of it.
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
from typing import NamedTuple

from busy_tasks import compute

from naq_runtime import EmbeddedServer, EventService, Job, NAQConfig, Queue, ServiceManager, TaskRegistry, Worker

LENGTHS_MS = (0.0, 1.0, 10.0)
BASE_S = 100e-6
"""What a job takes beside its own work, about: for the number of jobs of a round."""


class Cost(NamedTuple):
    """Of one job, in one run."""

    cpu_us: float
    rate: float
    """Jobs a second."""
    events: float


def cpu_seconds() -> float:
    """User and system time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def work(url: str, jobs: int, with_events: bool) -> None:
    """One worker, until so many jobs are settled and their events are stored; tells what that cost."""
    config = NAQConfig.load(arguments={"nats.url": url, "events.enabled": with_events}, environ={})
    async with ServiceManager(config, role="worker") as services:
        events = await services.get_service(EventService)
        worker = Worker(services, ["default"], TaskRegistry.load(["busy_tasks"]), concurrency=20)
        cpu, begun = cpu_seconds(), time.perf_counter()
        running = asyncio.create_task(worker.run())
        while worker.counts.completed < jobs:
            await asyncio.sleep(0.01)
        await events.flush()
        seconds, cpu = time.perf_counter() - begun, cpu_seconds() - cpu
        stored = events.statistics().stored
        worker.request_stop()
        await running
    print(json.dumps(Cost(cpu / jobs * 1e6, jobs / seconds, stored / jobs)))


async def measure(url: str, jobs: int, length_ms: float, with_events: bool) -> Cost:
    """Fill the queue, and let a worker in a process of its own empty it."""
    config = NAQConfig.load(arguments={"nats.url": url, "events.enabled": False}, environ={})
    async with Queue("default", config=config) as queue:
        await queue.enqueue_many(Job(compute, (length_ms / 1000,)) for _ in range(jobs))
    role = "on" if with_events else "off"
    options = ["--role", role, "--url", url, "--jobs", str(jobs)]
    worker = await asyncio.create_subprocess_exec(sys.executable, __file__, *options, stdout=asyncio.subprocess.PIPE)
    output, _ = await worker.communicate()
    return Cost(*json.loads(output))


async def compare(rounds: int, seconds: float) -> None:
    """Each length in turn, each as so many pairs."""
    print(f"CPU of the worker's process a job, medians of {rounds} pairs")
    print(f"{'job':>7}{'without':>12}{'with events':>13}{'more':>10}{'share':>8}{'jobs/s':>17}{'events':>8}")
    for length_ms in LENGTHS_MS:
        jobs = int(seconds / (length_ms / 1000 + BASE_S))
        pairs = []
        for number in range(rounds):
            async with EmbeddedServer() as server:
                order = (False, True) if number % 2 else (True, False)
                pair = {is_on: await measure(server.url, jobs, length_ms, is_on) for is_on in order}
            pairs.append((pair[False], pair[True]))
        off, on = (statistics.median(pair[side].cpu_us for pair in pairs) for side in (0, 1))
        more = statistics.median(on.cpu_us - off.cpu_us for off, on in pairs)
        share = statistics.median(on.cpu_us / off.cpu_us - 1 for off, on in pairs)
        rates = [statistics.median(pair[side].rate for pair in pairs) for side in (0, 1)]
        told = statistics.median(on.events for _, on in pairs)
        print(
            f"{length_ms:>4g} ms{off:>9,.0f} µs{on:>10,.0f} µs{more:>7,.1f} µs{share:>8.1%}"
            f"{rates[0]:>9,.0f} →{rates[1]:>6,.0f}{told:>8.2f}"
        )


def main() -> None:
    """Parent or worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of work in each run, about")
    parser.add_argument("--jobs", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--role", choices=("on", "off"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    if arguments.role is None:
        asyncio.run(compare(arguments.rounds, arguments.seconds))
    else:
        asyncio.run(work(arguments.url, arguments.jobs, arguments.role == "on"))


if __name__ == "__main__":
    main()
