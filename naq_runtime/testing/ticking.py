"""The jobs of schedules, made as a scheduler would have made them that had been running all the time."""

from __future__ import annotations

from naq_runtime.clock import Clock
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.scheduler import SchedulerService

__all__ = ["Ticking"]


class _AsOf:
    """A clock that can be read as of an earlier moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.moment_ns: int | None = None
        self.monotonic_ns = clock.monotonic_ns

    def time_ns(self) -> int:
        """That moment; else the time."""
        return self._clock.time_ns() if self.moment_ns is None else self.moment_ns


class Ticking:
    """Makes the jobs of one tick after the other.

    Args:
        queue: the one whose jobs the drain runs; ``None`` for all.
    """

    def __init__(self, scheduler: SchedulerService, clock: _AsOf, queue: str | None) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._queue = queue
        self._until_ns = clock.time_ns()
        self._coming: list[int] | None = None
        """When each schedule is due next, as of the first time that was asked."""

    @classmethod
    async def create(cls, services: ServiceManager, queue: str | None) -> Ticking:
        """Over the streams of these services."""
        events, jobs = await services.get_service(EventService), await services.get_service(JobService)
        plain, services.clock = services.clock, _AsOf(services.clock)
        try:
            return cls(SchedulerService(services, events, jobs), services.clock, queue)
        finally:
            services.clock = plain

    async def make_next(self) -> bool:
        """Make what was due next; whether there was anything."""
        await self._scheduler.catch_up()
        next_ns = self._scheduler.table.next_ns
        is_due = next_ns is not None and next_ns <= self._until_ns
        self._clock.moment_ns = next_ns if is_due else self._until_ns
        try:
            return bool(await self._scheduler.run_due()) or is_due
        finally:
            self._clock.moment_ns = None

    async def next_ns(self) -> int | None:
        """When the next schedule is due of which no tick was waited for yet: of each, one is, as there is no end."""
        if self._coming is None:
            await self._scheduler.catch_up()
            mine = [one for one in self._scheduler.table if self._queue in (None, one.queue_name)]
            self._coming = sorted((one.fires_at_ns for one in mine if one.fires_at_ns), reverse=True)
        return self._coming[-1] if self._coming else None

    def wait_for(self, moment_ns: int) -> None:
        """What is due by then is made from now on."""
        self._until_ns = max(self._until_ns, moment_ns)
        while self._coming and self._coming[-1] <= moment_ns:
            self._coming.pop()
