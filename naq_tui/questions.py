"""What a source can be asked: answers that no batch brings, since few look at them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from naq_runtime.events.answers import EarlierEvents
from naq_runtime.events.models import StoredEvent
from naq_runtime.snapshot import JobDetail, QueueBacklog, ScheduleDetail, ScheduleMark, ScheduleNews, WorkerDetail
from naq_runtime.surroundings import Family, Neighbours, QueueStory
from naq_runtime.worker.roll import WorkerStatus

if TYPE_CHECKING:
    from naq_runtime.finding.found import JobPage
    from naq_runtime.finding.query import JobQuery
    from naq_runtime.jetstream import Consumer, ServerDetail
    from naq_runtime.statistics.trends import EventTrends

__all__ = ["Progress", "Questions"]

Progress = Callable[[int, int], None]
"""Told now and then how much of how much was read."""


class Questions(Protocol):
    """Everything that can be asked of a source; every question can raise a `ServerError`."""

    async def job(self, job_id: str) -> JobDetail:
        """All that is known of a job.

        Raises:
            NotFound: nothing is known of it.
        """
        ...

    def find_jobs(self, query: JobQuery) -> AsyncGenerator[JobPage, None]:
        """The jobs that are wanted, page by page, those to which something happened last first.

        The next page is looked for when it is asked for; each can raise a `ServerError`.
        """
        ...

    async def failures(self, since_ns: int) -> Sequence[StoredEvent]:
        """The last attempts that failed, of jobs, since a moment; at most 20,000 of them, oldest first."""
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

    async def statistics(
        self, window_s: float, by: Sequence[str] = (), *, progress: Progress | None = None
    ) -> EventTrends:
        """What happened lately, counted, and how it went.

        Args:
            window_s: how far back.
            by: which of ``queue``, ``function`` and ``worker`` to tell apart.
            progress: told how many events were read, of how many, where many must be.
        """
        ...

    async def server(self) -> ServerDetail:
        """What the server tells of itself, of the account and of the streams.

        Raises:
            NotFound: there is no server behind this source.
        """
        ...

    async def consumers(self, stream: str) -> Sequence[Consumer]:
        """The consumers of a stream, by name.

        Raises:
            NotFound: there is no server behind this source.
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
