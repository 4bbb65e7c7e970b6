"""How many in each of the latest seconds."""

from __future__ import annotations

__all__ = ["SECOND_NS", "SecondCounts"]

SECOND_NS = 1_000_000_000


class SecondCounts:
    """A ring of counters, one a second, by the time at which things happened."""

    __slots__ = ("_counts", "_length", "_newest")

    def __init__(self, length: int) -> None:
        self._length = length
        self._counts = [0] * length
        self._newest = 0

    def add(self, second: int, count: int = 1) -> None:
        """Count something that happened in this second; what is older than the ring is forgotten at once."""
        if second > self._newest:
            self._move(second)
        elif second <= self._newest - self._length:
            return
        self._counts[second % self._length] += count

    def _move(self, second: int) -> None:
        counts, length = self._counts, self._length
        for passed in range(max(self._newest + 1, second - length + 1), second + 1):
            counts[passed % length] = 0
        self._newest = second

    def series(self, first: int, last: int) -> list[int]:
        """The counts of the seconds from ``first`` to ``last``, both included."""
        start, end = max(first, self._newest - self._length + 1), min(last, self._newest)
        if start > end:
            return [0] * (last - first + 1)
        return [0] * (start - first) + self._kept(start, end) + [0] * (last - end)

    def total(self, first: int, last: int) -> int:
        """How many in these seconds together."""
        start, end = max(first, self._newest - self._length + 1), min(last, self._newest)
        return sum(self._kept(start, end)) if start <= end else 0

    def _kept(self, start: int, end: int) -> list[int]:
        begin, stop = start % self._length, end % self._length + 1
        if begin < stop:
            return self._counts[begin:stop]
        return self._counts[begin:] + self._counts[:stop]

    @property
    def newest(self) -> int:
        """The latest second in which anything happened; 0 for never."""
        return self._newest
