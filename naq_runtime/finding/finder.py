"""The search for jobs: all places in which something of a job is kept, gone back through together, the newest first."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from naq_runtime.clock import nanoseconds_of
from naq_runtime.events.types import JobEventType
from naq_runtime.finding.describing import Describer
from naq_runtime.finding.found import DEAD, FoundJob, JobPage
from naq_runtime.finding.query import STATES, JobQuery
from naq_runtime.finding.walking import AT_ONCE, GivenJobs, Sighting, StreamWalk, Walk, newest_first
from naq_runtime.job import JobStatus
from naq_runtime.jobs.rules import JobRules
from naq_runtime.nats.direct import first_at
from naq_runtime.nats.state import held_jobs

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["JobFinder"]

_PAGE = 500
"""Jobs of a page; it may have a few more."""
_LOOKED_AT = 10_000
"""Jobs that are looked at for one page: what is rare is found by several, and how far they have come can be told."""
_AT_A_TIME = 500
_MOST_SUBJECTS = 16
_PLACES: dict[str, str] = {
    JobStatus.QUEUED: "job",
    JobStatus.SCHEDULED: "later",
    JobStatus.WAITING: "waiting",
}
"""Where jobs of a state lie in the stream of jobs, by the name of the method that names it."""
_SIGNS: dict[str, tuple[JobEventType, ...]] = {
    JobStatus.COMPLETED: (JobEventType.COMPLETED,),
    JobStatus.FAILED: (JobEventType.FAILED, JobEventType.TIMED_OUT),
    JobStatus.CANCELLED: (JobEventType.CANCELLED,),
}
"""The events that bring a job into a state, where the log has to tell."""


class JobFinder:
    """Searches in what stands, in dead letters, in the log and, where that does not go back so far, in the outcomes.

    Each job is found once, by the latest thing that was stored of it, and described as it stands when it is found. What
    a query demands of state, queue and id decides which streams are read, and under which subjects.
    """

    def __init__(self, services: ServiceManager, rules: JobRules) -> None:
        self._connection = services.connection
        self._names = services.names
        self._describer = Describer(services, rules)

    async def pages(self, query: JobQuery, *, size: int = _PAGE) -> AsyncGenerator[JobPage, None]:
        """The jobs that are wanted, page by page; the last one may be empty. The next one is looked for when asked for.

        Raises:
            ServerError: they cannot be read now.
        """
        seen: set[str] = set()
        jobs: list[FoundJob] = []
        looked = 0
        async for part in self._parts(query):
            fresh = {one.job_id: None for one in part if one.job_id not in seen}
            seen.update(fresh)
            described = await self._describer.describe([job_id for job_id in fresh if query.may_be(job_id)])
            jobs += filter(query.matches, described.values())
            looked += len(fresh)
            is_named = bool(jobs) and part[0].at_ns == AT_ONCE
            if len(jobs) >= size or looked >= _LOOKED_AT or is_named:
                back_to_ns = part[-1].at_ns if part else 0
                yield JobPage(jobs=tuple(jobs), looked=looked, back_to_ns=back_to_ns, more=True)
                jobs, looked = [], 0
        yield JobPage(jobs=tuple(jobs), looked=looked)

    async def _parts(self, query: JobQuery) -> AsyncGenerator[list[Sighting], None]:
        """What is to be described at a time."""
        async for found in newest_first(await self._walks(query)):
            for start in range(0, len(found), _AT_A_TIME):
                yield found[start : start + _AT_A_TIME]

    async def _walks(self, query: JobQuery) -> list[Walk]:
        """Where to look; jobs that are named come first."""
        if query.ids is not None:
            return [GivenJobs(query.ids)]
        states = query.demanded("state")
        wanted = frozenset(STATES) if states is None else states
        queues = sorted(query.demanded("queue") or ("*",))
        walks: list[Walk] = [GivenJobs(query.words)] if query.words else []
        if states is not None and JobStatus.RUNNING in wanted:
            walks.append(GivenJobs(await held_jobs(self._connection, self._names)))
        if wanted & _PLACES.keys():
            walks += self._walk(self._names.jobs_stream, self._standing(wanted, queues), query.since_ns)
        if wanted & _SIGNS.keys():
            told = self._told(None if states is None else wanted, queues)
            walks += self._walk(self._names.events_stream, told, query.since_ns)
        if wanted & {JobStatus.FAILED, DEAD}:
            letters = [self._names.dead(queue, "*") for queue in queues]
            walks += self._walk(self._names.dead_stream, letters, query.since_ns)
        if wanted & {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}:
            walks += await self._outcomes(query.since_ns)
        return walks

    def _standing(self, wanted: frozenset[str], queues: Sequence[str]) -> list[str]:
        """The subjects of jobs that have not ended; most of them are queued, so that it is no use to part these."""
        if queues == ["*"] and JobStatus.QUEUED in wanted:
            return [""]
        places = [getattr(self._names, place) for state, place in _PLACES.items() if state in wanted]
        return [place(queue, "*") for place, queue in product(places, queues)]

    def _told(self, wanted: frozenset[str] | None, queues: Sequence[str]) -> list[str]:
        """The subjects of events that tell of the jobs; of states that the streams of jobs tell, they need not."""
        told = [kind for state, kinds in _SIGNS.items() if wanted and state in wanted for kind in kinds]
        kinds = ["*"] if wanted is None else told
        if len(kinds) * len(queues) > _MOST_SUBJECTS:
            queues = ["*"]
        if kinds == queues == ["*"]:
            return [""]
        return [self._names.job_event("*", queue, kind, "*") for queue, kind in product(queues, kinds)]

    async def _outcomes(self, since_ns: int) -> list[StreamWalk]:
        """Those that are older than the log: of the others, it tells."""
        first = await first_at(self._connection, self._names.events_stream, 0)
        before_ns = nanoseconds_of(first.stored_at) if first is not None else 0
        return self._walk(self._names.results_stream, [""], since_ns, before_ns)

    def _walk(self, stream: str, subjects: Sequence[str], since_ns: int, before_ns: int = 0) -> list[StreamWalk]:
        return [
            StreamWalk(self._connection, stream, subject, _job_of, since_ns=since_ns, before_ns=before_ns)
            for subject in subjects
        ]


def _job_of(subject: str) -> str:
    """The job that a message is of; empty for none."""
    match subject.split("."):
        case [_, "events", "job", job_id, *_] | [_, "jobs" | "later" | "waiting" | "dead", _, job_id]:
            return job_id
        case [_, "results", job_id]:
            return job_id
    return ""
