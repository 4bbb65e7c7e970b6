"""The forms in which commands print, and those in which they are told spans and moments of time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

import typer

from naq_tui.text import iso_text

__all__ = [
    "Format",
    "PastMoment",
    "a_moment",
    "a_past_moment",
    "a_span",
    "iso_text",
    "moment_ns",
    "past_moment",
    "span_s",
]

T = TypeVar("T")

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SPAN = re.compile(r"(?:([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d|w) ?)+")
_PART = re.compile(r"([0-9.]+) ?([a-z]+)")
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_LONGEST_S = 10 * 365 * 86_400
_SECOND_NS = 1_000_000_000


class Format(StrEnum):
    """A table for people, JSON and raw lines for scripts."""

    TABLE = "table"
    JSON = "json"
    RAW = "raw"


def span_s(text: str) -> float:
    """The seconds of a span: ``90s``, ``5m``, ``2h``, ``1d``, ``1h30m``; a bare number is seconds.

    Raises:
        ValueError: it is no span, or longer than ten years.
    """
    given = text.strip()
    if _SECONDS.fullmatch(given):
        seconds = float(given)
    elif _SPAN.fullmatch(given):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(given))
    else:
        raise ValueError(f"expected a span such as 90s, 5m, 2h, 1d or 1h30m, got {text!r}")
    if seconds > _LONGEST_S:
        raise ValueError(f"a span of more than ten years: {text!r}")
    return seconds


def moment_ns(text: str, now_ns: int) -> int:
    """A moment, in nanoseconds since 1970 UTC: ISO 8601 with its zone, or a local time of day, when it comes next.

    Raises:
        ValueError: it is no moment, its zone is not said, or it is more than ten years off.
    """
    given = text.strip()
    if clock := _CLOCK.fullmatch(given):
        hour, minute, second = (int(part or 0) for part in clock.groups())
        return _next_ns(now_ns, hour, minute, second)
    try:
        when = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError(f"expected a time such as 14:30, 14:30:00 or 2026-03-01T14:30+01:00, got {text!r}") from None
    if when.tzinfo is None:
        raise ValueError(f"{text!r} does not say its zone: end it with Z for UTC, or with an offset such as +01:00")
    moment = round((when - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000
    if abs(moment - now_ns) > _LONGEST_S * _SECOND_NS:
        raise ValueError(f"{text!r} is more than ten years off")
    return moment


def _next_ns(now_ns: int, hour: int, minute: int, second: int) -> int:
    """When the local clocks show this next; a day is not always 24 hours."""
    today = datetime.fromtimestamp(now_ns // _SECOND_NS)
    at = today.replace(hour=hour, minute=minute, second=second, microsecond=0, fold=0)
    if at.timestamp() * _SECOND_NS <= now_ns:
        at += timedelta(days=1)
    return int(at.timestamp()) * _SECOND_NS


class PastMoment(NamedTuple):
    """A moment that is over: one that is certain, or so long before now."""

    ns: int = 0
    """Since 1970 UTC; 0 for an age."""
    age_ns: int = 0

    def at_ns(self, now_ns: int) -> int:
        """The moment, when it is now ``now_ns``."""
        return self.ns or now_ns - self.age_ns


def past_moment(text: str, now_ns: int) -> PastMoment:
    """A span before now, ISO 8601 with its zone, or a local time of day, when it came last.

    Raises:
        ValueError: it is none of these.
    """
    given = text.strip()
    if _SECONDS.fullmatch(given) or _SPAN.fullmatch(given):
        return PastMoment(age_ns=int(span_s(given) * _SECOND_NS))
    if _CLOCK.fullmatch(given):
        yesterday_ns = now_ns - 25 * 3600 * _SECOND_NS
        last_ns = moment_ns(given, yesterday_ns)
        while (following_ns := moment_ns(given, last_ns)) <= now_ns:
            last_ns = following_ns
        return PastMoment(last_ns)
    return PastMoment(moment_ns(given, now_ns))


def a_span(text: str) -> float:
    """`span_s`, for an option of a command."""
    return _told(span_s, text)


def a_moment(text: str) -> int:
    """`moment_ns`, for an option of a command."""
    import time

    return _told(lambda given: moment_ns(given, time.time_ns()), text)


def a_past_moment(text: str) -> PastMoment:
    """`past_moment`, for an option of a command."""
    import time

    return _told(lambda given: past_moment(given, time.time_ns()), text)


def _told(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
