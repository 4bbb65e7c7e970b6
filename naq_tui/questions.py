"""What a source can be asked: answers that no batch brings, since few look at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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

    async def events_before(self, sequence: int, limit: int, needle: str = "") -> EarlierEvents:
        """The last events before a place in the log that a filter lets through, at most ``limit`` of them.

        Raises:
            FilterError: the text is no filter.
        """
        ...

    async def backlogs(self, queues: Sequence[str]) -> dict[str, QueueBacklog]:
        """What waits in these queues for something else than a worker, by name; without those that are not known."""
        ...

    async def worker(self, worker_id: str) -> WorkerDetail:
        """All that is known of a worker.

        Raises:
            NotFound: nothing is known of it.
        """
        ...

    async def former_workers(self) -> tuple[WorkerStatus, ...]:
        """The workers that have stopped or were lost within a day, by id."""
        ...
