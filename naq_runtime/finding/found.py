"""A job as it is found: where it stands, and what is known of its way there, in one value of a fixed size."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.job import Job, JobResult, JobStatus

__all__ = ["DEAD", "ENDED", "MOVES", "FoundJob", "JobPage", "after", "of_events", "of_job", "of_outcome"]

DEAD = "dead"
"""The state of a job that failed and lies among the dead letters."""
ENDED = frozenset((JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED))
_ARGUMENTS = 2_000
_ERROR = 2_000


class FoundJob(Struct, frozen=True, kw_only=True):
    """A job in a list of jobs. Its fields have the names that they have in events."""

    job_id: str
    status: JobStatus
    dead: bool = False
    """Whether it lies among the dead letters."""
    queue_name: str = ""
    function_name: str = ""
    """``module.qualname``; empty when nothing tells it."""
    arguments: str = ""
    """As JSON: the values, then those with names; the first 2,000 characters. Empty when they are not kept any more."""
    attempt: int = 1
    worker_id: str | None = None
    """Where it runs, or ran last."""
    enqueued_at_ns: int = 0
    """0 when nothing tells it, as with all times here."""
    run_at_ns: int = 0
    """When it is due, or was."""
    started_at_ns: int = 0
    """The beginning of its last attempt."""
    ended_at_ns: int = 0
    """The end of the job."""
    wait_ms: float | None = None
    """Between becoming runnable and starting, of its last attempt."""
    duration_ms: float | None = None
    """Of its last attempt that ended."""
    error_type: str | None = None
    """Of its last attempt that failed; none once it has completed."""
    error_message: str | None = None
    """At most 2,000 characters of it."""
    moment_ns: int = 0
    """When something happened to it last."""

    @property
    def state(self) -> tuple[str, ...]:
        """The words for where it stands; a dead letter has failed, too."""
        return (self.status.value, DEAD) if self.dead else (self.status.value,)

    @property
    def why(self) -> str:
        """Its error, or why it was cancelled; as it came, empty for none."""
        if self.error_type and self.error_message:
            return f"{self.error_type}: {self.error_message}"
        return self.error_type or self.error_message or ""

    @property
    def line(self) -> str:
        """All of it that words are looked for in."""
        parts = (" ".join(self.state), self.job_id, self.function_name, self.queue_name, self.worker_id or "-")
        return " ".join((*parts, self.why, self.arguments))


class JobPage(Struct, frozen=True, kw_only=True):
    """Some of the jobs that are wanted, those to which something happened last first."""

    jobs: tuple[FoundJob, ...] = ()
    looked: int = 0
    """Jobs that were looked at for this page."""
    back_to_ns: int = 0
    """Up to when all was looked at, going back from now; 0 for the beginning."""
    more: bool = False
    """Whether older ones have not been looked at."""


def _arguments(job: Job) -> str:
    """The arguments of a job as one line of JSON, cut."""
    try:
        args = [_json(value) for value in job.args]
        named = [f"{name}={_json(value)}" for name, value in job.kwargs.items()]
    except (TypeError, ValueError, NotImplementedError, RecursionError):
        return ""  # a serializer of somebody's own may bring anything
    return ", ".join([*args, *named])[:_ARGUMENTS]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode(errors="replace")


def of_job(job: Job, status: JobStatus) -> FoundJob:
    """A job that has not ended, as it lies in its queue."""
    return FoundJob(
        job_id=job.job_id,
        status=status,
        queue_name=job.queue_name or "default",
        function_name=str(job.function),
        arguments=_arguments(job),
        attempt=job.attempt,
        enqueued_at_ns=job.enqueued_at_ns,
        run_at_ns=job.run_at_ns,
        moment_ns=job.enqueued_at_ns,
    )


def of_outcome(job: Job, result: JobResult) -> FoundJob:
    """A job that has ended, as its outcome tells."""
    has_run = result.status is not JobStatus.CANCELLED or result.duration_ms > 0
    runnable_ns = max(job.run_at_ns, job.enqueued_at_ns)
    started_ns = result.start_time_ns if has_run else 0
    return replace(
        of_job(job, result.status),
        attempt=result.attempt,
        worker_id=result.worker_id,
        started_at_ns=started_ns,
        ended_at_ns=result.finish_time_ns,
        wait_ms=max(0, started_ns - runnable_ns) / 1e6 if started_ns and runnable_ns else None,
        duration_ms=result.duration_ms if has_run else None,
        error_type=result.error_type,
        error_message=_short(result.error),
        moment_ns=result.finish_time_ns,
    )


def of_events(events: Iterable[JobEvent], job: FoundJob | None = None) -> FoundJob | None:
    """What the events of one job tell, in their order; ``None`` when there are none.

    Args:
        job: what was known before them.
    """
    for event in events:
        job = after(event, job)
    return job


def after(event: JobEvent, job: FoundJob | None = None) -> FoundJob:
    """The job after one more event; ``None`` when nothing was known of it before."""
    if job is None:
        job = FoundJob(job_id=event.job_id, status=JobStatus.QUEUED, queue_name=event.queue_name)
    change = _CHANGES.get(event.event_type)
    if change is not None:
        job = replace(change(job, event), moment_ns=max(job.moment_ns, event.moment_ns))
    if event.function_name and not job.function_name:
        job = replace(job, function_name=event.function_name)
    return job


def _enqueued(job: FoundJob, event: JobEvent) -> FoundJob:
    job = _anew(job, event)
    return replace(job, status=JobStatus.QUEUED, enqueued_at_ns=job.enqueued_at_ns or event.moment_ns)


def _scheduled(job: FoundJob, event: JobEvent) -> FoundJob:
    job = _anew(job, event)
    return replace(
        job,
        status=JobStatus.SCHEDULED,
        enqueued_at_ns=job.enqueued_at_ns or event.moment_ns,
        run_at_ns=event.on_server(event.run_at_ns) if event.run_at_ns else 0,
    )


def _waiting(job: FoundJob, event: JobEvent) -> FoundJob:
    job = _anew(job, event)
    return replace(job, status=JobStatus.WAITING, enqueued_at_ns=job.enqueued_at_ns or event.moment_ns)


def _anew(job: FoundJob, event: JobEvent) -> FoundJob:
    """An id may come again once its job has ended; nothing of that one is left."""
    if job.status not in ENDED:
        return job
    return FoundJob(job_id=job.job_id, status=JobStatus.QUEUED, queue_name=event.queue_name)


def _started(job: FoundJob, event: JobEvent) -> FoundJob:
    return replace(
        job,
        status=JobStatus.RUNNING,
        dead=False,
        attempt=event.attempt or job.attempt,
        worker_id=event.worker_id,
        started_at_ns=event.moment_ns,
        ended_at_ns=0,
        wait_ms=event.wait_ms,
    )


def _completed(job: FoundJob, event: JobEvent) -> FoundJob:
    job = replace(job, error_type=None, error_message=None)
    return _ended(job, event, JobStatus.COMPLETED)


def _failed(job: FoundJob, event: JobEvent) -> FoundJob:
    job = replace(job, error_type=event.error_type, error_message=_short(event.error_message))
    job = _ended(job, event, JobStatus.FAILED)
    return replace(job, status=JobStatus.SCHEDULED, ended_at_ns=0) if event.final is False else job


def _cancelled(job: FoundJob, event: JobEvent) -> FoundJob:
    return _ended(replace(job, error_message=_short(event.reason)), event, JobStatus.CANCELLED)


def _ended(job: FoundJob, event: JobEvent, status: JobStatus) -> FoundJob:
    return replace(
        job,
        status=status,
        attempt=event.attempt or job.attempt,
        worker_id=event.worker_id or job.worker_id,
        duration_ms=job.duration_ms if event.duration_ms is None else event.duration_ms,
        ended_at_ns=event.moment_ns,
    )


def _again(job: FoundJob, event: JobEvent) -> FoundJob:
    due_ns = event.on_server(event.run_at_ns) if event.run_at_ns else 0
    return replace(job, status=JobStatus.SCHEDULED, run_at_ns=due_ns, ended_at_ns=0)


def _interrupted(job: FoundJob, event: JobEvent) -> FoundJob:
    return replace(job, status=JobStatus.QUEUED, worker_id=None, started_at_ns=0)


def _buried(job: FoundJob, event: JobEvent) -> FoundJob:
    return replace(job, status=JobStatus.FAILED, dead=True, ended_at_ns=job.ended_at_ns or event.moment_ns)


def _requeued(job: FoundJob, event: JobEvent) -> FoundJob:
    return FoundJob(
        job_id=job.job_id,
        status=JobStatus.QUEUED,
        queue_name=event.queue_name or job.queue_name,
        function_name=job.function_name,
        arguments=job.arguments,
        enqueued_at_ns=event.moment_ns,
    )


def _short(text: str | None) -> str | None:
    return None if text is None else text[:_ERROR]


_CHANGES: dict[JobEventType, Callable[[FoundJob, JobEvent], FoundJob]] = {
    JobEventType.ENQUEUED: _enqueued,
    JobEventType.SCHEDULED: _scheduled,
    JobEventType.WAITING_FOR_DEPENDENCIES: _waiting,
    JobEventType.STARTED: _started,
    JobEventType.COMPLETED: _completed,
    JobEventType.FAILED: _failed,
    JobEventType.TIMED_OUT: _failed,
    JobEventType.CANCELLED: _cancelled,
    JobEventType.RETRY_SCHEDULED: _again,
    JobEventType.INTERRUPTED: _interrupted,
    JobEventType.DEAD_LETTERED: _buried,
    JobEventType.REQUEUED: _requeued,
}
MOVES = frozenset(_CHANGES)
"""The events after which a job stands somewhere else."""
