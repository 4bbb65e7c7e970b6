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
_LEASE_BEATS = 3
_LEAVES = (WorkerEventType.STOPPED, WorkerEventType.LOST)
_FAILURES = (JobEventType.FAILED, JobEventType.TIMED_OUT)


class RecordedWorkers:
    """What the workers said last, for as long as their leases would have stood."""

    def __init__(self, server: ServerState) -> None:
        self._server = server
        self._records: dict[str, WorkerRecord] = {}
        self._told: set[str] = set()
        """Workers of which something was heard, in order: what they said before is old."""

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
            elif known is not None and not known.hostname and event.event_type is WorkerEventType.STARTED:
                self._records[event.worker_id] = _introduced(known, event)

    def snapshot(self, now_ns: int) -> Snapshot:
        """Who was there at a moment."""
        self._records = {
            name: record
            for name, record in self._records.items()
            if now_ns - record.on_server(record.beat_at_ns) <= _LEASE_BEATS * record.heartbeat_interval * 1e9
        }
        return Snapshot(taken_at_ns=now_ns, server=self._server, workers=tuple(self._records.values()))

    def _hear_worker(self, event: WorkerEvent) -> None:
        self._told.add(event.worker_id)
        if event.event_type in _LEAVES:
            self._records.pop(event.worker_id, None)
            return
        before = self._records.get(event.worker_id)
        if before is None or event.event_type is WorkerEventType.STARTED:
            before = self._records[event.worker_id] = _begun(event)
        if event.event_type is WorkerEventType.HEARTBEAT:
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
    passed_s = (event.timestamp_ns - before.beat_at_ns) / 1e9
    known_s = before.heartbeat_interval if math.isfinite(before.heartbeat_interval) else _USUAL_INTERVAL_S
    return msgspec.structs.replace(
        before,
        state=WorkerState.BUSY if event.active_jobs else WorkerState.IDLE,
        queue_names=event.queue_names or before.queue_names,
        concurrency_limit=event.concurrency_limit or before.concurrency_limit,
        beat_at_ns=event.timestamp_ns,
        heartbeat_interval=passed_s if _USUAL_INTERVAL_S <= passed_s <= 3600 else known_s,
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
