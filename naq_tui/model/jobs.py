"""The jobs that were found, kept up to date by what happens to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from naq_runtime.events.models import JobEvent, StoredEvent
from naq_runtime.events.types import JobEventType
from naq_runtime.finding.found import MOVES, FoundJob, JobPage, after
from naq_runtime.finding.query import JobQuery

__all__ = ["MOST_JOBS", "JobList"]

MOST_JOBS = 100_000
"""Jobs that are held; more are not looked for."""
_MOST_NEW = 10_000
"""New jobs are counted up to here."""
_MOST_UNHEARD = 20_000
_ARRIVALS = (JobEventType.ENQUEUED, JobEventType.SCHEDULED, JobEventType.WAITING_FOR_DEPENDENCIES)


class JobList:
    """What one search has found so far.

    A job that was found stays, even when it is not any more what was looked for: one sees what becomes of it.
    """

    def __init__(self, query: JobQuery, name: str = "") -> None:
        self.query = query
        self.name = name
        """What the jobs have in common, when that is no filter."""
        self.jobs: dict[str, FoundJob] = {}
        self.looked = 0
        """Jobs that were looked at."""
        self.back_to_ns = 0
        """Up to when all were looked at."""
        self.is_over = False
        """Whether no more are looked for."""
        self.has_all = False
        """Whether there are no more."""
        self.trouble = ""
        """Why it could not go on."""
        self.version = 0
        """Grows whenever there is something new to show."""
        self._changed: dict[str, FoundJob] = {}
        self._new: set[str] = set()
        self._unheard: deque[JobEvent] = deque(maxlen=_MOST_UNHEARD)
        """Events of other jobs since the last page: the next one may bring these jobs as they were before."""

    def __repr__(self) -> str:
        return f"<JobList {self.query!r} {len(self.jobs)} of {self.looked}{'' if self.is_over else ' so far'}>"

    @property
    def new(self) -> int:
        """Jobs that have come since and seem to be what is looked for."""
        return len(self._new)

    @property
    def has_named(self) -> bool:
        """Whether a job was found whose id was asked for: there is no need to look for more at once."""
        return any(word in self.jobs for word in self.query.words)

    def take(self, page: JobPage) -> None:
        """Take in what was found; what has happened meanwhile is known already."""
        self.looked += page.looked
        self.back_to_ns = page.back_to_ns or self.back_to_ns
        self.version += 1
        self.has_all = not page.more
        self.is_over = self.has_all or len(self.jobs) + len(page.jobs) >= MOST_JOBS
        for job in page.jobs:
            known = self.jobs.get(job.job_id)
            if known is None or known.moment_ns <= job.moment_ns:
                self._put(job)
        unheard, self._unheard = self._unheard, deque(maxlen=_MOST_UNHEARD)
        for event in unheard:
            if event.job_id in self.jobs:
                self._move(event)

    def fail(self, trouble: str) -> None:
        """It could not go on."""
        self.version += 1
        self.trouble = trouble

    def hear(self, events: Iterable[StoredEvent]) -> None:
        """Let the jobs move on with their events."""
        for stored in events:
            event = stored.event
            if type(event) is not JobEvent:
                continue
            if event.job_id in self.jobs:
                self._move(event)
            else:
                self._unheard.append(event)
                self._count(event)

    def drain(self) -> list[FoundJob]:
        """The jobs that have changed since the last time."""
        changed, self._changed = self._changed, {}
        return list(changed.values())

    def _move(self, event: JobEvent) -> None:
        """What is older than what is known of the job is known, too."""
        job = self.jobs[event.job_id]
        if event.moment_ns >= job.moment_ns and (now := after(event, job)) is not job:
            self._put(now)

    def _put(self, job: FoundJob) -> None:
        self.version += 1
        self.jobs[job.job_id] = self._changed[job.job_id] = job
        self._new.discard(job.job_id)

    def _count(self, event: JobEvent) -> None:
        """Of a job that was not found: it may be new, or have come to be what is looked for, or be so no more."""
        if self.query.ids is not None or event.event_type not in (_ARRIVALS if self.query.is_empty else MOVES):
            return
        before = len(self._new)
        if not self.query.matches(after(event)):
            self._new.discard(event.job_id)
        elif before < _MOST_NEW:
            self._new.add(event.job_id)
        self.version += len(self._new) != before
