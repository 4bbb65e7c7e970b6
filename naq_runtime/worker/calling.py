"""Where a function runs: async ones on the event loop, plain ones in threads, and some in processes of their own."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable
from concurrent.futures import Executor as Threads
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from naq_runtime.context import JobContext
from naq_runtime.errors import TaskError
from naq_runtime.tasks import Task
from naq_runtime.worker.raising import Raised
from naq_runtime.worker.rebuilding import RaisedElsewhere

__all__ = ["Calls", "Encoded", "ProcessRunner"]

_SPARE_THREADS = 512
"""Threads for those that are given up and still run; they are made as they are needed."""


class Encoded(NamedTuple):
    """A result that is encoded already."""

    data: bytes


class ProcessRunner(Protocol):
    """Runs jobs in other processes."""

    async def run(self, payload: bytes, context: JobContext) -> bytes | Raised:
        """The encoded result, or what the job raised; when cancelled, the process is killed.

        Raises:
            ProcessCrashed: the process died.
        """
        ...


def _pool(most: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=most + _SPARE_THREADS, thread_name_prefix="naq-job")


class Calls:
    """Calls functions, and knows which of the threads were given up.

    Args:
        threads: where plain functions run, or how many of them are meant to run at a time.
    """

    def __init__(self, threads: int | Threads, processes: ProcessRunner | None = None) -> None:
        self._processes = processes
        self._lock = threading.Lock()
        self._most = threads if isinstance(threads, int) else 0
        """Functions that are meant to run in threads of ours at a time; 0 for those of somebody else's."""
        self._threads = _pool(threads) if isinstance(threads, int) else threads
        self._running: set[_ThreadCall] = set()

    @property
    def threads_running(self) -> int:
        """Plain functions that are running now, those given up among them: a thread cannot be stopped."""
        return len(self._running)

    @property
    def stuck_job_ids(self) -> tuple[str, ...]:
        """Jobs that were given up, and whose threads still run."""
        with self._lock:
            return tuple(call.job_id for call in self._running if call.is_given_up)

    def resize(self, most: int) -> None:
        """Have threads for so many plain functions at a time; what runs already goes on where it is."""
        if 0 < self._most < most:
            self._threads.shutdown(wait=False)
            self._most, self._threads = most, _pool(most)

    def close(self) -> None:
        """Take no more plain functions; those that run are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def call(
        self, task: Task, arguments: tuple[list[Any], dict[str, Any]], payload: bytes, job: JobContext
    ) -> Any:
        """What the function returns, or `Encoded`; raises what it raises."""
        args, kwargs = arguments
        if task.is_async:
            return await task.function(*args, **kwargs)
        if task.options.process:
            return await self._in_process(payload, job)
        job.is_in_thread = True
        try:
            returned = await self._in_thread(task, args, kwargs, job.job_id)
        finally:
            job.is_in_thread = False
        return await _on_loop(returned, job) if inspect.isawaitable(returned) else returned

    async def _in_process(self, payload: bytes, job: JobContext) -> Encoded:
        if self._processes is None:
            raise TaskError("this task runs in a process of its own, and nobody here starts processes")
        answer = await self._processes.run(payload, job)
        if isinstance(answer, Raised):
            raise RaisedElsewhere(answer)
        return Encoded(answer)

    async def _in_thread(self, task: Task, args: list[Any], kwargs: dict[str, Any], job_id: str) -> Any:
        context = contextvars.copy_context()
        call = _ThreadCall(job_id)

        def run() -> tuple[Any, BaseException | None]:
            self._note(call, "running")
            try:
                return context.run(task.function, *args, **kwargs), None
            except StopIteration as stop:  # a coroutine cannot raise it
                return None, _caused(RuntimeError(f"the job raised {stop!r}"), stop)
            except BaseException as error:  # user code; a future would change it, or do other than raise it
                return None, error
            finally:
                self._note(call, "over")

        try:
            returned, error = await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except asyncio.CancelledError:
            self._note(call, "given up")
            raise
        if error is None:
            return returned
        try:
            raise error
        finally:
            del error  # its traceback knows this frame

    def _note(self, call: _ThreadCall, what: str) -> None:
        with self._lock:
            if what == "running":
                self._running.add(call)
            elif what == "over":
                self._running.discard(call)
            else:
                call.is_given_up = True


class _ThreadCall:
    """A plain function in its thread."""

    __slots__ = ("is_given_up", "job_id")

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.is_given_up = False


async def _on_loop(returned: Awaitable[Any], job: JobContext) -> Any:
    """What a plain function gave us to wait for: from here on, the job can be made to end."""
    job.is_on_loop = True
    if job.is_to_end:
        if inspect.iscoroutine(returned):
            returned.close()
        raise asyncio.CancelledError
    return await returned


def _caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error
