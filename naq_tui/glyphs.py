"""ASCII twins of all that is drawn, for terminals that know nothing else.

They are put in where lines leave for the terminal, cell for cell: so widgets draw as ever, and text from jobs is
covered like our own.
"""

from __future__ import annotations

import unicodedata

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

__all__ = ["AsciiFilter", "ascii_text", "has_twin"]

_TWINS: dict[str, str] = {
    **dict(zip("✓✔✗✘⊘⊗⊕⊖⊞⊙", "vvxx/X&-+o", strict=True)),
    **dict(zip("▸▶►▹◂◀◄▴▲▾▼▽→←↑↓↕⇡⇣⇢⇠»«", ">>>><<<^^vvv><^v|^v><><", strict=True)),
    **dict(zip("●◉◆■▪•○◇□▫◌◐◔◷◶", "****#*ooo.:c%@@", strict=True)),
    **dict(zip("‖‼⋯⋮·…↻↺⟳†‡↯ϟ⚡✎★☆⚑⚐⚠", "=!~:-~RrR##Zz!eSsPp!", strict=True)),
    **dict(zip("⏸⏵⏹⏪⏩⌛⏳∿≡≠≤≥±\N{MULTIPLICATION SIGN}÷µ°∞─━│┃░▒▓█", "=>#<>%%~=!<>+x/uo8-=|#.:%#", strict=True)),
    **dict(zip("▁▂▃▄▅▆▇", "_.-~=*#", strict=True)),
    **dict(zip("▏▎▍▌▋▊▉▐▔▀", "|||||####^", strict=True)),
    **dict(zip("\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019\u201c\u201d\u00a0", "------''\"\" ", strict=True)),
}
"""One character of one cell for another."""

_DOTS = " ..::||##"
"""For a character of braille, by the number of its dots."""

_UNKNOWN = "?"


def _twin(character: str) -> str:
    """As many ASCII characters as it takes cells."""
    width = get_character_cell_size(character)
    known = _known_twin(character)
    return known.ljust(width)[:width] if known else _UNKNOWN * width


def _known_twin(character: str) -> str:
    point = ord(character)
    if character in _TWINS:
        return _TWINS[character]
    if 0x2500 <= point < 0x2580:
        return _box(unicodedata.name(character))
    if 0x2800 <= point < 0x2900:
        return _DOTS[(point - 0x2800).bit_count()]
    base = unicodedata.normalize("NFKD", character)[0]
    return base if base.isascii() and base.isprintable() else ""


def _box(name: str) -> str:
    """A line of a box by its name in Unicode."""
    is_level = any(word in name for word in ("HORIZONTAL", "LEFT", "RIGHT"))
    is_upright = any(word in name for word in ("VERTICAL", "UP", "DOWN"))
    return "+" if is_level and is_upright else "-" if is_level else "|"


class _Table(dict[int, str]):
    """Twins by code point, as they are needed."""

    def __missing__(self, point: int) -> str:
        twin = self[point] = chr(point) if point < 0x80 else _twin(chr(point))
        return twin


_TABLE = _Table()


def ascii_text(text: str) -> str:
    """The text in ASCII, in as many cells."""
    return text if text.isascii() else text.translate(_TABLE)


def has_twin(character: str) -> bool:
    """Whether there is something better for it than a question mark."""
    return character.isascii() or bool(_known_twin(character))


class AsciiFilter(LineFilter):
    """Lets nothing but ASCII through to the terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments of a line with twins in them."""
        return [Segment(ascii_text(text), style, control) for text, style, control in segments]
