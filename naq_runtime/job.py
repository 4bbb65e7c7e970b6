"""A job, what it waits for, and what became of it. Values only: nothing here touches a server."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol, cast

import msgspec
from msgspec import Struct, field

from naq_runtime.errors import JobCancelled, JobFailed
from naq_runtime.naming import check_name, new_id
from naq_runtime.retry import Cancel, Delay, Retry, RetryPolicy, Snooze

__all__ = ["After", "Condition", "Dependency", "Execution", "Job", "JobResult", "JobStatus", "Whereabouts"]


_LONGEST_S = 10 * 365 * 86_400
_MOST_DEPENDENCIES = 1_000


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


Condition = Literal["success", "failure", "always"]


class After(Struct, frozen=True):
    """A job that another one waits for, and how it must end: ``After(handle.job_id, on="always")``."""

    job_id: str
    on: Condition = "success"
    """Failed and cancelled jobs both count as failures."""

    def __post_init__(self) -> None:
        given: object = self.job_id
        if not isinstance(given, str):
            msgspec.structs.force_setattr(self, "job_id", getattr(given, "job_id", None))
        check_name("job id", self.job_id)
        if self.on not in ("success", "failure", "always"):
            raise ValueError(f"a dependency is on success, failure or always, got {self.on!r}")

    def is_met_by(self, status: JobStatus) -> bool:
        """Whether the other job has ended as it must."""
        return self.on == "always" or (self.on == "success") == (status is JobStatus.COMPLETED)


class HasJobId(Protocol):
    """A handle, or a job."""

    @property
    def job_id(self) -> str: ...


Dependency = After | HasJobId | str


class Job(Struct, frozen=True):
    """A function to call, with its arguments, somewhere else.

    Args:
        function: a module-level function, or its name as ``module.qualname``.
        args: positional arguments; anything that has a JSON form.
        kwargs: arguments by name.
        queue_name: the queue; the task's own, or ``default``, when left out.
        job_id: made up when left out; unique among the jobs of its queue that have not ended.
        result_ttl: seconds for which the outcome can be read, instead of the configured time; 0 stores none.
        timeout: seconds that an attempt may take; no limit, or the task's own, when left out.
        retries: further tries after an error, instead of the task's own.
        retry_delay: seconds before each of them, or a sequence of such, instead of the task's own.
        depends_on: the jobs that must end first: a handle, a job, an id or an `After`, or several of them.
        on_dependency_failure: ``cancel`` this job, or ``run`` it all the same, when one did not end as it must.
        on_unknown_dependency: ``refuse`` this job, or let it ``wait``, when one is not known (yet).
        unique_key: while ``unique_for`` lasts, no other job of the same key is taken.
        unique_for: seconds, from the enqueuing on.
        headers: text by name that goes with the job, such as the context of a trace.

    Raises:
        InvalidName: the queue's or a job's name cannot be used.
        ValueError: a number is out of range.
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
    timeout: float | None = None
    retries: int | None = None
    retry_delay: Delay | None = None
    run_at_ns: int = 0
    """When it becomes runnable: in the future while it waits for its time; 0 for at once."""
    depends_on: Dependency | Iterable[Dependency] = ()
    on_dependency_failure: Literal["cancel", "run"] = "cancel"
    on_unknown_dependency: Literal["refuse", "wait"] = "refuse"
    unique_key: str | None = None
    unique_for: float | None = None
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        check_name("job id", self.job_id)
        if self.queue_name is not None:
            check_name("queue", self.queue_name)
        if not isinstance(self.args, tuple):
            raise TypeError("args must be a tuple of arguments; for one text write args=(text,)")
        if self.result_ttl is not None:
            _check_span("result_ttl", self.result_ttl, least=0)
        if self.timeout is not None or self.retries is not None or self.retry_delay is not None:
            _check_span("timeout", self.timeout, least=0.001)
            RetryPolicy().override(self.retries, self.retry_delay)
        if self.depends_on != ():
            msgspec.structs.force_setattr(self, "depends_on", _dependencies(self.depends_on))
        if self.unique_key is not None or self.unique_for is not None:
            self._check_uniqueness()
        if self.headers is not None and not all(
            isinstance(text, str) for pair in self.headers.items() for text in pair
        ):
            raise TypeError("headers are texts by name")

    def evolve(self, **changes: Any) -> Job:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    @property
    def needs(self) -> tuple[After, ...]:
        """What it depends on, in the one form that is kept."""
        return cast("tuple[After, ...]", self.depends_on)

    @property
    def retry_policy(self) -> RetryPolicy:
        """The policy of its function, when that is at hand, with its own numbers put in."""
        options = getattr(self.function, "__naq_task__", None)
        policy: RetryPolicy = RetryPolicy() if options is None else options.retry
        return policy.override(self.retries, self.retry_delay)

    def should_retry(self, error: BaseException) -> bool:
        """Whether this attempt, having ended in the error, is followed by another."""
        if isinstance(error, Snooze | Cancel):
            return isinstance(error, Snooze)
        policy = self.retry_policy
        return policy.has_left(self.attempt) and (isinstance(error, Retry) or policy.wants(error))

    def get_next_retry_delay(self, chance: Callable[[], float] = random.random) -> float:
        """Seconds between this attempt and the next one."""
        return self.retry_policy.delay_after(self.attempt, chance)

    def _check_uniqueness(self) -> None:
        if not self.unique_key or len(self.unique_key) > 500:
            raise ValueError("unique_for needs a unique_key of 1 to 500 characters")
        if self.unique_for is None:
            raise ValueError("unique_key needs unique_for, the seconds for which the key is taken")
        _check_span("unique_for", self.unique_for, least=1)


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
            JobCancelled: it was cancelled.
        """
        if self.status is JobStatus.CANCELLED:
            raise JobCancelled(self.job_id, self.error or "")
        if self.status is JobStatus.FAILED:
            raise JobFailed(self.job_id, self.error_type or "Error", self.error or "", self.traceback or "")
        return self.result


class Execution(Struct, frozen=True):
    """One attempt of a job, at its end."""

    job: Job
    result: JobResult
    value: bytes = b""
    """The encoded result; empty for a failure."""
    again: Job | None = None
    """The job as it will run again; ``None`` when it has ended."""
    timed_out: bool = False
    asked: str | None = None
    """Why it runs again or is cancelled, when that was asked for and no error is the cause."""

    @property
    def is_failure(self) -> bool:
        """Whether it ended in an error, for good or not."""
        return self.result.status is JobStatus.FAILED and self.asked is None


class Whereabouts(NamedTuple):
    """What workers say of jobs that somebody wants to end."""

    running: Collection[str] = ()
    """The ids of those that run, and are being ended."""
    settling: Collection[str] = ()
    """The ids of those that have ended by themselves, and whose outcomes are being stored: as long as they are not, the
    worker may die with them."""
    ended: Collection[int] = ()
    """The sequences of those that have ended lately, and keep no outcome that says so."""


def _check_span(name: str, seconds: float | None, *, least: float) -> None:
    if seconds is not None and not least <= seconds <= _LONGEST_S:
        raise ValueError(f"{name} must be {least:g} to {_LONGEST_S:,} seconds, got {seconds}")


def _check_headers(headers: Mapping[str, str]) -> None:
    if not all(isinstance(text, str) for pair in headers.items() for text in pair):
        raise TypeError("headers are texts by name")


def _dependencies(given: Any) -> tuple[After, ...]:
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    found = [one if isinstance(one, After) else After(one) for one in several]
    if len({one.job_id for one in found}) < len(found):
        raise ValueError("a job is named twice among the dependencies")
    if len(found) > _MOST_DEPENDENCIES:
        raise ValueError(f"a job can wait for {_MOST_DEPENDENCIES:,} others at most, got {len(found):,}")
    return tuple(found)
