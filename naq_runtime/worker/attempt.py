"""An attempt under way: how long it may take, who wants it to end, and what that makes of its end."""

from __future__ import annotations

import asyncio

from naq_runtime.context import JobContext
from naq_runtime.job import Job
from naq_runtime.retry import NO_RETRIES, RetryPolicy
from naq_runtime.tasks import Task
from naq_runtime.worker.raising import Raised

__all__ = ["Attempt"]


class Attempt:
    """An attempt under way, in the task that makes it."""

    __slots__ = (
        "begun",
        "cancel_reason",
        "cancels",
        "context",
        "has_cancelled",
        "is_over",
        "job",
        "limit",
        "runner",
        "scope",
        "started_ns",
        "task",
    )

    def __init__(self, job: Job, task: Task | None, context: JobContext, started_ns: int, begun: int) -> None:
        self.job = job
        self.task = task
        self.context = context
        self.started_ns = started_ns
        self.begun = begun
        self.limit = job.timeout if job.timeout is not None or task is None else task.options.timeout
        self.scope: asyncio.Timeout | None = None
        self.runner = asyncio.current_task()
        self.cancels = 0 if self.runner is None else self.runner.cancelling()
        """Cancellations of the task that are none of this attempt's."""
        self.cancel_reason: str | None = None
        self.has_cancelled = False
        """Whether it has cancelled the task for that reason."""
        self.is_over = False

    @property
    def policy(self) -> RetryPolicy:
        """Whether and when it is tried again."""
        job = self.job
        return NO_RETRIES if self.task is None else self.task.options.retry.override(job.retries, job.retry_delay)

    @property
    def has_timed_out(self) -> bool:
        """Whether its time was over before it was."""
        return self.scope is not None and self.scope.expired()

    @property
    def ends_in_thread(self) -> bool:
        """Whether its function runs in a thread to its end, and can only be told that it should come to it."""
        if self.task is None or self.task.is_async or self.task.options.process:
            return False
        return not self.context.is_on_loop

    def cancel(self, reason: str) -> None:
        """Make it end, or tell it to."""
        if self.cancel_reason is None:
            self.cancel_reason = reason
            self.context.cancel()
            self._interrupt()

    def back_from_function(self) -> None:
        """The middleware goes on; told to end meanwhile, it does so where it waits for something the next time."""
        if self.cancel_reason is not None:
            asyncio.get_running_loop().call_soon(self._interrupt)

    def close(self) -> None:
        """Nothing can be made to end any more."""
        self.is_over = True
        self.context.close()

    def _interrupt(self) -> None:
        """Cancel the task, unless it waits for a thread."""
        if self.runner is not None and not (self.is_over or self.has_cancelled or self.context.is_in_thread):
            self.has_cancelled = self.runner.cancel()

    def is_interruption(self, error: BaseException, what: Raised) -> bool:
        """Whether it raised this because the task was cancelled: as it came, or as what its clean-up made of that."""
        if self.cancel_reason is not None or what.wish in ("snooze", "cancel"):
            return False
        cancelled = self.runner is not None and self.runner.cancelling() > self.cancels
        return cancelled or isinstance(error, asyncio.CancelledError)

    def judged(self, what: Raised | None) -> Raised | None:
        """What happened, unless somebody wanted the job to end, and it did so for that."""
        reason = self.cancel_reason
        if reason is None:
            return what
        if self.runner is not None and self.has_cancelled:
            self.runner.uncancel()
        if what is None and not (self.ends_in_thread and self.context.cancel_observed):
            return None  # it was faster
        return Raised("Cancelled", reason, "", wish="cancel")
