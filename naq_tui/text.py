"""Text that is safe to show and fits where it goes; numbers and times in the words of the screen.

Names, errors and arguments come from jobs, so from anybody. `inert` turns them into text that a terminal only draws:
what would move the cursor, change colours or reorder the line becomes a visible mark of one cell.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len, get_character_cell_size

from naq_runtime.events.messages import duration_text

__all__ = [
    "SKEW_SHOWN_MS",
    "Align",
    "age_text",
    "bytes_text",
    "clip",
    "clock_text",
    "count_text",
    "countdown_text",
    "date_text",
    "fit",
    "inert",
    "inert_lines",
    "iso_text",
    "moment_text",
    "percent_text",
    "rate_text",
    "short_age_text",
    "skew_text",
    "split",
    "wrap",
]

Align = Literal["left", "right"]

SKEW_SHOWN_MS = 50
"""A clock that is off by so much is pointed out."""

_MARK = "\N{REPLACEMENT CHARACTER}"
_ELLIPSIS = "…"
_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_RIGHT_MS = 10
_NEAR_NS = 12 * 3600 * 1_000_000_000
_SPACES = "\t\n\v\f\r\u2028\u2029"

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # drawn as nothing
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, separators, bidirectional controls
    "\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff"  # variation selectors, skin tones, tags
    "\U0001f1e6-\U0001f1ff"  # halves of flags
    "\ud800-\udfff"  # surrogates that stand alone
    "]"
)
_PILED_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{2})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def _replacement(match: re.Match[str]) -> str:
    character = match.group()
    point = ord(character)
    if character in _SPACES:
        return " "
    if point < 0x20:
        return chr(0x2400 + point)
    if point == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    if 0x1F1E6 <= point <= 0x1F1FF:
        return chr(ord("A") + point - 0x1F1E6)
    if 0xFE00 <= point <= 0xFE0F or 0x1F3FB <= point <= 0x1F3FF:
        return ""
    return _MARK


def inert(text: str, limit: int = 500) -> str:
    """The text in one line, without anything that a terminal would obey, and at most ``limit`` characters of it."""
    if len(text) > limit:
        text = text[: limit - 1] + _ELLIPSIS
    if text.isascii() and text.isprintable():
        return text
    return _PILED_MARKS.sub(r"\1", _UNSAFE.sub(_replacement, text))


def inert_lines(text: str, *, lines: int = 400, width: int = 1000) -> list[str]:
    """A text of several lines, each of them inert; what is beyond the limits is left out, and said so."""
    found = re.split(r"\r\n|\n|\r", text.replace("\t", "    ")[: lines * width])
    shown = [inert(line, width) for line in found[:lines]]
    if len(found) > lines:
        shown.append(f"{_ELLIPSIS} {count_text(len(found) - lines)} more lines")
    return shown


def _prefix(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > width:
            return text[:index]
    return text


def clip(text: str, width: int) -> str:
    """The text in at most ``width`` cells of the terminal; an ellipsis stands for what was cut."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    return _prefix(text, width - 1) + _ELLIPSIS


def fit(text: str, width: int, align: Align = "left") -> str:
    """The text in exactly ``width`` cells of the terminal."""
    shown = clip(text, width)
    blank = " " * (width - cell_len(shown))
    return blank + shown if align == "right" else shown + blank


def split(text: str, first: int, width: int) -> list[str]:
    """The text cut into a piece of at most ``first`` cells, which may be empty, and more of at most ``width``.

    A piece after the first has at least one character, however narrow it should be.
    """
    pieces: list[str] = []
    width = max(1, width)  # a widget has no width before it is laid out
    start, used, room = 0, 0, max(0, first)
    for place, character in enumerate(text):
        cells = get_character_cell_size(character)
        if used + cells > room and (place > start or not pieces):
            pieces.append(text[start:place])
            start, used, room = place, 0, width
        used += cells
    return [*pieces, text[start:]]


def wrap(text: str, width: int) -> list[str]:
    """The text cut into pieces of at most ``width`` cells, or of one character; at least one piece.

    It is cut behind a blank, unless that would leave more than half of the width unused.
    """
    pieces: list[str] = []
    start, room = 0, max(width, 2)
    while True:
        piece = _prefix(text[start:], room)
        if start + len(piece) >= len(text):
            return [*pieces, piece]
        behind = piece.rfind(" ") + 1
        piece = piece[:behind] if behind > len(piece) // 2 else piece
        pieces.append(piece)
        start += len(piece)


@lru_cache(maxsize=1024)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


