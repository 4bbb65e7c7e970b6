"""What a playback can be asked: everything as it was at the moment that is on show."""

from __future__ import annotations

from naq_runtime.errors import NotFound
from naq_runtime.snapshot import JobDetail, ScheduleDetail, ScheduleMark, ScheduleNews
from naq_tui.past import Place, Recording

__all__ = ["PlaybackQuestions"]

_NO_SCHEDULES = "how schedules stood then is in no log: their events are in the overview"


class PlaybackQuestions:
    """Asks the recording; see `Questions`."""

    def __init__(self, recording: Recording, place: Place) -> None:
        self._recording = recording
        self._place = place

    def move(self, place: Place) -> None:
        """Answer as of another place from now on."""
        self._place = place

    async def job(self, job_id: str) -> JobDetail:
        """See `Questions.job`."""
        if not job_id:
            raise NotFound("this event is of no job")
        return await self._recording.job(job_id, self._place)

    async def schedules(self, since: ScheduleMark | None = None) -> ScheduleNews:
        """See `Questions.schedules`: they are not known."""
        raise NotFound(_NO_SCHEDULES)

    async def schedule(self, schedule_id: str) -> ScheduleDetail:
        """See `Questions.schedule`: it is not known."""
        raise NotFound(_NO_SCHEDULES)
