"""One job's way through a worker: from its delivery to the settlement, whatever the job is like."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from naq_runtime.errors import SerializationError, ServerError
from naq_runtime.job import Execution, Job
from naq_runtime.jobs.cancelling import in_words, read_tombstone
from naq_runtime.jobs.rules import JobRules
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.pull import Delivery
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.worker.custody import Custody, Holding
from naq_runtime.worker.execution import Executor, cancelled, failed, undecodable
from naq_runtime.worker.inheritance import Inheritance
from naq_runtime.worker.record import Counts
from naq_runtime.worker.reporting import report_interrupted, report_started
from naq_runtime.worker.returning import Returning
from naq_runtime.worker.settlement import Settlement

__all__ = ["JobHandler"]

log = logging.getLogger(__name__)

_ASKED_S = 30.0
_ASKED_MOST = 1_000
_STONE_WAIT_S = 2.0
"""A cancelled job that another worker is still ending is looked at again after so long."""


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
        rules: JobRules,
        executor: Executor,
        settlement: Settlement,
        custody: Custody,
        returning: Returning,
        counts: Counts,
        *,
        worker_id: str,
        stop_reason: Callable[[], str | None],
    ) -> None:
        self._serializer = services.serializer
        self._clock = services.clock
        self._names = services.names
        self._events = events
        self._rules = rules
        self._executor = executor
        self._settlement = settlement
        self._custody = custody
        self._returning = returning
        self.inheritance = Inheritance(
            rules,
            services.names,
            services.serializer,
            events,
            worker_id=worker_id,
            poison_after=services.config.jobs.poison_after,
        )
        self._counts = counts
        self._worker_id = worker_id
        self._stop_reason = stop_reason
        self._asked_for: dict[str, float] = {}
        """Jobs that somebody wanted to end and that were not here, and when; one may be on its way."""
        self.fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handle(self, holding: Holding) -> None:
        """Take one job to its settlement."""
        try:
            await self._execute(holding)
        except (asyncio.CancelledError, GeneratorExit):
            raise  # we are made to end
        except BaseException as error:  # supervision: a fault of ours must cost no more than this one job
            self._give_up(holding, error)
            if isinstance(error, KeyboardInterrupt):
                raise

    async def hand_back(self, holding: Holding, delay_s: float = 0.0, *, begun: bool = False) -> None:
        """Let another worker have a job."""
        self._custody.release(holding)
        await self._returning.hand_back(holding.delivery, delay_s, begun=begun)

    def end_job(self, holding: Holding, reason: str, by: str) -> bool:
        """End a job that is held, begun or not; ``False`` for one that cannot be ended here any more."""
        headers = holding.delivery.headers
        if holding.runs_again or (headers is not None and TOMBSTONE in headers):
            return False
        because = in_words(reason, by)
        holding.cancelled_by = holding.cancelled_by or by or None
        if not self._executor.cancel(holding.job_id, because):
            holding.cancel_reason = because
        return True

    def remember_asked(self, job_ids: Iterable[str]) -> None:
        """Somebody wanted these jobs to end, and they are not here."""
        now = asyncio.get_running_loop().time()
        if len(self._asked_for) > _ASKED_MOST:
            self._asked_for = {one: at for one, at in self._asked_for.items() if now - at < _ASKED_S}
        self._asked_for.update(dict.fromkeys(job_ids, now))

    async def _execute(self, holding: Holding) -> None:
        delivery = holding.delivery
        if delivery.headers is not None and TOMBSTONE in delivery.headers:
            await self._finish_cancelled(holding)
            return
        try:
            job = self._decoded(delivery)
        except SerializationError as error:
            self._settle_broken(holding, error)
            return
        begun = False
        try:
            execution = await self._inherited(holding, job) if self.inheritance.may_include(delivery) else None
            if job.job_id in self._asked_for:
                await self._look_whether_replaced(holding)
            dependencies = await self._rules.dependencies.results_of(job) if job.depends_on else None
            if not self._custody.has(holding):
                return
            if execution is None and holding.cancel_reason is not None:
                now_ns = self._clock.time_ns()
                execution = cancelled(job, holding.cancel_reason, worker_id=self._worker_id, now_ns=now_ns)
            if execution is None:
                begun, now_ns = True, self._clock.time_ns()
                waited = not holding.may_have_begun
                stored_ns = delivery.stored_ns
                report_started(self._events, job, self._worker_id, now_ns, stored_ns=stored_ns, has_waited=waited)
                execution = await self._executor.run(job, delivery.payload, dependencies, started_ns=now_ns)
            self._settlement.add(holding, execution, delivery.payload)
        except (asyncio.CancelledError, ServerError) as cause:
            if begun:
                self._interrupted(job, cause)
            await self.hand_back(holding, begun=begun)
        except GeneratorExit:
            if not self._ended_while_closed(holding, job):
                raise
            raise asyncio.CancelledError from None

    def _decoded(self, delivery: Delivery) -> Job:
        """The job of a message.

        Raises:
            SerializationError: it is none, or another than it is taken for.
        """
        job = self._serializer.decode_job(delivery.payload)
        if not delivery.subject.endswith(f".{job.queue_name}.{job.job_id}"):
            raise SerializationError(f"the message says job {job.job_id}, its subject says {delivery.subject}")
        return job

    def _ended_while_closed(self, holding: Holding, job: Job) -> bool:
        """Settle a job whose end we have not heard.

        A future that brings a `GeneratorExit`, from a thread or a task of the job's own, closes all the coroutines that
        wait for it: what they return meanwhile is lost, and they may wait for nothing any more.
        """
        execution = self._executor.ended_last
        if execution is None or execution.job is not job:
            return False
        self._settlement.add(holding, execution, holding.delivery.payload)
        return True

    async def _inherited(self, holding: Holding, job: Job) -> Execution | None:
        """See to what a worker before has left; a job that is over is held no more."""
        if await self.inheritance.is_over(job):
            await self._acknowledge(holding)
            return None
        past = await self._returning.past(holding.delivery)
        holding.may_have_begun = past.may_have_begun
        return self.inheritance.poisonous(job, past, self._clock.time_ns())

    async def _acknowledge(self, holding: Holding) -> None:
        await holding.delivery.acknowledge()
        self._custody.release(holding)
        await self._returning.forget([holding.delivery])

    # Jobs that are cancelled, or wait for others

    async def _look_whether_replaced(self, holding: Holding) -> None:
        """It was cancelled while it was on its way: then it lies in its queue no more, and is held no more."""
        subject = holding.delivery.subject
        there = await self._rules.streams.last(self._names.jobs_stream, [subject])
        if not there or there[-1].sequence != holding.delivery.sequence:
            self._custody.release(holding)

    async def _finish_cancelled(self, holding: Holding) -> None:
        """Whoever cancelled the job has not come to the end of it, or is just about to."""
        delivery = holding.delivery
        assert delivery.headers is not None
        wish = read_tombstone(delivery.headers[TOMBSTONE])
        try:
            asked = await self._rules.ask([holding.job_id], by=wish.by, reason=wish.reason)
            if asked.running or asked.settling:
                await self.hand_back(holding, _STONE_WAIT_S)
                return
            stone = StoredMessage(delivery.subject, delivery.sequence, delivery.payload, "", delivery.headers)
            await self._rules.cancelling.finish(stone, asked.ended)
            await self._acknowledge(holding)
        except ServerError:
            await self.hand_back(holding, _STONE_WAIT_S)

    # Ends that are none

    def _interrupted(self, job: Job, cause: BaseException) -> None:
        self._counts.interrupted += 1
        reason = (self._stop_reason() or "cancelled") if isinstance(cause, asyncio.CancelledError) else str(cause)
        report_interrupted(self._events, job, self._worker_id, reason)

    def _give_up(self, holding: Holding, error: BaseException) -> None:
        """Record a job that we could not handle as failed; when not even that is possible, it is a fault."""
        log.error(
            "job %s could not be handled",
            holding.delivery.subject,
            exc_info=error,
            extra={"action": "job_fault"},
        )
        try:
            self._settle_broken(holding, error)
        except Exception as fault:  # supervision: raised again by the worker
            if not self.fault.done():
                self.fault.set_exception(fault)

    def _settle_broken(self, holding: Holding, error: BaseException) -> None:
        """Record a job as failed: under its own name, where that can be read."""
        delivery, now_ns = holding.delivery, self._clock.time_ns()
        try:
            job = self._decoded(delivery)
        except Exception:  # user code: a serializer may raise anything, and the error that we tell is the first one
            broken = undecodable(delivery.subject, error, self._worker_id, now_ns)
            self._settlement.add(holding, broken, self._serializer.encode_job(broken.job), delivery.payload)
        else:
            execution = failed(job, error, worker_id=self._worker_id, now_ns=now_ns)
            self._settlement.add(holding, execution, delivery.payload)
