"""The read side: what stands now, what happened lately, what comes, all about one job or one schedule; and a word to a
worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from naq_runtime.alerts.store import read_board
from naq_runtime.backlog import BacklogReader
from naq_runtime.errors import NotFound, SerializationError
from naq_runtime.events.answers import RecentEvents
from naq_runtime.events.offset import ClockOffset
from naq_runtime.events.queries import EventQueries
from naq_runtime.events.storage import EventTail, NATSJobEventStorage
from naq_runtime.jetstream import Consumer, ServerDetail
from naq_runtime.job import JobStatus
from naq_runtime.jobs.store import TOMBSTONE, Found, found
from naq_runtime.losses import with_losses
from naq_runtime.naming import check_name
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.control import Control
from naq_runtime.nats.inspecting import Inspector, read_consumers
from naq_runtime.nats.roll import worker_status
from naq_runtime.nats.state import queue_states, server_state, stream_states
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.surroundings import Surroundings
from naq_runtime.skews import ClockSkew, read_skews
from naq_runtime.snapshot import (
    JobDetail,
    LeaderState,
    QueueBacklog,
    QueueState,
    ScheduleDetail,
    ScheduleMark,
    ScheduleNews,
    Snapshot,
    WorkerDetail,
)
from naq_runtime.watching import ScheduleWatch
from naq_runtime.worker.record import WorkerRecord, decode_worker
from naq_runtime.worker.roll import WorkerStatus
from naq_runtime.working import WorkerReader

if TYPE_CHECKING:
    from naq_runtime.events.filters import Filters
    from naq_runtime.events.models import StoredEvent
    from naq_runtime.finding.found import JobPage
    from naq_runtime.finding.query import JobQuery
    from naq_runtime.statistics.course import Course
    from naq_runtime.statistics.reader import Progress, StatisticsReader
    from naq_runtime.statistics.trends import EventTrends

__all__ = ["Monitor", "QueueCounts", "StandingJob"]

_BEYOND = 10**9
"""No stream has so many subjects: asked for those behind, the server only counts them."""


class QueueCounts(NamedTuple):
    """Jobs of a queue that wait for something else than a worker."""

    scheduled: int
    """For their time."""
    waiting: int
    """For other jobs."""


class StandingJob(NamedTuple):
    """A job that has not ended, without its arguments."""

    status: JobStatus
    job_id: str
    function_name: str
    """Empty for what cannot be read."""
    enqueued_at_ns: int


class Monitor:
    """Looks without changing anything, but for making the streams when it is the first to come; what it does to workers
    it only asks of them.
    """

    def __init__(self, services: ServiceManager, jobs: JobService) -> None:
        self._services = services
        self._jobs = jobs
        self._names = services.names
        self._connection = services.connection
        self._storage = NATSJobEventStorage(services.connection, services.config, services.topology)
        self.events = EventQueries(self._storage, services.clock, server_ns=services.connection.server_clock.now_ns)
        """Everything that can be asked of the log."""
        self.surroundings = Surroundings(services, self._storage, self.events)
        """What lies around a job."""
        self._bucket = LeaseBucket(services.connection, services.names, services.names.workers_bucket)
        self._control = Control(services.connection, services.names)
        self._schedules = ScheduleWatch(services)
        self._inspector = Inspector(services.connection, services.names)
        self._statistics: StatisticsReader | None = None
        self._backlogs = BacklogReader(services)
        self._workers = WorkerReader(services, self.events, self._storage)
        self._offset = ClockOffset(services.clock, services.connection.server_clock)

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Ready everything that can be looked at."""
        await services.topology.events()
        await services.topology.workers()
        return cls(services, await services.get_service(JobService))

    async def stop(self) -> None:
        """Give back what it holds."""
        await self._storage.close()

    def now_ns(self) -> int:
        """The time by the clock of the server, by which events are compared."""
        return self.on_server(self._services.clock.time_ns())

    def on_server(self, time_ns: int) -> int:
        """What the clock of the server showed when ours showed this, now or lately; nearly the same is the same."""
        return time_ns + self._offset.of(time_ns)

    async def clock_skews(self) -> tuple[ClockSkew, ...]:
        """How wrong the clocks of the processes are that have said so lately, the worst first.

        Raises:
            ServerError: the log cannot be read now.
        """
        return await read_skews(self._connection, self._names, self.now_ns())

    async def snapshot(self) -> Snapshot:
        """What stands now.

        Raises:
            ServerError: the server cannot be asked.
        """
        server, queues, workers, streams, board = await asyncio.gather(
            server_state(self._connection),
            queue_states(self._connection, self._names),
            self.workers(),
            stream_states(self._connection, self._names),
            read_board(self._services.streams, self._names),
        )
        return Snapshot(
            taken_at_ns=self.now_ns(),
            server=server,
            queues=queues,
            workers=workers,
            streams=streams,
            alerts=board.records(),
        )

    async def workers(self) -> tuple[WorkerRecord, ...]:
        """The workers whose lease stands, by id."""
        records = []
        for data in await self._bucket.values():
            try:
                records.append(decode_worker(data))
            except SerializationError:
                continue  # written by a version that this one cannot read
        return tuple(sorted(records, key=lambda record: record.worker_id))

    async def queue(self, name: str) -> QueueState | None:
        """A queue as it stands; ``None`` when there is none of this name."""
        states = await queue_states(self._connection, self._names)
        return next((state for state in states if state.name == name), None)

    async def worker_status(self, *, include_inactive: bool = False) -> tuple[WorkerStatus, ...]:
        """See `EventService.get_worker_status`."""
        return await worker_status(self._connection, self._names, include_inactive=include_inactive)

    async def worker(self, worker_id: str) -> WorkerRecord:
        """One worker whose lease stands.

        Raises:
            NotFound: there is none of this name.
        """
        check_name("worker", worker_id)
        record = next((record for record in await self.workers() if record.worker_id == worker_id), None)
        if record is None:
            raise NotFound(f"no worker named {worker_id} runs; 'naq worker list' shows those that do")
        return record

    async def worker_detail(self, worker_id: str) -> WorkerDetail:
        """All that is known of a worker, of one that has stopped or is lost for a day.

        Raises:
            NotFound: nothing is.
        """
        return await self._workers.detail(worker_id)

    async def stop_worker(self, worker_id: str, reason: str = "") -> None:
        """Ask a worker to let its jobs end, and to leave; asked again, it hands them back at once.

        Raises:
            NotFound: no worker of this name answers.
        """
        await self._control.stop_worker(check_name("worker", worker_id), reason)

    async def queue_counts(self, queue: str) -> QueueCounts:
        """How many jobs of a queue wait for their time, and for other jobs."""
        check_name("queue", queue)
        stream, names = self._names.jobs_stream, self._names
        answers = [
            await self._connection.api(f"STREAM.INFO.{stream}", {"subjects_filter": subject, "offset": _BEYOND})
            for subject in (names.later(queue, "*"), names.waiting(queue, "*"))
        ]
        return QueueCounts(*(answer.get("total", 0) for answer in answers))

    async def backlogs(self, queues: Sequence[str]) -> dict[str, QueueBacklog]:
        """What waits in some queues for something else than a worker, and for how long the rest has, by name.

        Raises:
            ServerError: the server cannot be asked.
        """
        return await self._backlogs.read(queues, self.now_ns())

    async def standing(self, queue: str, statuses: Collection[JobStatus]) -> AsyncIterator[StandingJob]:
        """The jobs of a queue that have not ended and are of some statuses, oldest first within each.

        One is running when a worker says so, and queued otherwise.
        """
        check_name("queue", queue)
        names = self._names
        for status, subject in (
            (JobStatus.QUEUED, names.job(queue, "*")),
            (JobStatus.SCHEDULED, names.later(queue, "*")),
            (JobStatus.WAITING, names.waiting(queue, "*")),
        ):
            if status not in statuses and not (status is JobStatus.QUEUED and JobStatus.RUNNING in statuses):
                continue
            async for page in self._services.streams.scan(names.jobs_stream, subject):
                some = [found(message) for message in page if TOMBSTONE not in message.headers]
                running = await self._running(some) if status is JobStatus.QUEUED else set()
                for one in some:
                    job = self._standing_job(one, one.job_id in running)
                    if job.status in statuses:
                        yield job

    async def _running(self, some: Collection[Found]) -> set[str]:
        return await self._control.find_jobs([one.job_id for one in some]) or set()

    def _standing_job(self, one: Found, runs: bool) -> StandingJob:
        try:
            job = self._services.serializer.decode_job(one.message.data)
            function, enqueued_at_ns = str(job.function), job.enqueued_at_ns
        except SerializationError:
            function, enqueued_at_ns = "", 0
        return StandingJob(JobStatus.RUNNING if runs else one.status, one.job_id, function, enqueued_at_ns)

    async def recent(self, limit: int, filters: Filters = None) -> RecentEvents:
        """The last events that match, oldest first, and the sequence up to which was looked."""
        return await self.events.recent(limit, filters)

    async def follow(self, after: int | None = None, filters: Filters = None) -> EventTail:
        """The events behind a sequence, or from now on, in batches."""
        return await self.events.follow(filters, after)

    async def failure_counts(self, since_ns: int, until_ns: int) -> Course:
        """How many attempts failed when, as far as a scheduler has counted it.

        Raises:
            ServerError: it cannot be read now.
        """
        from naq_runtime.statistics.course import read_failures  # it takes a while, and few ask for it
        from naq_runtime.statistics.store import RollupStore

        streams = self._services.streams
        store = RollupStore(streams, self._names, self._services.config.statistics)
        bounds = await streams.bounds(self._names.events_stream)
        return await read_failures(store, bounds.created, since_ns, until_ns)

    async def job(self, job_id: str) -> JobDetail:
        """All that is known of a job; among its events, the losses of workers that ran it.

        Raises:
            NotFound: nothing is.
        """
        detail = await self._jobs.detail(job_id)
        events = await with_losses(self._connection, self._names, detail.events)
        return msgspec.structs.replace(detail, events=events)

    def find_jobs(self, query: JobQuery) -> AsyncGenerator[JobPage, None]:
        """The jobs that are wanted, wherever they stand and however they ended, page by page; see `JobFinder.pages`.

        Each page can raise a `ServerError`.
        """
        from naq_runtime.finding.finder import JobFinder  # only who searches loads it

        return JobFinder(self._services, self._jobs.rules).pages(query)

    async def failures(self, since_ns: int, limit: int = 20_000, *, until_ns: int | None = None) -> list[StoredEvent]:
        """The last attempts that failed and were told of since a moment of the server's clock, oldest first.

        Args:
            until_ns: up to when they were told of; until now when left out.
        """
        wanted = {"category": "job", "event_type": ["failed", "timed_out"]}
        return (await self.events.recent(limit, wanted, since=since_ns, until=until_ns)).events

    async def standings(self, job_ids: Collection[str]) -> dict[str, JobStatus | None]:
        """Where some jobs stand, ``None`` for those of which nothing is known."""

        async def standing(job_id: str) -> JobStatus | None:
            try:
                return (await self._jobs.detail(job_id)).status
            except NotFound:
                return None

        return dict(zip(job_ids, await asyncio.gather(*map(standing, job_ids)), strict=True))

    # Statistics

    async def trends(self, window_s: float, by: Sequence[str] = (), *, progress: Progress | None = None) -> EventTrends:
        """What happened lately, counted, and how it went; asked again, only what has come since is read.

        Args:
            window_s: how far back.
            by: which of ``queue``, ``function`` and ``worker`` to tell apart.
            progress: told now and then how many events were read, of how many.

        Raises:
            ServerError: it cannot be read now.
        """
        if self._statistics is None:
            from naq_runtime.services.statistics import reader_of  # few look at statistics

            self._statistics = reader_of(self._services)
        return await self._statistics.trends(window_s, by, progress=progress)

    def read_statistics_anew(self) -> None:
        """Trust nothing that was counted before: a server that was killed has forgotten its last events."""
        self._statistics = None

    # The server

    async def server(self) -> ServerDetail:
        """What JetStream tells of itself: the account, and the streams of the namespace.

        Raises:
            ServerError: the server cannot be asked now; what only the permissions deny is told in the answer.
        """
        return await self._inspector.server(self.now_ns())

    async def consumers(self, stream: str) -> tuple[Consumer, ...]:
        """The consumers of a stream of the namespace, by name.

        Raises:
            ServerError: the server cannot be asked now, or the permissions do not allow it.
        """
        return await read_consumers(self._connection, self._names, stream)

    # Schedules

    async def schedules(self, since: ScheduleMark | None = None) -> ScheduleNews:
        """The schedules that have changed since a mark, or all; and who leads the schedulers.

        Raises:
            ServerError: they cannot be read now.
        """
        return await self._schedules.news(since)

    async def leader(self) -> LeaderState | None:
        """The scheduler that leads, or led last; ``None`` when none ever did.

        Raises:
            ServerError: that cannot be read now.
        """
        return await self._schedules.leader()

    async def schedule(self, schedule_id: str) -> ScheduleDetail:
        """All that is known of a schedule.

        Raises:
            NotFound: there is none of this id.
            SerializationError: what is there is no schedule.
        """
        return await self._schedules.detail(schedule_id)
