"""What a playback can be asked: everything as it was at the moment that is on show."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING

from naq_runtime.errors import NotFound
from naq_runtime.events.answers import EarlierEvents
from naq_runtime.events.models import StoredEvent
from naq_runtime.snapshot import (
    JobDetail,
    QueueBacklog,
    ScheduleDetail,
    ScheduleMark,
    ScheduleNews,
    Snapshot,
    WorkerDetail,
)
from naq_runtime.surroundings import Family, Neighbours, QueueStory
from naq_runtime.worker.roll import WorkerStatus
from naq_tui.past import Place, Recording, happened_by, place_of
from naq_tui.sources.recorded_questions import RecordedQuestions
from naq_tui.sources.recorded_schedules import RecordedSchedules, told_of_schedules

if TYPE_CHECKING:
    from naq_runtime.finding.found import JobPage
    from naq_runtime.finding.query import JobQuery
    from naq_runtime.jetstream import Consumer, ServerDetail
    from naq_runtime.statistics.trends import EventTrends
    from naq_tui.questions import Progress

__all__ = ["PlaybackQuestions"]

_NO_SERVER = "how the server stood then is in no log"
_KEPT = 50_000
"""Events from which questions about more than one job are answered."""


class PlaybackQuestions:
    """Asks the recording about a job, and what was told of it about all else; see `Questions`."""

    def __init__(self, recording: Recording, place: Place) -> None:
        self._recording = recording
        self._place = place
        self._told: deque[StoredEvent] = deque()
        self._memory: RecordedQuestions | None = None
        """Made of what was told, when somebody asks."""
        self._snapshot: Snapshot | None = None
        self._schedules: RecordedSchedules | None = None
        """Made of what the recording tells, when somebody asks."""

    def move(self, place: Place, events: Iterable[StoredEvent] = (), earlier: Sequence[StoredEvent] = ()) -> None:
        """Answer as of another place from now on, up to which these were told, and those before all others."""
        self._place = place
        if earlier:
            self._told.extendleft(reversed(earlier))
            self._memory = None
        events = tuple(events)
        self._told.extend(events)
        if self._schedules is not None:
            for stored in told_of_schedules(events):
                self._schedules.hear(stored)
        if self._memory is not None:
            self._memory.remember(events)
        while len(self._told) > _KEPT:
            self._told.popleft()

    def see(self, snapshot: Snapshot | None) -> None:
        """Take in who worked then; what was known stays when there is nothing new."""
        self._snapshot = snapshot or self._snapshot

    async def job(self, job_id: str) -> JobDetail:
        """See `Questions.job`."""
        if not job_id:
            raise NotFound("this event is of no job")
        return await self._recording.job(job_id, self._place)

    def find_jobs(self, query: JobQuery) -> AsyncGenerator[JobPage, None]:
        """See `Questions.find_jobs`: those of which something was told."""
        return self._known().find_jobs(query)

    async def failures(self, since_ns: int) -> Sequence[StoredEvent]:
        """See `Questions.failures`."""
        return await self._recording.failures(since_ns, self._place)

    async def family(self, detail: JobDetail) -> Family:
        """See `Questions.family`."""
        return await self._known().family(detail)

    async def queue_story(self, queue: str, since_ns: int, until_ns: int | None = None) -> QueueStory:
        """See `Questions.queue_story`."""
        return await self._known().queue_story(queue, since_ns, until_ns)

    async def neighbours(self, function: str, queue: str, *, but: str, before_ns: int) -> Neighbours:
        """See `Questions.neighbours`."""
        return await self._known().neighbours(function, queue, but=but, before_ns=before_ns)

    async def statistics(
        self, window_s: float, by: Sequence[str] = (), *, progress: Progress | None = None
    ) -> EventTrends:
        """See `Questions.statistics`."""
        return await self._known().statistics(window_s, by, progress=progress)

    async def schedules(self, since: ScheduleMark | None = None) -> ScheduleNews:
        """See `Questions.schedules`: as far as events tell."""
        return (await self._timetable()).news(since)

    async def schedule(self, schedule_id: str) -> ScheduleDetail:
        """See `Questions.schedule`: as far as events tell."""
        return (await self._timetable()).detail(schedule_id)

    async def server(self) -> ServerDetail:
        """See `Questions.server`: it is not known."""
        raise NotFound(_NO_SERVER)

    async def consumers(self, stream: str) -> Sequence[Consumer]:
        """See `Questions.consumers`: they are not known."""
        raise NotFound(_NO_SERVER)

    async def events_before(self, sequence: int, limit: int, needle: str = "") -> EarlierEvents:
        """See `Questions.events_before`: what was told is all there is."""
        return await self._known().events_before(sequence, limit, needle)

    async def backlogs(self, queues: Sequence[str]) -> dict[str, QueueBacklog]:
        """See `Questions.backlogs`: what waited then is in no log."""
        return {}

    async def worker(self, worker_id: str) -> WorkerDetail:
        """See `Questions.worker`: by what was told, and by who worked then."""
        known = self._known()
        known.see(self._snapshot)
        return await known.worker(worker_id)

    async def former_workers(self) -> tuple[WorkerStatus, ...]:
        """See `Questions.former_workers`: nobody has kept them."""
        return ()

    async def _timetable(self) -> RecordedSchedules:
        if self._schedules is None:
            story = await self._recording.schedules(self._place.moment_ns)
            moment = self._place  # it may have gone on meanwhile
            events = {stored.sequence: stored for stored in told_of_schedules([*story.events, *self._told])}
            happened = sorted((one for one in events.values() if happened_by(moment, one)), key=place_of)
            self._schedules = RecordedSchedules(
                happened, ticks_since_ns=story.ticks_since_ns, moment_ns=moment.moment_ns
            )
        return self._schedules

    def _known(self) -> RecordedQuestions:
        if self._memory is None:
            self._memory = RecordedQuestions()
            self._memory.remember(self._told)
        return self._memory
