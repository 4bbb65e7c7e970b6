"""What a roll-up says, and how counts are added up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec import Struct

from naq_runtime.errors import SerializationError
from naq_runtime.statistics.sketch import Sketch

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "OTHERS",
    "UNITS",
    "Gap",
    "Group",
    "Rollup",
    "Tally",
    "Unit",
    "View",
    "decode_rollup",
    "encoded_parts",
]

OTHERS = "(others)"
"""Stands for all that had no place of their own."""
_SECOND_NS = 1_000_000_000
_LONGEST_NAME = 120
_MOST_TYPES = 100
_BUCKET_BYTES = 40
"""That a bucket takes in a message at most."""


class Unit(NamedTuple):
    """A length of time by which events are counted together."""

    name: str
    length_ns: int
    filed_ns: int
    """The roll-ups of so long are found together, and become one of the next unit."""


_HOUR_NS = 3600 * _SECOND_NS
_DAY_NS = 24 * _HOUR_NS
MINUTE = Unit("minute", 60 * _SECOND_NS, _HOUR_NS)
HOUR = Unit("hour", _HOUR_NS, _DAY_NS)
DAY = Unit("day", _DAY_NS, 10**30)
UNITS = (DAY, HOUR, MINUTE)
"""From the longest to the shortest."""


class View(StrEnum):
    """How far things are told apart. Each roll-up is stored in both: workers are many, and few ask for them."""

    WORKERS = "workers"
    """By queue, function and worker."""
    JOBS = "jobs"
    """By queue and function."""


class Group(Struct, omit_defaults=True, gc=False):
    """What happened in one unit of time to jobs of one queue and function, at one worker.

    Each of the three is ``None`` for events that do not say, and ``(others)`` for what had no place of its own.
    """

    start_s: int
    """The beginning of the minute, hour or day, in seconds since 1970 UTC."""
    queue: str | None = None
    function: str | None = None
    worker: str | None = None
    types: dict[str, int] = {}
    """How many events, by ``category.type``."""
    wait: Sketch | None = None
    """How long jobs waited that were begun."""
    run: Sketch | None = None
    """How long attempts took that ended by themselves or by their time limit."""

    def merge(self, other: Group) -> None:
        """Add what another one counted."""
        for name, count in other.types.items():
            self.count(name, count)
        self.wait = _merged(self.wait, other.wait)
        self.run = _merged(self.run, other.run)

    def count(self, name: str, count: int = 1) -> None:
        """Count events of a type."""
        types = self.types
        if name in types:
            types[name] += count
        elif len(types) < _MOST_TYPES:
            types[name[:_LONGEST_NAME]] = types.get(name[:_LONGEST_NAME], 0) + count
        else:
            types[OTHERS] = types.get(OTHERS, 0) + count


class Gap(Struct, frozen=True, omit_defaults=True):
    """Events that the log had lost before anybody counted them: too old, or more than it may hold."""

    first: int
    """Their sequences."""
    last: int
    after_ns: int = 0
    """When the last event before them happened; 0 when none was ever counted."""
    before_ns: int = 0
    """When the first one after them happened."""


class Rollup(Struct, omit_defaults=True):
    """What happened in a range of events, or a part of that; all parts together say all of it.

    Each event of the log is in the range of one roll-up of minutes; and those of an hour cover together the same range
    as its roll-up of hours, and so on.
    """

    log: str
    """The log of events that was counted."""
    first: int
    """The range of sequences, both ends included."""
    last: int
    parts: int = 1
    made_of: int | None = None
    """Where the roll-ups of the shorter unit are filed that it was put together from."""
    groups: list[Group] = []
    """By time."""
    gaps: list[Gap] = []

    def seen(self, view: View) -> Rollup:
        """What a view shows of it."""
        if view is View.WORKERS:
            return self
        groups: dict[tuple[int, str | None, str | None], Group] = {}
        for group in self.groups:
            key = (group.start_s, group.queue, group.function)
            groups.setdefault(key, Group(*key)).merge(group)
        return msgspec.structs.replace(self, groups=list(groups.values()))


_decode = msgspec.json.Decoder(Rollup).decode
_encode = msgspec.json.Encoder().encode


def decode_rollup(data: bytes) -> Rollup:
    """The roll-up of its JSON.

    Raises:
        SerializationError: it is none.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SerializationError(f"the message is no roll-up: {error}") from error


