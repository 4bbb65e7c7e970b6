"""The newest events, and the part of them that a filter lets through."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import StoredEvent

__all__ = ["LOG_LIMIT", "EventLog", "Filtered", "LogView"]

LOG_LIMIT = 50_000
"""Events that are kept."""


class LogView(Protocol):
    """A run of events, each at a position that stays its own."""

    @property
    def first(self) -> int:
        """The position of the oldest."""
        ...

    @property
    def end(self) -> int:
        """The position after the newest."""
        ...

    def at(self, position: int) -> StoredEvent:
        """The event at a position from `first` up to, not including, `end`."""
        ...


class EventLog:
    """The newest events; a position counts all that ever came, so it survives the loss of older ones."""

    __slots__ = ("_lines", "end")

    def __init__(self, limit: int = LOG_LIMIT) -> None:
        self._lines: deque[StoredEvent] = deque(maxlen=limit)
        self.end = 0
        """The position after the newest."""

    @property
    def first(self) -> int:
        """The position of the oldest that is kept."""
        return self.end - len(self._lines)

    def extend(self, events: Iterable[StoredEvent], count: int) -> None:
        """Append ``count`` events."""
        self._lines.extend(events)
        self.end += count

    def extend_back(self, events: Sequence[StoredEvent]) -> int:
        """Put events, the oldest first, before all others, as many of the last as there is room for; returns how many.

        They get lower positions.
        """
        room = (self._lines.maxlen or LOG_LIMIT) - len(self._lines)
        fitting = events[max(0, len(events) - room) :]
        self._lines.extendleft(reversed(fitting))
        return len(fitting)

    def at(self, position: int) -> StoredEvent:
        """The event at a position."""
        return self._lines[position - self.first]

    def between(self, start: int, end: int) -> list[StoredEvent]:
        """The events of the positions from ``start`` up to, not including, ``end``, as far as they are kept."""
        first = self.first
        return list(islice(self._lines, max(start - first, 0), max(end - first, 0)))

    def copy(self, limit: int | None = None) -> EventLog:
        """The same events at the same positions, for good; with room for as many, or for ``limit``."""
        twin = EventLog(limit or self._lines.maxlen or LOG_LIMIT)
        twin.extend(self._lines, len(self._lines))
        twin.end = self.end
        return twin


class Filtered:
    """The events of a log that a filter lets through.

    Looking through the log is done in portions, the newest first, so that the screen never waits for it. Events that
    were appended meanwhile follow in order. The positions are its own: they grow to the right with new events and to
    the left with older ones.
    """

    def __init__(self, log: EventLog, wanted: EventFilter) -> None:
        self.log = log
        self._matches = wanted.matches
        self._found: deque[int] = deque()
        self._origin = 0
        self._back = self._front = log.end
        """Everything from ``_back`` up to ``_front`` has been looked at."""

    @property
    def first(self) -> int:
        """The position of the oldest match."""
        return self._origin

    @property
    def end(self) -> int:
        """The position after the newest match."""
        return self._origin + len(self._found)

    def at(self, position: int) -> StoredEvent:
        """The matching event at a position."""
        return self.log.at(self._found[position - self._origin])

    def all(self) -> list[StoredEvent]:
        """The matching events, the oldest first."""
        return [self.log.at(position) for position in self._found]

    @property
    def complete(self) -> bool:
        """Whether all of the log has been looked at."""
        return self._front == self.log.end and self._back <= self.log.first

    def advance(self, budget: int) -> bool:
        """Look at up to ``budget`` more events, the new ones first; true when something changed."""
        before = (self._origin, len(self._found))
        self._forget()
        budget -= self._look_forward(budget)
        self._look_back(budget)
        return before != (self._origin, len(self._found))

    def _forget(self) -> None:
        """Drop matches that the log no longer holds."""
        first = self.log.first
        while self._found and self._found[0] < first:
            self._found.popleft()
            self._origin += 1
        self._front = max(self._front, first)

    def _look_forward(self, budget: int) -> int:
        start, end = self._front, min(self.log.end, self._front + budget)
        for position, stored in enumerate(self.log.between(start, end), start):
            if self._matches(stored.event):
                self._found.append(position)
        self._front = end
        return end - start

    def _look_back(self, budget: int) -> None:
        start = max(self.log.first, self._back - budget)
        if start >= self._back:
            return
        older = [
            p for p, stored in enumerate(self.log.between(start, self._back), start) if self._matches(stored.event)
        ]
        self._found.extendleft(reversed(older))
        self._origin -= len(older)
        self._back = start
