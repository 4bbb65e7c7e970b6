"""Areas drawn in braille: two values and four levels a cell."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["area"]

_LEFT_UP = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT_UP = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
_LEFT_DOWN = (0x00, 0x01, 0x03, 0x07, 0x47)
_RIGHT_DOWN = (0x00, 0x08, 0x18, 0x38, 0xB8)


def area(values: Sequence[float], rows: int, highest: float, *, hanging: bool = False) -> list[str]:
    """The area under the values, from the top row down: it stands on its lower edge, or hangs from its upper one.

    Each line has half as many cells as there are values; their number is even. A value above zero is at least one dot.
    """
    dots = [_dots(value, rows, highest) for value in values]
    pairs = list(zip(dots[::2], dots[1::2], strict=True))
    left, right = (_LEFT_DOWN, _RIGHT_DOWN) if hanging else (_LEFT_UP, _RIGHT_UP)
    order = range(rows) if hanging else range(rows - 1, -1, -1)
    return ["".join(chr(0x2800 + left[_level(a, row)] + right[_level(b, row)]) for a, b in pairs) for row in order]


def _dots(value: float, rows: int, highest: float) -> int:
    if value <= 0 or highest <= 0:
        return 0
    return max(1, min(rows * 4, round(value * rows * 4 / highest)))


def _level(dots: int, row: int) -> int:
    return max(0, min(4, dots - 4 * row))
