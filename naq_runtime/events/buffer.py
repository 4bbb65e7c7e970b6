"""Where encoded events wait: first in, first out; when it is full, what matters least makes room for the rest."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from threading import RLock

from naq_runtime.clock import Clock
from naq_runtime.events.drops import DroppedEvents, Drops
from naq_runtime.nats.publish import Outgoing

__all__ = ["RANKS", "USUAL_RANK", "EventBuffer"]

USUAL_RANK = 2
"""Of all that are not named in `RANKS`."""
RANKS = {
    "heartbeat": 0,
    "metrics": 0,
    "progress": 1,
    "log": 1,
    "completed": 3,
    "failed": 3,
    "timed_out": 3,
    "cancelled": 3,
    "dead_lettered": 3,
    "events_dropped": 3,
    "connection_lost": 3,
    "connection_restored": 3,
}
"""How much events matter when the buffer is full, by type: 0 goes first, 3 last."""
_LAST = 3

Entry = tuple[int, str, bytes]
"""Place in the order of all, subject, payload."""


class _Lane:
    """Events of one rank."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.bytes = 0


class EventBuffer:
    """A bounded buffer for any thread; whatever it does takes a moment.

    Each event that came is in one place only: it waits in here, it was stored, or it was dropped and counted. What is
    under way to the storage is not pushed out, since a part of it may be stored.

    Args:
        most_events: that wait at a time.
        most_bytes: of their subjects and payloads; Python needs some 250 more for each.

    Attributes:
        count: events that wait, those under way included.
        bytes: of their subjects and payloads.
        stored: how many were.
        passed: the place of the last one that was stored; what came before it waits no more.
        last: the place of the last one that came.
    """

    def __init__(self, most_events: int, most_bytes: int, clock: Clock) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._clock = clock
        self._empty()

    def _empty(self) -> None:
        self.lock = RLock()  # as a finalizer or a signal's handler may log in the midst of it
        self.drops = Drops(self._clock)
        self.count = self.bytes = self.stored = self.passed = self.last = 0
        self._lanes = tuple(_Lane() for _ in range(_LAST + 1))
        self._under_way: list[Outgoing] = []
        self._bytes_under_way = 0
        self._passes = 0

    def put(self, subject: str, payload: bytes, rank: int, *, must: bool = False) -> int:
        """Take an event, if there is room or room can be made, or it ``must`` be taken.

        Returns:
            How many wait then, 0 when it was dropped.
        """
        size = len(subject) + len(payload)
        with self.lock:
            full = self.count >= self._most_events or self.bytes + size > self._most_bytes
            if full and not self._make_room(size, rank) and not must:
                self.drops.add(_key_of(subject))
                return 0
            self.last = place = self.last + 1
            lane = self._lanes[rank]
            lane.entries.append((place, subject, payload))
            lane.bytes += size
            self.bytes += size
            self.count = count = self.count + 1
            return count

    @property
    def is_half_full(self) -> bool:
        """Whether it is time to put events elsewhere."""
        return self.count * 2 >= self._most_events or self.bytes * 2 >= self._most_bytes

    def refuse(self, key: str, number: int = 1) -> None:
        """Count events, by ``category.type``, that cannot be stored at all."""
        with self.lock:
            for _ in range(number):
                self.drops.add(key)

    def note_stored(self, number: int) -> None:
        """Count events that waited elsewhere."""
        with self.lock:
            self.stored += number

    def has_room(self, size: int) -> bool:
        """Whether one more of so many bytes fits, or nothing is in the way."""
        return not self.count or (self.count < self._most_events and self.bytes + size <= self._most_bytes)

    def take_drops(self) -> DroppedEvents:
        """What was dropped since it was asked last."""
        with self.lock:
            return self.drops.take()

    def batch(self, most: int) -> list[Outgoing]:
        """The next ones, in the order in which they came; the same again until they are `done`."""
        with self.lock:
            if not self._under_way:
                self._begin(most)
            return self._under_way

    def done(self, *, stored: bool = True) -> None:
        """The batch is stored, or put elsewhere."""
        with self.lock:
            self.count -= len(self._under_way)
            self.bytes -= self._bytes_under_way
            self.stored += len(self._under_way) if stored else 0
            self.passed = self._passes if self.count else self.last
            self._under_way = []
            self._bytes_under_way = 0

    def abandon(self) -> None:
        """Forget everything, and take nothing any more: it is the copy of another process's."""
        self._most_events = 0
        self._empty()

    def _begin(self, most: int) -> None:
        ahead = sorted(chain.from_iterable(islice(lane.entries, most) for lane in self._lanes))[:most]
        if not ahead:
            return
        self._passes = ahead[-1][0]
        self._under_way = [Outgoing(subject, payload) for _, subject, payload in ahead]
        left = len(ahead) - sum([self._take_first(lane, most) for lane in self._lanes])
        if left:  # a finalizer logged while another event was being put in: two stand the wrong way round
            chosen = set(ahead)
            for lane in self._lanes:
                for entry in [entry for entry in lane.entries if entry in chosen]:
                    lane.entries.remove(entry)
                    self._count_as_taken(lane, len(entry[1]) + len(entry[2]))

    def _take_first(self, lane: _Lane, most: int) -> int:
        """What stands first in a lane, and goes with the batch, leaves it; how many that are."""
        entries, passes, number, size = lane.entries, self._passes, 0, 0
        while entries and number < most and entries[0][0] <= passes:
            _, subject, payload = entries.popleft()
            size += len(subject) + len(payload)
            number += 1
        self._count_as_taken(lane, size)
        return number

    def _count_as_taken(self, lane: _Lane, size: int) -> None:
        lane.bytes -= size
        self._bytes_under_way += size

    def _make_room(self, size: int, rank: int) -> bool:
        """Push out the oldest of those that matter least, if that is enough."""
        less = self._lanes[:rank]
        spare = sum(lane.bytes for lane in less)
        if not spare or self.bytes - spare + size > self._most_bytes:
            return False
        for lane in less:
            while lane.entries:
                self._push_out(lane)
                if self.bytes + size <= self._most_bytes:
                    return True
        return False  # which cannot be, after what was asked above

    def _push_out(self, lane: _Lane) -> None:
        _, subject, payload = lane.entries.popleft()
        size = len(subject) + len(payload)
        lane.bytes -= size
        self.bytes -= size
        self.count -= 1
        self.drops.add(_key_of(subject))


def _key_of(subject: str) -> str:
    """``category.type``: the third token and the last but one."""
    tokens = subject.split(".")
    return f"{tokens[2]}.{tokens[-2]}"
