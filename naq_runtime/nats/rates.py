"""Rates over all workers: so many starts within any span of time, without any agreement of clocks.

A rate of N in T seconds has N places. Whoever starts a job takes a place: it stores a message under the place's own
subject, on the condition that none lies there. The server removes the message after T seconds, so that of any N + 1
starts the first and the last are T apart. A message that is older, by the clock of the server that stored it, and that
the server has not removed yet, is replaced; on the condition that it is still the same.
"""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import ConfigError, NaqError
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, if_last_is, living_for

__all__ = ["Choice", "Places", "Rate", "Window"]

_MOST = 10_000
_LONGEST_S = 31 * 86_400
_RATE = re.compile(r"([0-9]{1,9})\s*/\s*([0-9]{1,9})?\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_LEAVES_LATE_S = 1.0
"""The server has removed what is too old after so long."""
_TRIES = 4
_LOOKED_AT = 100
"""Places that one look takes in."""
_ANCHOR_NS = 60_000_000_000
"""Two clocks run apart by less than a few milliseconds in this time."""
_PROBES = 8


class Rate(Struct, frozen=True):
    """So many starts within any span of so many seconds."""

    count: int
    period_s: int

    def __str__(self) -> str:
        return f"{self.count}/{self.period_s}s"

    @classmethod
    def parse(cls, text: str) -> Rate:
        """``5/s``, ``100/min``, ``10/30s``: whole numbers, the span in seconds, minutes, hours or days.

        Raises:
            ConfigError: it is something else, or out of range.
        """
        match = _RATE.fullmatch(text.strip().lower())
        if match is None or not (match[2] or match[3]):
            raise ConfigError(f"{text!r} is not a rate: write 5/s, 100/min or 10/30s, in whole numbers")
        count, period_s = int(match[1]), int(match[2] or 1) * _UNITS[(match[3] or "s")[0]]
        if not 1 <= count <= _MOST:
            raise ConfigError(f"a rate of {text} cannot be kept: it may be 1 to {_MOST:,} jobs in a time")
        if not 1 <= period_s <= _LONGEST_S:
            raise ConfigError(f"a rate of {text} cannot be kept: its time may be 1 second to {_LONGEST_S:,} seconds")
        return cls(count, period_s)


class Choice(NamedTuple):
    """A place to be tried."""

    place: int
    sequence: int
    """Of the message that lies there and is too old; 0 when none is known."""


class Window:
    """Which of the places are taken, as far as this process knows. Pure: all times are of one clock, in seconds."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: dict[int, tuple[float, int]] = {}
        """When it is free again, and the sequence of its message."""
        self._order: list[tuple[float, int]] = []
        """A heap of the same, in which what has changed meanwhile is passed over."""
        self._old: dict[int, tuple[float, int]] = {}
        """Free again, but its message may still be there."""

    def __repr__(self) -> str:
        return f"<Window {len(self._taken)} of {self._count} taken, {len(self._old)} old>"

    def take(self, place: int, sequence: int, free_at: float) -> None:
        """A place is taken until a time."""
        self._old.pop(place, None)
        self._taken[place] = (free_at, sequence)
        heapq.heappush(self._order, (free_at, place))

    def release(self, place: int) -> None:
        """Nothing lies there."""
        self._old.pop(place, None)
        self._taken.pop(place, None)

    def free(self, now: float) -> int:
        """How many places may be taken now."""
        self._advance(now)
        return self._count - len(self._taken)

    def wait_s(self, now: float) -> float:
        """Until a place is free; 0 when one is."""
        if self.free(now) > 0:
            return 0.0
        return max(0.0, self._order[0][0] - now)

    def choose(self, now: float) -> Choice | None:
        """A place to try, by chance, so that workers seldom meet; ``None`` when all are taken."""
        if self.free(now) == 0:
            return None
        if len(self._taken) + len(self._old) < self._count:
            return Choice(self._unknown(), 0)
        place = random.choice(list(self._old))
        return Choice(place, self._old[place][1])

    def seemingly_free(self, now: float, most: int) -> list[int]:
        """Places that are not known to be taken; at most so many, by chance."""
        self._advance(now)
        places = [place for place in range(self._count) if place not in self._taken]
        return random.sample(places, min(most, len(places)))

    def _unknown(self) -> int:
        for _ in range(_PROBES):
            place = random.randrange(self._count)
            if place not in self._taken and place not in self._old:
                return place
        return random.choice([n for n in range(self._count) if n not in self._taken and n not in self._old])

    def _advance(self, now: float) -> None:
        order, taken = self._order, self._taken
        while order and (order[0][0] <= now or taken.get(order[0][1], (None,))[0] != order[0][0]):
            free_at, place = heapq.heappop(order)
            if taken.get(place, (None,))[0] == free_at:
                self._old[place] = taken.pop(place)
        while self._old:
            place, (free_at, _) = next(iter(self._old.items()))
            if free_at + _LEAVES_LATE_S > now:
                break
            del self._old[place]


class Places:
    """Takes places of one queue's rate."""

    def __init__(self, connection: Connection, streams: Streams, names: Names, queue: str, rate: Rate) -> None:
        self.rate = rate
        self._connection = connection
        self._streams = streams
        self._names = names
        self._queue = queue
        self._window = Window(rate.count)
        self._clock = connection.server_clock

    def __repr__(self) -> str:
        return f"<Places {self._queue} {self.rate} {self._window!r}>"

    @property
    def free(self) -> int:
        """How many starts are possible now, as far as is known."""
        return self._window.free(self._time())

    @property
    def wait_s(self) -> float:
        """Until a start is possible, as far as is known."""
        return self._window.wait_s(self._time())

    async def take(self) -> bool:
        """Take a place; ``False`` when the rate does not allow it now.

        Raises:
            ServerError: a place may have been taken.
        """
        for _ in range(_TRIES):
            choice = self._window.choose(self._time())
            if choice is None:
                return False
            self._window.take(choice.place, 0, self._time() + self.rate.period_s)  # nobody else here may try it
            if await self._claim(choice) or (choice.sequence and await self._claim(Choice(choice.place, 0))):
                return True
            await self.look([choice.place])
        return False

    async def look(self, also: Sequence[int] = ()) -> None:
        """See which of the places that seem to be free are taken by others.

        Args:
            also: further places.

        Raises:
            ServerError: they cannot be seen now.
        """
        ahead_ns = await self._server_ahead_ns()
        places = {*also, *self._window.seemingly_free(self._time(), _LOOKED_AT)}
        subjects = {self._subject(place): place for place in places}
        stream = self._names.bucket_stream(self._names.rates_bucket)
        for place in also:
            self._window.release(place)
        for message in await self._streams.last(stream, list(subjects)):
            free_at = (nanoseconds_of(message.stored_at) - ahead_ns) / 1e9 + self.rate.period_s
            self._window.take(subjects[message.subject], message.sequence, free_at)

    async def _claim(self, choice: Choice) -> bool:
        headers = if_last_is(choice.sequence) | living_for(self.rate.period_s)
        (answer,) = await self._streams.publish([Outgoing(self._subject(choice.place), b"", headers)])
        if is_conflict(answer):
            return False
        if isinstance(answer, NaqError):
            raise answer
        self._window.take(choice.place, answer, self._time() + self.rate.period_s)
        return True

    def _time(self) -> float:
        """In seconds, by the clock against which that of the server is known."""
        return self._clock.monotonic_ns() / 1e9

    async def _server_ahead_ns(self) -> int:
        """By how much the clock that stamps the places is ahead of that; never more than it is."""
        if self._clock.is_old(_ANCHOR_NS):
            await self._connection.api(f"STREAM.INFO.{self._names.bucket_stream(self._names.rates_bucket)}")
        return self._clock.least_ahead_ns

    def _subject(self, place: int) -> str:
        return self._names.bucket_key(self._names.rates_bucket, f"{self._queue}.{place}")
