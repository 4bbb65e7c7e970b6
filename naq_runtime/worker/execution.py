"""Calling the function of a job, and turning whatever happens into a `JobResult`.

Nothing here knows of a server: a job goes in, an `Execution` comes out.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import re
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.serializer import Serializer
from naq_runtime.tasks import Task

__all__ = ["Execution", "Executor", "failure", "undecodable"]

_MESSAGE_LIMIT = 2_000
_TRACEBACK_LIMIT = 8_000


class Execution(Struct, frozen=True):
    """A job that ran to an end."""

    job: Job
    result: JobResult
    value: bytes = b""
    """The encoded result; empty for a failure."""


class Executor:
    """Runs jobs: async functions on the event loop, plain ones in threads of its own.

    Args:
        find: the task of a name; raises `UnknownTask`.
        threads: how many plain functions may run at a time.
        cancelled: whether a cancellation comes from the owner, and not from the job itself.
    """

    def __init__(
        self,
        find: Callable[[str], Task],
        serializer: Serializer,
        *,
        worker_id: str,
        threads: int,
        clock: Clock = SYSTEM_CLOCK,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._find = find
        self._serializer = serializer
        self._worker_id = worker_id
        self._clock = clock
        self._cancelled = cancelled or _is_cancelled
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="naq-job")
        self.threads_running = 0
        """Plain functions that are running now, cancelled ones among them: a thread cannot be stopped."""

    def close(self) -> None:
        """Take no more plain functions; those that run are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, job: Job) -> Execution:
        """Call the function of a job; every error of it becomes a failed result.

        Raises:
            asyncio.CancelledError: the execution itself was cancelled.
        """
        started_ns, begun = self._clock.time_ns(), self._clock.monotonic_ns()
        returned, value = None, b""
        error: BaseException | None = None
        try:
            returned = await self._call(job)
            value = self._serializer.encode_value(returned)
        except asyncio.CancelledError as cancelled:
            if self._cancelled():
                raise
            error = cancelled  # the job's own doing
        except BaseException as raised:  # user code may raise anything
            error = raised
        result = JobResult(
            job_id=job.job_id,
            status=JobStatus.COMPLETED,
            result=returned,
            worker_id=self._worker_id,
            attempt=job.attempt,
            start_time_ns=started_ns,
            finish_time_ns=self._clock.time_ns(),
            duration_ms=(self._clock.monotonic_ns() - begun) / 1e6,
        )
        return Execution(job, result, value) if error is None else failure(job, error, result)

    async def _call(self, job: Job) -> Any:
        task = self._find(job.function if isinstance(job.function, str) else "")
        args, kwargs = task.arguments.convert(job.args, job.kwargs)
        if task.is_async:
            return await task.function(*args, **kwargs)
        returned = await self._call_in_thread(task, args, kwargs)
        return await returned if inspect.isawaitable(returned) else returned

    async def _call_in_thread(self, task: Task, args: list[Any], kwargs: dict[str, Any]) -> Any:
        context = contextvars.copy_context()

        def call() -> Any:
            self._count(1)
            try:
                return context.run(task.function, *args, **kwargs)
            except StopIteration as stop:  # a future cannot carry it
                raise RuntimeError(f"the job raised {stop!r}") from stop
            finally:
                self._count(-1)

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _count(self, change: int) -> None:
        with self._lock:
            self.threads_running += change


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def failure(job: Job, error: BaseException, result: JobResult) -> Execution:
    """The execution of a job that ended in an error; ``result`` says when and where."""
    failed = JobResult(
        job_id=job.job_id,
        status=JobStatus.FAILED,
        error_type=type(error).__qualname__,
        error=_clipped(_text(error), _MESSAGE_LIMIT),
        traceback=_clipped(_traceback(error), _TRACEBACK_LIMIT),
        worker_id=result.worker_id,
        attempt=result.attempt,
        start_time_ns=result.start_time_ns,
        finish_time_ns=result.finish_time_ns,
        duration_ms=result.duration_ms,
    )
    return Execution(job, failed)


def undecodable(subject: str, error: Exception, worker_id: str, now_ns: int) -> Execution:
    """The execution of a message that is no job; queue and id are those of its subject, made fit to be names."""
    queue, job_id = (re.sub(r"[^A-Za-z0-9_-]", "_", token)[:64] for token in subject.split(".")[-2:])
    job = Job(function="unknown.unknown", queue_name=queue, job_id=job_id)
    result = JobResult(
        job_id=job_id, status=JobStatus.FAILED, worker_id=worker_id, start_time_ns=now_ns, finish_time_ns=now_ns
    )
    return failure(job, error, result)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # user code: an exception's own __str__ may fail
        return f"(its text cannot be had: {type(broken).__name__})"


def _traceback(error: BaseException) -> str:
    """From the first frame that is not of this package on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(
        ("naq_runtime.worker.", "concurrent.futures.", "naq_runtime.arguments", "naq_runtime.tasks")
    ):
        trace = trace.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, trace))
    except Exception:  # user code: an exception's own __str__ or __repr__ may fail
        return f"{type(error).__qualname__}: {_text(error)}\n"


def _clipped(text: str, limit: int) -> str:
    """The text, or its two ends with a word on what lies between."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
