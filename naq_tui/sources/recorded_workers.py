"""The workers of a recording, by their events: there are no leases in it."""

from __future__ import annotations

import msgspec

from naq_runtime.events.archive import ArchiveHeader
from naq_runtime.events.models import Event, JobEvent, JobEventType, WorkerEvent, WorkerEventType
from naq_runtime.snapshot import ServerState, Snapshot
from naq_runtime.worker.record import WorkerRecord, WorkerState

__all__ = ["RecordedWorkers"]

_USUAL_INTERVAL_S = 5.0
_LONGEST_INTERVAL_S = 3600.0
_LEASE_BEATS = 3
_FAILURES = (JobEventType.FAILED, JobEventType.TIMED_OUT)


class RecordedWorkers:
    """What the workers said last, for as long as their leases would have stood.

    How often one beats is seen from its second heartbeat on, also of one that was taken for gone meanwhile.
    """

    def __init__(self, header: ArchiveHeader, name: str) -> None:
        self._server = ServerState(name=name, version="", url=header.namespace)
        self._records: dict[str, WorkerRecord] = {}

    def hear(self, event: Event) -> None:
        """Take in one event, in order."""
        if isinstance(event, WorkerEvent):
            self._hear_worker(event)
        elif isinstance(event, JobEvent) and event.worker_id in self._records:
            self._count(event, self._records[event.worker_id])

    def snapshot(self, now_ns: int) -> Snapshot:
        """Who was there at a moment."""
        silent_s = {
            name: (now_ns - record.on_server(record.beat_at_ns)) / 1e9 for name, record in self._records.items()
        }
        for name, seconds in silent_s.items():
            if seconds > _LEASE_BEATS * _LONGEST_INTERVAL_S:
                del self._records[name]
        there = [one for name, one in self._records.items() if silent_s[name] <= _LEASE_BEATS * one.heartbeat_interval]
        return Snapshot(taken_at_ns=now_ns, server=self._server, workers=tuple(there))

    def _hear_worker(self, event: WorkerEvent) -> None:
        if event.event_type is WorkerEventType.STOPPED:
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
        heartbeat_interval=_USUAL_INTERVAL_S,
        version=event.version or "",
        modules=event.modules,
        clock_skew_ms=-event.clock_offset_ns / 1e6,
    )


def _beaten(before: WorkerRecord, event: WorkerEvent) -> WorkerRecord:
    passed_s = (event.timestamp_ns - before.beat_at_ns) / 1e9
    return msgspec.structs.replace(
        before,
        state=WorkerState.BUSY if event.active_jobs else WorkerState.IDLE,
        queue_names=event.queue_names or before.queue_names,
        concurrency_limit=event.concurrency_limit or before.concurrency_limit,
        beat_at_ns=event.timestamp_ns,
        heartbeat_interval=min(max(passed_s, _USUAL_INTERVAL_S), _LONGEST_INTERVAL_S),
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
