"""Running one attempt of a job, and turning whatever happens into an `Execution`.

Nothing here knows of a server: a job goes in, an execution comes out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor as Threads
from contextlib import suppress
from functools import partial
from typing import Any

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.context import JobContext, running_as
from naq_runtime.errors import TimedOut
from naq_runtime.events.models import JobEventType
from naq_runtime.hooks import Middleware
from naq_runtime.job import Execution, Job, JobResult, JobStatus
from naq_runtime.retry import RetryPolicy
from naq_runtime.serializer import Serializer
from naq_runtime.tasks import Task
from naq_runtime.worker.attempt import Attempt
from naq_runtime.worker.calling import Calls, Encoded, ProcessRunner
from naq_runtime.worker.raising import Raised, judge, of_the_job, raised
from naq_runtime.worker.rebuilding import RaisedElsewhere, RemoteTraceback, as_raised, rebuilt

__all__ = ["Emit", "Executor", "cancelled", "failed", "undecodable"]

Emit = Callable[[Job, JobEventType, dict[str, Any]], None]
_NEVER_RETRIED = RetryPolicy(retry_on=())


class Executor:
    """Runs attempts of jobs: on the event loop, in threads, or in processes.

    Args:
        find: the task of a name; raises `UnknownTask`.
        threads: where plain functions run, or how many of them are meant to run at a time.
        cancelled: whether a cancellation comes from the owner, and not from the job itself.
        emit: takes the events that a running job makes.
        processes: runs what is to run in a process.
        middleware: called around each attempt, the first one outermost.
    """

    def __init__(
        self,
        find: Callable[[str], Task],
        serializer: Serializer,
        *,
        worker_id: str,
        threads: int | Threads,
        clock: Clock = SYSTEM_CLOCK,
        cancelled: Callable[[], bool] | None = None,
        emit: Emit | None = None,
        processes: ProcessRunner | None = None,
        middleware: Sequence[Middleware] = (),
    ) -> None:
        self._find = find
        self._serializer = serializer
        self._worker_id = worker_id
        self._clock = clock
        self._cancelled = cancelled or _is_cancelled
        self._emit = emit
        self._middleware = tuple(middleware)
        self._running: dict[str, Attempt] = {}
        self.calls = Calls(threads, processes)
        self.ended_last: Execution | None = None
        """The last attempt that did not complete, for one who could not hear of it."""

    def close(self) -> None:
        """Take no more; what runs in threads is not waited for."""
        self.calls.close()

    def cancel(self, job_id: str, reason: str) -> bool:
        """Ask a running job to end; ``False`` when it does not run here."""
        attempt = self._running.get(job_id)
        if attempt is None:
            return False
        attempt.cancel(reason)
        return True

    async def run(
        self,
        job: Job,
        payload: bytes = b"",
        dependencies: Mapping[str, JobResult] | None = None,
        *,
        started_ns: int | None = None,
    ) -> Execution:
        """Run one attempt; every error of it ends up in the execution.

        Args:
            payload: the job, encoded; needed for what runs in a process.
            dependencies: the outcomes of the jobs that it waited for, by id.
            started_ns: when it began, if that has been said already; now, when left out.

        Raises:
            asyncio.CancelledError: the execution itself was cancelled.
        """
        begun = self._clock.monotonic_ns()
        if started_ns is None:
            started_ns = self._clock.time_ns()
        try:
            task = self._find(job.function if isinstance(job.function, str) else "")
            arguments = task.arguments.convert(job.args, job.kwargs)
        except BaseException as error:  # user code: types of arguments have checks of their own
            return self._ended(self._unbegun(job, started_ns, begun), raised(error, _NEVER_RETRIED))
        context = self._context(job, task, dependencies)
        attempt = self._running[job.job_id] = Attempt(job, task, context, started_ns, begun)
        token = running_as.set(context)
        what, returned, value = None, None, b""
        try:
            if task.is_async and attempt.limit is None and not self._middleware:
                returned = await task.function(*arguments[0], **arguments[1])  # the way of most jobs, made short
            else:
                returned = await self._within_limit(attempt, task, arguments, payload)
            value = returned.data if isinstance(returned, Encoded) else self._serializer.encode_value(returned)
        except BaseException as error:  # user code may raise anything
            what = _what(error, attempt)
            if self._cancelled() and attempt.is_interruption(error, what):
                await _come_to_rest()
                raise asyncio.CancelledError from error
        finally:
            running_as.reset(token)
            attempt.close()
            if self._running.get(job.job_id) is attempt:
                del self._running[job.job_id]
        what = attempt.judged(what)
        return self._completed(attempt, returned, value) if what is None else self._ended(attempt, what)

    async def run_apart(self, job: Job, payload: bytes, dependencies: Mapping[str, JobResult] | None) -> Execution:
        """See `run`; in a task of its own, so that nothing that the job does ends the one that asks.

        A future that brings a `GeneratorExit`, from a thread or a task of the job's own, closes every coroutine of the
        task that waits for it.
        """
        return await asyncio.create_task(self.run(job, payload, dependencies), name=job.job_id)

    def _unbegun(self, job: Job, started_ns: int, begun: int) -> Attempt:
        return Attempt(job, None, JobContext(job, self._worker_id), started_ns, begun)

    def _context(self, job: Job, task: Task, dependencies: Mapping[str, JobResult] | None) -> JobContext:
        return JobContext(
            job,
            self._worker_id,
            None if self._emit is None else partial(self._emit, job),
            dependencies=dependencies,
            log_level=task.options.log_level,
            loop=asyncio.get_running_loop(),
        )

    async def _within_limit(self, attempt: Attempt, task: Task, arguments: Any, payload: bytes) -> Any:
        """What the attempt returns, in the time that it has.

        Raises:
            TimeoutError: it took longer.
        """
        if attempt.limit is None:
            return await self._call(attempt, task, arguments, payload)
        async with asyncio.timeout(attempt.limit) as attempt.scope:
            returned = await self._call(attempt, task, arguments, payload)
        if attempt.scope.expired():
            raise TimeoutError  # it took its cancellation for nothing, or made a result of it
        return returned

    async def _call(self, attempt: Attempt, task: Task, arguments: Any, payload: bytes) -> Any:
        """The function itself, inside of all middleware."""
        context = attempt.context
        if not self._middleware:
            return await self.calls.call(task, arguments, payload, context)

        async def call() -> Any:
            try:
                returned = await self.calls.call(task, arguments, payload, context)
            except RaisedElsewhere as error:
                raise rebuilt(error.what) from RemoteTraceback(error.what)
            finally:
                attempt.back_from_function()
            return self._decoded(returned, payload) if isinstance(returned, Encoded) else returned

        for middleware in reversed(self._middleware):
            call = _around(middleware, context, call)
        return await call()

    def _decoded(self, returned: Encoded, payload: bytes) -> Any:
        """A result of a process, as whoever asks for the outcome sees it."""
        result = JobResult(job_id="", status=JobStatus.COMPLETED)
        return self._serializer.decode_outcome(
            self._serializer.encode_outcome(payload, result, returned.data)
        ).result.result

    def _completed(self, attempt: Attempt, returned: Any, value: bytes) -> Execution:
        result = JobResult(
            job_id=attempt.job.job_id,
            status=JobStatus.COMPLETED,
            result=None if isinstance(returned, Encoded) else returned,
            worker_id=self._worker_id,
            attempt=attempt.job.attempt,
            start_time_ns=attempt.started_ns,
            finish_time_ns=self._clock.time_ns(),
            duration_ms=(self._clock.monotonic_ns() - attempt.begun) / 1e6,
        )
        return Execution(attempt.job, result, value)

    def _ended(self, attempt: Attempt, what: Raised) -> Execution:
        """An attempt that did not complete: it is over for good, or there will be another."""
        job = attempt.job
        verdict = judge(what, job, attempt.policy)
        result = JobResult(
            job_id=job.job_id,
            status=JobStatus.CANCELLED if verdict.cancelled else JobStatus.FAILED,
            error_type=what.error_type,
            error=what.error,
            traceback=what.traceback or None,
            worker_id=self._worker_id,
            attempt=job.attempt,
            start_time_ns=attempt.started_ns,
            finish_time_ns=self._clock.time_ns(),
            duration_ms=(self._clock.monotonic_ns() - attempt.begun) / 1e6,
        )
        again = None
        if verdict.again_after is not None:
            run_at_ns = result.finish_time_ns + int(verdict.again_after * 1e9)
            again = job.evolve(attempt=job.attempt + verdict.costs_attempt, run_at_ns=run_at_ns)
        timed_out = what.error_type == TimedOut.__name__ and attempt.has_timed_out
        asked = what.error if what.wish else None
        self.ended_last = Execution(job, result, again=again, timed_out=timed_out, asked=asked)
        return self.ended_last


def _what(error: BaseException, attempt: Attempt) -> Raised:
    if (what := as_raised(error)) is not None and not attempt.has_timed_out:
        return what
    return raised(_timed_out(error, attempt) if attempt.has_timed_out else error, attempt.policy)


def _timed_out(error: BaseException, attempt: Attempt) -> TimedOut:
    """Whatever the job made of it, and where it was at the time."""
    timed_out = TimedOut(f"the job took longer than the {attempt.limit:g} s that it may")
    if isinstance(error, TimeoutError) and isinstance(error.__cause__, asyncio.CancelledError):
        error = error.__cause__
    error.__traceback__ = trace = of_the_job(error.__traceback__)
    if trace is not None:
        timed_out.__context__ = error
    return timed_out


async def _come_to_rest() -> None:
    """Take a cancellation that is on its way still: a task group cancels its task anew when it ends in other errors."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)


