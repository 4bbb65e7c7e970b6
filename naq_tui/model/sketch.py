"""Percentiles of the latest minute in little memory."""

from __future__ import annotations

from collections.abc import Sequence

from naq_runtime.statistics.sketch import RELATIVE_ERROR, bucket_of, nanoseconds, quantiles_of

__all__ = ["RELATIVE_ERROR", "RollingSketch", "quantiles_of"]


class RollingSketch:
    """Histograms of durations, a few seconds each; their sum is the window."""

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
        bucket = bucket_of(nanoseconds(milliseconds))
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
