"""A queue with a rate, inside a worker: its jobs start as they find places in the rate, and take no slot before."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable

from naq_runtime.errors import ServerError
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.nats.rates import Places
from naq_runtime.worker.custody import Holding
from naq_runtime.worker.overflow import OVERFLOW_WAIT_S

__all__ = ["Throttle"]

log = logging.getLogger(__name__)

_JITTER_S = 0.005
"""Workers that wait for the same place do not all ask for it at the same moment."""
_TROUBLE_S = 0.5


class Throttle:
    """Holds the jobs of one queue until the rate lets them start: one while there is no place, the others go back.

    Args:
        places: the rate.
        reserve: takes a free slot, if there is one, or one more than there are.
        release: gives a slot back that was reserved, and is not needed.
        start: begins a job, in a slot that was reserved.
        hand_back: lets another worker have a job.
        wanted: is told when the queue may be asked for more.
    """

    def __init__(
        self,
        places: Places,
        *,
        reserve: Callable[[bool], bool],
        release: Callable[[], None],
        start: Callable[[Holding], None],
        hand_back: Callable[[Holding], None],
        wanted: Callable[[], None],
    ) -> None:
        self._places = places
        self._reserve = reserve
        self._release = release
        self._start = start
        self._hand_back = hand_back
        self._wanted = wanted
        self._waiting: deque[Holding] = deque()
        self._changed = asyncio.Event()
        self._has_slot = False
        self._ready_since: float | None = None
        """There has been a place for the first one since then, but no slot."""
        self._looked = self._closed = False
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return f"<Throttle waiting={len(self._waiting)} {self._places!r}>"

    @property
    def room(self) -> int:
        """How many jobs could be used now, beside those that wait here."""
        if not self._looked:
            return 1 - len(self._waiting)
        free = self._places.free
        return max(1, free) - len(self._waiting)

    @property
    def wants_slot(self) -> bool:
        """Whether the next free slot should be given to this queue."""
        return self._ready_since is not None and not self._has_slot

    def put(self, holding: Holding) -> None:
        """A job has come."""
        self._waiting.append(holding)
        self._changed.set()

    def give_slot(self) -> None:
        """A slot is free, and reserved for this queue."""
        self._has_slot = True
        self._changed.set()

    def reconsider(self) -> None:
        """Look again at what waits here: somebody may want it to end."""
        self._changed.set()

    def let_go(self) -> None:
        """Hand back what waits here."""
        while self._waiting:
            self._hand_back(self._waiting.pop())
        self._changed.set()

    def close(self) -> None:
        """Start nothing more."""
        self._closed = True
        self._changed.set()

    def take_back(self) -> list[Holding]:
        """What waits here is somebody else's from now on."""
        left = list(self._waiting)
        self._waiting.clear()
        return left

    async def run(self) -> None:
        """Start jobs as places come free, until `close`, or until cancelled."""
        try:
            await self._look()
            while not self._closed:
                self._changed.clear()
                seconds = await self._step()
                if seconds != 0:
                    await self._wait(seconds)
        finally:
            self._yield_slot()

    async def _look(self) -> None:
        while not self._looked and not self._closed:
            try:
                await self._places.look()
                self._looked = True
            except ServerError as error:
                self._tell(error)
                await asyncio.sleep(_TROUBLE_S)
        self._wanted()

    async def _wait(self, seconds: float | None) -> None:
        """Until something has changed, or for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _step(self) -> float | None:
        """Do what can be done now; returns how long to wait then, ``None`` for until something changes."""
        if not self._waiting:
            self._yield_slot()
            return None
        exempt = _needs_no_place(self._waiting[0])
        wait_s = 0.0 if exempt else self._places.wait_s
        if wait_s > 0:
            self._yield_slot()
            while len(self._waiting) > 1:
                self._hand_back(self._waiting.pop())
            return wait_s + random.uniform(0, _JITTER_S)
        if not self._has_slot and not self._reserve(exempt):
            return self._without_slot()
        self._ready_since, self._has_slot = None, True
        return await self._begin(exempt)

    def _without_slot(self) -> float:
        now = self._loop.time()
        if self._ready_since is None:
            self._ready_since = now
        left_s = self._ready_since + OVERFLOW_WAIT_S - now
        if left_s <= 0:
            self._ready_since = None
            self.let_go()
            self._wanted()
        return max(0.0, left_s)

    async def _begin(self, exempt: bool) -> float:
        """Take a place for the first one, and start it in the slot that is reserved."""
        holding, taken = self._waiting.popleft(), exempt
        try:
            taken = taken or await self._places.take()
        except ServerError as error:
            self._tell(error)
            return _TROUBLE_S
        finally:
            if not taken:
                self._waiting.appendleft(holding)
                self._yield_slot()
        if not taken:
            return random.uniform(0, _JITTER_S)
        self._has_slot = False
        self._start(holding)
        self._wanted()
        return 0.0

    def _yield_slot(self) -> None:
        self._ready_since = None
        if self._has_slot:
            self._has_slot = False
            self._release()

    def _tell(self, error: ServerError) -> None:
        log.warning("no place could be taken: %s: %s", self._places, error, extra={"action": "rate_failed"})


def _needs_no_place(holding: Holding) -> bool:
    """A job that was cancelled only ends; that does not count."""
    headers = holding.delivery.headers
    return holding.cancel_reason is not None or (headers is not None and TOMBSTONE in headers)
