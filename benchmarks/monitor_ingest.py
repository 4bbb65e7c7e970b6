"""What naq-top costs on a busy stream of events, and whether it misses any.

    python benchmarks/monitor_ingest.py [--rates 0 1000 5000 20000] [--seconds 10]

A process of its own stores events of 20 queues and 50 workers at each rate; naq-top runs in a terminal of 180 by 50.
CPU is naq-top's share of one core; missed is what naq-top itself counts; key is the time from a key press to the
next frame.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import time

from terminal import Terminal

from naq_runtime import EmbeddedServer, JobEvent, JobEventType, NAQConfig, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.nats.publish import Outgoing, open_writer

_TICK_S = 0.05
_KEYS = 60


def made_up(number: int) -> JobEvent:
    """One event of a made-up history."""
    job, kind = divmod(number, 4)
    types = (JobEventType.ENQUEUED, JobEventType.STARTED, JobEventType.COMPLETED, JobEventType.RESULT_STORED)
    event_type = JobEventType.FAILED if kind == 2 and job % 25 == 0 else types[kind]
    return JobEvent(
        event_type=event_type,
        event_id=f"bench-{number}",
        timestamp_ns=time.time_ns(),
        job_id=f"job{job:016d}",
        queue_name=f"queue-{job % 20:02d}",
        function_name="shop.orders.confirm_order",
        worker_id=None if kind == 0 else f"worker-{job % 50:02d}",
        attempt=None if kind == 0 else 1,
        wait_ms=(job * 7919) % 900 / 10 if kind == 1 else None,
        duration_ms=(job * 104_729) % 30_000 / 10 if kind == 2 else None,
        error_type="ConnectionError" if event_type is JobEventType.FAILED else None,
        error_message="the mail server closed the connection" if event_type is JobEventType.FAILED else None,
    )


async def emit(url: str, rate: int, seconds: float) -> None:
    """Store events at a steady rate."""
    config = NAQConfig.load(arguments={"nats.url": url}, environ={})
    async with ServiceManager(config, role="emitter") as services:
        stream = await services.topology.events()
        writer = await open_writer(services.connection, fast=stream.fast_ingest)
        loop, number = asyncio.get_running_loop(), 0
        begun = loop.time()
        while (elapsed := loop.time() - begun) < seconds:
            due = int(elapsed * rate)
            while number < due:
                chunk = [made_up(n) for n in range(number, min(due, number + 500))]
                await writer.store([Outgoing(event_subject(config.names, e), encode_event(e)) for e in chunk])
                number += len(chunk)
            await asyncio.sleep(_TICK_S)
        await writer.close()


async def measure(rate: int, seconds: float) -> dict[str, float]:
    """naq-top beside an emitter of this rate."""
    async with EmbeddedServer() as server:
        command = [sys.executable, __file__, "--role", "emitter", "--url", server.url]
        command += ["--rate", str(rate), "--seconds", str(seconds + 12)]
        emitter = await asyncio.create_subprocess_exec(*command) if rate else None
        top = Terminal([sys.executable, "-m", "naq_tui.cli.top", "--server", server.url])
        return await asyncio.to_thread(_watch, top, seconds, emitter)


def _watch(top: Terminal, seconds: float, emitter: asyncio.subprocess.Process | None) -> dict[str, float]:
    top.wait_for_text("live")
    time.sleep(3)
    cpu, frames = top.measure(seconds)
    keys = []
    for _ in range(_KEYS):
        keys.append(top.key_to_paint_ms("\t"))
        time.sleep(0.05)
    rss = top.process.memory_info().rss / 1e6
    text = top.text()
    top.quit()
    missed = max((_number(found) for found in re.findall(r"! ([\d.,kM]+) events missed", text)), default=0.0)
    if emitter is not None:
        emitter.kill()
    return {
        "cpu": cpu,
        "frames": frames,
        "missed": missed,
        "key50": statistics.median(keys),
        "key95": sorted(keys)[int(len(keys) * 0.95) - 1],
        "rss": rss,
    }


def _number(text: str) -> float:
    """What naq-top wrote as ``1,234``, ``12.3k`` or ``4.5M``."""
    factor = {"k": 1e3, "M": 1e6}.get(text[-1], 1.0)
    return float(text.rstrip("kM").replace(",", "")) * factor


def main() -> None:
    """Parent or emitter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="*", default=[0, 1_000, 5_000, 20_000])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--role", choices=["emitter"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        asyncio.run(emit(arguments.url, arguments.rate, arguments.seconds))
        return
    print(f"{'events/s':>9}{'CPU %':>8}{'frames/s':>10}{'missed':>8}{'key p50':>9}{'key p95':>9}{'RSS MB':>8}")
    for rate in arguments.rates:
        row = asyncio.run(measure(rate, arguments.seconds))
        print(
            f"{rate:>9,}{row['cpu']:>8.1f}{row['frames']:>10.1f}{row['missed']:>8.0f}"
            f"{row['key50']:>7.0f}ms{row['key95']:>7.0f}ms{row['rss']:>8.0f}"
        )


if __name__ == "__main__":
    main()
