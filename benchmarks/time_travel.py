"""How fast the past is there, how fast it goes back a step, and what it costs to play it.

    python benchmarks/time_travel.py [--server nats://127.0.0.1:4222 | --replay FILE] [--moments 10] [--play 10]

Of the log of a server, or of a file: the monitor is run without a terminal, at 120 by 40. From the key Enter behind a
moment to the paint of that moment; from `[` to the paint of the event before; then it plays at each speed, and the CPU
of the process is taken. Fill a server with `benchmarks/event_queries.py`, or with `benchmarks/monitor_ingest.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from datetime import datetime
from pathlib import Path

from textual.pilot import Pilot

from naq_runtime import NAQConfig
from naq_tui.app import NaqTop
from naq_tui.sources.live import LiveSource
from naq_tui.sources.replay import ReplaySource


class Timed(NaqTop):
    """Notes when another moment was painted."""

    turned_at = 0.0

    def turned(self) -> None:
        """See `Travelling.turned`."""
        super().turned()
        self.turned_at = time.perf_counter()


async def turned_ms(app: Timed, pilot: Pilot[None], *keys: str) -> float:
    """From the last of some keys to the paint of another moment."""
    for key in keys[:-1]:
        await pilot.press(key)
    before = app.turned_at
    began = time.perf_counter()
    await pilot.press(keys[-1])
    async with asyncio.timeout(60):
        while app.turned_at == before:
            await asyncio.sleep(0.001)
    return (app.turned_at - began) * 1e3


def shown(label: str, times: list[float]) -> None:
    """Print the middle and the largest."""
    print(f"  {label:28} p50 {statistics.median(times):7.0f} ms  most {max(times):7.0f} ms", flush=True)


async def measure(app: Timed, moments: int, play_s: float) -> None:
    """Go to moments all over the recording, step back, and play."""
    async with app.run_test(size=(120, 40)) as pilot:
        for _ in range(200):
            if app.travel.has_past:
                break
            await pilot.pause(0.05)
        else:
            raise SystemExit("there is no past to go to: fill a server first, and name it with --server")
        past = app.travel.shown.source.past
        assert past is not None
        span = await past.span()
        await pilot.pause(1)
        log = app.dashboard.log
        last_ns = span.last_ns if not app.travel.has_present else log.at(log.end - 1).event.moment_ns
        at = [span.first_ns + (last_ns - span.first_ns) * (n + 1) // (moments + 2) for n in range(moments)]
        texts = [datetime.fromtimestamp(moment_ns / 1e9).strftime("%Y-%m-%dT%H:%M:%S") for moment_ns in at]
        keys = [["t", *(text_key(letter) for letter in text), "enter"] for text in texts]
        shown("a moment, until it is painted", [await turned_ms(app, pilot, *one) for one in keys])
        shown("a step back", [await turned_ms(app, pilot, "left_square_bracket") for _ in range(moments)])
        await turned_ms(app, pilot, *keys[moments // 2])
        for speed in (1, 10, 100):
            await pilot.press("full_stop")
            began, cpu = time.perf_counter(), time.process_time()
            moment_ns, end = app.travel.shown.now_ns(), app.dashboard.log.end
            await asyncio.sleep(play_s)
            took, cpu = time.perf_counter() - began, time.process_time() - cpu
            passed_s = (app.travel.shown.now_ns() - moment_ns) / 1e9
            events = (app.dashboard.log.end - end) / took
            print(
                f"  ×{speed:<4} {events:8,.0f} events/s, really ×{passed_s / took:.1f}, {cpu / took:.0%} CPU",
                flush=True,
            )


def text_key(letter: str) -> str:
    """What Textual calls the key of a letter."""
    return {"-": "minus", ":": "colon"}.get(letter, letter)


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="nats://127.0.0.1:4222")
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--play", type=float, default=10.0)
    asked = parser.parse_args()
    if asked.replay:
        app = Timed(source=ReplaySource(asked.replay))
    else:
        app = Timed(source=LiveSource(NAQConfig.load(arguments={"nats.url": asked.server}, environ={})))
    asyncio.run(measure(app, asked.moments, asked.play))


if __name__ == "__main__":
    main()
