"""What naq-top takes on a server that is full, and what it keeps in memory.

    python benchmarks/monitor_scale.py [--schedules 100000] [--events 10000000] [--runs 9]

naq-top runs in a terminal of 180 by 50. The first picture is the first whole frame after the start of the process, live
is when the connection stands; bare Python and its import of the application stand beside it. Keys are pressed in the
view of the schedules once all of them are there; each is answered by the next frame. For the memory, a process takes
events in as naq-top does, decoded and counted, without a screen.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time

import psutil
from monitor_ingest import made_up
from scheduler_scale import Scale, distant
from terminal import Terminal

from naq_runtime import EmbeddedServer, NAQConfig, ServiceManager
from naq_runtime.events.codec import decode_event, encode_event
from naq_runtime.events.models import StoredEvent
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.state import Dashboard
from naq_tui.text import count_text

_BATCH = 1_000
_KEYS = ("s", "s", "s", "r", "G", "g", "/", "9", "9", "\r", "\x1b")
"""Sorted, turned round, moved through, filtered."""
_MEBIBYTE = 1 << 20


async def on_a_server(schedules: int, runs: int) -> None:
    """The start, and keys among many rows."""
    async with EmbeddedServer() as server:
        config = NAQConfig.load(arguments={"nats.url": server.url}, environ={})
        async with ServiceManager(config, role="bench") as services:
            await services.topology.jobs()
            await asyncio.to_thread(first_pictures, server.url, runs)
            await Scale(services, config).add(distant(schedules))
            await asyncio.to_thread(keys, server.url, schedules)


def first_pictures(url: str, runs: int) -> None:
    """How soon something is on the screen."""
    found: dict[str, list[float]] = {"python": [], "import": [], "first picture": [], "live": []}
    for _ in range(runs):
        for name, code in (("python", "pass"), ("import", "import naq_tui.app")):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            found[name].append(time.perf_counter() - begun)
        top = Terminal([sys.executable, "-m", "naq_tui.cli.top", "--server", url])
        found["live"].append(top.wait_for_text("● live"))
        found["first picture"].append(top.frames[0] - top.started)
        top.quit()
    for name, seconds in found.items():
        print(f"{name:<24}{statistics.median(seconds) * 1000:7.0f} ms  least {min(seconds) * 1000:.0f}", flush=True)


def keys(url: str, schedules: int) -> None:
    """How soon keys are answered in a table of many rows."""
    top = Terminal([sys.executable, "-m", "naq_tui.cli.top", "--server", url])
    top.wait_for_text("● live")
    top.send("6")
    begun = time.perf_counter()
    top.wait_for_text(rf"Schedules\s+{count_text(schedules)}\s", timeout=120)
    print(f"{schedules:,} schedules are read in {time.perf_counter() - begun:.1f} s")
    time.sleep(2)
    for key in _KEYS:
        took = top.key_to_paint_ms(key)
        print(f"  {key!r:<8}{took:7.0f} ms", flush=True)
        time.sleep(0.6)
    cpu, frames = top.measure(5)
    print(f"  left alone: {cpu:.1f} % of a core, {frames:.1f} frames/s, {top.process.memory_info().rss / 1e6:.0f} MB")
    top.quit()


def taking_in(events: int) -> None:
    """How much memory events leave behind."""
    dashboard, link, process = Dashboard(), Link(ConnectionState.LIVE, time.time_ns()), psutil.Process()
    step, begun = max(1, events // 10), time.process_time()
    for start in range(0, events, _BATCH):
        payloads = [encode_event(made_up(number)) for number in range(start, start + _BATCH)]
        stored = [StoredEvent(number, decode_event(data)) for number, data in enumerate(payloads, start + 1)]
        dashboard.apply(Batch(link, stored), time.time_ns())
        if (done := start + _BATCH) % step == 0:
            rss = process.memory_info().rss / _MEBIBYTE
            print(f"{done:>12,} events: {rss:6.1f} MiB resident", flush=True)
    print(f"{events / (time.process_time() - begun):,.0f} events/s, made, encoded, decoded and counted")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    asyncio.run(on_a_server(options.schedules, options.runs))
    taking_in(options.events)


if __name__ == "__main__":
    main()
