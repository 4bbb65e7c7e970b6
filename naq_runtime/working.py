"""One worker: how it stands, the jobs in its hands and since when, and what it said with its latest heartbeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from naq_runtime.errors import NotFound
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.naming import check_name
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.roll import worker_status
from naq_runtime.snapshot import HeldJob, WorkerDetail
from naq_runtime.worker.record import WorkerRecord, decode_worker
from naq_runtime.worker.roll import LOST, WorkerStatus, roll_call

if TYPE_CHECKING:
    from naq_runtime.events.queries import EventQueries
    from naq_runtime.events.storage import NATSJobEventStorage
    from naq_runtime.services.manager import ServiceManager

__all__ = ["WorkerReader", "held_jobs"]

_BEATS = 120


class WorkerReader:
    """Reads all that is known of one worker."""

    def __init__(self, services: ServiceManager, events: EventQueries, storage: NATSJobEventStorage) -> None:
        self._connection = services.connection
        self._names = services.names
        self._bucket = LeaseBucket(services.connection, services.names, services.names.workers_bucket)
        self._events = events
        self._storage = storage

    async def detail(self, worker_id: str) -> WorkerDetail:
        """See `Monitor.worker_detail`."""
        status = await self._status(check_name("worker", worker_id))
        record = status.record
        holds = status.is_active or status.state == LOST
        held = dict.fromkeys((*record.running_job_ids, *record.stuck_job_ids)) if holds else {}
        histories = await self._storage.histories(list(held)) if held else {}
        wanted = {"category": "worker", "worker_id": worker_id, "event_type": "heartbeat"}
        beats = await self._events.recent(_BEATS, wanted)
        jobs = held_jobs(record, histories) if holds else ()
        return WorkerDetail(status=status, jobs=jobs, beats=tuple(beats.events))

    async def _status(self, worker_id: str) -> WorkerStatus:
        lease = await self._bucket.get(worker_id)
        if lease is not None and lease.data:
            return roll_call([decode_worker(lease.data)], (), steady_s=0).workers[0]
        known = await worker_status(self._connection, self._names, include_inactive=True)
        status = next((one for one in known if one.worker_id == worker_id), None)
        if status is None:
            raise NotFound(f"no worker named {worker_id} has run within a day")
        return status


def held_jobs(record: WorkerRecord, histories: Mapping[str, Sequence[StoredEvent]]) -> tuple[HeldJob, ...]:
    """The jobs that a worker says it has, the oldest first; those of unknown age come last.

    Args:
        histories: the events of these jobs, by id, in causal order.
    """
    held = [
        _held(job_id, record, histories.get(job_id, ()))
        for job_id in dict.fromkeys((*record.stuck_job_ids, *record.running_job_ids))
    ]
    return tuple(sorted(held, key=lambda job: (job.started_ns == 0, job.started_ns)))


def _held(job_id: str, record: WorkerRecord, events: Iterable[StoredEvent]) -> HeldJob:
    stuck = job_id in record.stuck_job_ids
    started: JobEvent | None = None
    for stored in events:
        event = stored.event
        if isinstance(event, JobEvent) and event.event_type is JobEventType.STARTED:
            started = event if event.worker_id == record.worker_id else started
    if started is None:
        return HeldJob(job_id=job_id, stuck=stuck)
    return HeldJob(
        job_id=job_id,
        queue_name=started.queue_name,
        function_name=started.function_name or "",
        attempt=started.attempt or 1,
        started_ns=started.moment_ns,
        stuck=stuck,
    )