def clock_text(time_ns: int, *, milliseconds: bool = False) -> str:
    """The local time of day: ``14:02:11``, or ``14:02:11.045``."""
    second, rest = divmod(time_ns, 1_000_000_000)
    try:
        text = _clock(second)
    except (OverflowError, ValueError, OSError):
        text = "--:--:--"
    return f"{text}.{rest // 1_000_000:03d}" if milliseconds else text


def moment_text(time_ns: int, now_ns: int, *, milliseconds: bool = False) -> str:
    """The local time of day, with the date before it when it is not near: ``2026-03-01 14:02:11``."""
    clock = clock_text(time_ns, milliseconds=milliseconds)
    if abs(time_ns - now_ns) < _NEAR_NS:
        return clock
    return f"{date_text(time_ns)} {clock}".strip()


def date_text(time_ns: int) -> str:
    """The local date: ``2026-03-01``; empty for what no calendar has."""
    try:
        return time.strftime("%Y-%m-%d", time.localtime(time_ns // 1_000_000_000))
    except (OverflowError, ValueError, OSError):
        return ""


def iso_text(time_ns: int | None) -> str | None:
    """A moment as ISO 8601 in UTC, to the microsecond; ``None`` when there is none."""
    if not time_ns:
        return None
    second, rest = divmod(time_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(second, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def age_text(seconds: float) -> str:
    """How long ago, or for how long: ``3 s``, ``2 m 05 s``, ``1 h 02 m``, ``3 d 4 h``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, whole = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} m {whole:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} m"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def short_age_text(seconds: float) -> str:
    """How long ago, in at most six cells: ``3 s``, ``172 s``, ``17 m``, ``26 h``, ``140 d``."""
    whole = max(0, int(seconds))
    for size, unit, most in ((1, "s", 180), (60, "m", 180), (3600, "h", 72)):
        if whole < most * size:
            return f"{whole // size} {unit}"
    return f"{min(whole // 86_400, 9999)} d"


def skew_text(milliseconds: float) -> str:
    """How far a clock is off: ``right``, ``312 ms ahead``, ``5 m 00 s behind``."""
    if abs(milliseconds) <= _RIGHT_MS:
        return "right"
    return f"{duration_text(abs(milliseconds))} {'ahead' if milliseconds > 0 else 'behind'}"


def countdown_text(seconds: float) -> str:
    """Until then, in at most eleven cells: ``now``, ``in 2 m 05 s``, ``in 15 m``, ``in 1 h 02 m``, ``in 3 d``.

    The last unit is left out where it is a small part.
    """
    whole = max(0, math.ceil(seconds))
    if whole == 0:
        return "now"
    for size, unit in ((86_400, "d"), (36_000, "h"), (600, "m")):
        if whole >= size and not (unit == "m" and whole >= 3600):
            return f"in {min(whole // _UNITS[unit], 99_999)} {unit}"
    return f"in {age_text(whole)}"


def count_text(count: int) -> str:
    """A count in at most six cells: ``1,234``, ``12.3k``, ``4.5M``; what is beyond all sense is ``>999T``."""
    if count < 10_000:
        return f"{max(count, -999):,}"
    if count >= 999 * 10**12:
        return ">999T"
    value = float(count)
    for unit in "kMG":
        value /= 1000
        if value < 99.95:
            return f"{value:.1f}{unit}"
        if value < 999.5:
            return f"{value:.0f}{unit}"
    return f"{value / 1000:.0f}T"


def bytes_text(count: int) -> str:
    """Bytes in at most seven cells: ``812 B``, ``1.4 MB``, ``215 GB``."""
    value, unit = float(max(0, count)), 0
    while value >= 999.5 and unit < len(_BYTES) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {_BYTES[unit]}" if unit and value < 99.95 else f"{value:.0f} {_BYTES[unit]}"


def rate_text(rate: float) -> str:
    """A rate in at most six cells: ``0``, ``0.4``, ``12.3``, ``321``, ``12.3k``."""
    if rate <= 0:
        return "0"
    if rate < 0.1:
        return "<0.1"
    return f"{rate:.1f}" if rate < 99.95 else count_text(round(rate))


def percent_text(share: float) -> str:
    """A share of one as a percentage: ``0 %``, ``0.4 %``, ``12 %``."""
    if share <= 0:
        return "0 %"
    percent = share * 100
    if percent < 0.1:
        return "<0.1 %"
    return f"{percent:.1f} %" if percent < 9.95 else f"{percent:.0f} %"
