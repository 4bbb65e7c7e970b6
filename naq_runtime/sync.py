"""The blocking face of queues, for Django, Flask and scripts.

::

    from naq_runtime.sync import Queue

    queue = Queue("mail")  # connects at the first call, and closes at the end of the process
    handle = queue.enqueue(send, 1, subject="Hello")
    handle.result(timeout=30)

    with Queue("mail") as queue:  # connects here, so that an error comes here; stores all events at the end
        queue.enqueue(send, 2, subject="Hello")

All queues of a process share one event loop, in a thread of its own; those of equal settings share one connection,
which stays open for the next one until the process ends, or `close`. Everything may be called from any thread.

A process that was forked opens connections of its own, also for queues and handles that were made before, and leaves
those of its parent alone. One that ends by ``os._exit``, as the children of `multiprocessing` do, calls nothing at its
end: it loses events of its last moments, unless a ``with`` block or `close` came before.

Errors are those of `naq_runtime.Queue`, whose methods these are. Where an event loop runs, all of them raise
``RuntimeError``: they would hold it up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from naq_runtime import background
from naq_runtime.background import Background, call
from naq_runtime.config import NAQConfig, get_config
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.naming import check_name
from naq_runtime.queue import JobHandle as AsyncHandle
from naq_runtime.queue import Queue as AsyncQueue
from naq_runtime.services.manager import ServiceManager

if TYPE_CHECKING:
    from naq_runtime.schedule import Schedule, ScheduleConfig
    from naq_runtime.services.scheduler import ScheduleFilter, SchedulerService

__all__ = ["JobHandle", "Queue", "Schedules", "close"]

T = TypeVar("T")


def close() -> None:
    """Store what is left of events, close all connections and end the thread; whatever is used again opens anew.

    Takes at most a few seconds, also when the server is away. Calls that wait in other threads raise ``RuntimeError``.
    """
    background.refuse_where_a_loop_runs()
    background.close()


class JobHandle:
    """A job that was enqueued."""

    __slots__ = ("_handle", "_queue", "_services", "job_id")

    def __init__(
        self,
        queue: Queue,
        job_id: str,
        handle: AsyncHandle | None = None,
        services: ServiceManager | None = None,
    ) -> None:
        self.job_id = job_id
        self._queue = queue
        self._handle = handle
        self._services = services
        """Those that the handle belongs to. After a fork, or a `close`, there are others."""

    def __repr__(self) -> str:
        return f"JobHandle(job_id={self.job_id!r})"

    def __reduce__(self) -> tuple[Callable[..., JobHandle], tuple[Queue, str]]:
        """Pickled, as for another process, it is a handle on the same job."""
        return JobHandle, (self._queue, self.job_id)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job to end, and return what its function returned, as JSON gives it back.

        Args:
            timeout: seconds to wait at most; for ever when left out.

        Raises:
            JobFailed: it failed, with the remote error's type, text and traceback.
            ResultTimeout: it has not ended in time.
        """
        return self._do(lambda handle: handle.result(timeout))

    def outcome(self, timeout: float | None = None) -> JobResult:
        """Wait for the job to end, well or badly; seconds to wait as in `result`."""
        return self._do(lambda handle: handle.outcome(timeout))

    def status(self) -> JobStatus:
        """Where the job stands now.

        Raises:
            NotFound: nothing is known of it.
        """
        return self._do(lambda handle: handle.status())

    def cancel(self, reason: str = "") -> bool:
        """End the job, wherever it stands; ``False`` when it had ended already.

        A function in a thread is only told (`current_job().cancelled`), and may run to its end.

        Raises:
            NotFound: nothing is known of it.
        """
        return self._do(lambda handle: handle.cancel(reason))

    def _do(self, operation: Callable[[AsyncHandle], Awaitable[T]]) -> T:
        def on(queue: AsyncQueue, services: ServiceManager) -> Awaitable[T]:
            made = self._handle if self._services is services else None
            return operation(made or queue.handle(self.job_id))

        return self._queue._call(on)


