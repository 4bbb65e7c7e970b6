"""What a call of the logger costs, and what an event weighs while it waits.

    python benchmarks/logger_calls.py [--calls 100000] [--rounds 7] [--against ../another-checkout]

Each round takes fresh processes, one after the other: one that only encodes the events (the floor), one that logs
them, and, with ``--against``, one that logs them with the code of another checkout. Nothing is stored meanwhile. Where
it says full, the buffer is full of heartbeats, and each event pushes one out. CPU times, medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

from naq_runtime.config import EventsConfig
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.logger import AsyncJobEventLogger
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import Event, JobEvent, JobEventType, SystemEvent, WorkerEvent, WorkerEventType
from naq_runtime.naming import Names

_TYPES = (JobEventType.ENQUEUED, JobEventType.STARTED, JobEventType.COMPLETED, JobEventType.RESULT_STORED)


def job_events(number: int) -> list[Event]:
    """As a busy worker logs them: each an object of its own, as in life."""
    return [
        JobEvent(
            event_type=_TYPES[place % 4],
            event_id=f"w7c2k9ab-{place}",
            timestamp_ns=1_700_000_000_000_000_000 + place,
            job_id=f"job{place // 4:017d}",
            queue_name="orders",
            function_name="shop.orders.confirm_order",
            worker_id="worker-host-1-4711",
            attempt=1,
            duration_ms=12.5,
        )
        for place in range(number)
    ]


def heartbeats(number: int) -> list[Event]:
    """What makes room when the buffer is full."""
    return [
        WorkerEvent(
            event_type=WorkerEventType.HEARTBEAT,
            event_id=f"w7c2k9ab-{place}",
            timestamp_ns=1_700_000_000_000_000_000 + place,
            worker_id="worker-host-1-4711",
            active_jobs=10,
        )
        for place in range(number)
    ]


def a_logger(most: int) -> AsyncJobEventLogger:
    """One that is not started, so that nothing but the calls is measured."""

    def report(_: object) -> SystemEvent:
        raise AssertionError("nothing is reported before the start")

    config = EventsConfig(max_buffer_size=most, max_buffer_bytes=2**40)
    return AsyncJobEventLogger(MemoryEventStorage(), config, Names(), report=report)


def measure_calls(role: str, calls: int) -> dict[str, Any]:
    """Nanoseconds a call, by the CPU time of this process."""
    events, names = job_events(calls), Names()
    if role == "floor":
        begun = time.process_time_ns()
        for event in events:
            event_subject(names, event)
            encode_event(event)
        return {"ns": (time.process_time_ns() - begun) / calls}
    logger = a_logger(calls)
    if role == "full":
        for event in heartbeats(calls):
            logger.append(event)
    append = logger.append
    begun = time.process_time_ns()
    for event in events:
        append(event)
    return {"ns": (time.process_time_ns() - begun) / calls}


def measure_bytes(calls: int) -> dict[str, Any]:
    """Bytes of memory and of content, for each event that waits."""
    events, logger = job_events(calls), a_logger(calls)
    tracemalloc.start()
    for event in events:
        logger.append(event)
    memory, _ = tracemalloc.get_traced_memory()
    return {"memory": memory / calls, "content": logger.statistics().buffered_bytes / calls}


def in_process(root: Path, role: str, calls: int) -> dict[str, Any]:
    """Measure in a fresh process, with the code of a checkout."""
    command = [sys.executable, __file__, "--role", role, "--calls", str(calls)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(root)}, check=True, capture_output=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--role", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        found = measure_bytes(options.calls) if options.role == "bytes" else measure_calls(options.role, options.calls)
        print(json.dumps(found))
        return
    here = Path(__file__).resolve().parent.parent
    ways = {"encoding only": (here, "floor"), "logging": (here, "log"), "logging, full": (here, "full")}
    if options.against:
        ways |= {"logging, before": (options.against, "log"), "logging, full, before": (options.against, "full")}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, (root, role) in ways.items():
            times[way].append(in_process(root, role, options.calls)["ns"])
    for way, (root, role) in ways.items():
        ns = statistics.median(times[way])
        least, most = min(times[way]), max(times[way])
        line = f"{way:22} {ns:7,.0f} ns a call ({least:,.0f} to {most:,.0f}), {1e9 / ns:9,.0f} calls/s"
        if role == "log":
            size = in_process(root, "bytes", options.calls)
            line += f"; {size['memory']:.0f} bytes of memory an event, {size['content']:.0f} of them its content"
        print(line)


if __name__ == "__main__":
    main()
