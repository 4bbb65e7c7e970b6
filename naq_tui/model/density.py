"""How many events there were in equal parts of a time, counted one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_tui.model.seconds import SECOND_NS
from naq_tui.past import Density, Span

__all__ = ["DensityBook", "counted"]

_FAILURES = (JobEventType.FAILED, JobEventType.TIMED_OUT)


class DensityBook:
    """Counts events by short equal times, which become longer when there are too many of them.

    Args:
        most: so many are kept at most.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._unit_ns = SECOND_NS // 10
        self._events: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()

    def add(self, moment_ns: int, *, failed: bool) -> None:
        """Count an event, and whether an attempt failed by it."""
        unit = moment_ns // self._unit_ns
        self._events[unit] += 1
        if failed:
            self._failures[unit] += 1
        if len(self._events) > self._most:
            self._unit_ns *= 2
            self._events, self._failures = _halved(self._events), _halved(self._failures)

    def density(self, span: Span, parts: int) -> Density:
        """What was counted, in parts of a time; each short time lies in the part of its middle."""
        length_ns = max(1, (span.last_ns - span.first_ns) // parts)
        events, failures = [0] * parts, [0] * parts
        wanted = range(span.first_ns // self._unit_ns, span.last_ns // self._unit_ns + 1)
        for unit in min(wanted, self._events, key=len):
            part = max(0, unit * self._unit_ns + self._unit_ns // 2 - span.first_ns) // length_ns
            if unit in self._events and unit in wanted and part < parts:
                events[part] += self._events[unit]
                failures[part] += self._failures[unit]
        return Density(span.first_ns, length_ns, tuple(events), tuple(failures))


def _halved(counts: Counter[int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for unit, count in counts.items():
        found[unit // 2] += count
    return found


def counted(events: Iterable[StoredEvent], span: Span, parts: int) -> Density:
    """Each event in the part of the time in which it happened; those before and behind it in none."""
    length_ns = max(1, (span.last_ns - span.first_ns) // parts)
    counts, failures = [0] * parts, [0] * parts
    for stored in events:
        event = stored.event
        part = (stored.happened_ns - span.first_ns) // length_ns
        if 0 <= part < parts:
            counts[part] += 1
            failures[part] += isinstance(event, JobEvent) and event.event_type in _FAILURES
    return Density(span.first_ns, length_ns, tuple(counts), tuple(failures))
