"""What the leader does besides its schedules: rolling up events, and finding what processes that died left behind.

Each of the latter is a service of its own, and does no harm when it is done twice. What jobs need of it workers do,
too, less often: so it is done where no scheduler runs, and where the leader is not well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from naq_runtime.errors import SerializationError, ServerError
from naq_runtime.jobs.dependencies import Dependencies
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.statistics import writer_of

__all__ = ["Chore", "Chores", "Rollups", "chores_of"]

log = logging.getLogger(__name__)

_STATISTICS = "statistics"
"""The name of this part of a process, in events."""


class Chore(NamedTuple):
    """Something to be done now and then; doing it says how many there were to see to."""

    name: str
    do: Callable[[], Awaitable[int]]


def chores_of(overdue: Overdue, dependencies: Dependencies) -> tuple[Chore, Chore, Chore]:
    """Moving jobs whose time has come, and which the server has not moved; letting go those whose dependencies have
    ended, and whose release somebody did not live to see; removing what was noted of jobs that are gone.
    """
    return (
        Chore("due retries", overdue.sweep),
        Chore("dependency release", dependencies.sweep),
        Chore("expired records", dependencies.remove_orphans),
    )


class Rollups:
    """Rolling up what has happened, for statistics; says so once when it cannot be done.

    Args:
        may_act: whether it is on us.
    """

    def __init__(self, services: ServiceManager, events: EventService, may_act: Callable[[], bool]) -> None:
        self._connection = services.connection
        self._events = events
        self._writer = writer_of(services, may_act, mended=self._mended)
        self._said = ""

    async def do(self) -> int:
        """Roll up what there is; it is no news when anything was."""
        try:
            await self._writer.catch_up()
        except ServerError as error:
            if self._said != str(error) and self._connection.is_connected:
                self._said = str(error)
                log.warning("events cannot be rolled up: %s", error, extra={"action": "rollups_waiting"})
                self._events.in_trouble(_STATISTICS, error)
            raise
        self._said = ""
        self._events.recovered(_STATISTICS)
        return 0

    def _mended(self, error: SerializationError) -> None:
        """A head was damaged, by whomever, and is whole again."""
        log.warning("%s; it is made anew from the roll-ups", error, extra={"action": "rollups_mended"})
        self._events.in_trouble(_STATISTICS, error)


class Chores:
    """Does all of them, one after the other, at intervals.

    Args:
        may_act: whether it is on us.
    """

    def __init__(self, chores: Sequence[Chore], *, interval_s: float, may_act: Callable[[], bool]) -> None:
        self._chores = chores
        self.interval_s = interval_s
        self._may_act = may_act

    async def run(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Go on until cancelled."""
        while True:
            await sleep(self.interval_s)
            await self.do_all()

    async def do_all(self) -> None:
        """Do each once; one that fails keeps no other from being done."""
        for chore in self._chores:
            if not self._may_act():
                return
            try:
                done = await chore.do()
            except ServerError as error:
                log.debug("%s: %s", chore.name, error, extra={"action": "chore_failed"})
                continue
            except Exception:  # supervision: schedules are to go on, whatever it stumbled over
                log.exception("chore failed: %s", chore.name, extra={"action": "chore_failed"})
                continue
            if done:
                log.info("%s: %d", chore.name, done, extra={"action": "chore_done"})
