"""Jobs in and out: enqueue them, wait for them, look them up, end them, or run one right here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Self

from naq_runtime.errors import (
    ArgumentError,
    JobRefused,
    NaqError,
    NotFound,
    ResultTimeout,
    SerializationError,
    ServerError,
)
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.jobs.cancelling import Cancellation
from naq_runtime.jobs.dead import DeadFilter, DeadLetter
from naq_runtime.jobs.enqueuing import Enqueuing
from naq_runtime.jobs.ledger import Finished
from naq_runtime.jobs.rules import JobRules
from naq_runtime.jobs.store import TOMBSTONE, Found
from naq_runtime.jobs.unique import UniqueKeys
from naq_runtime.serializer import Outcome
from naq_runtime.services.events import EventService
from naq_runtime.snapshot import JobDetail
from naq_runtime.tasks import Task
from naq_runtime.worker.alone import child_for, run_alone
from naq_runtime.worker.calling import ProcessRunner
from naq_runtime.worker.reporting import report_ended, report_started

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["JobService", "PartlyRefused"]

_LOOK_AGAIN_S = 2.0
"""A worker's word that a job has ended may be lost; so often the outcome is looked for all the same."""


_HISTORY_S = 1.0
"""The log is asked for so long whether an outcome that is not there was stored once."""
_MOVES = (
    JobEventType.ENQUEUED,
    JobEventType.STARTED,
    JobEventType.INTERRUPTED,
    JobEventType.RETRY_SCHEDULED,
    JobEventType.REQUEUED,
)
"""The last of these tells a job that runs from one that waits; after an end, one of the same id that came later."""


class PartlyRefused(JobRefused):
    """Some of many jobs were not enqueued.

    Attributes:
        enqueued: the ids of those that were.
        refused: why the others were not, by id.
    """

    def __init__(self, enqueued: list[str], refused: dict[str, NaqError]) -> None:
        first = next(iter(refused.values()))
        super().__init__(f"{len(refused)} of {len(refused) + len(enqueued)} jobs were not enqueued; the first: {first}")
        self.enqueued = enqueued
        self.refused = refused


