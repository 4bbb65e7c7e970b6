"""What a filter costs for each event, and what the first one costs a process.

    python benchmarks/filters.py [--events 20000] [--rounds 7]

Each filter is put to the same made-up events, half of them of jobs; the floor is a loop that compares one attribute
with one value by hand. CPU times, medians over the rounds. The first filter of a process is measured in fresh
processes that have loaded what reads events: lark is imported and the grammar built then, once.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from logger_calls import heartbeats, job_events

from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import Event

FILTERS = (
    "",
    "type:failed",
    "queue:orders type:completed",
    "type:failed,timed_out,cancelled",
    "worker:worker-host-1*",
    "function:confirm_order",
    "duration>10ms",
    "error:timeout",
    "!type:heartbeat",
    "queue:orders type:failed,timed_out worker:worker-* error:Timeout duration>500ms attempt>1",
    "confirm_order",
    "/confirm.*order/",
)
_FIRST = """
import time
import naq_runtime.monitor
from naq_runtime.events.filters import EventFilter
began = time.process_time()
EventFilter({text!r})
first = time.process_time()
EventFilter({text!r} + " a")
print(first - began, time.process_time() - first)
"""


def ns_each(matches: Callable[[Event], object], events: Sequence[Event], rounds: int) -> float:
    """Nanoseconds of CPU for one event."""
    times = []
    for _ in range(rounds):
        began = time.process_time_ns()
        for event in events:
            matches(event)
        times.append((time.process_time_ns() - began) / len(events))
    return statistics.median(times)


def by_hand(event: Event) -> bool:
    """The floor."""
    return event.event_type == "failed"


def first_filter(text: str, rounds: int) -> tuple[float, float]:
    """Milliseconds of CPU for the first filter of a process, and for the second."""
    runs = [
        subprocess.run([sys.executable, "-c", _FIRST.format(text=text)], capture_output=True, text=True, check=True)
        for _ in range(rounds)
    ]
    firsts, seconds = zip(*(map(float, run.stdout.split()) for run in runs), strict=True)
    return statistics.median(firsts) * 1e3, statistics.median(seconds) * 1e3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    events = [*job_events(options.events // 2), *heartbeats(options.events // 2)]

    floor = ns_each(by_hand, events, options.rounds)
    print(f"{'filter':92} {'ns':>6} {'events/s':>11} {'of floor':>8}")
    print(f"{'(one attribute, by hand)':92} {floor:6.0f} {1e9 / floor:11,.0f} {1:8.1f}")
    for text in FILTERS:
        each = ns_each(EventFilter(text).matches, events, options.rounds)
        print(f"{text or '(everything)':92} {each:6.0f} {1e9 / each:11,.0f} {each / floor:8.1f}")
    for text in ("type:failed", "/x/"):
        first, second = first_filter(text, options.rounds)
        print(f"the first filter of a process, {text}: {first:.1f} ms of CPU, the next one {second:.2f} ms")


if __name__ == "__main__":
    main()
