"""How jobs come in: made ready, checked, and put where they belong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from naq_runtime.arguments import ArgumentPlan
from naq_runtime.errors import DuplicateJob, JobRefused, NaqError
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job
from naq_runtime.jobs.rules import JobRules
from naq_runtime.jobs.store import Entry
from naq_runtime.jobs.unique import UniqueKeys
from naq_runtime.serializer import Serializer
from naq_runtime.tasks import options_of, reference
from naq_runtime.tracing import Tracing

__all__ = ["Enqueuing"]


class Enqueuing:
    """Stores jobs for the workers of their queues.

    Args:
        ready: makes a queue, when it is not there yet.
        report: takes an event of a job.
        now_ns: the time by which jobs are stamped.
        longest_ttl_s: outcomes are kept for no longer, whatever a job asks for.
        tracing: has jobs carry the context of a trace.
    """

    def __init__(
        self,
        rules: JobRules,
        keys: UniqueKeys,
        serializer: Serializer,
        *,
        ready: Callable[[str], Awaitable[object]],
        report: Callable[[JobEventType, Job, Mapping[str, Any]], None],
        now_ns: Callable[[], int],
        longest_ttl_s: float,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing
        self._longest_ttl_s = longest_ttl_s
        self._rules = rules
        self._keys = keys
        self._serializer = serializer
        self._ready = ready
        self._report = report
        self._now_ns = now_ns
        self._queues: set[str] = set()

    def prepared(self, job: Job, queue_name: str | None = None) -> Job:
        """The job with its function's name, its queue and the time.

        Raises:
            NotImportable: no worker could find the function.
            ArgumentError: the arguments do not fit it.
            JobRefused: its outcome cannot be kept for so long.
        """
        name, options = reference(job.function), options_of(job.function)
        if callable(job.function):
            ArgumentPlan.of(job.function).check(job.args, job.kwargs)
        ttl = job.result_ttl if job.result_ttl is not None or options is None else options.result_ttl
        if ttl is not None and ttl > self._longest_ttl_s:
            raise JobRefused(
                f"job {job.job_id} has a result_ttl of {ttl:g} s, and outcomes are kept for {self._longest_ttl_s:g} s "
                "at most: lower it, or raise results.ttl before the stream of results is made"
            )
        return job.evolve(
            function=name,
            queue_name=queue_name or job.queue_name or (options.queue if options else None) or "default",
            result_ttl=ttl,
            enqueued_at_ns=self._now_ns(),
        )

    async def enqueue(self, jobs: Sequence[Job]) -> list[NaqError | None]:
        """Store jobs that are prepared; why each was refused, ``None`` where it is stored.

        One may depend on others that come before it.

        Raises:
            SerializationError: an argument has no such form; nothing is stored.
            ServerError: the queue cannot be made.
        """
        if self._tracing is None:
            return await self._enqueue(jobs)
        with self._tracing.enqueuing(jobs) as traced:
            return await self._enqueue(traced)

    async def _enqueue(self, jobs: Sequence[Job]) -> list[NaqError | None]:
        payloads = [self._serializer.encode_job(job) for job in jobs]
        for queue in {job.queue_name or "default" for job in jobs} - self._queues:
            await self._ready(queue)
            self._queues.add(queue)
        errors: list[NaqError | None] = [None] * len(jobs)
        plain = [place for place, job in enumerate(jobs) if job.unique_key is None and not job.needs]
        answers = await self._rules.store.put_all([self._entry(jobs[place], payloads[place]) for place in plain])
        for place, answer in zip(plain, answers, strict=True):
            errors[place] = answer
            if answer is None:
                self._report_stored(jobs[place])
        for place in sorted(set(range(len(jobs))).difference(plain)):  # after those that they may depend on
            errors[place] = await self._with_conditions(jobs[place], payloads[place])
        return errors

    async def _with_conditions(self, job: Job, payload: bytes) -> NaqError | None:
        """A job of a unique key, or one that waits for others."""
        if job.unique_key is None:
            return await self._put(job, payload)
        taken = await self._keys.take(job)
        if isinstance(taken, NaqError):
            return taken
        error = await self._put(job, payload)
        if error is None or (isinstance(error, DuplicateJob) and not taken):
            await self._keys.confirm(job)
        elif isinstance(error, JobRefused):
            await self._keys.give_back(job)
        return error

    async def _put(self, job: Job, payload: bytes) -> NaqError | None:
        if job.needs:
            return await self._rules.dependencies.hold(job, payload)
        (error,) = await self._rules.store.put_all([self._entry(job, payload)])
        if error is None:
            self._report_stored(job)
        return error

    def _entry(self, job: Job, payload: bytes) -> Entry:
        run_at_ns = job.run_at_ns if job.run_at_ns > self._now_ns() else 0
        return Entry(job.queue_name or "default", job.job_id, payload, run_at_ns)

    def _report_stored(self, job: Job) -> None:
        fields: dict[str, Any] = {
            "timestamp_ns": job.enqueued_at_ns,
            "args_count": len(job.args),
            "kwargs_count": len(job.kwargs),
        }
        if job.run_at_ns > job.enqueued_at_ns:
            fields["run_at_ns"] = job.run_at_ns
            fields["retry_delay"] = (job.run_at_ns - job.enqueued_at_ns) / 1e9
            self._report(JobEventType.SCHEDULED, job, fields)
        else:
            self._report(JobEventType.ENQUEUED, job, fields)
