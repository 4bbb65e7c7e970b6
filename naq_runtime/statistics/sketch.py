"""Percentiles of durations in little memory; two sketches add up to the one of all their durations.

A duration is counted in a bucket: 64 for each power of two of nanoseconds. What is known of it then is within a
128th, and sums and the longest are kept exactly, as whole nanoseconds, so that the order of adding does not matter.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from itertools import accumulate

import msgspec

__all__ = ["RELATIVE_ERROR", "Sketch", "add_counts", "bounds_ms", "bucket_of", "nanoseconds", "quantiles_of"]

_SUB_BITS = 6
_STEPS = 1 << _SUB_BITS
RELATIVE_ERROR = 1 / (2 * _STEPS)
"""A quantile is within this share of the true one, and a nanosecond."""

_LARGEST_MS = 1e12


def nanoseconds(milliseconds: float) -> int:
    """Whole nanoseconds; 0 for what is no duration: negative, not a number, or above 31 years."""
    return int(milliseconds * 1e6) if 0 <= milliseconds < _LARGEST_MS else 0


def bucket_of(duration_ns: int) -> int:
    """The number of the bucket of a duration."""
    if duration_ns < _STEPS:
        return duration_ns
    shift = duration_ns.bit_length() - _SUB_BITS - 1
    return (shift << _SUB_BITS) + (duration_ns >> shift)


def bounds_ms(bucket: int) -> tuple[float, float]:
    """From how many milliseconds on a duration is counted in a bucket, and from how many on no more."""
    shift = max(0, (bucket >> _SUB_BITS) - 1)
    low = (bucket - (shift << _SUB_BITS)) << shift
    return low / 1e6, (low + (1 << shift)) / 1e6


def _middle_ms(bucket: int) -> float:
    """The milliseconds in the middle of a bucket."""
    if bucket < 2 * _STEPS:
        return bucket / 1e6
    low_ms, high_ms = bounds_ms(bucket)
    return (low_ms + high_ms) / 2


def quantiles_of(counts: Mapping[int, int], shares: Iterable[float]) -> tuple[float, ...]:
    """The milliseconds at these shares, by nearest rank, of what the buckets counted; ``counts`` is not empty."""
    buckets = sorted(counts)
    reached = list(accumulate(map(counts.__getitem__, buckets)))
    ranks = (max(1, math.ceil(share * reached[-1])) for share in shares)
    return tuple(_middle_ms(buckets[bisect_left(reached, rank)]) for rank in ranks)


def add_counts(counts: MutableMapping[int, int], others: Mapping[int, int]) -> None:
    """Add what other buckets counted."""
    if not counts:
        counts.update(others)
        return
    there = counts.get
    for bucket, count in others.items():
        counts[bucket] = there(bucket, 0) + count


class Sketch(msgspec.Struct, omit_defaults=True, gc=False):
    """The durations of many things, none of them by itself."""

    buckets: dict[int, int] = {}
    sum_ns: int = 0
    max_ns: int = 0

    @property
    def count(self) -> int:
        """How many durations were added."""
        return sum(self.buckets.values())

    def share_below(self, milliseconds: float) -> float:
        """The share of durations that were shorter, 0 to 1; of those that are nearly the same, half."""
        if not self.buckets:
            return 0.0
        own = bucket_of(nanoseconds(milliseconds))
        below = sum(count for bucket, count in self.buckets.items() if bucket < own)
        return (below + self.buckets.get(own, 0) / 2) / self.count

    def counts_between(self, edges_ms: Sequence[float]) -> list[int]:
        """How many durations lie between each two neighbours of rising edges, the first one included."""
        counts = [0] * (len(edges_ms) - 1)
        for bucket, count in self.buckets.items():
            place = bisect_right(edges_ms, _middle_ms(bucket)) - 1
            if 0 <= place < len(counts):
                counts[place] += count
        return counts

    def add(self, duration_ns: int) -> None:
        """Count one duration, which is not negative."""
        bucket = bucket_of(duration_ns)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.sum_ns += duration_ns
        if duration_ns > self.max_ns:
            self.max_ns = duration_ns

    def pieces(self, most: int) -> Iterator[Sketch]:
        """Several that add up to it, with so many buckets each."""
        items, sums = list(self.buckets.items()), (self.sum_ns, self.max_ns)
        for start in range(0, len(items), most):
            yield Sketch(dict(items[start : start + most]), *(sums if not start else ()))

    def merge(self, other: Sketch) -> None:
        """Count all durations of another one."""
        add_counts(self.buckets, other.buckets)
        self.sum_ns += other.sum_ns
        self.max_ns = max(self.max_ns, other.max_ns)
