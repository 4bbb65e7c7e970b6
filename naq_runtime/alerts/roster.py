"""Which workers there are, and which were lost: by their leases, and by whether they said that they stop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from naq_runtime.events.models import Event, WorkerEvent, WorkerEventType
from naq_runtime.naming import is_name
from naq_runtime.worker.record import LEASE_BEATS, WorkerRecord, WorkerState

__all__ = ["Roster"]

LIMIT = 5_000
"""Workers that are remembered; of more, the ones that were heard of longest ago are forgotten."""
_SECOND_NS = 1_000_000_000
_USUAL_BEAT_S, _LONGEST_BEAT_S = 5.0, 60.0


@dataclass(slots=True)
class _Known:
    """What is known of a worker."""

    heard_ns: int
    beat_ns: int = 0
    """When it said that it beats."""
    beat_s: float = _USUAL_BEAT_S
    stopped: bool = False
    lost_ns: int = 0
    """Since when its lease is gone; 0 while it stands."""

    @property
    def lease_ns(self) -> int:
        """How long its lease outlives a beat."""
        return int(self.beat_s * LEASE_BEATS * _SECOND_NS)


class Roster:
    """Remembers workers for as long as a window may look back, and a little longer.

    Args:
        longest_s: the longest window.
    """

    def __init__(self, longest_s: float) -> None:
        self._kept_ns = int((longest_s + 60) * _SECOND_NS)
        self._known: dict[str, _Known] = {}
        self._doubt_ns = 0

    def doubt(self, now_ns: int) -> None:
        """The server may have been away, so that leases ended that nobody could renew: there is the time of one to do
        so.
        """
        self._doubt_ns = now_ns

    def hear(self, event: Event, now_ns: int) -> None:
        """Take in what a worker says of itself."""
        if type(event) is not WorkerEvent or not is_name(event.worker_id):
            return
        at_ns = min(event.moment_ns, now_ns)
        known = self._known.setdefault(event.worker_id, _Known(at_ns))
        known.heard_ns = max(known.heard_ns, at_ns)
        known.stopped = event.event_type is WorkerEventType.STOPPED
        if event.event_type is WorkerEventType.HEARTBEAT:
            if known.beat_ns < at_ns and known.beat_ns:
                known.beat_s = min((at_ns - known.beat_ns) / _SECOND_NS, _LONGEST_BEAT_S)
            known.beat_ns = at_ns

    def see(self, records: Iterable[WorkerRecord], now_ns: int) -> None:
        """Take in the leases that stand, after all events that were stored before they were read."""
        standing = {record.worker_id: record for record in records}
        for worker, record in standing.items():
            known = self._known.setdefault(worker, _Known(now_ns))
            known.heard_ns, known.lost_ns, known.beat_s = now_ns, 0, record.heartbeat_interval
            known.stopped = record.state is WorkerState.STOPPED
        for worker, known in self._known.items():
            if worker not in standing and not known.lost_ns and not known.stopped and self._is_over(known, now_ns):
                known.lost_ns = min(now_ns, known.heard_ns + known.lease_ns)
        self._forget(now_ns)

    def lost(self, window_s: float, now_ns: int) -> dict[str, bool]:
        """Whether each worker that has not stopped was lost within the window, and has not come back."""
        since_ns = now_ns - int(window_s * _SECOND_NS)
        return {worker: known.lost_ns > since_ns for worker, known in self._known.items() if not known.stopped}

    def _is_over(self, known: _Known, now_ns: int) -> bool:
        """Whether a lease that does not stand has ended, and was not swept away in an outage."""
        return not self._doubt_ns or now_ns - self._doubt_ns > known.lease_ns

    def _forget(self, now_ns: int) -> None:
        for worker in [worker for worker, one in self._known.items() if now_ns - one.heard_ns > self._kept_ns]:
            del self._known[worker]
        if len(self._known) > LIMIT:
            for worker in sorted(self._known, key=lambda name: self._known[name].heard_ns)[:-LIMIT]:
                del self._known[worker]
