"""The queues: how deep they are by the snapshot, how fast they move by the events."""

from __future__ import annotations

from dataclasses import dataclass

from naq_runtime.events.models import JobEvent
from naq_runtime.snapshot import QueueState
from naq_tui.model.tally import MINUTE_S, Figures, Tally

__all__ = ["QUEUE_LIMIT", "QueueBook", "QueueView"]

QUEUE_LIMIT = 1000
"""Queues whose events are counted; the longest silent ones are forgotten first."""


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue at one moment."""

    name: str
    state: QueueState | None
    """Its depths; ``None`` when the server does not know the queue."""
    figures: Figures
    ended: tuple[int, ...]
    """Jobs that ended in each second of the latest minute, the oldest first."""

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

    def __len__(self) -> int:
        return len(self._tallies)

    def count(self, event: JobEvent, second: int) -> None:
        """Take in one event."""
        tally = self._tallies.get(event.queue_name)
        if tally is None:
            tally = self._new(event.queue_name)
        tally.count(event, second)

    def see(self, states: tuple[QueueState, ...]) -> bool:
        """Take in the depths of a snapshot; true when any differs."""
        fresh = {state.name: state for state in states}
        changed = fresh != self._states
        self._states = fresh
        return changed

    def views(self, second: int, since: int) -> tuple[QueueView, ...]:
        """All queues, by name."""
        names = sorted(self._states.keys() | self._tallies.keys())
        return tuple(self._view(name, second, since) for name in names)

    def _view(self, name: str, second: int, since: int) -> QueueView:
        tally = self._tallies.get(name) or _SILENT
        ended = tally.ended(second - MINUTE_S, second - 1)
        return QueueView(name, self._states.get(name), tally.figures(second, since), ended)

    def _new(self, name: str) -> Tally:
        if len(self._tallies) >= self._limit:
            self._forget_some()
        tally = self._tallies[name] = Tally()
        return tally

    def _forget_some(self) -> None:
        by_silence = sorted(self._tallies, key=lambda name: (name in self._states, self._tallies[name].latest))
        for name in by_silence[: max(1, self._limit // 8)]:
            del self._tallies[name]


_SILENT = Tally(1)
