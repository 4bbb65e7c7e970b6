"""What producers use: a queue to put jobs into, and a handle on each job."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from naq_runtime.config import NAQConfig, get_config
from naq_runtime.errors import InvalidName
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.naming import check_name
from naq_runtime.retry import seconds_of
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.queues import QueueService

if TYPE_CHECKING:
    from naq_runtime.schedule import ScheduleConfig
    from naq_runtime.services.scheduler import SchedulerService

__all__ = ["JobHandle", "Queue"]


@dataclass(frozen=True, slots=True)
class JobHandle:
    """A job that was enqueued; can be asked as long as its queue is open."""

    job_id: str
    _jobs: JobService = field(repr=False)
    _enqueued_since_ns: int = field(default=0, repr=False)

    async def result(self, timeout: float | None = None) -> Any:
        """Wait for the job to end, and return what its function returned, as JSON gives it back.

        Args:
            timeout: seconds to wait at most; for ever when left out.

        Raises:
            JobFailed: it failed, with the remote error's type, text and traceback.
            ResultTimeout: it has not ended in time.
        """
        return (await self.outcome(timeout)).unwrap()

    async def outcome(self, timeout: float | None = None) -> JobResult:
        """Wait for the job to end, well or badly."""
        return await self._open.wait(self.job_id, timeout, since_ns=self._enqueued_since_ns)

    async def status(self) -> JobStatus:
        """Where the job stands now.

        Raises:
            NotFound: nothing is known of it.
        """
        return (await self._open.detail(self.job_id)).status

    async def cancel(self, reason: str = "") -> bool:
        """End the job, wherever it stands; ``False`` when it had ended already.

        A function in a thread is only told (`current_job().cancelled`), and may run to its end.

        Raises:
            NotFound: nothing is known of it.
        """
        return await self._open.cancel(self.job_id, reason=reason)

    @property
    def _open(self) -> JobService:
        if not self._jobs.is_open:
            raise RuntimeError(
                f"the queue of job {self.job_id} is closed: use its handle within 'async with Queue(…) as queue', or "
                "queue.handle(job_id) of another queue that is open"
            )
        return self._jobs


class Queue:
    """A queue of jobs, as a producer sees it.

    Args:
        name: letters, digits, ``_`` and ``-``; when left out, each job goes to the queue of its own task, or else to
            ``default``.
        config: the settings; those of file and environment when left out.
        services: take connection and event log from here, instead of opening one.

    Raises:
        InvalidName: the name cannot be used.

    ::

        async with Queue("reports") as queue:
            handle = await queue.enqueue(build_report, 2026, month=11)
            print(await handle.result(timeout=30))
    """

    def __init__(
        self, name: str | None = None, *, config: NAQConfig | None = None, services: ServiceManager | None = None
    ) -> None:
        self.name = None if name is None else check_name("queue", name)
        self._owned = None if services is not None else ServiceManager(config or get_config(), role="producer")
        self._services = services or self._owned
        self._service: JobService | None = None

    def __repr__(self) -> str:
        return f"<Queue {self.name or 'of each task'} {'open' if self._service else 'closed'}>"

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            ServerError: the server cannot be reached or used.
        """
        assert self._services is not None
        if self._owned is not None:
            await self._owned.__aenter__()
        try:
            self._service = await self._services.get_service(JobService)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service = None
        if self._owned is not None:
            await self._owned.__aexit__(kind, error, trace)

    async def enqueue(self, function: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> JobHandle:
        """Put one call of a function into this queue.

        Raises:
            NotImportable: no worker could find the function.
            SerializationError: an argument has no JSON form.
            JobRefused: the job is too large, or the queue is full.
            ServerError: the server cannot be reached.
        """
        return await self.enqueue_job(Job(function, args, kwargs))

    async def enqueue_in(
        self, delay: float | timedelta, function: Callable[..., Any] | str, *args: Any, **kwargs: Any
    ) -> JobHandle:
        """Put one call of a function into this queue after a while: seconds, or a `timedelta`. Errors as `enqueue`."""
        run_at_ns = self._jobs.now_ns() + int(seconds_of(delay) * 1e9)
        return await self.enqueue_job(Job(function, args, kwargs, run_at_ns=run_at_ns))

    async def enqueue_at(
        self, when: datetime, function: Callable[..., Any] | str, *args: Any, **kwargs: Any
    ) -> JobHandle:
        """Put one call of a function into this queue at a moment, which must name its time zone. Errors as `enqueue`.

        Raises:
            ValueError: the moment has no time zone.
        """
        if when.tzinfo is None:
            raise ValueError(f"{when.isoformat()} has no time zone: write datetime(…, tzinfo=ZoneInfo('Europe/Paris'))")
        return await self.enqueue_job(Job(function, args, kwargs, run_at_ns=int(when.timestamp() * 1e9)))

    async def enqueue_job(self, job: Job) -> JobHandle:
        """Put a job into this queue; for an id or a time to live of one's own. See `enqueue` for errors."""
        since_ns = self._jobs.now_ns()
        return JobHandle(await self._jobs.enqueue_job(job, self.name), self._jobs, since_ns)

    async def enqueue_many(self, jobs: Iterable[Job]) -> list[JobHandle]:
        """Put many jobs into this queue, many times faster than one by one.

        Raises:
            PartlyRefused: naming those that were not stored; the others are.
        """
        since_ns = self._jobs.now_ns()
        ids = await self._jobs.enqueue_jobs([job.evolve(queue_name=self.name or job.queue_name) for job in jobs])
        return [JobHandle(job_id, self._jobs, since_ns) for job_id in ids]

    async def schedule(
        self,
        function: Callable[..., Any] | str,
        *args: Any,
        when: ScheduleConfig,
        replace: bool = False,
        **kwargs: Any,
    ) -> str:
        """Have one call of a function come into this queue again and again; returns the id of the schedule.

        It needs a scheduler that runs (``naq run-scheduler``). See `schedules` for what can be done with it.

        Args:
            when: such as ``ScheduleConfig(cron="0 9 * * mon-fri", timezone="Europe/Paris")``.
            replace: change the schedule of this id, if there is one; see `SchedulerService.schedule_job`.

        Raises:
            DuplicateSchedule: there is a schedule of this id.
            NotImportable, SerializationError, ServerError: as `enqueue`.
        """
        return await self.schedule_job(Job(function, args, kwargs), when, replace=replace)

    async def schedule_job(self, job: Job, when: ScheduleConfig, *, replace: bool = False) -> str:
        """Have a job come into this queue again and again. See `schedule`."""
        wanted = job.evolve(queue_name=self.name or job.queue_name)
        return await (await self.schedules()).schedule_job(wanted, when, replace=replace)

    async def schedules(self) -> SchedulerService:
        """What can be done with schedules, of this queue and of others."""
        assert self._jobs is not None
        assert self._services is not None
        from naq_runtime.services.scheduler import SchedulerService  # with cron: most who enqueue need neither

        return await self._services.get_service(SchedulerService)

    async def pause(self, reason: str = "") -> None:
        """Begin no more jobs of this queue, on any worker, until `resume`; those that run go on."""
        await (await self._queues()).pause(self._own_name(), reason=reason)

    async def resume(self) -> None:
        """Let this queue go on after `pause`.

        Raises:
            NotFound: no job was ever put into it.
        """
        await (await self._queues()).resume(self._own_name())

    async def limit(self, *, concurrency: int | None = None, rate: str | None = None) -> None:
        """Limit this queue over all workers.

        Args:
            concurrency: jobs that may run at a time; 0 for no limit, ``None`` to leave it as it is.
            rate: starts within any span of time, ``5/s``, ``100/min`` or ``10/30s``; an empty string for no limit,
                ``None`` to leave it as it is.

        Raises:
            ConfigError: a limit that cannot be kept.
        """
        await (await self._queues()).limit(self._own_name(), concurrency=concurrency, rate=rate)

    async def purge(
        self,
        *,
        function: str | None = None,
        older_than_s: float | None = None,
        scheduled: bool = False,
        waiting: bool = False,
    ) -> int:
        """Cancel the jobs of this queue that no worker has; how many that were. See `QueueService.purge`."""
        return await (await self._queues()).purge(
            self._own_name(), function=function, older_than_s=older_than_s, scheduled=scheduled, waiting=waiting
        )

    def handle(self, job_id: str) -> JobHandle:
        """A handle on a job that was enqueued elsewhere or earlier."""
        return JobHandle(check_name("job id", job_id), self._jobs)

    async def _queues(self) -> QueueService:
        assert self._jobs is not None
        assert self._services is not None
        return await self._services.get_service(QueueService)

    def _own_name(self) -> str:
        if self.name is None:
            raise InvalidName("this queue has no name, so that it is not clear which is meant: use Queue('mail')")
        return self.name

    @property
    def _jobs(self) -> JobService:
        if self._service is None:
            raise RuntimeError("the queue is not open: use 'async with Queue(name) as queue'")
        return self._service
