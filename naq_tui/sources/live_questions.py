"""What a server can be asked, while there is a connection to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from naq_runtime.errors import NotFound, ServerError
from naq_runtime.events.queries import EarlierEvents
from naq_runtime.snapshot import (
    JobDetail,
    QueueBacklog,
    ScheduleDetail,
    ScheduleMark,
    ScheduleNews,
    WorkerDetail,
)
from naq_runtime.worker.roll import WorkerStatus

if TYPE_CHECKING:
    from naq_runtime.monitor import Monitor

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

    async def job(self, job_id: str) -> JobDetail:
        """See `Questions.job`."""
        if not job_id:
            raise NotFound("this event is of no job")
        return await self._connected().job(job_id)

    async def schedules(self, since: ScheduleMark | None = None) -> ScheduleNews:
        """See `Questions.schedules`; after an outage all of them."""
        monitor = self._connected()
        anew, self._schedules_anew = self._schedules_anew, False
        try:
            return await monitor.schedules(None if anew else since)
        except ServerError:
            self._schedules_anew |= anew
            raise

    async def schedule(self, schedule_id: str) -> ScheduleDetail:
        """See `Questions.schedule`."""
        return await self._connected().schedule(schedule_id)

    async def events_before(self, sequence: int, limit: int, needle: str = "") -> EarlierEvents:
        """See `Questions.events_before`."""
        return await self._connected().events.before(sequence, limit, needle)

    async def backlogs(self, queues: Sequence[str]) -> dict[str, QueueBacklog]:
        """See `Questions.backlogs`."""
        return await self._connected().backlogs(queues)

    async def worker(self, worker_id: str) -> WorkerDetail:
        """See `Questions.worker`."""
        return await self._connected().worker_detail(worker_id)

    async def former_workers(self) -> tuple[WorkerStatus, ...]:
        """See `Questions.former_workers`."""
        known = await self._connected().worker_status(include_inactive=True)
        return tuple(one for one in known if not one.is_active)

    def _connected(self) -> Monitor:
        if self._monitor is None:
            raise ServerError("there is no connection to the server now")
        return self._monitor
