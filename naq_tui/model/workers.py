"""The workers: who they are by their leases, what became of them by their events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from naq_runtime.events.models import JobEvent, JobEventType, WorkerEvent, WorkerEventType
from naq_runtime.snapshot import HeldJob
from naq_runtime.worker.record import WorkerRecord, WorkerState
from naq_runtime.worker.roll import LOST, WorkerStatus, is_lost
from naq_tui.model.held import HeldJobs, Oldest
from naq_tui.model.seconds import SECOND_NS, SecondCounts
from naq_tui.model.tally import RATE_WINDOW_S

__all__ = ["LOST_SHOWN_S", "WORKER_LIMIT", "WorkerBook", "WorkerView", "former_view"]

LOST_SHOWN_S = 60
"""For how long a lost worker stays on the screen."""
WORKER_LIMIT = 4000
"""Workers whose events are counted, and stops and losses that are remembered."""

_T = TypeVar("_T")
_ENDS = frozenset((JobEventType.COMPLETED, JobEventType.FAILED, JobEventType.TIMED_OUT, JobEventType.CANCELLED))
"""With each of these a worker has room for another job."""
_ELSEWHERE = frozenset(("queued", "scheduled", "waiting"))
"""States of a job that is cancelled before any worker has it."""
_TURNS = frozenset((WorkerEventType.BUSY, WorkerEventType.IDLE))
_AT_WORK = frozenset((WorkerState.STARTING, WorkerState.IDLE, WorkerState.BUSY))
"""States that busy and idle follow; who is leaving remains so."""


class WorkerView(msgspec.Struct, frozen=True):
    """A worker at one moment."""

    record: WorkerRecord
    """Its lease, or the last one that it had."""
    lost: bool
    rate: float
    """Attempts that it ended a second, in whatever way."""
    beat_age_s: int
    uptime_s: int
    oldest: Oldest | None = None
    """The job that it has had for longest."""
    busy_s: int = 0
    """For how long it has had that."""


class WorkerBook:
    """Leases, losses, and the jobs that each worker ended."""

    def __init__(self, limit: int = WORKER_LIMIT) -> None:
        self._limit = limit
        self._records: dict[str, WorkerRecord] = {}
        self._lost: dict[str, tuple[WorkerRecord, int]] = {}
        self._stopped: dict[str, int] = {}
        self._turned: dict[str, WorkerEvent] = {}
        self._ended: dict[str, SecondCounts] = {}
        self._held = HeldJobs()

    def __len__(self) -> int:
        return len(self._records) + len(self._lost)

    def count(self, event: JobEvent, second: int, *, earlier: bool = False) -> None:
        """Take in what a worker did with a job; ``earlier`` when it was before all that came so far."""
        if earlier:
            self._held.count_earlier(event)
        else:
            self._held.count(event)
        worker = event.worker_id
        if worker is None or event.event_type not in _ENDS or event.state in _ELSEWHERE:
            return
        counts = self._ended.get(worker)
        if counts is None:
            _make_room(self._ended, self._limit)
            counts = self._ended[worker] = SecondCounts(RATE_WINDOW_S + 2)
        counts.add(second)

    def hear(self, event: WorkerEvent) -> bool:
        """Take in what a worker says of itself; true when that changes what is shown."""
        if event.event_type is WorkerEventType.STOPPED:
            _make_room(self._stopped, self._limit)
            self._stopped[event.worker_id] = event.timestamp_ns
            return self._lost.pop(event.worker_id, None) is not None
        if event.event_type is WorkerEventType.STARTED:
            self._stopped.pop(event.worker_id, None)
        elif event.event_type in _TURNS:
            _make_room(self._turned, self._limit)
            self._turned[event.worker_id] = event
            return event.worker_id in self._records
        return False

    def see(self, records: tuple[WorkerRecord, ...], now_ns: int, *, steady_s: float) -> bool:
        """Take in the leases of a snapshot; true when anything differs.

        Args:
            steady_s: for how long the server has been there without a break; after an outage the leases of all may be
                gone, and who lives comes back.
        """
        fresh = {record.worker_id: record for record in records}
        changed = fresh != self._records
        for worker, record in self._records.items():
            if worker in fresh:
                continue
            if self._has_stopped(record):
                self._held.forget(worker)
                continue
            if is_lost(stopped=False, steady_s=steady_s):
                self._lose(record, now_ns)
            else:
                fresh[worker] = record
        for worker, record in fresh.items():
            if record != self._records.get(worker):
                self._held.see(record, now_ns)
            changed = self._lost.pop(worker, None) is not None or changed
        self._records = fresh
        return changed

    def learn(self, worker_id: str, jobs: Iterable[HeldJob]) -> bool:
        """Take in since when a worker has its jobs, where that was asked for; true when it tells more than events."""
        return sum(self._held.learn(worker_id, job.job_id, job.started_ns) for job in jobs if job.started_ns) > 0

    def forget_lost(self, now_ns: int) -> bool:
        """Let go of workers lost long ago; true when there were any."""
        gone = [worker for worker, (_, since) in self._lost.items() if now_ns - since >= LOST_SHOWN_S * SECOND_NS]
        for worker in gone:
            del self._lost[worker]
            self._held.forget(worker)
        return bool(gone)

    def views(self, now_ns: int) -> tuple[WorkerView, ...]:
        """All workers, by id."""
        return tuple(sorted(self._views(now_ns), key=lambda view: view.record.worker_id))

    def _views(self, now_ns: int) -> Iterator[WorkerView]:
        second = now_ns // SECOND_NS
        for worker, record in self._records.items():
            counts = self._ended.get(worker)
            rate = counts.total(second - RATE_WINDOW_S, second - 1) / RATE_WINDOW_S if counts else 0.0
            yield _view(self._at_work(self._as_of_late(record)), False, rate, now_ns, self._held.oldest(worker))
        for record, _ in self._lost.values():
            yield _view(self._at_work(record), True, 0.0, now_ns, self._held.oldest(record.worker_id))

    def _as_of_late(self, record: WorkerRecord) -> WorkerRecord:
        """What it is doing by the later of its record and what it has said since."""
        said = self._turned.get(record.worker_id)
        if said is None or said.timestamp_ns <= record.beat_at_ns or record.state not in _AT_WORK:
            return record
        state = WorkerState.BUSY if said.event_type is WorkerEventType.BUSY else WorkerState.IDLE
        return msgspec.structs.replace(record, state=state, active_jobs=said.active_jobs or 0)

    def _at_work(self, record: WorkerRecord) -> WorkerRecord:
        """With the jobs that it has begun, and of which it could not say so itself, nor that they have ended."""
        held = min(self._held.count_of(record.worker_id), record.concurrency_limit)
        if held <= record.active_jobs:
            return record
        state = WorkerState.BUSY if record.state is WorkerState.IDLE else record.state
        return msgspec.structs.replace(record, state=state, active_jobs=held)

    def _has_stopped(self, record: WorkerRecord) -> bool:
        if record.state is WorkerState.STOPPED:
            return True
        return self._stopped.get(record.worker_id, -1) >= record.started_at_ns

    def _lose(self, record: WorkerRecord, now_ns: int) -> None:
        _make_room(self._lost, self._limit)
        self._lost[record.worker_id] = (record, now_ns)


def _view(record: WorkerRecord, lost: bool, rate: float, now_ns: int, oldest: Oldest | None) -> WorkerView:
    return WorkerView(
        record=record,
        lost=lost,
        rate=rate,
        beat_age_s=max(0, now_ns - record.on_server(record.beat_at_ns)) // SECOND_NS,
        uptime_s=max(0, now_ns - record.on_server(record.started_at_ns)) // SECOND_NS,
        oldest=oldest,
        busy_s=0 if oldest is None else max(0, now_ns - oldest.since_ns) // SECOND_NS,
    )


def former_view(status: WorkerStatus, now_ns: int) -> WorkerView:
    """A worker that has stopped or is lost, as it was last."""
    return _view(status.record, status.state == LOST, 0.0, now_ns, None)


def _make_room(entries: dict[str, _T], limit: int) -> None:
    """Drop the oldest entry when there is no room for one more."""
    if len(entries) >= limit:
        del entries[next(iter(entries))]
