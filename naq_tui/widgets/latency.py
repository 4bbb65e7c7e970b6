"""How long things took, over time: p50 as a full area, and p95 as a sparse one behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from naq_runtime.events.messages import duration_text
from naq_tui.text import fit
from naq_tui.widgets.braille import bands
from naq_tui.widgets.line import Line, Span

__all__ = ["duration_rows", "round_above"]


def duration_rows(name: str, pairs: Sequence[tuple[float, float] | None], rows: int, label: int) -> Iterator[Line]:
    """An area in so many rows.

    Args:
        pairs: p50 and p95 of each column in milliseconds, ``None`` for none; their number is even.
        label: cells of the column of labels, which says what the upper edge stands for, and the name.
    """
    highest = round_above(max((pair[1] for pair in pairs if pair is not None), default=0.0))
    edge = duration_text(highest) if highest else ""
    both = f"{name} {edge}".rstrip()
    labels = [both, ""] if len(both) <= label else [edge, name]
    for index, runs in enumerate(bands(pairs, rows, highest)):
        spans: list[Span] = [(text, "begin" if lit else "bar") for text, lit in runs]
        yield Line(((fit(labels[index] if index < len(labels) else "", label, "right") + " ", "dim"), *spans))


def round_above(value: float) -> float:
    """The smallest round number that is not below a value; 0 for 0."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8) if step * power >= value), 10 * power)