def encoded_parts(rollup: Rollup, largest: int) -> list[bytes]:
    """A roll-up as JSON, in as many parts as are needed for each to have ``largest`` bytes at most."""
    whole = _encode(rollup)
    if len(whole) <= largest:
        return [whole]
    room = largest - len(_encode(msgspec.structs.replace(rollup, groups=[]))) - 20
    parts: list[list[Group]] = [[]]
    used = 0
    for group in rollup.groups:
        for piece in _pieces(group, room):
            size = len(_encode(piece)) + 1
            if used + size > room and parts[-1]:
                parts.append([])
                used = 0
            parts[-1].append(piece)
            used += size
    cut = [
        msgspec.structs.replace(rollup, parts=len(parts), groups=groups, gaps=[] if place else rollup.gaps)
        for place, groups in enumerate(parts)
    ]
    return [_encode(part) for part in cut]


def _pieces(group: Group, room: int) -> Iterator[Group]:
    """A group as several that add up to it, when it is too large by itself."""
    if len(_encode(group)) < room:
        yield group
        return
    yield msgspec.structs.replace(group, wait=None, run=None)
    most = max(1, (room - 1000) // _BUCKET_BYTES)
    for wait in group.wait.pieces(most) if group.wait is not None else ():
        yield msgspec.structs.replace(group, types={}, wait=wait, run=None)
    for run in group.run.pieces(most) if group.run is not None else ():
        yield msgspec.structs.replace(group, types={}, wait=None, run=run)


class Tally:
    """Counts by unit of time, queue, function and worker.

    Args:
        unit_ns: the length of a unit.
        most: groups that are told apart at most. Beyond, what would be a new one is counted together: first without
            its worker, then without its function, then with all others of its time.
    """

    def __init__(self, unit_ns: int, *, most: int) -> None:
        self._unit_ns = unit_ns
        self._most = most
        self._groups: dict[tuple[int, str | None, str | None, str | None], Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def groups(self) -> list[Group]:
        """All that was counted, in the order of time."""
        return sorted(self._groups.values(), key=lambda group: group.start_s)

    def at(self, time_ns: int, queue: str | None, function: str | None, worker: str | None) -> Group:
        """Where to count what happened at a time."""
        start_s = time_ns // self._unit_ns * self._unit_ns // _SECOND_NS
        key = (start_s, queue, function, worker)
        return self._groups.get(key) or self._place(key)

    def merge(self, groups: Iterable[Group]) -> None:
        """Add groups of a shorter unit."""
        for group in groups:
            self.at(group.start_s * _SECOND_NS, group.queue, group.function, group.worker).merge(group)

    def forget_before(self, time_ns: int) -> None:
        """Drop the units that began before a time."""
        gone = [key for key in self._groups if key[0] * _SECOND_NS < time_ns]
        for key in gone:
            del self._groups[key]

    def _place(self, key: tuple[int, str | None, str | None, str | None]) -> Group:
        start_s, *names = key
        queue, function, worker = (name and name[:_LONGEST_NAME] for name in names)
        room = self._most
        for place in ((queue, function, worker), (queue, function, OTHERS), (queue, OTHERS, OTHERS)):
            if found := self._groups.get((start_s, *place)):
                return found
            if len(self._groups) < room:
                return self._groups.setdefault((start_s, *place), Group(start_s, *place))
            room += self._most // 4
        place = (OTHERS, OTHERS, OTHERS)
        return self._groups.setdefault((start_s, *place), Group(start_s, *place))


def _merged(mine: Sketch | None, other: Sketch | None) -> Sketch | None:
    if other is None:
        return mine
    if mine is None:
        mine = Sketch()
    mine.merge(other)
    return mine
