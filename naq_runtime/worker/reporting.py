"""The events of a worker and of the jobs that it runs."""

from __future__ import annotations

from typing import Any, Protocol

from naq_runtime.events.models import Event, JobEvent, JobEventType, WorkerEventType
from naq_runtime.job import Execution, Job, JobStatus
from naq_runtime.jobs.cancelling import in_words
from naq_runtime.services.events import EventService
from naq_runtime.worker.record import WorkerRecord

__all__ = [
    "EventSink",
    "report_beat",
    "report_beat_failed",
    "report_ended",
    "report_interrupted",
    "report_settled",
    "report_started",
    "report_trouble",
    "report_worker_started",
    "report_worker_stopped",
]

_MOVED_WITHIN_NS = 2_000_000_000


class EventSink(Protocol):
    """Takes what is told of jobs: an `EventService`, or somebody who wants to know what would be told."""

    enabled: bool

    def log(self, event: Event) -> None:
        """Take an event."""
        ...

    def job(self, event_type: JobEventType, **fields: Any) -> None:
        """Take a `JobEvent` of these fields."""
        ...

    def clock_offset_ns(self, timestamp_ns: int) -> int:
        """What such an event, dated so, says of the clock of who tells it."""
        ...


def report_started(
    events: EventSink,
    job: Job,
    worker_id: str,
    started_ns: int,
    *,
    stored_ns: int | None = None,
    has_waited: bool = True,
) -> None:
    """A worker begins with the job.

    Args:
        started_ns: by the clock of the worker.
        stored_ns: when the job came into its queue, by the clock of the server, where there is one.
        has_waited: whether it has waited from then on, and was with no worker that may have begun it.
    """
    if not events.enabled:
        return
    runnable_ns = job.run_at_ns or job.enqueued_at_ns
    if stored_ns is not None:
        # The server puts what is due into its queue up to a second later. Other times of the job are of clocks that
        # may be wrong.
        runnable_ns = runnable_ns if job.run_at_ns and 0 <= stored_ns - runnable_ns < _MOVED_WITHIN_NS else stored_ns
    offset_ns = events.clock_offset_ns(started_ns)
    events.log(
        JobEvent(
            event_type=JobEventType.STARTED,
            timestamp_ns=started_ns,
            clock_offset_ns=offset_ns,
            event_id=_id_of(job, started_ns),
            job_id=job.job_id,
            queue_name=job.queue_name or "default",
            function_name=str(job.function),
            worker_id=worker_id,
            attempt=job.attempt,
            wait_ms=max(0, started_ns + offset_ns - runnable_ns) / 1e6 if job.enqueued_at_ns and has_waited else None,
        )
    )


def report_settled(events: EventSink, execution: Execution, *, by: str | None = None) -> None:
    """An attempt is over and written down, and so is the job unless there will be another.

    Args:
        by: see `report_ended`.
    """
    if not events.enabled:
        return
    report_ended(events, execution, by=by)
    if execution.again is None and execution.job.result_ttl != 0:
        _report_stored(events, execution)


def report_ended(events: EventSink, execution: Execution, *, buried: bool = True, by: str | None = None) -> None:
    """An attempt is over, and what follows from that is certain now.

    All of it is dated when the attempt ended: once it is stored, a next attempt may begin before this is said.

    Args:
        buried: whether a job that failed for good is kept as a dead letter.
        by: who wanted a job to end that was cancelled.
    """
    status, again = execution.result.status, execution.again
    if status is JobStatus.COMPLETED:
        _report_completed(events, execution)
        return
    if status is JobStatus.CANCELLED:
        _report_cancelled(events, execution, by)
        return
    if execution.is_failure or again is None:
        _report_failed(events, execution)
    if again is not None:
        _report_retry(events, execution, again)
    elif buried:
        events.job(JobEventType.DEAD_LETTERED, **_common(execution), reason=execution.result.error_type)


def _report_cancelled(events: EventSink, execution: Execution, by: str | None) -> None:
    result = execution.result
    events.job(
        JobEventType.CANCELLED,
        **_common(execution),
        duration_ms=result.duration_ms,
        state="running" if result.duration_ms else "queued",
        reason=_without(by, result.error),
        by=by,
    )


def _report_failed(events: EventSink, execution: Execution) -> None:
    result = execution.result
    events.job(
        JobEventType.TIMED_OUT if execution.timed_out else JobEventType.FAILED,
        **_common(execution),
        duration_ms=result.duration_ms,
        error_type=result.error_type,
        error_message=result.error,
        traceback=result.traceback,
        final=execution.again is None,
    )


def _report_retry(events: EventSink, execution: Execution, again: Job) -> None:
    result = execution.result
    events.job(
        JobEventType.RETRY_SCHEDULED,
        **_common(execution),
        retry_count=again.attempt - 1,
        retry_delay=max(0, again.run_at_ns - result.finish_time_ns) / 1e9,
        run_at_ns=again.run_at_ns,
        reason=execution.asked or result.error_type,
    )


