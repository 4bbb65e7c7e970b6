"""Small pictures of numbers: sparklines and gauges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from naq_tui.widgets.line import Span

__all__ = ["gauge", "sparkline", "squeezed"]

_LEVELS = "▁▂▃▄▅▆▇"
"""No full block: rows would grow together."""


def squeezed(values: Sequence[int], width: int) -> list[float]:
    """The values as ``width`` means of neighbours, or as they are when there are no more than that."""
    count = len(values)
    if count <= width:
        return [float(value) for value in values]
    edges = [index * count // width for index in range(width + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]


def sparkline(values: Sequence[int], width: int) -> list[Span]:
    """A row of little columns, the latest at the right; where nothing happened there is a faint line."""
    means = squeezed(values, width)
    highest = max(means, default=0.0)
    text = "".join(_LEVELS[min(6, int(mean * 6.99 / highest))] if mean else "▁" for mean in means)
    return _runs(text, [mean > 0 for mean in means])


def _runs(text: str, lit: Sequence[bool]) -> list[Span]:
    spans: list[Span] = []
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or lit[index] != lit[start]:
            spans.append((text[start:index], "bar" if lit[start] else "faint"))
            start = index
    return spans or [("", "faint")]


def gauge(value: int, limit: int, width: int) -> list[Span]:
    """A bar of which the lit part is the share of ``value`` in ``limit``."""
    lit = min(width, -(-value * width // limit)) if limit > 0 else 0
    return [("━" * lit, "good" if value < limit else "warn"), ("─" * (width - lit), "faint")]
