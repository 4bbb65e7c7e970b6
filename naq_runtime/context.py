"""What a running job can know and say of itself: `current_job`."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextvars import ContextVar
from typing import Any

from naq_runtime.events.models import JobEventType
from naq_runtime.job import Job, JobResult
from naq_runtime.retry import Cancel

__all__ = ["JobContext", "current_job", "running_as"]

_PROGRESS_S = 0.1
"""Reports of progress that come faster are joined: the last one counts."""
_LINES = 200
_LINE_LIMIT = 2_000

Emit = Callable[[JobEventType, dict[str, Any]], None]

running_as: ContextVar[JobContext | None] = ContextVar("naq_current_job", default=None)
"""The job that this task or thread runs."""


def current_job() -> JobContext:
    """The job that is running here.

    Raises:
        RuntimeError: no job is.
    """
    context = running_as.get()
    if context is None:
        raise RuntimeError("current_job() can be asked inside a running job only")
    return context


class _Done(Awaitable[None]):
    """What has been done already; may be awaited or not."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


class JobContext:
    """A running job, as its own function sees it; may be used from any thread.

    Args:
        emit: takes an event of the job, on the event loop.
        dependencies: the outcomes of the jobs that it depended on, by id.
    """

    __slots__ = (
        "_cancelled",
        "_dependencies",
        "_emit",
        "_job",
        "_loop",
        "_reports",
        "cancel_observed",
        "is_in_thread",
        "is_on_loop",
        "log_level",
        "trace",
        "worker_id",
    )

    def __init__(
        self,
        job: Job,
        worker_id: str,
        emit: Emit | None = None,
        *,
        dependencies: Mapping[str, JobResult] | None = None,
        log_level: int | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._job = job
        self.worker_id = worker_id
        self._emit = emit
        self._dependencies = dependencies
        self.log_level = log_level
        self._loop = loop or _running_loop()
        self._reports: _Reports | None = None
        self._cancelled = False
        self.trace: Mapping[str, str] | None = None
        """The context of its attempt's span, for the process that runs it."""
        self.cancel_observed = False
        """Whether the function has been told that it is cancelled."""
        self.is_in_thread = False
        """Whether the loop waits for a plain function in its thread."""
        self.is_on_loop = False
        """Whether a plain function has returned something to wait for, and the loop does."""

    def __repr__(self) -> str:
        return f"<JobContext {self.job_id} attempt={self.attempt}>"

    @property
    def job_id(self) -> str:
        """Its id."""
        return self._job.job_id

    @property
    def queue_name(self) -> str:
        """Where it was queued."""
        return self._job.queue_name or "default"

    @property
    def function_name(self) -> str:
        """``module.qualname``."""
        return str(self._job.function)

    @property
    def attempt(self) -> int:
        """Which try this is, from 1."""
        return self._job.attempt

    @property
    def enqueued_at_ns(self) -> int:
        """When the producer enqueued it."""
        return self._job.enqueued_at_ns

    @property
    def headers(self) -> Mapping[str, str]:
        """What goes with it by name, such as the context of a trace."""
        return self._job.headers or {}

    @property
    def dependencies(self) -> Mapping[str, JobResult]:
        """The outcomes of the jobs that it waited for, by id, as far as they can be read."""
        return self._dependencies or {}

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the job to end. A function in a thread should look at it now and then, and return."""
        if self._cancelled:
            self.cancel_observed = True
        return self.cancel_observed

    def raise_if_cancelled(self) -> None:
        """End the job here when somebody wants it to end.

        Raises:
            Cancel: so that the job ends as cancelled.
        """
        if self.cancelled:
            raise Cancel("cancelled while running")

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> Awaitable[None]:
        """Tell how far the job is; at most ten reports a second become events. May be awaited, and need not be.

        Raises:
            TypeError: ``done`` or ``total`` is no number, or the message no text.
            ValueError: a number is not finite.
        """
        report = {
            "done": _number("done", done),
            "total": None if total is None else _number("total", total),
            "text": None if message is None else _text("the message", message),
        }
        self._on_loop(self._report_progress, report)
        return _Done()

    def log(self, text: str, level: str | int = "INFO") -> None:
        """Write a line into the job's events; at most 200 of them.

        Args:
            level: its name, or the number that `logging` has for it.

        Raises:
            TypeError: that is no text.
        """
        name = logging.getLevelName(level) if isinstance(level, int) else level
        self._on_loop(self._report_line, _text("the line", text), _text("the level", name))

    # For the worker

    @property
    def is_to_end(self) -> bool:
        """Whether somebody wants the job to end, without the job being told."""
        return self._cancelled

    def cancel(self) -> None:
        """Say that the job should end."""
        self._cancelled = True

    def close(self) -> None:
        """Tell what was not told yet; nothing more is taken."""
        if self._reports is not None:
            self._reports.close()
        self._emit = None

    def _on_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._loop is None or self._loop is _running_loop():
            call(*arguments)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def _report_progress(self, report: dict[str, Any]) -> None:
        if self._emit is not None:
            self._told(self._emit).progress(report)

    def _report_line(self, text: str, level: str) -> None:
        if self._emit is not None:
            self._told(self._emit).line(text, level)

    def _told(self, emit: Emit) -> _Reports:
        """Most jobs report nothing, and have no such thing."""
        if self._reports is None:
            self._reports = _Reports(emit, self._loop)
        return self._reports


class _Reports:
    """What a job tells of itself, on its way into events: joined, and bounded."""

    def __init__(self, emit: Emit, loop: asyncio.AbstractEventLoop | None) -> None:
        self._emit = emit
        self._loop = loop
        self._progress: dict[str, Any] | None = None
        self._told_at = -1.0
        self._timer: asyncio.TimerHandle | None = None
        self._lines = 0

    def progress(self, report: dict[str, Any]) -> None:
        """Tell it now, or with the next one."""
        self._progress = report
        if self._loop is None:
            self._tell_progress()
            return
        wait_s = self._told_at + _PROGRESS_S - self._loop.time() if self._told_at >= 0 else 0
        if wait_s <= 0:
            self._tell_progress()
        elif self._timer is None:
            self._timer = self._loop.call_later(wait_s, self._tell_progress)

    def line(self, text: str, level: str) -> None:
        """Tell a line of the log, unless there were too many."""
        self._lines += 1
        if self._lines > _LINES + 1:
            return
        if self._lines == _LINES + 1:
            text, level = f"more than {_LINES} lines: the rest is not recorded", "WARNING"
        self._emit(JobEventType.LOG, {"text": text, "level": level})

    def close(self) -> None:
        """Tell what was not told yet."""
        self._tell_progress()

    def _tell_progress(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        report, self._progress = self._progress, None
        if report is None:
            return
        if self._loop is not None:
            self._told_at = self._loop.time()
        self._emit(JobEventType.PROGRESS, report)


def _number(name: str, value: Any) -> float:
    """A finite number; whatever can be made one, but for text."""
    try:
        if isinstance(value, str | bytes | bytearray):  # which `float` would read
            raise TypeError
        number = float(value)
    except OverflowError:
        number = math.inf
    except TypeError:
        raise TypeError(f"progress takes numbers, and {name} is of type {type(value).__name__}") from None
    if not math.isfinite(number):
        raise ValueError(f"progress takes finite numbers, and {name} is none")
    return number


def _text(name: str, value: str) -> str:
    """As much of a text as is kept, and so that it can be encoded."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, and is of type {type(value).__name__}")
    return value[:_LINE_LIMIT].encode("utf-8", "backslashreplace").decode()[:_LINE_LIMIT]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
