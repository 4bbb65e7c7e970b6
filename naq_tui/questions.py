"""What a source can be asked: answers that no batch brings, since few look at them."""

from __future__ import annotations

from typing import Protocol

from naq_runtime.snapshot import JobDetail, ScheduleDetail, ScheduleMark, ScheduleNews
from naq_runtime.surroundings import Family, Neighbours, QueueStory

__all__ = ["Questions"]


class Questions(Protocol):
    """Everything that can be asked of a source; every question can raise a `ServerError`."""

    async def job(self, job_id: str) -> JobDetail:
        """All that is known of a job.

        Raises:
            NotFound: nothing is known of it.
        """
        ...

    async def family(self, detail: JobDetail) -> Family:
        """The jobs that one depends on, and those that depend on it."""
        ...

    async def queue_story(self, queue: str, since_ns: int, until_ns: int | None = None) -> QueueStory:
        """What happened to a queue in a time, up to now or to a moment, and how it was held back before."""
        ...

    async def neighbours(self, function: str, queue: str, *, but: str, before_ns: int) -> Neighbours:
        """How a function went lately.

        Args:
            queue: where other runs of it are looked for.
            but: a job whose runs are left out of these.
            before_ns: they ended before this moment.
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
