"""How jobs come in: credit for as many as there are free slots, from every queue."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

from naq_runtime.errors import ServerError
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.pull import CreditPull, Delivery
from naq_runtime.nats.topology import Topology
from naq_runtime.worker.custody import Custody, Holding
from naq_runtime.worker.returning import Returning

__all__ = ["Intake"]

log = logging.getLogger(__name__)

_OVERFLOW_WAIT_S = 0.1
"""A job that came when no slot was free waits so long for one; then another worker may have it."""
_MISSING_WAIT_S = 0.5
_SAME_ID_WAIT_S = 1.0
_AHEAD_S = 0.01
"""Jobs that will be begun within this time are asked for before their slots are free."""
_AHEAD_MOST = 256
_SMOOTHING = 0.05


class Pace:
    """How long jobs occupy their slots, lately."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._mean_s = 1.0

    def took(self, seconds: float) -> None:
        """A job has left its slot after so long."""
        self._mean_s += (seconds - self._mean_s) * _SMOOTHING

    @property
    def ahead(self) -> int:
        """How many more jobs than there are free slots will be begun in a moment."""
        return min(_AHEAD_MOST, int(self._slots * _AHEAD_S / max(self._mean_s, 1e-6)))


class Intake:
    """Asks every queue for as many jobs as there are free slots, and starts what comes.

    While jobs are short, it asks for some more ahead; and with several queues, more may come than was hoped for.
    What is over waits a moment, and is handed back when no slot comes free; credit is not asked for anew meanwhile,
    so that this ends by itself.

    Args:
        slots: jobs that may run at a time.
        start: begins a job; `slot_freed` must be called when it is over.
        blocked: whether nothing more should be asked for, however many slots are free.
    """

    def __init__(
        self,
        connection: Connection,
        topology: Topology,
        names: Names,
        queues: Sequence[str],
        custody: Custody,
        returning: Returning,
        *,
        slots: int,
        start: Callable[[Holding], None],
        blocked: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._topology = topology
        self._names = names
        self._queues = queues
        self._custody = custody
        self._returning = returning
        self._start = start
        self._blocked = blocked
        self._pulls: dict[str, CreditPull] = {}
        self._overflow: deque[tuple[float, Holding]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(slots)
        self._wanted = asyncio.Event()
        self._closing = False
        self._background: set[asyncio.Task[None]] = set()
        self.free = slots

    def __repr__(self) -> str:
        return f"<Intake free={self.free} overflow={len(self._overflow)} pulls={list(self._pulls.values())}>"

    async def open(self) -> None:
        """Subscribe to every queue, creating what is missing."""
        for queue in self._queues:
            consumer = await self._topology.queue(queue)
            pull = CreditPull(
                self._connection,
                self._names.jobs_stream,
                consumer,
                deliver=self._arrived_at,
                refunded=self._wanted.set,
            )
            await pull.start()
            self._pulls[queue] = pull
        self._wanted.set()

    async def close(self) -> None:
        """Take nothing more; what was on its way is handed back. May be called twice."""
        self._closing = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        while self._overflow:
            await self._hand_back(self._overflow.popleft()[1])
        for pull in self._pulls.values():
            await pull.close()
        await asyncio.gather(*self._background, return_exceptions=True)

    def slot_freed(self, seconds: float) -> None:
        """A job is over after so long: its slot goes to one that waits, or to the queues."""
        self.free += 1
        self._pace.took(seconds)
        if self._overflow and not self._closing:
            self._begin(self._overflow.popleft()[1])
        self._wanted.set()

    def unblocked(self) -> None:
        """More may be asked for again."""
        self._wanted.set()

    async def run(self) -> None:
        """Grant credit as slots come free, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._closing or not self._connection.is_connected or self._blocked():
                continue
            for queue, pull in self._pulls.items():
                try:
                    if pull.missing:
                        await self._restore(queue, pull)
                    await pull.grant(self._credit() - pull.outstanding)
                except ServerError as error:
                    log.warning("queue %s cannot be asked: %s", queue, error, extra={"action": "pull_failed"})
                    await asyncio.sleep(_MISSING_WAIT_S)
                    self._wanted.set()

    def _credit(self) -> int:
        """How many jobs a queue may send: its share of the slots that are free, and of those that are about to be."""
        slots = self.free + self._pace.ahead - len(self._overflow)
        return -(-slots // len(self._pulls)) if slots > 0 else 0

    # Arrival

    def _arrived_at(self, delivery: Delivery) -> None:
        if self._custody.is_busy_with(delivery):
            # A job of this id still runs here: the new one must wait for its end.
            self._spawn(self._returning.hand_back(delivery, _SAME_ID_WAIT_S))
            return
        holding = self._custody.take(delivery)
        if holding is None:
            return
        if self._closing:
            self._spawn(self._hand_back(holding))
        elif self.free > 0:
            self._begin(holding)
        else:
            self._overflow.append((self._loop.time(), holding))
            if self._sweeper is None:
                self._sweeper = self._loop.call_later(_OVERFLOW_WAIT_S, self._sweep)

    def _begin(self, holding: Holding) -> None:
        self.free -= 1
        self._start(holding)

    def _sweep(self) -> None:
        """Hand back what has waited too long for a slot."""
        self._sweeper = None
        now = self._loop.time()
        while self._overflow and now - self._overflow[0][0] >= _OVERFLOW_WAIT_S:
            self._spawn(self._hand_back(self._overflow.popleft()[1]))
        if self._overflow:
            self._sweeper = self._loop.call_at(self._overflow[0][0] + _OVERFLOW_WAIT_S, self._sweep)

    async def _hand_back(self, holding: Holding) -> None:
        self._custody.release(holding)
        await self._returning.hand_back(holding.delivery)

    async def _restore(self, queue: str, pull: CreditPull) -> None:
        """The consumer, or the stream with it, has been deleted under us."""
        await asyncio.sleep(_MISSING_WAIT_S)
        self._topology.forget(queue)
        await self._topology.jobs()
        await self._topology.queue(queue)
        pull.missing = False

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