def _report_completed(events: EventSink, execution: Execution) -> None:
    job, result = execution.job, execution.result
    events.log(
        JobEvent(
            event_type=JobEventType.COMPLETED,
            timestamp_ns=result.finish_time_ns,
            clock_offset_ns=events.clock_offset_ns(result.finish_time_ns),
            event_id=_id_of(job, result.finish_time_ns),
            job_id=job.job_id,
            queue_name=job.queue_name or "default",
            function_name=str(job.function),
            worker_id=result.worker_id,
            attempt=result.attempt,
            duration_ms=result.duration_ms,
            result_size=len(execution.value),
        )
    )


def _without(by: str | None, reason: str | None) -> str | None:
    """The reason alone, of words that also say who had it; see `in_words`."""
    if not by or not reason:
        return reason
    return reason.removesuffix(in_words("", by)).removesuffix(", ") or None


def _common(execution: Execution) -> dict[str, Any]:
    job, result = execution.job, execution.result
    return {
        "timestamp_ns": result.finish_time_ns,
        "event_id": _id_of(job, result.finish_time_ns),
        "job_id": job.job_id,
        "queue_name": job.queue_name,
        "function_name": job.function,
        "worker_id": result.worker_id,
        "attempt": result.attempt,
    }


def _id_of(job: Job, time_ns: int) -> str:
    """The same for whoever says it: the worker, and one that finds its outcome and cannot know whether it did."""
    return f"{time_ns:x}-{job.job_id[:40]}"


def _report_stored(events: EventSink, execution: Execution) -> None:
    """The outcome can be read by whoever waits for it."""
    job = execution.job
    events.log(
        JobEvent(
            event_type=JobEventType.RESULT_STORED,
            timestamp_ns=execution.result.finish_time_ns,
            clock_offset_ns=events.clock_offset_ns(execution.result.finish_time_ns),
            event_id=_id_of(job, execution.result.finish_time_ns),
            job_id=job.job_id,
            queue_name=job.queue_name or "default",
            worker_id=execution.result.worker_id,
            result_size=len(execution.value),
        )
    )


def report_interrupted(events: EventService, job: Job, worker_id: str, reason: str) -> None:
    """The worker gives the job back unfinished; it will run elsewhere."""
    events.job(
        JobEventType.INTERRUPTED,
        job_id=job.job_id,
        queue_name=job.queue_name,
        function_name=job.function,
        worker_id=worker_id,
        attempt=job.attempt,
        reason=reason,
    )


def report_worker_started(events: EventService, record: WorkerRecord) -> None:
    """The worker begins to take jobs."""
    events.worker(WorkerEventType.STARTED, **_identity(record))


def report_worker_stopped(events: EventService, record: WorkerRecord, reason: str | None) -> None:
    """The worker has drained."""
    events.worker(
        WorkerEventType.STOPPED,
        **_identity(record),
        reason=reason,
        jobs_completed=record.jobs_completed,
        jobs_failed=record.jobs_failed,
        jobs_interrupted=record.jobs_interrupted,
    )


def report_beat(events: EventService, record: WorkerRecord) -> None:
    """The worker lives, and this is what it is doing."""
    events.worker(
        WorkerEventType.HEARTBEAT,
        worker_id=record.worker_id,
        queue_names=record.queue_names,
        concurrency_limit=record.concurrency_limit,
        active_jobs=record.active_jobs,
        running_job_ids=record.running_job_ids,
        stuck_job_ids=record.stuck_job_ids,
        cpu_percent=record.cpu_percent,
        rss_bytes=record.rss_bytes,
        loop_lag_ms=record.loop_lag_ms,
        events_buffered=record.events_buffered,
        events_dropped=record.events_dropped,
        clock_skew_ms=record.clock_skew_ms,
    )


def report_beat_failed(events: EventService, worker_id: str, error: Exception) -> None:
    """The worker lives, and cannot say so."""
    events.worker(
        WorkerEventType.ERROR,
        worker_id=worker_id,
        error_type=type(error).__name__,
        error_message=f"the heartbeat failed: {error}",
    )


def report_trouble(events: EventService, worker_id: str, error: Exception) -> None:
    """The worker cannot settle what it has finished."""
    events.worker(
        WorkerEventType.ERROR,
        worker_id=worker_id,
        error_type=type(error).__name__,
        error_message=f"outcomes cannot be stored: {error}",
    )
    events.in_trouble("outcomes", error)


def _identity(record: WorkerRecord) -> dict[str, Any]:
    return {
        "worker_id": record.worker_id,
        "hostname": record.hostname,
        "pid": record.pid,
        "queue_names": record.queue_names,
        "concurrency_limit": record.concurrency_limit,
        "version": record.version,
        "modules": record.modules,
    }
