"""When something that recurs is due: by a cron expression in a time zone, or at a fixed rate. Pure.

Moments are integer nanoseconds since 1970 UTC. Where clocks are set forward, a time of day that is skipped is due once,
at the jump; where they are set back, a time of day that comes twice is due once, the first time. What goes by minutes
or hours (``*/15 * * * *``) keeps its rhythm through both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from threading import Lock
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from croniter.croniter import CroniterError

from naq_runtime.errors import InvalidSchedule

__all__ = ["Cron", "Once", "Rate", "Timetable", "check_cron", "coming", "zone_of"]

_SECOND_NS = 1_000_000_000
_LONGEST_EXPRESSION = 200
_SPANS = (60, 60, 24, 31, 12, 7)
"""Of second, minute, hour, day, month and weekday."""
_YEARS_AHEAD = 50
_reading = Lock()
"""What reads an expression is at one moment at a time."""
_CHANCE = re.compile(r"[hr](\(.*\))?", re.IGNORECASE)


class Timetable(Protocol):
    """Says what comes next."""

    def next_after(self, moment_ns: int) -> int | None:
        """The first moment after this one; ``None`` when there is none."""
        ...


class Once:
    """One moment."""

    def __init__(self, at_ns: int) -> None:
        self._at_ns = at_ns

    def next_after(self, moment_ns: int) -> int | None:
        """See `Timetable.next_after`."""
        return self._at_ns if self._at_ns > moment_ns else None


class Rate:
    """A fixed rate.

    Args:
        every_ns: between two moments.
        anchor_ns: one of them.
    """

    def __init__(self, every_ns: int, anchor_ns: int) -> None:
        self._every_ns = every_ns
        self._anchor_ns = anchor_ns

    def next_after(self, moment_ns: int) -> int | None:
        """See `Timetable.next_after`."""
        return moment_ns + self._every_ns - (moment_ns - self._anchor_ns) % self._every_ns


class Cron:
    """A cron expression of five fields, of six with the seconds first, or a name such as ``@daily``.

    Args:
        expression: one that `check_cron` lets pass; ``0 9 * * mon-fri``, ``*/10 * * * * *``, ``@hourly``.
        zone: the name of a time zone, such as ``Europe/Paris``.

    Raises:
        InvalidSchedule: the zone is not known.
    """

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        self._expression = expression
        self._zone = zone_of(zone)

    def next_after(self, moment_ns: int) -> int | None:
        """See `Timetable.next_after`.

        Raises:
            InvalidSchedule: the expression cannot be read.
        """
        second = _next_second(self._expression, self._zone, moment_ns // _SECOND_NS)
        return None if second is None else second * _SECOND_NS


@lru_cache(maxsize=4096)
def _next_second(expression: str, zone: ZoneInfo, after: int) -> int | None:
    """Kept, because many schedules share a timetable and are due at the same time."""
    with _reading:
        moments = _read(expression, zone)
        moments.set_current(datetime.fromtimestamp(after, zone), force=True)
        by_time_of_day = not any(field.startswith("*") for field in moments.expressions[:2])
        while True:
            try:
                found: datetime = moments.get_next(datetime)
            except CroniterError:
                return None
            if not (by_time_of_day and found.fold):
                return int(found.timestamp())


@lru_cache(maxsize=1024)
def _read(expression: str, zone: ZoneInfo) -> croniter:
    """Kept, because reading an expression takes longer than finding a moment."""
    try:
        return croniter(
            expression,
            datetime.fromtimestamp(0, zone),
            second_at_beginning=_has_seconds(expression),
            max_years_between_matches=_YEARS_AHEAD,
        )
    except (CroniterError, AttributeError, KeyError, IndexError) as error:
        raise InvalidSchedule(f"cron expression {expression!r} cannot be read: {error}") from error


def _has_seconds(expression: str) -> bool:
    return len(expression.split()) == 6


def coming(timetable: Timetable, after_ns: int) -> Iterator[int]:
    """All moments after this one, in order."""
    moment_ns = timetable.next_after(after_ns)
    while moment_ns is not None:
        yield moment_ns
        moment_ns = timetable.next_after(moment_ns)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name.

    Raises:
        InvalidSchedule: there is none on this machine.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSchedule(
            f"time zone {name!r} is not known here: use a name such as Europe/Paris or UTC, and see that the package "
            "tzdata is installed"
        ) from error


def check_cron(expression: str) -> None:
    """See that an expression can be kept.

    Raises:
        InvalidSchedule: it cannot be read, or names a day that never comes.
    """
    if not isinstance(expression, str) or not 1 <= len(expression) <= _LONGEST_EXPRESSION:
        raise InvalidSchedule(f"a cron expression is a text of up to {_LONGEST_EXPRESSION} characters")
    fields = expression.split()
    if not expression.startswith("@") and len(fields) not in (5, 6):
        raise InvalidSchedule(
            f"cron expression {expression!r} has {len(fields)} fields, expected 5 (minute hour day month weekday), "
            "or 6 with the second in front"
        )
    _check_fields(expression, fields)
    _next_second(expression, zone_of("UTC"), 0)
    if not croniter.is_valid(expression, second_at_beginning=_has_seconds(expression), strict=True):
        raise InvalidSchedule(f"cron expression {expression!r} names a day that never comes")


def _check_fields(expression: str, fields: list[str]) -> None:
    """What the library lets pass, and nobody can have meant."""
    for field, span in zip(reversed(fields), reversed(_SPANS), strict=False):
        for part in field.split(","):
            stem, _, step = part.partition("/")
            if _CHANCE.fullmatch(stem):
                raise InvalidSchedule(f"cron expression {expression!r}: {stem} is no moment; for chance, use jitter")
            if step.isdecimal() and not 1 <= int(step) <= span:
                raise InvalidSchedule(f"cron expression {expression!r}: the step of {part!r} must be 1 to {span}")
