"""The stream of roll-ups, and how far they have come.

For each log of events there is one head. Whatever is added to the roll-ups is stored together with the next head, in
one atomic batch, on the condition that the head is as it was read. So what two writers do comes out as if one had done
it after the other, a writer that is killed has done all of a step or nothing, and one that was stopped for however
long and goes on is refused.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from itertools import product
from typing import NamedTuple

import msgspec
from msgspec import Struct

from naq_runtime.config import StatisticsConfig
from naq_runtime.errors import SerializationError
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import Streams, if_last_is, living_for
from naq_runtime.statistics.rollup import DAY, HOUR, MINUTE, Rollup, Unit, View, decode_rollup, encoded_parts

__all__ = ["DamagedHead", "Filed", "Head", "Pending", "RollupStore", "StandingHead", "token_of"]

_HEADERS_BYTES = 1_000
_PERIODS_AT_A_TIME = 500


class Pending(Struct, frozen=True):
    """Which roll-ups of one unit are still to be put together to one of the next."""

    through: int = 0
    """The events up to this sequence are in one of the next unit."""
    period: int | None = None
    """Where the first of those that are pending are filed; ``None`` when none is."""
    after: int = 0
    """They come after this sequence of the stream of roll-ups."""


class Head(Struct, frozen=True):
    """How far the roll-ups of a log have come."""

    log: str
    """The log, by the time at which its stream was made: sequences begin again in the next one."""
    through: int = 0
    """The events up to this sequence are in a roll-up of minutes."""
    mark_ns: int = 0
    """None of these happened at this time or later."""
    stored_ns: int = 0
    """None of them was stored later than this."""
    minutes: Pending = Pending()
    hours: Pending = Pending()

    def pending(self, unit: Unit) -> Pending:
        """What of a unit is still to be put together."""
        return self.minutes if unit is MINUTE else self.hours

    def back_to(self, sequence: int) -> Head:
        """As if nothing behind a sequence had been counted."""
        minutes, hours = (
            msgspec.structs.replace(one, through=min(one.through, sequence)) for one in (self.minutes, self.hours)
        )
        through = min(self.through, sequence)
        return msgspec.structs.replace(self, through=through, minutes=minutes, hours=hours)

    def through_of(self, unit: Unit) -> int:
        """The events up to this sequence are in a roll-up of minutes, of hours or of days."""
        return self.through if unit is MINUTE else self.minutes.through if unit is HOUR else self.hours.through


class StandingHead(Struct, frozen=True):
    """A head as it stands in the stream."""

    head: Head
    sequence: int = 0
    """0 for one that is to be made."""


class Filed(NamedTuple):
    """A roll-up, or a part of it, and its place in the stream."""

    period: int
    after: int
    """The sequence of the head that it follows."""
    sequence: int
    stored_at: str
    rollup: Rollup


class DamagedHead(NamedTuple):
    """What lies where a head should, and is none."""

    token: str
    """Stands for the log in the subjects."""
    sequence: int
    error: SerializationError


_decode_head = msgspec.json.Decoder(Head).decode
_encode_head = msgspec.json.Encoder().encode


class RollupStore:
    """Reads and writes roll-ups."""

    def __init__(self, streams: Streams, names: Names, config: StatisticsConfig) -> None:
        self._streams = streams
        self._names = names
        self._stream = names.stats_stream
        self._lives_s = {MINUTE: config.minutes_for, HOUR: config.hours_for, DAY: config.days_for}

    async def heads(self) -> list[StandingHead]:
        """The heads of all logs that there were, oldest first.

        Raises:
            ServerError: they cannot be read now.
        """
        found = [_head_in(message) for message in await self._messages_of_heads()]
        return sorted((one for one in found if isinstance(one, StandingHead)), key=lambda one: one.head.log)

    async def damaged_heads(self) -> list[DamagedHead]:
        """What lies in the place of heads, and cannot be read.

        Raises:
            ServerError: they cannot be read now.
        """
        found = [_head_in(message) for message in await self._messages_of_heads()]
        return [one for one in found if isinstance(one, DamagedHead)]

    async def _messages_of_heads(self) -> list[StoredMessage]:
        return await self._streams.last(self._stream, [self._names.stats_head("*")])

    async def add(
        self, standing: StandingHead, head: Head, unit: Unit, period: int, rollups: Sequence[Rollup]
    ) -> StandingHead:
        """Store roll-ups of a unit, to be found under a period, together with the head that knows of them.

        Raises:
            ServerError: nothing is stored, or all may be: read the heads again. Where somebody else has stored
                something meanwhile, see `is_conflict`.
        """
        token, largest = token_of(head.log), self._streams.largest - _HEADERS_BYTES
        messages = [Outgoing(self._names.stats_head(token), _encode_head(head), if_last_is(standing.sequence))]
        lives = living_for(self._lives_s[unit])
        for one, view in product(rollups, View):
            await asyncio.sleep(0)  # ticks are not to wait until all are encoded
            for part, data in enumerate(encoded_parts(one.seen(view), largest)):
                subject = self._names.rollup(unit.name, view, token, period, standing.sequence, one.first, part)
                messages.append(Outgoing(subject, data, lives))
        sequences = await self._streams.publish_together(messages)
        return StandingHead(head, sequences[0])

    async def pending(self, head: Head, unit: Unit) -> AsyncGenerator[Filed, None]:
        """The roll-ups of a unit that are not in one of the next unit, in order.

        Raises:
            ServerError: they cannot be read now.
        """
        pending = head.pending(unit)
        async with aclosing(self.filed(token_of(head.log), unit, pending.after)) as all_filed:
            async for filed in all_filed:
                if filed.rollup.first > pending.through:
                    yield filed

    async def filed(self, token: str, unit: Unit, after: int = 0) -> AsyncGenerator[Filed, None]:
        """The roll-ups of a unit behind a sequence of their stream, in order.

        Raises:
            ServerError: they cannot be read now.
        """
        subject = self._names.rollup(unit.name, View.WORKERS, token, "*", "*", "*", "*")
        async for page in self._streams.scan(self._stream, subject, after):
            for message in page:
                if (filed := _filed(message)) is not None:
                    yield filed

    async def read(self, log: str, unit: Unit, periods: Iterable[int], view: View) -> list[Rollup]:
        """The roll-ups of a unit that are found under some periods, in one view, by range.

        Raises:
            ServerError: they cannot be read now.
        """
        wanted = [self._names.rollup(unit.name, view, token_of(log), period, "*", "*", "*") for period in periods]
        rollups = []
        for start in range(0, len(wanted), _PERIODS_AT_A_TIME):
            for message in await self._streams.last(self._stream, wanted[start : start + _PERIODS_AT_A_TIME]):
                if (filed := _filed(message)) is not None:
                    rollups.append(filed.rollup)
                await asyncio.sleep(0)  # one may be large
        return sorted(rollups, key=lambda one: (one.first, one.last))


def _head_in(message: StoredMessage) -> StandingHead | DamagedHead:
    """What a message says of a log that it is filed under."""
    token = message.subject.rpartition(".")[2]
    try:
        head = _decode_head(message.data)
        if token_of(head.log) == token:
            return StandingHead(head, message.sequence)
        reason = f"it is of {head.log!r}"
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        reason = str(error)
    said = f"how far the roll-ups of events have come cannot be read in {message.subject}: {reason}"
    return DamagedHead(token, message.sequence, SerializationError(said))


def token_of(log: str) -> str:
    """What stands for a log in a subject."""
    return re.sub(r"[^0-9A-Za-z]", "", log)


def _filed(message: StoredMessage) -> Filed | None:
    """What a message holds; ``None`` for what somebody else has put there."""
    *_, period, after, _, _ = message.subject.split(".")
    try:
        rollup = decode_rollup(message.data)
        return Filed(int(period), int(after), message.sequence, message.stored_at, rollup)
    except (SerializationError, ValueError):
        return None