class Queue:
    """A queue of jobs, as a producer that knows nothing of asyncio sees it.

    Args:
        name: letters, digits, ``_`` and ``-``; when left out, each job goes to the queue of its own task, or else to
            ``default``.
        config: the settings; those of file and environment when left out.

    Raises:
        InvalidName: the name cannot be used.
        ConfigError: the settings cannot be used.
    """

    def __init__(self, name: str | None = None, *, config: NAQConfig | None = None) -> None:
        self.name = None if name is None else check_name("queue", name)
        self._config = config or get_config()

    def __repr__(self) -> str:
        return f"<Queue {self.name or 'of each task'}>"

    def __enter__(self) -> Self:
        """Connect, unless another queue has.

        Raises:
            ServerError: the server cannot be reached or used.
        """
        call(lambda background: background.services(self._config))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store all events, within a few seconds."""
        call(lambda background: background.flush(self._config))

    def enqueue(self, function: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> JobHandle:
        """Put one call of a function into this queue.

        Raises:
            NotImportable: no worker could find the function.
            SerializationError: an argument has no JSON form.
            JobRefused: the job is too large, or the queue is full.
            ServerError: the server cannot be reached.
        """
        return self._put(lambda queue: queue.enqueue(function, *args, **kwargs))

    def enqueue_in(
        self, delay: float | timedelta, function: Callable[..., Any] | str, *args: Any, **kwargs: Any
    ) -> JobHandle:
        """Put one call of a function into this queue after a while: seconds, or a `timedelta`. Errors as `enqueue`."""
        return self._put(lambda queue: queue.enqueue_in(delay, function, *args, **kwargs))

    def enqueue_at(self, when: datetime, function: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> JobHandle:
        """Put one call of a function into this queue at a moment, which must name its time zone. Errors as `enqueue`.

        Raises:
            ValueError: the moment has no time zone.
        """
        return self._put(lambda queue: queue.enqueue_at(when, function, *args, **kwargs))

    def enqueue_job(self, job: Job) -> JobHandle:
        """Put a job into this queue; for an id or a time to live of one's own. See `enqueue` for errors."""
        return self._put(lambda queue: queue.enqueue_job(job))

    def enqueue_many(self, jobs: Iterable[Job]) -> list[JobHandle]:
        """Put many jobs into this queue, many times faster than one by one.

        Raises:
            PartlyRefused: naming those that were not stored; the others are.
        """
        made = list(jobs)  # here, not in the loop: they may come from a database
        return self._put_many(lambda queue: queue.enqueue_many(made))

    def schedule(
        self,
        function: Callable[..., Any] | str,
        *args: Any,
        when: ScheduleConfig,
        replace: bool = False,
        **kwargs: Any,
    ) -> str:
        """Have one call of a function come into this queue again and again; returns the id of the schedule.

        Args:
            when: such as ``ScheduleConfig(cron="0 9 * * mon-fri", timezone="Europe/Paris")``.
            replace: change the schedule of this id, if there is one; see `SchedulerService.schedule_job`.

        Raises:
            DuplicateSchedule: there is a schedule of this id.
            NotImportable, SerializationError, ServerError: as `enqueue`.
        """
        return self._do(lambda queue: queue.schedule(function, *args, when=when, replace=replace, **kwargs))

    def schedule_job(self, job: Job, when: ScheduleConfig, *, replace: bool = False) -> str:
        """Have a job come into this queue again and again. See `schedule`."""
        return self._do(lambda queue: queue.schedule_job(job, when, replace=replace))

    def schedules(self) -> Schedules:
        """What can be done with schedules, of this queue and of others."""
        return Schedules(self)

    def pause(self, reason: str = "") -> None:
        """Begin no more jobs of this queue, on any worker, until `resume`; those that run go on."""
        self._do(lambda queue: queue.pause(reason))

    def resume(self) -> None:
        """Let this queue go on after `pause`.

        Raises:
            NotFound: no job was ever put into it.
        """
        self._do(lambda queue: queue.resume())

    def limit(self, *, concurrency: int | None = None, rate: str | None = None) -> None:
        """Limit this queue over all workers; see `naq_runtime.Queue.limit`.

        Raises:
            ConfigError: a limit that cannot be kept.
        """
        self._do(lambda queue: queue.limit(concurrency=concurrency, rate=rate))

    def purge(
        self,
        *,
        function: str | None = None,
        older_than_s: float | None = None,
        scheduled: bool = False,
        waiting: bool = False,
    ) -> int:
        """Cancel the jobs of this queue that no worker has; how many that were."""
        return self._do(
            lambda queue: queue.purge(
                function=function, older_than_s=older_than_s, scheduled=scheduled, waiting=waiting
            )
        )

    def handle(self, job_id: str) -> JobHandle:
        """A handle on a job that was enqueued elsewhere or earlier."""
        return JobHandle(self, check_name("job id", job_id))

    # One of these carries out each of the methods

    def _do(self, operation: Callable[[AsyncQueue], Awaitable[T]]) -> T:
        return self._call(lambda queue, _: operation(queue))

    def _put(self, operation: Callable[[AsyncQueue], Awaitable[AsyncHandle]]) -> JobHandle:
        async def put(queue: AsyncQueue) -> list[AsyncHandle]:
            return [await operation(queue)]

        return self._put_many(put)[0]

    def _put_many(self, operation: Callable[[AsyncQueue], Awaitable[list[AsyncHandle]]]) -> list[JobHandle]:
        async def put(queue: AsyncQueue, services: ServiceManager) -> list[JobHandle]:
            return [JobHandle(self, handle.job_id, handle, services) for handle in await operation(queue)]

        return self._call(put)

    def _call(self, operation: Callable[[AsyncQueue, ServiceManager], Awaitable[T]]) -> T:
        async def run(background: Background) -> T:
            services = await background.services(self._config)
            async with AsyncQueue(self.name, services=services) as queue:
                return await operation(queue, services)

        return call(run)