def _around(middleware: Middleware, context: JobContext, inner: Callable[[], Awaitable[Any]]) -> Any:
    async def call() -> Any:
        return await middleware(context, inner)

    return call


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def failed(job: Job, error: BaseException, *, worker_id: str, now_ns: int) -> Execution:
    """The execution of a job that failed without having run."""
    what = raised(error, _NEVER_RETRIED)
    return Execution(
        job,
        JobResult(
            job_id=job.job_id,
            status=JobStatus.FAILED,
            error_type=what.error_type,
            error=what.error,
            traceback=what.traceback or None,
            worker_id=worker_id,
            attempt=job.attempt,
            start_time_ns=now_ns,
            finish_time_ns=now_ns,
        ),
    )


def cancelled(job: Job, reason: str, *, worker_id: str, now_ns: int) -> Execution:
    """The execution of a job that was cancelled before it had begun."""
    result = JobResult(
        job_id=job.job_id,
        status=JobStatus.CANCELLED,
        error_type="Cancelled",
        error=reason,
        worker_id=worker_id,
        attempt=job.attempt,
        start_time_ns=now_ns,
        finish_time_ns=now_ns,
    )
    return Execution(job, result, asked=reason)


def undecodable(subject: str, error: BaseException, worker_id: str, now_ns: int) -> Execution:
    """The execution of a message that is no job; queue and id are those of its subject, made fit to be names."""
    queue, job_id = (re.sub(r"[^A-Za-z0-9_-]", "_", token)[:64] for token in subject.split(".")[-2:])
    # Whoever enqueued it waits for the outcome of a job that is no older than his.
    job = Job(function="unknown.unknown", queue_name=queue, job_id=job_id, enqueued_at_ns=now_ns)
    return failed(job, error, worker_id=worker_id, now_ns=now_ns)
