"""What stands behind the sign of a comparison: spans, sizes, moments and numbers, to and from text."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

__all__ = [
    "Ago",
    "At",
    "Daytime",
    "Moment",
    "finite",
    "moment",
    "moment_of",
    "number",
    "number_text",
    "size",
    "size_text",
    "span",
    "span_text",
]

_SPANS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_SIZES = {"gb": 10**9, "mb": 10**6, "kb": 10**3, "gib": 2**30, "mib": 2**20, "kib": 2**10, "b": 1}
_SIZE_NAMES = {"gb": "GB", "mb": "MB", "kb": "kB", "b": "B"}
_AMOUNT = r"\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?"
_NUMBER = re.compile(f"-?{_AMOUNT}", re.ASCII)
_SIZE = re.compile(f"({_AMOUNT})([A-Za-z]*)", re.ASCII)
_SPAN = re.compile(f"-?(?:{_AMOUNT}(?:ms|[dhms]))+", re.ASCII)
_PART = re.compile(f"({_AMOUNT})(ms|[dhms])", re.ASCII)
_DAYTIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_NS = re.compile(r"\d{1,19}", re.ASCII)
_LAST_NS = 2**63 - 1
"""No event is later."""


class Ago(msgspec.Struct, frozen=True):
    """A moment by its distance from now: ``-10m`` lies behind, ``+10m`` ahead."""

    ms: float
    """Behind now, in milliseconds; negative for what lies ahead."""

    def __str__(self) -> str:
        return f"-{span_text(self.ms)}" if self.ms >= 0 else f"+{span_text(-self.ms)}"

    def at_ns(self, now_ns: int) -> int:
        """The moment, when it is now ``now_ns``."""
        return now_ns - round(self.ms * 1e6)


class Daytime(msgspec.Struct, frozen=True):
    """The last time that clocks showed this, in the local zone."""

    hour: int
    minute: int
    second: int = 0

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02}" + (f":{self.second:02}" if self.second else "")

    def at_ns(self, now_ns: int) -> int:
        """The moment, when it is now ``now_ns``."""
        now_s = now_ns // 1_000_000_000
        shown = datetime.fromtimestamp(now_s).replace(hour=self.hour, minute=self.minute, second=self.second)
        # Where clocks are put back, they show a time twice; where they are put forward, they show some times never.
        days = (shown - timedelta(days=ago) for ago in range(3))
        passed = (round(day.replace(fold=fold).timestamp()) for day in days for fold in (0, 1))
        return max(at for at in passed if at <= now_s and self._is_shown_at(at)) * 1_000_000_000

    def _is_shown_at(self, second: int) -> bool:
        at = datetime.fromtimestamp(second)
        return (at.hour, at.minute, at.second) == (self.hour, self.minute, self.second)


class At(msgspec.Struct, frozen=True):
    """A moment for good."""

    ns: int
    """Since 1970 UTC."""

    def __str__(self) -> str:
        return f"{self.ns:09}"  # eight digits would be a date

    def at_ns(self, now_ns: int) -> int:
        """The moment."""
        return self.ns


Moment = Ago | Daytime | At


def moment(text: str) -> Moment:
    """A moment as people write it: ``-10m``, ``14:02``, ``2026-11-27T14:02``, or nanoseconds since 1970.

    Raises:
        ValueError: it is none of these.
    """
    if text[:1] in ("-", "+") and text[1:2] != "-":
        return Ago(span(text[1:]) * (1 if text[0] == "-" else -1))
    if daytime := _DAYTIME.fullmatch(text):
        return Daytime(int(daytime[1]), int(daytime[2]), int(daytime[3] or 0))
    if _NS.fullmatch(text) and len(text) > 8:  # eight digits are a date
        return At(int(text))
    try:
        return At(_since_1970(datetime.fromisoformat(text)))
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError("expected a time such as -10m, 14:02 or 2026-11-27T14:02") from error


def moment_of(value: datetime | timedelta | str | int) -> Moment:
    """A moment as programs say it: a ``datetime``, an age, nanoseconds since 1970, ``15m``, or what `moment` reads.

    Raises:
        ValueError: a text is no moment.
    """
    match value:
        case str():
            return moment(f"-{value}") if value[:1] != "-" and _SPAN.fullmatch(value) else moment(value)
        case datetime():
            return At(_since_1970(value))
        case timedelta():
            return Ago(value.total_seconds() * 1_000)
    return At(max(0, value))


def _since_1970(at: datetime) -> int:
    whole = at.astimezone().replace(microsecond=0).timestamp()
    return min(max(0, round(whole) * 1_000_000_000 + at.microsecond * 1_000), _LAST_NS)


def span(text: str, *, plain_ms: float | None = None) -> float:
    """Milliseconds of ``500ms``, ``1.5h``, ``1m30s``, ``-2s`` …

    Args:
        plain_ms: what one is worth of a number without a unit, when there may be none.

    Raises:
        ValueError: it is no span.
    """
    if plain_ms is not None and _NUMBER.fullmatch(text):
        return finite(float(text) * plain_ms)
    if not _SPAN.fullmatch(text):
        raise ValueError("expected a duration with its unit, such as 500ms, 2s, 5m or 1h")
    ms = finite(sum(float(amount) * _SPANS_MS[unit] for amount, unit in _PART.findall(text)))
    return -ms if text[0] == "-" else ms


def span_text(ms: float) -> str:
    """What `span` reads as exactly this."""
    for unit, worth in _SPANS_MS.items():
        if ms and ms % worth == 0 and ms / worth * worth == ms:
            return f"{number_text(ms / worth)}{unit}"
    return f"{number_text(ms)}ms"


def size(text: str) -> float:
    """Bytes of ``100``, ``20kB``, ``1.5MB`` …

    Raises:
        ValueError: it is no size.
    """
    found = _SIZE.fullmatch(text)
    if found is None or found[2].lower() not in ("", *_SIZES):
        raise ValueError("expected a size such as 100, 20kB, 1.5MB or 2MiB")
    return finite(float(found[1]) * _SIZES[found[2].lower() or "b"])


def size_text(count: float) -> str:
    """What `size` reads as exactly this."""
    for unit, name in _SIZE_NAMES.items():
        worth = _SIZES[unit]
        if count and count % worth == 0 and count / worth * worth == count:
            return f"{number_text(count / worth)}{name}"
    return number_text(count)


def number(text: str) -> float:
    """The number.

    Raises:
        ValueError: it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError("expected a number")
    return finite(float(text))


def number_text(value: float) -> str:
    """What `number` reads as exactly this."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def finite(value: float) -> float:
    """The number, as it is stored.

    Raises:
        ValueError: it is infinite, too large, or none at all.
    """
    with suppress(OverflowError):
        if math.isfinite(value):
            return float(value)
    raise ValueError("expected a smaller number")
