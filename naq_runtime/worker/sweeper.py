"""Finding, now and then, what processes that died have left behind."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from naq_runtime.errors import ServerError
from naq_runtime.jobs.dependencies import Dependencies
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.worker.amends import Amends
from naq_runtime.worker.dependants import Dependants

__all__ = ["Sweeper"]

log = logging.getLogger(__name__)


class Sweeper:
    """Lets go jobs that were left waiting, forgets what was noted of those that are gone, and tells of lost workers.

    Every worker does it, each at moments of its own, whether a scheduler does so, too, or not; it does no harm twice.
    """

    def __init__(
        self,
        dependencies: Dependencies,
        dependants: Dependants,
        overdue: Overdue,
        amends: Amends,
        *,
        interval_s: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._dependencies = dependencies
        self._dependants = dependants
        self._overdue = overdue
        self._amends = amends
        self.interval_s = interval_s
        self._chance = chance

    async def run(self) -> None:
        """Sweep until cancelled."""
        if self._amends.owed:
            await self._try()
        while True:
            await asyncio.sleep(self.interval_s * (0.5 + self._chance()))
            await self._try()

    async def _try(self) -> None:
        try:
            await self.sweep()
        except ServerError as error:
            log.debug("not swept: %s", error, extra={"action": "sweep_failed"})
        except Exception:  # supervision: jobs are to go on, whatever it stumbled over
            log.exception("the sweep failed", extra={"action": "sweep_failed"})

    async def sweep(self) -> None:
        """Sweep once.

        Raises:
            ServerError: the server cannot be asked now.
        """
        await self._dependants.refresh()
        released = await self._dependencies.sweep()
        overdue = await self._overdue.sweep()
        await self._dependencies.remove_orphans()
        await self._amends.sweep()
        if released or overdue:
            log.info(
                "swept: %d jobs released, %d overdue ones moved",
                released,
                overdue,
                extra={"action": "swept"},
            )
