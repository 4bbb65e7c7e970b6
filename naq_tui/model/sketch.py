"""Percentiles of the latest minute, and of each few seconds before, in little memory."""

from __future__ import annotations

from collections.abc import Sequence

from naq_runtime.statistics.sketch import RELATIVE_ERROR, bucket_of, nanoseconds, quantiles_of

__all__ = ["RELATIVE_ERROR", "STEP_S", "RollingSketch", "quantiles_of"]

STEP_S = 10
"""Seconds of a histogram."""
_MINUTE = 6
"""Steps of it."""


class RollingSketch:
    """Histograms of durations, one for each step of some seconds; those of a minute together are its percentiles.

    Args:
        kept_s: for how long histograms are kept, at least a minute.
    """

    __slots__ = ("_minute", "_numbers", "_since", "_steps")

    def __init__(self, kept_s: int = _MINUTE * STEP_S) -> None:
        count = kept_s // STEP_S
        self._steps: list[dict[int, int]] = [{} for _ in range(count)]
        self._numbers = [0] * count
        self._minute: dict[int, int] = {}
        """The sum of all steps from ``_since`` on."""
        self._since = 0

    def observe(self, second: int, milliseconds: float) -> None:
        """Count a duration of something that happened in this second."""
        number = second // STEP_S
        place = number % len(self._steps)
        if number != self._numbers[place]:
            if number < self._numbers[place]:
                return
            self._leave_out(place, self._numbers[place] + 1)
            self._steps[place] = {}
            self._numbers[place] = number
        bucket = bucket_of(nanoseconds(milliseconds))
        counts = self._steps[place]
        counts[bucket] = counts.get(bucket, 0) + 1
        if number >= self._since:
            self._minute[bucket] = self._minute.get(bucket, 0) + 1

    def counts(self, second: int) -> dict[int, int]:
        """What the minute that ends with this second holds, by bucket."""
        since = second // STEP_S - _MINUTE + 1
        if since > self._since:
            for place in range(len(self._steps)):
                self._leave_out(place, since)
            self._since = since
        return self._minute

    def quantiles(self, second: int, shares: Sequence[float]) -> tuple[float, ...] | None:
        """Milliseconds at these shares of the minute that ends with this second; ``None`` when it is empty."""
        counts = self.counts(second)
        return quantiles_of(counts, shares) if counts else None

    def course(self, first: int, last: int, shares: Sequence[float]) -> list[tuple[float, ...] | None]:
        """The same of each step, from the one with the first second to the one with the last."""
        steps = map(self._step, range(first // STEP_S, last // STEP_S + 1))
        return [quantiles_of(counts, shares) if counts else None for counts in steps]

    def _step(self, number: int) -> dict[int, int]:
        place = number % len(self._steps)
        return self._steps[place] if self._numbers[place] == number else {}

    def _leave_out(self, place: int, since: int) -> None:
        """Take a step that lies before another one out of the sum."""
        if self._since <= self._numbers[place] < since:
            for bucket, count in self._steps[place].items():
                left = self._minute[bucket] - count
                if left:
                    self._minute[bucket] = left
                else:
                    del self._minute[bucket]
