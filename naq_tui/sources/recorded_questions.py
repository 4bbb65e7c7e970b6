"""What a recording can be asked: of what it was given, or else of what its events tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING

from naq_runtime.errors import NaqError, NotFound
from naq_runtime.events.models import JobEvent, ScheduleEvent, StoredEvent
from naq_runtime.snapshot import JobDetail, LeaderState, ScheduleDetail, ScheduleMark, ScheduleNews
from naq_tui.sources.job_detail import status_by

if TYPE_CHECKING:
    from naq_runtime.schedule import Schedule

__all__ = ["RecordedQuestions"]

_JOBS = 20_000
"""The jobs whose events are kept; the first of them go first."""
_EVENTS_OF_A_JOB = 1_000
_EVENTS = 20
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
        """Raised when somebody asks for schedules."""
        self.schedules_at_once = 10_000
        """So many are told in one answer."""
        self.asked_schedules: list[ScheduleMark | None] = []
        """Every mark since which schedules were asked for."""
        self._schedules: dict[str, tuple[int, Schedule]] = {}
        self._written = 0
        self._events: dict[str, deque[StoredEvent]] = {}
        self._schedule_events: dict[str, deque[StoredEvent]] = {}
        self.put_schedules(*schedules)

    def remember(self, events: Iterable[StoredEvent]) -> None:
        """Take in what can be asked about from now on."""
        for stored in events:
            if isinstance(stored.event, JobEvent):
                self._events.setdefault(stored.event.job_id, deque(maxlen=_EVENTS_OF_A_JOB)).append(stored)
                if len(self._events) > _JOBS:
                    del self._events[next(iter(self._events))]
            elif isinstance(stored.event, ScheduleEvent):
                self._schedule_events.setdefault(stored.event.schedule_id, deque(maxlen=_EVENTS)).append(stored)

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
        return JobDetail(job_id=job_id, status=status_by(events), events=tuple(events))

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
