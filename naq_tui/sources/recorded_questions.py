"""What a recording can be asked: of what it was given, or else of what its events tell."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from naq_runtime.errors import NaqError, NotFound
from naq_runtime.events.answers import EarlierEvents
from naq_runtime.events.models import JobEvent, ScheduleEvent, StoredEvent, WorkerEvent, WorkerEventType
from naq_runtime.events.queries import as_filter
from naq_runtime.finding.failures import FAILURES
from naq_runtime.finding.found import FoundJob, JobPage, of_events
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import (
    JobDetail,
    LeaderState,
    QueueBacklog,
    ScheduleDetail,
    ScheduleMark,
    ScheduleNews,
    Snapshot,
    WorkerDetail,
)
from naq_runtime.surroundings import Family, Member, Neighbours, QueueStory, status_after
from naq_runtime.worker.roll import WorkerStatus, roll_call
from naq_runtime.working import held_jobs
from naq_tui.sources.recorded_statistics import RecordedStatistics
from naq_tui.sources.recorded_surroundings import RecordedSurroundings

if TYPE_CHECKING:
    from naq_runtime.finding.query import JobQuery
    from naq_runtime.jetstream import Consumer, ServerDetail
    from naq_runtime.schedule import Schedule
    from naq_runtime.statistics.trends import EventTrends
    from naq_tui.questions import Progress

__all__ = ["RecordedQuestions"]

_JOBS = 20_000
"""The jobs whose events are kept; the first of them go first."""
_EVENTS_OF_A_JOB = 1_000
_EVENTS = 20
_BEATS = 120
"""The latest of a schedule that are kept."""


class RecordedQuestions:
    """Answers about a job what it was given, or else what the events tell that were remembered; see `Questions`.

    Schedules are those that it was given, until they are put anew.
    """

    def __init__(
        self,
        *,
        jobs: Mapping[str, JobDetail | NaqError] | None = None,
        schedules: Iterable[Schedule] = (),
        details: Mapping[str, ScheduleDetail | NaqError] | None = None,
        leader: LeaderState | None = None,
    ) -> None:
        self.jobs: dict[str, JobDetail | NaqError] = dict(jobs or {})
        """Details that are given, or errors that are raised, instead of what the events tell."""
        self.asked: list[str] = []
        """Every job that was asked for."""
        self.details: dict[str, ScheduleDetail | NaqError] = dict(details or {})
        """Details of schedules, instead of what they and the events tell."""
        self.leader = leader
        self.trouble: NaqError | None = None
        """Raised when somebody asks for schedules, for jobs or for failures."""
        self.found: dict[str, FoundJob] = {}
        """Jobs that are found, whatever the events tell of them."""
        self.jobs_at_once = 500
        """So many are found with one page."""
        self.asked_queries: list[str] = []
        """The text of every query that jobs were asked for by."""
        self.schedules_at_once = 10_000
        """So many are told in one answer."""
        self.asked_schedules: list[ScheduleMark | None] = []
        """Every mark since which schedules were asked for."""
        self.server_detail: ServerDetail | NaqError = NotFound("there is no server behind a recording")
        """What is told of the server, or the error that is raised."""
        self.consumers_of: dict[str, Sequence[Consumer] | NaqError] = {}
        """The consumers by stream; of others there are none."""
        self.trends: EventTrends | NaqError | None = None
        """Told instead of what the events add up to."""
        self.asked_statistics: list[tuple[float, tuple[str, ...]]] = []
        """Every window that statistics were asked for, and by what they were told apart."""
        self._statistics = RecordedStatistics()
        self._schedules: dict[str, tuple[int, Schedule]] = {}
        self.families: dict[str, Family | NaqError] = {}
        """Families of jobs that are given, or errors that are raised, instead of what the events tell."""
        self._written = 0
        self._around = RecordedSurroundings()
        self._events: dict[str, deque[StoredEvent]] = {}
        self._schedule_events: dict[str, deque[StoredEvent]] = {}
        self.earlier: Sequence[StoredEvent] = ()
        """What can be asked for of the log before the events that were yielded, in order."""
        self.asked_before: list[int] = []
        """Every sequence before which events were asked for."""
        self.backlog: dict[str, QueueBacklog] = {}
        """What waits in the queues, by name."""
        self.asked_backlogs: list[Sequence[str]] = []
        """Every list of queues that was asked for."""
        self.former: tuple[WorkerStatus, ...] = ()
        """The workers that have stopped or were lost."""
        self._leases: dict[str, WorkerStatus] = {}
        self._beats: dict[str, deque[StoredEvent]] = {}
        self.put_schedules(*schedules)

    def remember(self, events: Iterable[StoredEvent]) -> None:
        """Take in what can be asked about from now on."""
        events = tuple(events)
        self._around.remember(events)
        self._statistics.count(events)
        for stored in events:
            if isinstance(stored.event, JobEvent):
                self._events.setdefault(stored.event.job_id, deque(maxlen=_EVENTS_OF_A_JOB)).append(stored)
                if len(self._events) > _JOBS:
                    del self._events[next(iter(self._events))]
            elif isinstance(stored.event, ScheduleEvent):
                self._schedule_events.setdefault(stored.event.schedule_id, deque(maxlen=_EVENTS)).append(stored)
            elif isinstance(stored.event, WorkerEvent) and stored.event.event_type is WorkerEventType.HEARTBEAT:
                self._beats.setdefault(stored.event.worker_id, deque(maxlen=_BEATS)).append(stored)

    def see(self, snapshot: Snapshot | None) -> None:
        """Take in who works; what was known stays when there is nothing new."""
        if snapshot is not None:
            self._leases = {one.worker_id: one for one in roll_call(snapshot.workers, (), steady_s=0).workers}

    async def job(self, job_id: str) -> JobDetail:
        """All that is known of a job."""
        self.asked.append(job_id)
        known = self.jobs.get(job_id)
        if isinstance(known, NaqError):
            raise known
        if known is not None:
            return known
        events = self._events.get(job_id)
        if not events:
            raise NotFound(f"no event of job {job_id} has been recorded")
        return JobDetail(job_id=job_id, status=status_after(events) or JobStatus.QUEUED, events=tuple(events))

    async def family(self, detail: JobDetail) -> Family:
        """The jobs around one."""
        known = self.families.get(detail.job_id)
        if isinstance(known, NaqError):
            raise known
        if known is not None:
            return known
        return self._around.family(detail.job_id, lambda job_id: _member(self._events.get(job_id, ())))

    async def queue_story(self, queue: str, since_ns: int, until_ns: int | None = None) -> QueueStory:
        """What happened to a queue."""
        return self._around.queue_story(queue, since_ns, until_ns)

    async def neighbours(self, function: str, queue: str, *, but: str, before_ns: int) -> Neighbours:
        """How a function went."""
        return self._around.neighbours(function, queue, but, before_ns)

    async def find_jobs(self, query: JobQuery) -> AsyncGenerator[JobPage, None]:
        """The jobs of which events were remembered, and those that were put."""
        self.asked_queries.append(query.text)
        if self.trouble is not None:
            raise self.trouble
        told = [job for events in self._events.values() if (job := of_events(_of_jobs(events))) is not None]
        jobs = {job.job_id: job for job in told} | self.found
        ids = query.ids
        wanted = [job for job in jobs.values() if (ids is None or job.job_id in ids) and query.matches(job)]
        wanted.sort(key=lambda job: job.moment_ns, reverse=True)
        size = self.jobs_at_once
        for start in range(0, len(wanted) - size, size):
            page = wanted[start : start + size]
            yield JobPage(jobs=tuple(page), looked=size, back_to_ns=page[-1].moment_ns, more=True)
        last = wanted[(len(wanted) - 1) // size * size :] if wanted else ()
        yield JobPage(jobs=tuple(last), looked=len(last))

    async def failures(self, since_ns: int) -> Sequence[StoredEvent]:
        """Those that were remembered."""
        if self.trouble is not None:
            raise self.trouble
        told = [stored for events in self._events.values() for stored in events]
        return [one for one in told if one.event.event_type in FAILURES and one.event.moment_ns >= since_ns]

    def put_schedules(self, *schedules: Schedule) -> None:
        """Have these schedules, in place of those with the same ids."""
        for schedule in schedules:
            self._written += 1
            self._schedules[schedule.schedule_id] = (self._written, schedule)

    async def schedules(self, since: ScheduleMark | None = None) -> ScheduleNews:
        """The schedules that were put since a mark, or all."""
        self.asked_schedules.append(since)
        if self.trouble is not None:
            raise self.trouble
        after = 0 if since is None else since.sequence
        found = sorted((one for one in self._schedules.values() if one[0] > after), key=itemgetter(0))
        told = found[: self.schedules_at_once]
        more = len(told) < len(found)
        return ScheduleNews(
            mark=ScheduleMark("recorded", told[-1][0] if more else self._written, 0),
            whole=since is None,
            more=more,
            schedules=tuple(schedule for _, schedule in told),
            leader=self.leader,
        )

    async def schedule(self, schedule_id: str) -> ScheduleDetail:
        """All that is known of a schedule."""
        known = self.details.get(schedule_id)
        if isinstance(known, NaqError):
            raise known
        if known is not None:
            return known
        if schedule_id not in self._schedules:
            raise NotFound(f"no schedule {schedule_id} has been recorded")
        events = tuple(self._schedule_events.get(schedule_id, ()))
        return ScheduleDetail(schedule=self._schedules[schedule_id][1], events=events)

    async def statistics(
        self, window_s: float, by: Sequence[str] = (), *, progress: Progress | None = None
    ) -> EventTrends:
        """See `Questions.statistics`: what was given, or else what the events add up to."""
        self.asked_statistics.append((window_s, tuple(by)))
        if isinstance(self.trends, NaqError):
            raise self.trends
        return self.trends or await self._statistics.trends(window_s, by)

    async def events_before(self, sequence: int, limit: int, needle: str = "") -> EarlierEvents:
        """Of what it was given: see `earlier`."""
        self.asked_before.append(sequence)
        matches = as_filter(needle).matches
        found = [one for one in self.earlier if one.sequence < sequence and matches(one.event)]
        told = found[-limit:]
        return EarlierEvents(told, told[0].sequence if told else 1, len(told) < len(found))

    async def backlogs(self, queues: Sequence[str]) -> dict[str, QueueBacklog]:
        """Those of these queues that it was given."""
        self.asked_backlogs.append(queues)
        return {name: self.backlog[name] for name in queues if name in self.backlog}

    async def worker(self, worker_id: str) -> WorkerDetail:
        """By the last snapshot, and by the events that were remembered."""
        known = {one.worker_id: one for one in self.former} | self._leases
        if worker_id not in known:
            raise NotFound(f"no worker {worker_id} has been recorded")
        status = known[worker_id]
        jobs = held_jobs(status.record, self._events) if status.is_active or status.held_job_ids else ()
        return WorkerDetail(status=status, jobs=jobs, beats=tuple(self._beats.get(worker_id, ())))

    async def former_workers(self) -> tuple[WorkerStatus, ...]:
        """Those that it was given."""
        return self.former

    async def server(self) -> ServerDetail:
        """See `Questions.server`."""
        if isinstance(self.server_detail, NaqError):
            raise self.server_detail
        return self.server_detail

    async def consumers(self, stream: str) -> Sequence[Consumer]:
        """See `Questions.consumers`."""
        found = self.consumers_of.get(stream, ())
        if isinstance(found, NaqError):
            raise found
        return found


def _of_jobs(events: Iterable[StoredEvent]) -> Iterator[JobEvent]:
    return (stored.event for stored in events if isinstance(stored.event, JobEvent))


def _member(events: Iterable[StoredEvent]) -> Member:
    names = (stored.event.function_name for stored in events if isinstance(stored.event, JobEvent))
    return Member(status_after(events), next(filter(None, names), ""))
