"""The queues: how deep they are by the snapshot, how fast they move by the events."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.snapshot import QueueBacklog, QueueState
from naq_tui.model.tally import MINUTE_S, Figures, Tally

__all__ = ["QUEUE_LIMIT", "QueueBook", "QueueView"]

HISTORY_S = 240
"""Seconds that the chart of a queue can look back."""
_FAILURES_KEPT = 8
_FAILURES = (JobEventType.FAILED, JobEventType.TIMED_OUT)
QUEUE_LIMIT = 1000
"""Queues whose events are counted; the longest silent ones are forgotten first."""


class QueueView(msgspec.Struct, frozen=True):
    """A queue at one moment."""

    name: str
    state: QueueState | None
    """Its depths; ``None`` when the server does not know the queue."""
    figures: Figures
    ended: tuple[int, ...]
    """Jobs that ended in each second of the latest minute, the oldest first."""
    backlog: QueueBacklog | None = None
    """What waits for something else than a worker; ``None`` before it was asked for."""

    @property
    def is_paused(self) -> bool:
        """Whether it is held back on purpose."""
        return self.state is not None and self.state.paused

    @property
    def is_deserted(self) -> bool:
        """Whether jobs wait that no worker will take, unless one comes."""
        state = self.state
        return state is not None and state.workers == 0 and state.waiting > 0


class QueueBook:
    """One tally a queue."""

    def __init__(self, limit: int = QUEUE_LIMIT) -> None:
        self._limit = limit
        self._tallies: dict[str, Tally] = {}
        self._states: dict[str, QueueState] = {}
        self._backlogs: Mapping[str, QueueBacklog] = {}
        self._failures: dict[str, deque[JobEvent]] = {}

    def __len__(self) -> int:
        return len(self._tallies)

    def count(self, event: JobEvent, second: int, *, earlier: bool = False) -> None:
        """Take in one event; ``earlier`` when it happened before all that came so far."""
        tally = self._tallies.get(event.queue_name)
        if tally is None:
            tally = self._new(event.queue_name)
        tally.count(event, second)
        if event.event_type in _FAILURES:
            failures = self._failures[event.queue_name]
            if not earlier:
                failures.append(event)
            elif len(failures) < _FAILURES_KEPT:
                failures.appendleft(event)

    def see(self, states: tuple[QueueState, ...]) -> bool:
        """Take in the depths of a snapshot; true when any differs."""
        fresh = {state.name: state for state in states}
        changed = fresh != self._states
        self._states = fresh
        return changed

    def take_backlogs(self, backlogs: Mapping[str, QueueBacklog]) -> bool:
        """Take in what was asked for; true when any differs."""
        changed = backlogs != self._backlogs
        self._backlogs = backlogs
        return changed

    def names(self) -> list[str]:
        """The names of all queues, in order."""
        return sorted(self._states.keys() | self._tallies.keys())

    def failures(self, name: str) -> tuple[JobEvent, ...]:
        """The latest attempts of a queue that failed or timed out, the oldest first."""
        return tuple(self._failures.get(name, ()))

    def tally(self, name: str) -> Tally:
        """What is counted of a queue."""
        return self._tallies.get(name) or _SILENT

    def views(self, second: int, since: int) -> tuple[QueueView, ...]:
        """All queues, by name."""
        return tuple(self._view(name, second, since) for name in self.names())

    def _view(self, name: str, second: int, since: int) -> QueueView:
        tally = self.tally(name)
        ended = tally.ended(second - MINUTE_S, second - 1)
        figures = tally.figures(second, since)
        return QueueView(name, self._states.get(name), figures, ended, self._backlogs.get(name))

    def _new(self, name: str) -> Tally:
        if len(self._tallies) >= self._limit:
            self._forget_some()
        tally = self._tallies[name] = Tally(HISTORY_S + 2)
        self._failures[name] = deque(maxlen=_FAILURES_KEPT)
        return tally

    def _forget_some(self) -> None:
        by_silence = sorted(self._tallies, key=lambda name: (name in self._states, self._tallies[name].latest))
        for name in by_silence[: max(1, self._limit // 8)]:
            del self._tallies[name], self._failures[name]


_SILENT = Tally(1)
