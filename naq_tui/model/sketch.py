"""Percentiles of the latest minute in little memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

__all__ = ["RELATIVE_ERROR", "RollingSketch", "quantiles_of"]

_SUB_BITS = 5
_STEPS = 1 << _SUB_BITS
RELATIVE_ERROR = 1 / (2 * _STEPS)
"""A quantile is within this share of the true one, and a microsecond."""

_LARGEST_MS = 1e12


def _bucket(milliseconds: float) -> int:
    """The number of the bucket: 32 for each power of two of microseconds."""
    value = int(milliseconds * 1000)
    if value < _STEPS:
        return max(value, 0)
    shift = value.bit_length() - _SUB_BITS - 1
    return (shift << _SUB_BITS) + (value >> shift)


def _middle(bucket: int) -> float:
    """The milliseconds in the middle of a bucket."""
    if bucket < _STEPS:
        return (bucket + 0.5) / 1000
    shift = (bucket >> _SUB_BITS) - 1
    low = (bucket - (shift << _SUB_BITS)) << shift
    return (low + (1 << shift) / 2) / 1000


def quantiles_of(counts: dict[int, int], shares: Iterable[float]) -> tuple[float, ...]:
    """The quantiles, by nearest rank, of what the buckets counted; ``counts`` is not empty."""
    total = sum(counts.values())
    buckets = sorted(counts)
    found = []
    for share in shares:
        rank = max(1, math.ceil(share * total))
        for bucket in buckets:
            rank -= counts[bucket]
            if rank <= 0:
                found.append(_middle(bucket))
                break
    return tuple(found)


class RollingSketch:
    """Log-linear histograms of durations, a few seconds each; their sum is the window."""

    __slots__ = ("_numbers", "_slice_s", "_slices", "_sum")

    def __init__(self, window_s: int = 60, slices: int = 6) -> None:
        self._slice_s = window_s // slices
        self._slices: list[dict[int, int]] = [{} for _ in range(slices)]
        self._numbers = [0] * slices
        self._sum: dict[int, int] = {}

    def observe(self, second: int, milliseconds: float) -> None:
        """Count a duration of something that happened in this second."""
        number = second // self._slice_s
        place = number % len(self._slices)
        if number != self._numbers[place]:
            if number < self._numbers[place]:
                return
            self._forget(place)
            self._numbers[place] = number
        bucket = _bucket(milliseconds) if 0 <= milliseconds < _LARGEST_MS else 0
        for counts in (self._slices[place], self._sum):
            counts[bucket] = counts.get(bucket, 0) + 1

    def counts(self, second: int) -> dict[int, int]:
        """What the window that ends with this second holds, by bucket."""
        oldest = second // self._slice_s - len(self._slices)
        for place, number in enumerate(self._numbers):
            if number <= oldest:
                self._forget(place)
        return self._sum

    def quantiles(self, second: int, shares: Sequence[float]) -> tuple[float, ...] | None:
        """Milliseconds at these shares of the window that ends with this second; ``None`` when it is empty."""
        counts = self.counts(second)
        return quantiles_of(counts, shares) if counts else None

    def _forget(self, place: int) -> None:
        for bucket, count in self._slices[place].items():
            left = self._sum[bucket] - count
            if left:
                self._sum[bucket] = left
            else:
                del self._sum[bucket]
        self._slices[place] = {}
