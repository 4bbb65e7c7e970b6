"""How events come to a durable processor: a few ahead of it, held against redelivery until they are settled.

What a processor does not want is acknowledged only once the consumer was seen, after the delivery, to want the same as
it does: while a new version of the program is brought in, processes with another filter share it, and have the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from naq_runtime.errors import ServerError
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.durable import ConsumerState, DurableConsumer
from naq_runtime.nats.pull import CreditPull, Delivery

__all__ = ["Holding", "Intake"]

log = logging.getLogger(__name__)

_AHEAD_S = 0.25
"""So much work is fetched ahead: what waits here, no other process can have."""
_MOST_AHEAD = 1_000
_MOST_UNWANTED = 500
"""So many unwanted messages are looked after at once, and fewer with the next look."""
_LOOK_S = 2.0
_OTHERS_S = 1.0
"""What only a process with another filter wants is offered anew after so long."""
_AGAIN_LATER_S = 1.0


@dataclass(slots=True)
class Holding:
    """A message that is ours until it is settled."""

    source: _Source
    delivery: Delivery
    failures: int = 0
    """How often it was tried here, and failed."""

    @property
    def is_again(self) -> bool:
        """Whether it was tried before, here or by somebody else."""
        return self.failures > 0 or self.delivery.deliveries > 1

    @property
    def key(self) -> tuple[str, int]:
        """By which it is known when it is delivered again."""
        return self.source.consumer.name, self.delivery.sequence


class _Source:
    """A consumer, and the pull from it."""

    def __init__(self, intake: Intake, connection: Connection, consumer: DurableConsumer, most: int) -> None:
        self.consumer = consumer
        self.most = most
        self.pull = CreditPull(
            connection,
            consumer.stream,
            consumer.name,
            deliver=lambda delivery: intake.take(Holding(self, delivery)),
            refunded=intake.want,
        )

    async def open(self) -> None:
        await self.consumer.ensure()
        await self.pull.start()

    async def grant(self, most: int) -> None:
        """Ask for more, once half of what may be ahead is used up."""
        if self.pull.missing:
            await self.consumer.ensure()
            self.pull.missing = False
        room = min(most, self.most) - self.pull.outstanding
        if room > 0 and room * 2 >= min(most, self.most):
            await self.pull.grant(room)


class Intake:
    """Fetches from several consumers of one processor.

    Args:
        consumers: the first is the one whose state is watched.
        batch: how many the processor takes at a time.
        ack_wait_s: of the consumers; what is held is renewed three times within it.
    """

    def __init__(
        self, connection: Connection, consumers: Sequence[DurableConsumer], *, batch: int, ack_wait_s: float
    ) -> None:
        self._connection = connection
        self._sources = [
            _Source(self, connection, consumer, _MOST_AHEAD if place == 0 else 8)
            for place, consumer in enumerate(consumers)
        ]
        self._batch = batch
        self._renew_s = ack_wait_s / 3
        self._ahead = batch
        self._held: dict[tuple[str, int], Holding] = {}
        self._waiting: deque[Holding] = deque()
        self._unwanted: list[Holding] = []
        self._came = asyncio.Event()
        self._wanted = asyncio.Event()
        self._to_look = asyncio.Event()
        self._failure: BaseException | None = None
        """Of a task that should not have ended."""
        self._has_warned = False
        self._tasks: list[asyncio.Task[None]] = []
        self.closing = False
        self.state: ConsumerState | None = None
        """Of the first consumer, when it was looked at last."""

    def __repr__(self) -> str:
        return f"<Intake held={len(self._held)} waiting={len(self._waiting)} ahead={self._ahead}>"

    @property
    def held(self) -> int:
        """Messages that are delivered to us, and not settled; without those that are not wanted."""
        return len(self._held) - len(self._unwanted)

    async def open(self) -> None:
        """Make what is missing on the server, and begin.

        Raises:
            ServerError: the server cannot be used.
        """
        for source in self._sources:
            await source.open()
        self._tasks = [
            asyncio.create_task(self._looking(), name="look at consumer"),
            asyncio.create_task(self._renewing(), name="renew events"),
            asyncio.create_task(self._granting(), name="pull events"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        self.want()

    def stop(self) -> None:
        """Ask for nothing more."""
        self.closing = True
        self._came.set()

    async def close(self) -> None:
        """Hand back what is not settled; what was acknowledged has reached the server when this returns."""
        self.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for source in self._sources:
            await source.pull.close()
        await self._if_heard(self._look)
        try:
            await self.hand_back(tuple(self._held.values()))
            await self._connection.flush()
        except ServerError as error:
            log.warning("events are not handed back: %s", error, extra={"action": "not_handed_back"})

    def want(self) -> None:
        """More may be asked for."""
        self._wanted.set()

    def take(self, holding: Holding) -> None:
        """A message is there. One that is held already came again since the server lost patience, or its memory."""
        known = self._held.get(holding.key)
        if known is not None:
            known.delivery = holding.delivery
            return
        self._held[holding.key] = holding
        self._waiting.append(holding)
        self._came.set()

    async def next(self) -> list[Holding]:
        """Wait for something: the next ones, up to a batch, or a single one that was tried before; none at the end.

        Raises:
            BaseException: that of a part of this which has failed: nothing would come any more.
        """
        while not self._waiting and not self.closing:
            if self._failure is not None:
                raise self._failure
            self._came.clear()
            await self._came.wait()
        taken: list[Holding] = []
        while self._waiting and not self.closing and len(taken) < self._batch:
            is_again = self._waiting[0].is_again
            if taken and is_again:
                break
            taken.append(self._waiting.popleft())
            if is_again:
                break
        self.want()
        return taken

    def took(self, count: int, seconds: float) -> None:
        """So many took so long: as many may be fetched ahead as are dealt with in a moment."""
        pace = int(_AHEAD_S * count / seconds) if seconds > 0 else _MOST_AHEAD
        self._ahead = max(self._batch, min(_MOST_AHEAD, pace))
        self.want()

    async def settle(self, holdings: Sequence[Holding]) -> None:
        """They are dealt with."""
        await self._say(holdings, b"")
        for holding in holdings:
            self._held.pop(holding.key, None)

    def pass_over(self, holdings: Sequence[Holding]) -> None:
        """We do not want them; unless somebody else does, they are dealt with."""
        self._unwanted += holdings
        if len(self._unwanted) >= _MOST_UNWANTED:
            self._to_look.set()

    def try_later(self, holding: Holding, delay_s: float) -> None:
        """Have it come again after a while; it stays ours until then."""
        asyncio.get_running_loop().call_later(delay_s, self._come_again, holding)

    async def hand_back(self, holdings: Sequence[Holding], delay_s: float = 0.0) -> None:
        """Let somebody have them again, at once or after a while.

        Raises:
            ServerError: the server was not told of all; it finds out by itself, since none of them is renewed.
        """
        for holding in holdings:
            self._held.pop(holding.key, None)
        for holding in holdings:
            await holding.delivery.hand_back(delay_s)

    def _come_again(self, holding: Holding) -> None:
        if self._held.get(holding.key) is holding:
            self._waiting.append(holding)
            self._came.set()

    async def _say(self, holdings: Sequence[Holding], word: bytes) -> None:
        await self._connection.publish_many([(holding.delivery.reply, word, "") for holding in holdings])

    async def _granting(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self.closing or not self._connection.is_connected:
                continue
            try:
                for source in self._sources:
                    await source.grant(max(0, self._ahead - len(self._waiting)))
            except ServerError as error:
                log.warning("no events can be fetched now: %s", error, extra={"action": "fetch_failed"})
                asyncio.get_running_loop().call_later(_AGAIN_LATER_S, self.want)

    async def _looking(self) -> None:
        while True:
            self._to_look.clear()
            await self._if_heard(self._look)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._to_look.wait(), _LOOK_S)

    async def _renewing(self) -> None:
        while True:
            await self._if_heard(self._renew)
            await asyncio.sleep(self._renew_s)

    async def _if_heard(self, do: Callable[[], Awaitable[None]]) -> None:
        if self._connection.is_connected:
            try:
                await do()
            except ServerError as error:
                log.debug("%s", error, extra={"action": "processor_not_heard"})

    def _ended(self, task: asyncio.Task[None]) -> None:
        """One that fails ends the whole: nothing would be fetched, or held against redelivery."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error
            self._came.set()

    async def _look(self) -> None:
        unwanted = tuple(self._unwanted)
        for source in self._sources:  # each of them notes up to where all is acknowledged
            state = await source.consumer.look()
            if source is self._sources[0] and state is not None:
                self.state = state
        if self.state is None or self.state.is_as_wanted:
            await self.settle(unwanted)
            del self._unwanted[: len(unwanted)]
            return
        del self._unwanted[: len(unwanted)]
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "another process of %s has another filter: what only that one wants is left to it",
                self._sources[0].consumer.name,
                extra={"action": "other_filter"},
            )
        await self.hand_back(unwanted, _OTHERS_S)

    async def _renew(self) -> None:
        await self._say(tuple(self._held.values()), b"+WPI")
