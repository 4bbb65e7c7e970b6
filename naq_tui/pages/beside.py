"""Two texts beside each other, where there is room for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from naq_tui.widgets.columns import fitted
from naq_tui.widgets.flow import width_of
from naq_tui.widgets.line import EMPTY, Line

__all__ = ["beside"]

_ROOMY = 96
_GAP = 2

Part = Callable[[int], Sequence[Line]]
"""The lines of a part for a width."""


def beside(left: Part, right: Part, width: int) -> list[Line]:
    """Two parts of the same width, or below each other where there is little room."""
    if width < _ROOMY:
        return [*left(width), *right(width)]
    half = (width - _GAP) // 2
    pairs = zip_longest(left(half), right(width - half - _GAP), fillvalue=EMPTY)
    return [_joined(one, other, half) for one, other in pairs]


def _joined(one: Line, other: Line, width: int) -> Line:
    shown = fitted(one.spans, width)
    blank = " " * (width + _GAP - width_of(shown))
    return Line((*shown, (blank, "text"), *other.spans))
