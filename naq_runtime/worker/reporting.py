"""The events of a job's execution."""

from __future__ import annotations

from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job, JobStatus
from naq_runtime.services.events import EventService
from naq_runtime.worker.execution import Execution

__all__ = ["report_ended", "report_interrupted", "report_started", "report_stored"]


def report_started(events: EventService, job: Job, worker_id: str, started_ns: int) -> None:
    """A worker begins with the job."""
    events.job(
        JobEventType.STARTED,
        timestamp_ns=started_ns,
        job_id=job.job_id,
        queue_name=job.queue_name,
        function_name=job.function,
        worker_id=worker_id,
        attempt=job.attempt,
        wait_ms=max(0, started_ns - job.enqueued_at_ns) / 1e6 if job.enqueued_at_ns else None,
    )


def report_ended(events: EventService, execution: Execution) -> None:
    """The job completed or failed, and that is certain now."""
    job, result = execution.job, execution.result
    common = {
        "timestamp_ns": result.finish_time_ns,
        "job_id": job.job_id,
        "queue_name": job.queue_name,
        "function_name": job.function,
        "worker_id": result.worker_id,
        "attempt": result.attempt,
        "duration_ms": result.duration_ms,
    }
    if result.status is JobStatus.COMPLETED:
        events.job(JobEventType.COMPLETED, **common, result_size=len(execution.value))
        return
    events.job(
        JobEventType.FAILED,
        **common,
        error_type=result.error_type,
        error_message=result.error,
        traceback=result.traceback,
        final=True,
    )


def report_stored(events: EventService, execution: Execution, now_ns: int) -> None:
    """The outcome can be read by whoever waits for it."""
    job = execution.job
    events.job(
        JobEventType.RESULT_STORED,
        timestamp_ns=now_ns,
        job_id=job.job_id,
        queue_name=job.queue_name,
        worker_id=execution.result.worker_id,
        result_size=len(execution.value),
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
