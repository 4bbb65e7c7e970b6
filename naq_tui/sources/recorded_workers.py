"""The workers of a recording, by their events: there are no leases in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from naq_runtime.events.models import Event, JobEvent, JobEventType, WorkerEvent, WorkerEventType
from naq_runtime.snapshot import ServerState, Snapshot
from naq_runtime.worker.record import WorkerRecord, WorkerState

__all__ = ["RecordedWorkers"]

_USUAL_INTERVAL_S = 5.0
_LONGEST_INTERVAL_S = 3600.0
_LEASE_BEATS = 3
_LEAVES = (WorkerEventType.STOPPED, WorkerEventType.LOST)
_FAILURES = (JobEventType.FAILED, JobEventType.TIMED_OUT)


class RecordedWorkers:
    """What the workers said last, for as long as their leases would have stood.

    How often one beats is seen from two heartbeats, also of one that was taken for gone meanwhile.
    """

    def __init__(self, server: ServerState) -> None:
        self._server = server
        self._records: dict[str, WorkerRecord] = {}
        self._told: set[str] = set()
        """Workers of which something was heard, in order: what they said before is old."""
        self._beaten_once: set[str] = set()
        """Workers of which only one heartbeat is known."""

    def hear(self, event: Event) -> None:
        """Take in one event, in order."""
        if isinstance(event, WorkerEvent):
            self._hear_worker(event)
        elif isinstance(event, JobEvent) and event.worker_id in self._records:
            self._count(event, self._records[event.worker_id])

    def recall(self, events: Sequence[Event]) -> None:
        """Take in what was before all that was heard, in order: it tells of workers that have said nothing since."""
        for event in reversed(events):
            if not isinstance(event, WorkerEvent):
                continue
            known = self._records.get(event.worker_id)
            if event.worker_id not in self._told:
                self._hear_worker(event)
            elif known is not None:
                self._records[event.worker_id] = self._recalled(known, event)

    def _recalled(self, known: WorkerRecord, event: WorkerEvent) -> WorkerRecord:
        """With what an earlier event tells, and no later one did."""
        if event.event_type is WorkerEventType.HEARTBEAT and event.worker_id in self._beaten_once:
            self._beaten_once.remove(event.worker_id)
            interval_s = _interval_s(event.timestamp_ns, known.beat_at_ns)
            return msgspec.structs.replace(known, heartbeat_interval=interval_s)
        if event.event_type is WorkerEventType.STARTED and not known.hostname:
            return _introduced(known, event)
        return known

    def snapshot(self, now_ns: int) -> Snapshot:
        """Who was there at a moment."""
        silent_s = {
            name: (now_ns - record.on_server(record.beat_at_ns)) / 1e9 for name, record in self._records.items()
        }
        for name, seconds in silent_s.items():
            if seconds > _LEASE_BEATS * max(_LONGEST_INTERVAL_S, self._records[name].heartbeat_interval):
                del self._records[name]
        there = [one for name, one in self._records.items() if silent_s[name] <= _LEASE_BEATS * one.heartbeat_interval]
        return Snapshot(taken_at_ns=now_ns, server=self._server, workers=tuple(there))

    def _hear_worker(self, event: WorkerEvent) -> None:
        self._told.add(event.worker_id)
        if event.event_type in _LEAVES:
            self._records.pop(event.worker_id, None)
            return
        before = self._records.get(event.worker_id)
        is_beat = event.event_type is WorkerEventType.HEARTBEAT
        if before is None and is_beat:
            self._beaten_once.add(event.worker_id)
        else:
            self._beaten_once.discard(event.worker_id)
        if before is None or event.event_type is WorkerEventType.STARTED:
            before = self._records[event.worker_id] = _begun(event)
        if is_beat:
            self._records[event.worker_id] = _beaten(before, event)

    def _count(self, event: JobEvent, record: WorkerRecord) -> None:
        if event.event_type is JobEventType.COMPLETED:
            changed = msgspec.structs.replace(record, jobs_completed=record.jobs_completed + 1)
        elif event.event_type in _FAILURES and event.final is not False:
            changed = msgspec.structs.replace(record, jobs_failed=record.jobs_failed + 1)
        else:
            return
        self._records[record.worker_id] = changed


def _begun(event: WorkerEvent) -> WorkerRecord:
    return WorkerRecord(
        worker_id=event.worker_id,
        state=WorkerState.STARTING if event.event_type is WorkerEventType.STARTED else WorkerState.IDLE,
        hostname=event.hostname or "",
        pid=event.pid or 0,
        queue_names=event.queue_names,
        concurrency_limit=event.concurrency_limit or 0,
        started_at_ns=event.timestamp_ns,
        beat_at_ns=event.timestamp_ns,
        heartbeat_interval=math.inf,  # of heartbeats that are long gone from the log none is to be expected
        version=event.version or "",
        modules=event.modules,
        clock_skew_ms=-event.clock_offset_ns / 1e6,
    )


def _beaten(before: WorkerRecord, event: WorkerEvent) -> WorkerRecord:
    return msgspec.structs.replace(
        before,
        state=WorkerState.BUSY if event.active_jobs else WorkerState.IDLE,
        queue_names=event.queue_names or before.queue_names,
        concurrency_limit=event.concurrency_limit or before.concurrency_limit,
        beat_at_ns=event.timestamp_ns,
        heartbeat_interval=_interval_s(before.beat_at_ns, event.timestamp_ns),
        active_jobs=event.active_jobs or 0,
        running_job_ids=event.running_job_ids,
        stuck_job_ids=event.stuck_job_ids,
        cpu_percent=event.cpu_percent or 0.0,
        rss_bytes=event.rss_bytes or 0,
        loop_lag_ms=event.loop_lag_ms or 0.0,
        events_buffered=event.events_buffered or 0,
        events_dropped=event.events_dropped or 0,
        clock_skew_ms=event.clock_skew_ms or -event.clock_offset_ns / 1e6,
    )


def _interval_s(before_ns: int, beat_ns: int) -> float:
    return min(max((beat_ns - before_ns) / 1e9, _USUAL_INTERVAL_S), _LONGEST_INTERVAL_S)


def _introduced(record: WorkerRecord, event: WorkerEvent) -> WorkerRecord:
    """With what only the beginning of a worker tells."""
    return msgspec.structs.replace(
        record,
        hostname=event.hostname or "",
        pid=event.pid or 0,
        version=event.version or "",
        modules=event.modules,
        started_at_ns=event.timestamp_ns,
    )
