"""Jobs that were with a worker before: what it has left undone is done here.

A job comes again when its worker dies between two steps of its settlement, and when a server that was killed has lost
the last milliseconds of its memory. Either way the outcome, or the next attempt, lies there already, and the job must
not run again for it.
"""

from __future__ import annotations

import asyncio

from naq_runtime.errors import SerializationError, TimedOut, WorkerKilled
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Execution, Job, JobStatus
from naq_runtime.jobs.rules import JobRules
from naq_runtime.naming import Names
from naq_runtime.nats.pull import Delivery
from naq_runtime.serializer import Outcome, Serializer
from naq_runtime.services.events import EventService
from naq_runtime.worker.execution import failed
from naq_runtime.worker.reporting import report_settled
from naq_runtime.worker.returning import Past

__all__ = ["Inheritance", "execution_of"]

_DOUBT_S = 30.0
"""For so long after the server was away, even a first delivery may be one that it has forgotten."""


class Inheritance:
    """Tells jobs that have had an end, or too many workers, from those that are to run.

    Args:
        poison_after: so many workers may die with one job.
    """

    def __init__(
        self,
        rules: JobRules,
        names: Names,
        serializer: Serializer,
        events: EventService,
        *,
        worker_id: str,
        poison_after: int,
    ) -> None:
        self._rules = rules
        self._names = names
        self._serializer = serializer
        self._events = events
        self._worker_id = worker_id
        self._poison_after = poison_after
        self._doubtful_until = 0.0

    async def server_restored(self) -> None:
        """The server was away."""
        self._doubtful_until = asyncio.get_running_loop().time() + _DOUBT_S

    def may_include(self, delivery: Delivery) -> bool:
        """Whether the job may have been with a worker before."""
        if delivery.deliveries > 1:
            return True
        return self._doubtful_until > 0.0 and asyncio.get_running_loop().time() < self._doubtful_until

    async def is_over(self, job: Job) -> bool:
        """Whether this attempt has had its end; what was to follow from that has been done then.

        Raises:
            ServerError: do it again.
        """
        outcome = await self._outcome_of(job)
        if outcome is None:
            return await self._runs_again(job)
        await self._rules.dependencies.settle({job.job_id: outcome.result.status})
        await self._report(outcome)
        return True

    def poisonous(self, job: Job, past: Past, now_ns: int) -> Execution | None:
        """The end of a job that has taken too many workers with it."""
        if past.deaths < self._poison_after:
            return None
        error = WorkerKilled(f"{past.deaths} workers died while they ran it: it is not tried again")
        return failed(job, error, worker_id=self._worker_id, now_ns=now_ns)

    async def _outcome_of(self, job: Job) -> Outcome | None:
        """How this very job ended, where this attempt was its last."""
        data = await self._rules.store.outcome(job.job_id)
        try:
            outcome = None if data is None else self._serializer.decode_outcome(data)
        except SerializationError:
            return None  # whatever it is, it is no outcome of ours
        if outcome is None or outcome.job.enqueued_at_ns != job.enqueued_at_ns:
            return None
        return outcome if outcome.job.attempt >= job.attempt else None

    async def _runs_again(self, job: Job) -> bool:
        """Whether the next attempt of this very job waits for its time already."""
        later = self._names.later(job.queue_name or "default", job.job_id)
        messages = await self._rules.streams.last(self._names.jobs_stream, [later])
        try:
            return (
                bool(messages) and self._serializer.decode_job(messages[-1].data).enqueued_at_ns == job.enqueued_at_ns
            )
        except SerializationError:
            return False

    async def _report(self, outcome: Outcome) -> None:
        """Say how the job ended, when its worker had no time to; its last event tells whether it had."""
        job = outcome.job
        for stored in await self._events.get_job_event_history(job.job_id):
            event = stored.event
            if event.event_type is JobEventType.RESULT_STORED and event.timestamp_ns >= job.enqueued_at_ns:
                return
        report_settled(self._events, execution_of(outcome))


def execution_of(outcome: Outcome) -> Execution:
    """The attempt that had this outcome, as far as that tells."""
    job, result = outcome.job, outcome.result
    asked = result.error if result.status is JobStatus.CANCELLED else None
    return Execution(job, result, outcome.value, timed_out=result.error_type == TimedOut.__name__, asked=asked)