class Schedules:
    """What can be done with schedules: the methods of `SchedulerService`, with its errors."""

    __slots__ = ("_queue",)

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def schedule_job(self, job: Job, config: ScheduleConfig | Mapping[str, Any], *, replace: bool = False) -> str:
        """Have a job come when the configuration says; returns the id of the schedule."""
        return self._do(lambda service: service.schedule_job(job, config, replace=replace))

    def get(self, schedule_id: str) -> Schedule:
        """One schedule, also one that has finished, for a minute."""
        return self._do(lambda service: service.get(schedule_id))

    def list(self, wanted: ScheduleFilter | None = None) -> Sequence[Schedule]:
        """The schedules that are meant, in the order in which they were changed last."""

        async def found(service: SchedulerService) -> Sequence[Schedule]:
            return [schedule async for schedule in service.list(wanted)]

        return self._do(found)

    def next_runs(self, schedule_id: str, count: int = 5) -> Sequence[datetime]:
        """The coming ticks of a schedule, in UTC; fewer when there are no more."""
        return self._do(lambda service: service.next_runs(schedule_id, count))

    def pause(self, schedule_id: str, reason: str = "") -> Schedule:
        """Have no more jobs come, until `resume`."""
        return self._do(lambda service: service.pause(schedule_id, reason))

    def resume(self, schedule_id: str) -> Schedule:
        """Let a schedule go on that is paused or has failed; what was due meanwhile is passed over."""
        return self._do(lambda service: service.resume(schedule_id))

    def cancel(self, schedule_id: str, reason: str = "") -> Schedule:
        """Have no more jobs come, for good. Those that are enqueued stay."""
        return self._do(lambda service: service.cancel(schedule_id, reason))

    def modify(self, schedule_id: str, **changes: Any) -> Schedule:
        """Change a schedule, as `SchedulerService.modify` does; what is left out stays."""
        return self._do(lambda service: service.modify(schedule_id, **changes))

    def trigger_now(self, schedule_id: str) -> str:
        """Have a job come at once, besides those that are due; returns the job's id."""
        return self._do(lambda service: service.trigger_now(schedule_id))

    def _do(self, operation: Callable[[SchedulerService], Awaitable[T]]) -> T:
        async def on(queue: AsyncQueue) -> T:
            return await operation(await queue.schedules())

        return self._queue._do(on)
