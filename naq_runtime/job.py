"""A job, and what became of it. Values only: nothing here touches a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, field

from naq_runtime.errors import JobFailed
from naq_runtime.naming import check_name, new_id

__all__ = ["Job", "JobResult", "JobStatus"]


_LONGEST_S = 10 * 365 * 86_400


class JobStatus(StrEnum):
    """Where a job stands."""

    SCHEDULED = "scheduled"
    """It waits for its time: enqueued with a delay, or for a retry."""
    WAITING = "waiting"
    """It waits for the jobs that it depends on."""
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Struct, frozen=True):
    """A function to call, with its arguments, somewhere else.

    Args:
        function: a module-level function, or its name as ``module.qualname``.
        args: positional arguments; anything that has a JSON form.
        kwargs: arguments by name.
        queue_name: the queue; the task's own, or ``default``, when left out.
        job_id: made up when left out; unique among the queued and running jobs.
        result_ttl: seconds for which the outcome can be read, instead of the configured time.

    Raises:
        InvalidName: the queue's or the job's name cannot be used.
    """

    function: Callable[..., Any] | str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    queue_name: str | None = None
    job_id: str = field(default_factory=new_id)
    result_ttl: float | None = None
    attempt: int = 1
    """Which try this is, from 1."""
    enqueued_at_ns: int = 0
    """When the producer enqueued it; 0 before."""

    def __post_init__(self) -> None:
        check_name("job id", self.job_id)
        if self.queue_name is not None:
            check_name("queue", self.queue_name)
        if self.result_ttl is not None and not 0 <= self.result_ttl <= _LONGEST_S:
            raise ValueError(f"result_ttl must be 0 to {_LONGEST_S:,} seconds, got {self.result_ttl}")
        if not isinstance(self.args, tuple):
            raise TypeError("args must be a tuple of arguments; for one text write args=(text,)")

    def evolve(self, **changes: Any) -> Job:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)


class JobResult(Struct, frozen=True, kw_only=True):
    """What became of a job."""

    job_id: str
    status: JobStatus
    result: Any = None
    error_type: str | None = None
    error: str | None = None
    """The text of the error."""
    traceback: str | None = None
    worker_id: str | None = None
    attempt: int = 1
    start_time_ns: int = 0
    finish_time_ns: int = 0
    duration_ms: float = 0.0
    """Of the execution, by a monotonic clock."""

    @property
    def start_time(self) -> float:
        """Seconds since 1970 UTC."""
        return self.start_time_ns / 1e9

    @property
    def finish_time(self) -> float:
        """Seconds since 1970 UTC."""
        return self.finish_time_ns / 1e9

    def unwrap(self) -> Any:
        """The result itself.

        Raises:
            JobFailed: the job failed, with the remote error's type, text and traceback.
        """
        if self.status is JobStatus.FAILED:
            raise JobFailed(self.job_id, self.error_type or "Error", self.error or "", self.traceback or "")
        return self.result
