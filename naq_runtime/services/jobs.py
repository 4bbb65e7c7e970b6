"""Jobs in and out: enqueue them, wait for them, look them up, or run one right here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from naq_runtime.arguments import ArgumentPlan
from naq_runtime.errors import JobRefused, NaqError, NotFound, ResultTimeout, ServerError
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.nats.jobs import JobStore
from naq_runtime.serializer import Outcome
from naq_runtime.services.events import EventService
from naq_runtime.snapshot import JobDetail
from naq_runtime.tasks import Task, options_of, reference
from naq_runtime.worker.execution import Executor
from naq_runtime.worker.reporting import report_ended, report_started

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["JobService", "PartlyRefused"]

_LOOK_AGAIN_S = 2.0
"""A worker's word that a job has ended may be lost; so often the outcome is looked for all the same."""


_MOVES = (JobEventType.ENQUEUED, JobEventType.STARTED, JobEventType.INTERRUPTED)
"""The last of these tells a job that runs from one that waits."""


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
        self._events = events
        self._clock = services.clock
        self._serializer = services.serializer
        self._topology = services.topology
        self._store = JobStore(services.connection, services.names)
        self._ready: set[str] = set()

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Ready the streams of jobs and outcomes."""
        service = cls(services, await services.get_service(EventService))
        await services.topology.jobs()
        await services.topology.results()
        return service

    async def stop(self) -> None:
        """Give back what it holds."""
        await self._store.close()

    def now_ns(self) -> int:
        """The time by which jobs are stamped."""
        return self._clock.time_ns()

    # In

    async def enqueue_job(self, job: Job, queue_name: str | None = None) -> str:
        """Store a job for the workers of its queue; returns its id.

        Raises:
            NotImportable, SerializationError: it cannot be enqueued as it is.
            JobRefused: its id is taken, it is too large, or the queue is full.
            ServerError: it may or may not be stored; enqueueing it again under the same id is safe.
        """
        errors = await self._enqueue([self._prepared(job, queue_name)])
        if errors[0] is not None:
            raise errors[0]
        return job.job_id

    async def enqueue_jobs(self, jobs: Sequence[Job]) -> list[str]:
        """Store many jobs, with many under way at a time; returns their ids.

        Raises:
            PartlyRefused: naming those that were not stored, and why.
        """
        prepared = [self._prepared(job, None) for job in jobs]
        errors = await self._enqueue(prepared)
        refused = {job.job_id: error for job, error in zip(prepared, errors, strict=True) if error is not None}
        ids = [job.job_id for job, error in zip(prepared, errors, strict=True) if error is None]
        if refused:
            raise PartlyRefused(ids, refused)
        return ids

    # Out

    async def outcome(self, job_id: str) -> Outcome | None:
        """The job and what became of it, ``None`` while it has not ended, and after its outcome has expired."""
        data = await self._store.outcome(job_id)
        return None if data is None else self._serializer.decode_outcome(data)

    async def wait(self, job_id: str, timeout_s: float | None = None, *, since_ns: int = 0) -> JobResult:
        """Wait until a job has ended.

        Args:
            since_ns: outcomes of jobs of the same id that were enqueued before are passed over.

        Raises:
            ResultTimeout: it has not ended in time.
        """
        try:
            async with asyncio.timeout(timeout_s), self._store.announced(job_id) as woken:
                while True:
                    woken.clear()
                    outcome = await self._outcome_or_nothing(job_id)
                    if outcome is not None and outcome.job.enqueued_at_ns >= since_ns:
                        return outcome.result
                    await _set_within(woken, _LOOK_AGAIN_S)
        except TimeoutError as error:
            raise ResultTimeout(f"job {job_id} has not ended within {timeout_s:g} s") from error

    async def detail(self, job_id: str) -> JobDetail:
        """All that is known of a job.

        Raises:
            NotFound: nothing is.
        """
        events = tuple(await self._events.get_job_event_history(job_id))
        payload = await self._store.payload(job_id)
        outcome = await self.outcome(job_id)
        if payload is not None:
            moves = [stored.event.event_type for stored in events if stored.event.event_type in _MOVES]
            status = JobStatus.RUNNING if moves and moves[-1] == JobEventType.STARTED else JobStatus.QUEUED
            return JobDetail(job_id=job_id, status=status, job=self._serializer.decode_job(payload), events=events)
        if outcome is not None:
            return JobDetail(
                job_id=job_id, status=outcome.result.status, job=outcome.job, result=outcome.result, events=events
            )
        if not events:
            raise NotFound(f"nothing is known of job {job_id}: it never was, or its records have expired")
        failed = any(stored.event.event_type == JobEventType.FAILED for stored in events)
        return JobDetail(job_id=job_id, status=JobStatus.FAILED if failed else JobStatus.COMPLETED, events=events)

    # Here

    async def execute_job(self, job: Job, worker_id: str) -> JobResult:
        """Run a job in this process, with its events, without any queue or worker; errors come back in the result."""
        task = Task.of(job.function) if callable(job.function) else None
        job = self._prepared(job, None)
        executor = Executor(
            lambda name: task if task is not None else _no_task(name),
            self._serializer,
            worker_id=worker_id,
            threads=1,
            clock=self._clock,
        )
        report_started(self._events, job, worker_id, self._clock.time_ns())
        try:
            execution = await executor.run(job)
        finally:
            executor.close()
        report_ended(self._events, execution)
        return execution.result

    def _prepared(self, job: Job, queue_name: str | None) -> Job:
        """The job with its function's name, its queue and the time."""
        name, options = reference(job.function), options_of(job.function)
        if callable(job.function):
            ArgumentPlan.of(job.function).check(job.args, job.kwargs)
        return job.evolve(
            function=name,
            queue_name=queue_name or job.queue_name or (options.queue if options else None) or "default",
            result_ttl=job.result_ttl if job.result_ttl is not None or options is None else options.result_ttl,
            enqueued_at_ns=self._clock.time_ns(),
        )

    async def _enqueue(self, jobs: Sequence[Job]) -> list[NaqError | None]:
        for queue in {job.queue_name or "default" for job in jobs} - self._ready:
            await self._topology.queue(queue)
            self._ready.add(queue)
        records = [(job.queue_name or "default", job.job_id, self._serializer.encode_job(job)) for job in jobs]
        errors = await self._store.put_all(records)
        for job, error in zip(jobs, errors, strict=True):
            if error is None:
                self._report_enqueued(job)
        return errors

    def _report_enqueued(self, job: Job) -> None:
        self._events.job(
            JobEventType.ENQUEUED,
            timestamp_ns=job.enqueued_at_ns,
            job_id=job.job_id,
            queue_name=job.queue_name,
            function_name=job.function,
            args_count=len(job.args),
            kwargs_count=len(job.kwargs),
        )

    async def _outcome_or_nothing(self, job_id: str) -> Outcome | None:
        """While the server is away, nothing; the caller looks again."""
        try:
            return await self.outcome(job_id)
        except ServerError:
            return None


def _no_task(name: str) -> Task:
    raise NotFound(f"{name} is only a name here: give the function itself to run it without a worker")


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