class JobService:
    """What can be done with jobs, with or without a worker."""

    def __init__(self, services: ServiceManager, events: EventService) -> None:
        self.is_open = True
        self._events = events
        self._clock = services.clock
        self._serializer = services.serializer
        self._topology = services.topology
        self.rules = JobRules(
            services.streams,
            services.names,
            services.serializer,
            report=events.about,
            ask=services.ask,
            large_as_objects=services.config.results.large == "store",
            clock=services.clock,
        )
        self._store = self.rules.store
        keys = UniqueKeys(
            services.streams,
            services.names,
            self._store,
            ready=lambda: services.topology.bucket(services.names.unique_bucket),
            now_ns=services.clock.time_ns,
        )
        self._enqueuing = Enqueuing(
            self.rules,
            keys,
            services.serializer,
            ready=services.topology.queue,
            report=events.about,
            now_ns=services.clock.time_ns,
            longest_ttl_s=services.config.results.ttl,
            tracing=services.tracing,
        )

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Ready the streams of jobs and outcomes."""
        service = cls(services, await services.get_service(EventService))
        await services.topology.jobs()
        await services.topology.results()
        return service

    async def stop(self) -> None:
        """The connection goes."""
        self.is_open = False

    def now_ns(self) -> int:
        """The time by which jobs are stamped."""
        return self._clock.time_ns()

    # In

    def prepared(self, job: Job) -> Job:
        """The job with its function's name, its queue and the time.

        Raises:
            NotImportable: no worker could find the function.
            ArgumentError: the arguments do not fit it.
        """
        return self._enqueuing.prepared(job)

    async def enqueue_job(self, job: Job, queue_name: str | None = None) -> str:
        """Store a job for the workers of its queue; returns its id.

        Raises:
            NotImportable, SerializationError: it cannot be enqueued as it is.
            JobRefused: its id is taken, it is too large, or the queue is full.
            ServerError: it may or may not be stored; enqueueing it again under the same id is safe.
        """
        errors = await self._enqueuing.enqueue([self._enqueuing.prepared(job, queue_name)])
        if errors[0] is not None:
            raise errors[0]
        return job.job_id

    async def enqueue_jobs(self, jobs: Sequence[Job]) -> list[str]:
        """Store many jobs, with many under way at a time; returns their ids.

        Raises:
            PartlyRefused: naming those that were not stored, and why.
        """
        prepared = [self._enqueuing.prepared(job) for job in jobs]
        errors = await self._enqueuing.enqueue(prepared)
        refused = {job.job_id: error for job, error in zip(prepared, errors, strict=True) if error is not None}
        ids = [job.job_id for job, error in zip(prepared, errors, strict=True) if error is None]
        if refused:
            raise PartlyRefused(ids, refused)
        return ids

    # Out

    async def outcome(self, job_id: str) -> Outcome | None:
        """The job and what became of it, ``None`` while it has not ended, and after its outcome has expired."""
        data = await self._store.outcome(job_id, whole=True)
        return None if data is None else self._serializer.decode_outcome(data)

    async def wait(self, job_id: str, timeout_s: float | None = None, *, since_ns: int = 0) -> JobResult:
        """Wait until a job has ended.

        Args:
            since_ns: outcomes of jobs of the same id that were enqueued before are passed over.

        Raises:
            ResultTimeout: it has not ended in time.
            NotFound: it is not there, and there is no outcome: it stores none, or nothing is known of it.
        """
        try:
            async with asyncio.timeout(timeout_s), self._store.announced(job_id) as woken:
                while True:
                    woken.clear()
                    outcome = await self._outcome_or_nothing(job_id)
                    if outcome is not None and outcome.job.enqueued_at_ns >= since_ns:
                        self._fetched(outcome.job)
                        return outcome.result
                    await self._see_that_it_may_end(job_id, since_ns)
                    await _set_within(woken, _LOOK_AGAIN_S)
        except TimeoutError as error:
            raise ResultTimeout(f"job {job_id} has not ended within {timeout_s:g} s") from error

    async def detail(self, job_id: str) -> JobDetail:
        """All that is known of a job.

        Raises:
            NotFound: nothing is.
        """
        events = tuple(await self._events.get_job_event_history(job_id))
        standing = await self._store.find(job_id)
        is_ending = standing is not None and TOMBSTONE in standing.message.headers
        outcome = await self.outcome(job_id) if standing is None or is_ending else None
        if standing is not None and outcome is None:
            return JobDetail(
                job_id=job_id,
                status=_status_of(standing, events),
                job=self._decoded(standing),
                events=events,
                is_ending=is_ending,
            )
        if outcome is not None:
            return JobDetail(
                job_id=job_id, status=outcome.result.status, job=outcome.job, result=outcome.result, events=events
            )
        if not events:
            raise NotFound(f"nothing is known of job {job_id}: it never was, or its records have expired")
        ends = [_ENDS[stored.event.event_type] for stored in events if stored.event.event_type in _ENDS]
        return JobDetail(job_id=job_id, status=ends[-1] if ends else JobStatus.COMPLETED, events=events)

    def _decoded(self, standing: Found) -> Job | None:
        try:
            return self._serializer.decode_job(standing.message.data)
        except SerializationError:
            return None

    # Ends

    async def cancel(self, job_id: str, *, reason: str = "", by: str = "") -> bool:
        """End a job before it has ended by itself, wherever it stands.

        A function in a thread cannot be made to end: it is told (`current_job().cancelled`), and may run to its end.

        Returns:
            ``False`` when it had ended already.

        Raises:
            NotFound: nothing is known of it.
            ServerError: it may or may not be cancelled; do it again.
        """
        return await self.rules.cancelling.cancel(job_id, Cancellation.of(by or self._events.instance, reason))

    async def cancel_all(self, standing: Sequence[Found], *, reason: str = "", by: str = "") -> int:
        """End jobs that do not run, many at a time; how many."""
        return await self.rules.cancelling.cancel_all(standing, Cancellation.of(by or self._events.instance, reason))

    async def dead_letter(self, job_id: str) -> DeadLetter:
        """A job that failed for good.

        Raises:
            NotFound: there is no dead letter of this id.
        """
        await self._topology.dead()
        return await self.rules.dead.get(job_id)

    async def dead_letters(self, wanted: DeadFilter | None = None) -> AsyncIterator[DeadLetter]:
        """The jobs that failed for good and are meant, oldest first."""
        await self._topology.dead()
        async for letter in self.rules.dead.list(wanted):
            yield letter

    async def retry_dead(self, letter: DeadLetter, *, by: str = "") -> None:
        """Put a dead letter back into its queue, as a first attempt.

        Raises:
            DuplicateJob: a job of its id is there again.
            SerializationError: it never was a job that could be read.
        """
        await self.rules.dead.retry(letter, by=by or self._events.instance)

    async def delete_dead(self, letters: Sequence[DeadLetter]) -> int:
        """Forget dead letters; how many were still there."""
        return await self.rules.dead.delete(letters)

    # Here

    async def execute_job(self, job: Job, worker_id: str) -> JobResult:
        """Run one attempt of a job here, with its events, without any worker.

        What is to run in a process does so, in one of its own. A job that depends on others has the results of those
        that have ended, and waits for none. Errors come back in the result, also arguments that do not fit. When the
        job has retries left, the next attempt is put into its queue.

        Raises:
            NotImportable: the function has no name by which it could be found.
            ServerError: what it depends on cannot be read, or the next attempt cannot be stored.
        """
        task = Task.of(job.function) if callable(job.function) else None
        prepared = self._prepared_as_it_is(job, task)
        dependencies = await self.rules.dependencies.results_of(prepared) if prepared.needs else None
        report_started(self._events, prepared, worker_id, self._clock.time_ns())
        async with self._processes_for(task) as processes:
            execution = await run_alone(
                task,
                prepared,
                self._serializer,
                dependencies,
                worker_id=worker_id,
                clock=self._clock,
                emit=lambda job, event_type, fields: self._events.about(event_type, job, fields),
                processes=processes,
            )
        if execution.again is not None:
            await self._topology.queue(prepared.queue_name or "default")
            payload = self._serializer.encode_job(prepared)
            await self.rules.ledger.write([Finished(execution, payload, 0)])
        report_ended(self._events, execution, buried=False)
        return execution.result

    def _prepared_as_it_is(self, job: Job, task: Task | None) -> Job:
        """See `prepared`; whether the arguments fit will be seen when it runs."""
        try:
            return self._enqueuing.prepared(job)
        except ArgumentError:
            if task is None:
                raise
            named = job.evolve(function=task.name, queue_name=job.queue_name or task.options.queue)
            return self._enqueuing.prepared(named)

    def _processes_for(self, task: Task | None) -> AbstractAsyncContextManager[ProcessRunner | None]:
        """What runs the function, when it is to run in a process."""
        if task is None or not task.options.process:
            return contextlib.nullcontext()
        return child_for(task, self._serializer)

    async def _see_that_it_may_end(self, job_id: str, since_ns: int) -> None:
        """A job that is nowhere has an outcome, which is stored before it leaves, or will never have one."""
        try:
            if await self._store.find(job_id) is not None:
                return
            outcome = await self.outcome(job_id)
        except ServerError:
            return
        if outcome is None or outcome.job.enqueued_at_ns < since_ns:
            await self._look_whether_expired(job_id, since_ns)
            raise NotFound(
                f"job {job_id} is not there, and no outcome of it: it has ended and stores none (result_ttl), its "
                "outcome has expired, or it never was"
            )

    def _fetched(self, job: Job) -> None:
        """Somebody who waited has the outcome."""
        self._events.about(JobEventType.RESULT_FETCHED, job, {"by": self._events.instance})

    async def _look_whether_expired(self, job_id: str, since_ns: int) -> None:
        """Say of an outcome that was stored and is kept no more that it has expired, once for each.

        Raises:
            NotFound: it has.
        """
        history = await self._history_at_hand(job_id)
        stored = [one for one in history if one.event.event_type is JobEventType.RESULT_STORED]
        if not stored or not isinstance(last := stored[-1].event, JobEvent) or last.timestamp_ns < since_ns:
            return
        self._events.job(
            JobEventType.RESULT_EXPIRED,
            event_id=f"expired-{stored[-1].sequence}",
            job_id=job_id,
            queue_name=last.queue_name,
        )
        raise NotFound(f"the outcome of job {job_id} has expired: results.ttl, or the job's result_ttl, says how soon")

    async def _history_at_hand(self, job_id: str) -> list[StoredEvent]:
        """The events of a job, or none when they cannot be read soon: producers need not be allowed to."""
        try:
            async with asyncio.timeout(_HISTORY_S):
                return await self._events.get_job_event_history(job_id)
        except (ServerError, TimeoutError):
            return []

    async def _outcome_or_nothing(self, job_id: str) -> Outcome | None:
        """While the server is away, nothing; the caller looks again."""
        try:
            return await self.outcome(job_id)
        except ServerError:
            return None


_ENDS: dict[str, JobStatus] = {
    JobEventType.COMPLETED: JobStatus.COMPLETED,
    JobEventType.FAILED: JobStatus.FAILED,
    JobEventType.TIMED_OUT: JobStatus.FAILED,
    JobEventType.CANCELLED: JobStatus.CANCELLED,
}


def _status_of(standing: Found, events: Sequence[StoredEvent]) -> JobStatus:
    """Where a job stands; its events tell one that runs from one that is queued."""
    if standing.status is not JobStatus.QUEUED:
        return standing.status
    moves = [type_ for stored in events if (type_ := stored.event.event_type) in _MOVES or type_ in _ENDS]
    return JobStatus.RUNNING if moves and moves[-1] == JobEventType.STARTED else JobStatus.QUEUED


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
