"""The read side: what stands now, what happened lately, what comes, and all about one job."""

from __future__ import annotations

import asyncio
from typing import Self

from naq_runtime.errors import SerializationError
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import StoredEvent
from naq_runtime.events.storage import EventTail, NATSJobEventStorage
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.state import queue_states, server_state, stream_states
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.snapshot import JobDetail, Snapshot
from naq_runtime.worker.record import WorkerRecord, decode_worker

__all__ = ["Monitor"]


class Monitor:
    """Looks without changing anything but creating the streams when it is the first to come."""

    def __init__(self, services: ServiceManager, jobs: JobService) -> None:
        self._services = services
        self._jobs = jobs
        self._names = services.names
        self._connection = services.connection
        self._storage = NATSJobEventStorage(services.connection, services.config, services.topology)
        self._bucket = LeaseBucket(services.connection, services.names, services.names.workers_bucket)

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Ready everything that can be looked at."""
        await services.topology.events()
        await services.topology.workers()
        return cls(services, await services.get_service(JobService))

    async def stop(self) -> None:
        """Give back what it holds."""
        await self._storage.close()

    async def snapshot(self) -> Snapshot:
        """What stands now.

        Raises:
            ServerError: the server cannot be asked.
        """
        server, queues, workers, streams = await asyncio.gather(
            server_state(self._connection),
            queue_states(self._connection, self._names),
            self.workers(),
            stream_states(self._connection, self._names),
        )
        return Snapshot(
            taken_at_ns=self._services.clock.time_ns(), server=server, queues=queues, workers=workers, streams=streams
        )

    async def workers(self) -> tuple[WorkerRecord, ...]:
        """The workers whose lease stands, by id."""
        records = []
        for data in await self._bucket.values():
            try:
                records.append(decode_worker(data))
            except SerializationError:
                continue  # written by a version that this one cannot read
        return tuple(sorted(records, key=lambda record: record.worker_id))

    async def recent(self, limit: int, wanted: EventFilter | None = None) -> tuple[list[StoredEvent], int]:
        """The last events that match, oldest first, and the sequence up to which was looked."""
        return await self._storage.recent(limit, wanted or EventFilter())

    async def follow(self, after: int | None = None, wanted: EventFilter | None = None) -> EventTail:
        """The events behind a sequence, or from now on, in batches."""
        return await self._storage.tail(wanted or EventFilter(), after)

    async def job(self, job_id: str) -> JobDetail:
        """All that is known of a job.

        Raises:
            NotFound: nothing is.
        """
        return await self._jobs.detail(job_id)
