"""How long commands take before they do anything, and how long the story of a job takes from the shell.

    python benchmarks/cold_start.py [--runs 15]

Each command runs as a whole process, in turn with bare Python, and its CPU time is what the operating system charged.
``naq events history`` asks an embedded server, as do the names that a shell completes, once more of a server that
hangs; the query is the part of it between a connection that stands and all events of the job, the first one of its
process. Compiled modules are kept, as they are where naq is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from naq_runtime import EmbeddedServer, Job, NAQConfig, Queue

JOB = "order-17"
NAQ = ["-m", "naq_tui.cli.main"]
COMMANDS = {
    "python": ["-c", "pass"],
    "import naq_runtime": ["-c", "import naq_runtime"],
    "import naq_tui.app": ["-c", "import naq_tui.app"],
    "naq --help": [*NAQ, "--help"],
    "naq events stream --help": [*NAQ, "events", "stream", "--help"],
    "naq-top --help": ["-m", "naq_tui.cli.top", "--help"],
    "naq events history": [*NAQ, "events", "history", JOB],
    "names for a shell": [str(Path(sys.executable).with_name("naq"))],
    "names, the server hangs": [str(Path(sys.executable).with_name("naq"))],
}
COMPLETION = {"_NAQ_COMPLETE": "complete_bash", "COMP_WORDS": "naq job show ", "COMP_CWORD": "3"}
QUERY = f"""
import asyncio, time
from naq_runtime import EventQueries, NATSJobEventStorage, ServiceManager, get_config

async def main():
    async with ServiceManager(get_config(), role="monitor") as services:
        before = time.perf_counter()
        await services.topology.events()
        storage = NATSJobEventStorage(services.connection, services.config, services.topology)
        assert await EventQueries(storage, services.clock).history({JOB!r})
        print((time.perf_counter() - before) * 1e3)

asyncio.run(main())
"""


class Run(NamedTuple):
    """What one process took, in milliseconds."""

    wall: float
    cpu: float


def run_of(arguments: Sequence[str], env: Mapping[str, str]) -> Run:
    """The clock, and the user and system time, of one run."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=dict(env))
    wall, after = time.perf_counter() - began, os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Run(wall * 1e3, cpu * 1e3)


def query_ms(env: Mapping[str, str]) -> float:
    """The query alone, in a process that has asked nothing before."""
    done = subprocess.run([sys.executable, "-c", QUERY], check=True, capture_output=True, text=True, env=dict(env))
    return float(done.stdout)


def environment(url: str) -> dict[str, str]:
    """That of a command which asks this server."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
        "NAQ_NATS_URL": url
    }


def measure(runs: int, env: dict[str, str], hanging: dict[str, str]) -> None:
    """Run all in turn, several times, and print the medians."""
    surroundings = {"names for a shell": env | COMPLETION, "names, the server hangs": hanging | COMPLETION}
    figures: dict[str, list[Run]] = {name: [] for name in COMMANDS}
    queries = []
    for _ in range(runs + 1):
        for name, arguments in COMMANDS.items():
            figures[name].append(run_of(arguments, surroundings.get(name, env)))
        queries.append(query_ms(env))
    figures = {name: found[1:] for name, found in figures.items()}  # the first run compiles what is new
    cpu = {name: statistics.median(run.cpu for run in found) for name, found in figures.items()}
    print(f"{'command':<28}{'ms':>8}{'least':>8}{'CPU ms':>8}{'above Python':>14}")
    for name, found in figures.items():
        wall = [run.wall for run in found]
        above = cpu[name] - cpu["python"]
        print(f"{name:<28}{statistics.median(wall):>8.0f}{min(wall):>8.0f}{cpu[name]:>8.0f}{above:>14.0f}")
    print(f"{'the query of the history':<28}{statistics.median(queries):>8.1f}{min(queries):>8.1f}")


async def main() -> None:
    """Start a server, put a job into it, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    async with EmbeddedServer() as server, EmbeddedServer() as hung:
        async with Queue(config=NAQConfig.load(arguments={"nats.url": server.url}, environ={})) as queue:
            await queue.enqueue_job(Job("shop.charge", (17,), job_id=JOB))
        os.kill(hung.pid, signal.SIGSTOP)
        try:
            await asyncio.to_thread(measure, runs, environment(server.url), environment(hung.url))
        finally:
            os.kill(hung.pid, signal.SIGCONT)


if __name__ == "__main__":
    asyncio.run(main())
