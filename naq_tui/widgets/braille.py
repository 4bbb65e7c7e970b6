"""Areas drawn in braille: two values and four levels a cell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

__all__ = ["area", "bands"]

_LEFT_UP = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT_UP = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_LEFT_DOWN = (0x00, 0x01, 0x03, 0x07, 0x47)
_RIGHT_DOWN = (0x00, 0x08, 0x18, 0x38, 0xB8)
_SPARSE = 0x95
"""Every other dot, as on a chequerboard."""


def area(values: Sequence[float], rows: int, highest: float, *, hanging: bool = False) -> list[str]:
    """The area under the values, from the top row down: it stands on its lower edge, or hangs from its upper one.

    Each line has half as many cells as there are values; their number is even. A value above zero is at least one dot.
    """
    dots = [_dots(value, rows, highest) for value in values]
    pairs = list(zip(dots[::2], dots[1::2], strict=True))
    left, right = (_LEFT_DOWN, _RIGHT_DOWN) if hanging else (_LEFT_UP, _RIGHT_UP)
    order = range(rows) if hanging else range(rows - 1, -1, -1)
    return ["".join(chr(0x2800 + left[_level(a, row)] + right[_level(b, row)]) for a, b in pairs) for row in order]


def bands(pairs: Sequence[tuple[float, float] | None], rows: int, highest: float) -> list[list[tuple[str, bool]]]:
    """Two areas that stand on the same edge, from the top row down: a full one, and behind it a sparse, higher one.

    Args:
        pairs: the lower and the higher value of each column, ``None`` for none; their number is even.

    Returns:
        For each row runs of cells, each with whether the full area reaches into them.
    """
    dots = [
        (0, 0) if pair is None else (_dots(pair[0], rows, highest), _dots(pair[1], rows, highest)) for pair in pairs
    ]
    cells = list(zip(dots[::2], dots[1::2], strict=True))
    return [_runs([_cell(left, right, row) for left, right in cells]) for row in range(rows - 1, -1, -1)]


def _cell(left: tuple[int, int], right: tuple[int, int], row: int) -> tuple[str, bool]:
    (left_low, left_high), (right_low, right_high) = left, right
    full = _LEFT_UP[_level(left_low, row)] + _RIGHT_UP[_level(right_low, row)]
    behind = _LEFT_UP[_level(left_high, row)] + _RIGHT_UP[_level(right_high, row)]
    return chr(0x2800 + (full | behind & _SPARSE)), bool(full)


def _runs(cells: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    return [("".join(text for text, _ in run), lit) for lit, run in groupby(cells, key=lambda cell: cell[1])]


def _dots(value: float, rows: int, highest: float) -> int:
    if value <= 0 or highest <= 0:
        return 0
    return max(1, min(rows * 4, round(value * rows * 4 / highest)))


def _level(dots: int, row: int) -> int:
    return max(0, min(4, dots - 4 * row))
