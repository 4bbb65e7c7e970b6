"""How jobs come in: credit for as many as there are free slots, from every queue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial

from naq_runtime.errors import NotFound, ServerError
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.pull import CreditPull, Delivery
from naq_runtime.nats.queues import QueueConsumer
from naq_runtime.nats.rates import Places, Rate
from naq_runtime.nats.streams import Streams
from naq_runtime.nats.topology import Topology
from naq_runtime.worker.custody import Custody, Holding
from naq_runtime.worker.lane import QUIET_S, Lane
from naq_runtime.worker.overflow import Overflow
from naq_runtime.worker.returning import Returning
from naq_runtime.worker.sharing import Fair, Pace, sharing_of
from naq_runtime.worker.throttle import Throttle

__all__ = ["Intake"]

log = logging.getLogger(__name__)

_MISSING_WAIT_S = 0.5
_SAME_ID_WAIT_S = 1.0
_LOOK_S = 30.0
"""How often the limits of the queues are looked up, beside when they are said to have changed."""
_REMIND_S = QUIET_S + 0.005


class Intake:
    """Asks every queue for jobs as there are free slots, and starts what comes.

    While jobs are short, it asks for some more ahead; and with several queues, more may come than was hoped for.
    What is over waits a moment, and is handed back when no slot comes free; credit is not asked for anew meanwhile,
    so that this ends by itself.

    Args:
        queues: in order, with their weights.
        order: ``fair``, ``strict`` or ``weighted``.
        slots: jobs that may run at a time.
        start: begins a job; `slot_freed` must be called when it is over.
        blocked: whether nothing more should be asked for, however many slots are free.
    """

    def __init__(
        self,
        connection: Connection,
        streams: Streams,
        topology: Topology,
        names: Names,
        queues: Mapping[str, int],
        custody: Custody,
        returning: Returning,
        *,
        order: str = "fair",
        slots: int,
        start: Callable[[Holding], None],
        blocked: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._streams = streams
        self._topology = topology
        self._names = names
        self._queues = queues
        self._custody = custody
        self._returning = returning
        self._start = start
        self._blocked = blocked
        self._sharing = sharing_of(order, queues) if len(queues) > 1 else Fair()
        self._lanes: list[Lane] = []
        self._throttles: list[Throttle] = []
        self._overflow = Overflow(self._too_late)
        self._pace = Pace(slots)
        self._wanted = asyncio.Event()
        self._reminder: asyncio.TimerHandle | None = None
        self._closing = False
        self._looking = asyncio.Lock()
        self._fault: BaseException | None = None
        self._background: set[asyncio.Task[None]] = set()
        self.free = slots

    def __repr__(self) -> str:
        return f"<Intake free={self.free} overflow={len(self._overflow)} lanes={self._lanes}>"

    def resize(self, slots: int) -> None:
        """Run so many jobs at a time from now on; of fewer, those that run go on to their ends."""
        self.free += slots - self._pace.slots
        self._pace.slots = slots
        self._wanted.set()

    async def open(self) -> None:
        """Subscribe to every queue, creating what is missing."""
        for queue in self._queues:
            consumer = await self._topology.queue(queue)
            lane = self._lane(queue, consumer)
            await lane.pull.start()
            self._lanes.append(lane)
        await self.keep_limits()
        self._wanted.set()

    async def close(self) -> None:
        """Take nothing more; what was on its way is handed back. May be called twice."""
        self._closing = True
        if self._reminder is not None:
            self._reminder.cancel()
        self._overflow.close()
        for lane in self._lanes:
            for holding in await lane.close():
                self._too_late(holding)
            await lane.pull.close()
        await asyncio.gather(*self._background, return_exceptions=True)

    def slot_freed(self, seconds: float) -> None:
        """A job is over after so long: its slot goes to one that waits, or to the queues."""
        self._pace.took(seconds)
        self._release()

    def unblocked(self) -> None:
        """More may be asked for again."""
        self._wanted.set()

    def reconsider(self) -> None:
        """Somebody wants jobs to end, and some of them may wait here."""
        for throttle in self._throttles:
            throttle.reconsider()

    async def run(self) -> None:
        """Grant credit as slots come free, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._fault is not None:
                raise self._fault
            if self._closing or not self._connection.is_connected or self._blocked():
                continue
            for lane, more in zip(self._lanes, self._grants(), strict=True):
                try:
                    if lane.pull.missing:
                        await self._restore(lane)
                    await lane.pull.grant(more)
                except ServerError as error:
                    log.warning("queue %s cannot be asked: %s", lane.name, error, extra={"action": "pull_failed"})
                    await asyncio.sleep(_MISSING_WAIT_S)
                    self._wanted.set()

    async def watch(self) -> None:
        """Keep to the limits of the queues as they change, until cancelled."""
        while not self._closing:
            try:
                async with self._streams.heard(self._names.control_queue("*")) as changed:
                    while not self._closing:
                        changed.clear()
                        await self.keep_limits()
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(_LOOK_S):
                                await changed.wait()
            except ServerError as error:
                log.debug("limits not watched: %s", error, extra={"action": "limits_not_watched"})
                await asyncio.sleep(_MISSING_WAIT_S)

    async def keep_limits(self, queue: str | None = None) -> bool:
        """See what holds the queues, or one of them, back now, and keep to it; what cannot be seen stays as it was.

        Returns:
            Whether all could be seen: then nothing begins any more that is against it.
        """
        if self._closing:
            return True
        async with self._looking:  # what was seen sooner must not be applied later
            seen = [await self._look_at(lane) for lane in self._lanes if queue in (None, lane.name)]
        self._wanted.set()
        return all(seen)

    async def _look_at(self, lane: Lane) -> bool:
        try:
            limits = await QueueConsumer(self._connection, self._names, lane.name).limits()
            if limits.rate is not None:
                await self._topology.bucket(self._names.rates_bucket)
        except (ServerError, NotFound) as error:
            log.debug("limits of %s not seen: %s", lane.name, error, extra={"action": "limits_not_seen"})
            return False
        if self._closing:  # meanwhile: nobody would end what is begun now
            return True
        for holding in await lane.apply(limits):
            self._admit(holding)
        if lane.throttle is not None:
            for holding in self._overflow.take_of(lane.name):
                lane.throttle.put(holding)
        self._throttles = [lane.throttle for lane in self._lanes if lane.throttle is not None]
        return True

    # Credit

    def _grants(self) -> list[int]:
        """How many more jobs to ask each queue for."""
        slots = self.free + self._pace.ahead - len(self._overflow)
        grants = self._sharing.grants(slots, self._lanes)
        for place, lane in enumerate(self._lanes):
            if lane.limits.concurrency:  # what is asked for ahead of its slot would keep it from other workers
                grants[place] = min(grants[place], self.free - lane.outstanding)
        if not isinstance(self._sharing, Fair):
            self._remind_of(grants)
        return grants

    def _remind_of(self, grants: Sequence[int]) -> None:
        """Where the order matters, a queue that leaves a request unanswered makes way for others."""
        asked = zip(self._lanes, grants, strict=True)
        unknown = any(not lane.is_quiet and (more > 0 or lane.outstanding) for lane, more in asked)
        if unknown and self._reminder is None:
            self._reminder = asyncio.get_running_loop().call_later(_REMIND_S, self._remind)

    def _remind(self) -> None:
        self._reminder = None
        self._wanted.set()

    def _release(self) -> None:
        for throttle in self._throttles:
            if throttle.wants_slot and not self._closing:
                throttle.give_slot()
                return
        self.free += 1
        if self._overflow and not self._closing:
            self._begin(self._overflow.pop())
        self._wanted.set()

    def _reserve(self, anyway: bool) -> bool:
        if self.free <= 0 and not anyway:
            return False
        self.free -= 1
        return True

    # Arrival

    def _arrived_at(self, lane: Lane, delivery: Delivery) -> None:
        if self._custody.is_busy_with(delivery):
            # A job of this id still runs here: the new one must wait for its end.
            self._spawn(self._returning.hand_back(delivery, _SAME_ID_WAIT_S))
            return
        holding = self._custody.take(delivery)
        if holding is None:
            return
        self._sharing.came(lane)
        if lane.throttle is not None and not self._closing:
            lane.throttle.put(holding)
        else:
            self._admit(holding)

    def _admit(self, holding: Holding) -> None:
        if self._closing:
            self._too_late(holding)
        elif self.free > 0:
            self._begin(holding)
        else:
            self._overflow.add(holding)

    def _begin(self, holding: Holding) -> None:
        self.free -= 1
        self._start(holding)

    def _too_late(self, holding: Holding) -> None:
        """Let another worker have a job; but one that was cancelled here can only end here."""
        if holding.cancel_reason is not None and not self._closing:
            self._begin(holding)
        else:
            self._spawn(self._hand_back(holding))

    async def _hand_back(self, holding: Holding) -> None:
        self._custody.release(holding)
        await self._returning.hand_back(holding.delivery)

    # Queues

    def _lane(self, queue: str, consumer: str) -> Lane:
        lane: Lane
        pull = CreditPull(
            self._connection,
            self._names.jobs_stream,
            consumer,
            deliver=lambda delivery: self._arrived_at(lane, delivery),
            refunded=self._wanted.set,
        )
        lane = Lane(queue, pull, partial(self._throttle, queue), self._throttle_ended)
        return lane

    def _throttle(self, queue: str, rate: Rate) -> Throttle:
        return Throttle(
            Places(self._connection, self._streams, self._names, queue, rate),
            reserve=self._reserve,
            release=self._release,
            start=self._start,
            hand_back=self._too_late,
            wanted=self._wanted.set,
        )

    def _throttle_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._fault = task.exception()
            self._wanted.set()

    async def _restore(self, lane: Lane) -> None:
        """The consumer, or the stream with it, has been deleted under us."""
        await asyncio.sleep(_MISSING_WAIT_S)
        self._topology.forget(lane.name)
        await self._topology.jobs()
        await self._topology.queue(lane.name)
        lane.pull.missing = False

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
