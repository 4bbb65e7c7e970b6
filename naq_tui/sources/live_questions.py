"""What a server can be asked, while there is a connection to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from naq_runtime.errors import NotFound, ServerError
from naq_runtime.events.answers import EarlierEvents
from naq_runtime.events.models import StoredEvent
from naq_runtime.snapshot import JobDetail, QueueBacklog, ScheduleDetail, ScheduleMark, ScheduleNews, WorkerDetail
from naq_runtime.surroundings import Family, Neighbours, QueueStory
from naq_runtime.worker.roll import WorkerStatus

if TYPE_CHECKING:
    from naq_runtime.finding.found import JobPage
    from naq_runtime.finding.query import JobQuery
    from naq_runtime.jetstream import Consumer, ServerDetail
    from naq_runtime.monitor import Monitor
    from naq_runtime.statistics.trends import EventTrends
    from naq_tui.questions import Progress

__all__ = ["LiveQuestions"]


class LiveQuestions:
    """Asks the monitor of the connection that stands now; see `Questions`."""

    def __init__(self) -> None:
        self._monitor: Monitor | None = None
        self._schedules_anew = False
        """Whether what was read of schedules is of before an outage: a killed server forgets its last records."""

    def connect(self, monitor: Monitor) -> None:
        """Ask this one from now on."""
        self._monitor = monitor

    def disconnect(self) -> None:
        """There is nobody to ask."""
        self._monitor, self._schedules_anew = None, True

    async def distrust(self) -> None:
        """What was read before may have been forgotten by the server."""
        self._schedules_anew = True
        if self._monitor is not None:
            self._monitor.read_statistics_anew()

    async def job(self, job_id: str) -> JobDetail:
        """See `Questions.job`."""
        if not job_id:
            raise NotFound("this event is of no job")
        return await self.connected().job(job_id)

    async def find_jobs(self, query: JobQuery) -> AsyncGenerator[JobPage, None]:
        """See `Questions.find_jobs`."""
        async with aclosing(self.connected().find_jobs(query)) as pages:
            async for page in pages:
                yield page

    async def failures(self, since_ns: int) -> Sequence[StoredEvent]:
        """See `Questions.failures`."""
        return await self.connected().failures(since_ns)

    async def family(self, detail: JobDetail) -> Family:
        """See `Questions.family`."""
        return await self.connected().surroundings.family(detail)

    async def queue_story(self, queue: str, since_ns: int, until_ns: int | None = None) -> QueueStory:
        """See `Questions.queue_story`."""
        return await self.connected().surroundings.queue_story(queue, since_ns, until_ns)

    async def neighbours(self, function: str, queue: str, *, but: str, before_ns: int) -> Neighbours:
        """See `Questions.neighbours`."""
        return await self.connected().surroundings.neighbours(function, queue, but=but, before_ns=before_ns)

    async def schedules(self, since: ScheduleMark | None = None) -> ScheduleNews:
        """See `Questions.schedules`; after an outage all of them."""
        monitor = self.connected()
        anew, self._schedules_anew = self._schedules_anew, False
        try:
            return await monitor.schedules(None if anew else since)
        except ServerError:
            self._schedules_anew |= anew
            raise

    async def schedule(self, schedule_id: str) -> ScheduleDetail:
        """See `Questions.schedule`."""
        return await self.connected().schedule(schedule_id)

    async def events_before(self, sequence: int, limit: int, needle: str = "") -> EarlierEvents:
        """See `Questions.events_before`."""
        return await self.connected().events.before(sequence, limit, needle)

    async def backlogs(self, queues: Sequence[str]) -> dict[str, QueueBacklog]:
        """See `Questions.backlogs`."""
        return await self.connected().backlogs(queues)

    async def worker(self, worker_id: str) -> WorkerDetail:
        """See `Questions.worker`."""
        return await self.connected().worker_detail(worker_id)

    async def former_workers(self) -> tuple[WorkerStatus, ...]:
        """See `Questions.former_workers`."""
        known = await self.connected().worker_status(include_inactive=True)
        return tuple(one for one in known if not one.is_active)

    async def statistics(
        self, window_s: float, by: Sequence[str] = (), *, progress: Progress | None = None
    ) -> EventTrends:
        """See `Questions.statistics`."""
        return await self.connected().trends(window_s, by, progress=progress)

    async def server(self) -> ServerDetail:
        """See `Questions.server`."""
        return await self.connected().server()

    async def consumers(self, stream: str) -> Sequence[Consumer]:
        """See `Questions.consumers`."""
        return await self.connected().consumers(stream)

    def connected(self) -> Monitor:
        """The monitor of the connection that stands now.

        Raises:
            ServerError: there is none.
        """
        if self._monitor is None:
            raise ServerError("there is no connection to the server now")
        return self._monitor
