"""One job's way through a worker: from its delivery to the settlement, whatever the job is like."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from naq_runtime.errors import SerializationError, ServerError
from naq_runtime.job import Job
from naq_runtime.nats.jobs import JobStore
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.worker.custody import Custody, Holding
from naq_runtime.worker.execution import Executor, undecodable
from naq_runtime.worker.reporting import report_interrupted, report_started
from naq_runtime.worker.settlement import Finished, Settlement

__all__ = ["JobHandler"]

log = logging.getLogger(__name__)


class JobHandler:
    """Decodes, runs and settles jobs, or hands them back.

    ``fault`` gets the error when a job could not even be recorded as failed: the worker must not go on then.

    Args:
        stop_reason: why the worker stops, ``None`` while it does not.
    """

    def __init__(
        self,
        services: ServiceManager,
        events: EventService,
        executor: Executor,
        settlement: Settlement,
        custody: Custody,
        *,
        worker_id: str,
        stop_reason: Callable[[], str | None],
    ) -> None:
        self._serializer = services.serializer
        self._clock = services.clock
        self._store = JobStore(services.connection, services.names)
        self._events = events
        self._executor = executor
        self._settlement = settlement
        self._custody = custody
        self._worker_id = worker_id
        self._stop_reason = stop_reason
        self.interrupted = 0
        """Jobs that were begun and handed back."""
        self.fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Give back what it holds."""
        await self._store.close()

    async def handle(self, holding: Holding) -> None:
        """Take one job to its settlement."""
        try:
            await self._execute(holding)
        except Exception as error:  # supervision: a fault of ours must cost no more than this one job
            self._give_up(holding, error)

    async def hand_back(self, holding: Holding) -> None:
        """Let another worker have a job."""
        self._custody.release(holding)
        try:
            await holding.delivery.hand_back()
        except ServerError as error:
            log.debug("not handed back: %s", error, extra={"action": "hand_back_failed"})

    async def _execute(self, holding: Holding) -> None:
        delivery = holding.delivery
        try:
            job = self._serializer.decode_job(delivery.payload)
            if not delivery.subject.endswith(f".{job.queue_name}.{job.job_id}"):
                raise SerializationError(f"the message says job {job.job_id}, its subject says {delivery.subject}")
        except SerializationError as error:
            self._settle_broken(holding, error)
            return
        try:
            if delivery.deliveries > 1 and await self._is_done(job):
                await delivery.acknowledge()
                self._custody.release(holding)
                return
            report_started(self._events, job, self._worker_id, self._clock.time_ns())
            self._settlement.add(Finished(holding, await self._executor.run(job), delivery.payload))
        except (asyncio.CancelledError, ServerError) as cause:
            await self._interrupt(holding, job, cause)

    async def _is_done(self, job: Job) -> bool:
        """Whether the outcome of this very job is stored: the worker before died before it could acknowledge."""
        data = await self._store.outcome(job.job_id)
        try:
            done = None if data is None else self._serializer.decode_outcome(data).job
        except SerializationError:
            done = None  # whatever it is, it is no outcome of ours
        return done is not None and done.enqueued_at_ns == job.enqueued_at_ns and done.attempt == job.attempt

    async def _interrupt(self, holding: Holding, job: Job, cause: BaseException) -> None:
        self.interrupted += 1
        reason = (self._stop_reason() or "cancelled") if isinstance(cause, asyncio.CancelledError) else str(cause)
        report_interrupted(self._events, job, self._worker_id, reason)
        await self.hand_back(holding)

    def _give_up(self, holding: Holding, error: Exception) -> None:
        """Record a job that we could not handle as failed; when not even that is possible, it is a fault."""
        log.exception("job %s could not be handled", holding.delivery.subject, extra={"action": "job_fault"})
        try:
            self._settle_broken(holding, error)
        except Exception as fault:  # supervision: raised again by the worker
            if not self.fault.done():
                self.fault.set_exception(fault)

    def _settle_broken(self, holding: Holding, error: Exception) -> None:
        broken = undecodable(holding.delivery.subject, error, self._worker_id, self._clock.time_ns())
        self._settlement.add(Finished(holding, broken, self._serializer.encode_job(broken.job)))
