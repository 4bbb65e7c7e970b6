"""Whether a worker's memory grows with the jobs that it has done.

    python benchmarks/worker_memory.py [--jobs 200000] [--parts 10]

One worker process, with results and events, gets its jobs in equal parts; after each its resident memory is read. What
the first part brings in is the worker's own size: the table shows what comes on top of it. Some of the jobs fail, are
retried, or wait for others, so that what those leave behind would be seen, too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
from noop_tasks import fails_once, noop

from naq_runtime import EmbeddedServer, Job, NAQConfig, Queue

_GROUP = 10
_MEBIBYTE = 1024 * 1024


def mixed(jobs: int) -> Iterator[Job]:
    """Of ten jobs, one is retried, one waits for it, and the others do nothing."""
    for _ in range(jobs // _GROUP):
        retried = Job(fails_once)
        yield from (Job(noop) for _ in range(_GROUP - 2))
        yield retried
        yield Job(noop, depends_on=retried)


async def run_part(queue: Queue, jobs: int) -> None:
    """Enqueue a part, and wait for the last of it."""
    handles = await queue.enqueue_many(list(mixed(jobs)))
    for handle in handles[:: len(handles) // 100] + handles[-2 * _GROUP :]:
        await handle.outcome(timeout=300)


async def measure(jobs: int, parts: int) -> None:
    """Part after part, in one worker."""
    async with EmbeddedServer() as server:
        config = NAQConfig.load(arguments={"nats.url": server.url}, environ={})
        command = ("-m", "naq_tui.cli.main", "run-worker", "-m", "noop_tasks", "-c", "100", "--server", server.url)
        worker = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=Path(__file__).parent, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            process, first = psutil.Process(worker.pid), 0.0
            print(f"{'jobs done':>12}{'resident MiB':>14}{'above the first':>17}")
            async with Queue("default", config=config) as queue:
                for part in range(1, parts + 1):
                    await run_part(queue, jobs // parts)
                    resident = process.memory_info().rss / _MEBIBYTE
                    first = first or resident
                    print(f"{jobs // parts * part:>12,}{resident:>14.1f}{resident - first:>+17.1f}", flush=True)
        finally:
            worker.terminate()
            await worker.wait()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--parts", type=int, default=10)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.jobs, arguments.parts))


if __name__ == "__main__":
    main()
