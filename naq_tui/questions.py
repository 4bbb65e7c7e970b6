"""What a source can be asked: answers that no batch brings, since few look at them."""

from __future__ import annotations

from typing import Protocol

from naq_runtime.snapshot import JobDetail, ScheduleDetail, ScheduleMark, ScheduleNews

__all__ = ["Questions"]


class Questions(Protocol):
    """Everything that can be asked of a source; every question can raise a `ServerError`."""

    async def job(self, job_id: str) -> JobDetail:
        """All that is known of a job.

        Raises:
            NotFound: nothing is known of it.
        """
        ...

    async def schedules(self, since: ScheduleMark | None = None) -> ScheduleNews:
        """The schedules that have changed since a mark, or all; and who leads the schedulers.

        Nothing is read of them but for this: who shows them asks again.
        """
        ...

    async def schedule(self, schedule_id: str) -> ScheduleDetail:
        """All that is known of a schedule.

        Raises:
            NotFound: there is none of this id.
            SerializationError: its record cannot be read.
        """
        ...
