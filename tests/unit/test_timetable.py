"""When recurring things are due, by cron in time zones with all that clocks do there, and at a fixed rate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naq_runtime.errors import InvalidSchedule
from naq_runtime.timetable import Cron, Once, Rate, check_cron, coming, zone_of

SECOND_NS = 1_000_000_000
MINUTE = timedelta(minutes=1)


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_NS


def local(text: str, zone: str) -> int:
    """``2026-03-29 03:00+02:00`` or a moment of the zone, in nanoseconds."""
    moment = datetime.fromisoformat(text)
    return ns(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)))


def shown(moments: list[int], zone: str) -> list[str]:
    return [datetime.fromtimestamp(m // SECOND_NS, ZoneInfo(zone)).isoformat(" ", "minutes") for m in moments]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # Daily, and the hour is skipped: once, at the jump.
        (
            "30 2 * * *",
            "Europe/Paris",
            "2026-03-28 12:00",
            ["2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00"],
        ),
        # Daily, and the hour comes twice: once, the first time.
        (
            "30 2 * * *",
            "Europe/Paris",
            "2026-10-24 12:00",
            ["2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00"],
        ),
        # Every quarter of an hour keeps its rhythm through both.
        (
            "*/15 * * * *",
            "Europe/Paris",
            "2026-03-29 01:30",
            ["2026-03-29 01:45+01:00", "2026-03-29 03:00+02:00", "2026-03-29 03:15+02:00"],
        ),
        (
            "*/15 * * * *",
            "Europe/Paris",
            "2026-10-25 02:30+02:00",
            ["2026-10-25 02:45+02:00", "2026-10-25 02:00+01:00", "2026-10-25 02:15+01:00"],
        ),
        # Hourly, too.
        ("0 * * * *", "America/New_York", "2026-11-01 00:30-04:00", [
            "2026-11-01 01:00-04:00", "2026-11-01 01:00-05:00", "2026-11-01 02:00-05:00",
        ]),
        # Zones that are off by half an hour, and one that moves its clocks by half an hour.
        ("0 9 * * *", "Asia/Kolkata", "2026-01-01 09:00", ["2026-01-02 09:00+05:30", "2026-01-03 09:00+05:30"]),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03 12:00",
            ["2026-10-04 02:30+11:00", "2026-10-05 02:15+11:00"],
        ),
        # Months without a 31st, and years without a 29 February.
        ("0 0 31 * *", "UTC", "2026-01-31 00:00", ["2026-03-31 00:00+00:00", "2026-05-31 00:00+00:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01 00:00", ["2028-02-29 00:00+00:00", "2032-02-29 00:00+00:00"]),
        # Names, and weekdays.
        ("@daily", "Asia/Tokyo", "2026-01-01 12:00", ["2026-01-02 00:00+09:00", "2026-01-03 00:00+09:00"]),
        ("0 9 * * mon-fri", "UTC", "2026-11-27 10:00", ["2026-11-30 09:00+00:00", "2026-12-01 09:00+00:00"]),
        # Midnight that a zone skips.
        ("0 0 * * *", "America/Santiago", "2026-09-05 12:00", ["2026-09-06 01:00-03:00", "2026-09-07 00:00-03:00"]),
    ],
)  # fmt: skip
def test_cron_is_due_as_people_expect_wherever_clocks_are_moved(
    expression: str, zone: str, after: str, expected: list[str]
) -> None:
    moments = list(islice(coming(Cron(expression, zone), local(after, zone)), len(expected)))

    assert shown(moments, zone) == expected


def test_six_fields_have_the_second_in_front() -> None:
    found = Cron("*/20 30 9 * * *").next_after(local("2026-01-01 09:30:20", "UTC"))

    assert found == local("2026-01-01 09:30:40", "UTC")


ZONES = ("UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago")
"""Some that move their clocks, by a whole hour and by a half, on both halves of the earth."""
CHANGES = ("2026-03-08", "2026-03-29", "2026-04-05", "2026-09-06", "2026-10-04", "2026-10-25", "2026-11-01")


def due_by_brute_force(minute: str, hour: str, zone: str, after: datetime, hours: int) -> list[str]:
    """Look at each minute in turn."""

    def fits(field: str, value: int) -> bool:
        if field.startswith("*"):
            step = int(field[2:] or 1) if "/" in field else 1
            return value % step == 0
        return value in {int(part) for part in field.split(",")}

    found, seen = [], set()
    fixed = not minute.startswith("*") and not hour.startswith("*")
    moment = after.astimezone(UTC).replace(second=0, microsecond=0)
    before = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    for _ in range(hours * 60):
        moment += MINUTE
        here = moment.astimezone(ZoneInfo(zone))
        wall = here.replace(tzinfo=None)
        skipped = [before + MINUTE * n for n in range(1, int((wall - before) / MINUTE))] if wall > before else []
        is_due = fits(minute, here.minute) and fits(hour, here.hour)
        is_due = is_due and not (fixed and here.fold)
        if hour != "*":
            is_due = is_due or any(fits(minute, w.minute) and fits(hour, w.hour) for w in skipped)
        if is_due and moment not in seen:
            seen.add(moment)
            found.append(here.isoformat(" ", "minutes"))
        before = wall
    return found


MINUTES = st.sampled_from(["*", "*/5", "*/15", "0", "30", "15,45"])
HOURS = st.sampled_from(["*", "*/2", "0", "1", "2", "3", "1,2"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(MINUTES, HOURS, st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(-1440, 600))
def test_cron_agrees_with_looking_at_each_minute(minute: str, hour: str, zone: str, day: str, offset: int) -> None:
    after = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) + offset * MINUTE
    expected = due_by_brute_force(minute, hour, zone, after, hours=48)

    moments = []
    for moment in coming(Cron(f"{minute} {hour} * * *", zone), ns(after)):
        if moment > ns(after + timedelta(hours=48)):
            break
        moments.append(moment)

    assert shown(moments, zone) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(MINUTES, HOURS, st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(0, 2 * 86_400))
def test_it_does_not_matter_from_when_one_looks(minute: str, hour: str, zone: str, day: str, second: int) -> None:
    timetable = Cron(f"{minute} {hour} * * *", zone)
    start = local(f"{day} 00:00", zone) - 86_400 * SECOND_NS
    found = timetable.next_after(start + second * SECOND_NS)

    assert found == next(m for m in coming(timetable, start) if m > start + second * SECOND_NS)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "up to 200 characters"),
        ("x" * 201, "up to 200 characters"),
        ("* * * *", "has 4 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("60 * * * *", "cannot be read"),
        ("a * * * *", "cannot be read"),
        ("*/0 * * * *", "must be 1 to 60"),
        ("*/100 * * * *", "must be 1 to 60"),
        ("0 */25 * * *", "must be 1 to 24"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 30 feb *", "never comes"),
        ("@reboot", "cannot be read"),
        ("@every 5m", "cannot be read"),
        ("H * * * *", "use jitter"),
        ("R(0-10) * * * *", "use jitter"),
    ],
)
def test_an_expression_that_cannot_be_kept_is_refused_with_a_reason(expression: str, said: str) -> None:
    with pytest.raises(InvalidSchedule, match=said):
        check_cron(expression)


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "x" * 300])
def test_a_zone_that_is_not_known_is_refused(name: str) -> None:
    with pytest.raises(InvalidSchedule, match="time zone"):
        zone_of(name)


@given(every=st.integers(1, 10**12), anchor=st.integers(0, 10**12), after=st.integers(0, 10**13))
def test_a_rate_keeps_its_phase_wherever_one_looks_from(every: int, anchor: int, after: int) -> None:
    found = Rate(every, anchor).next_after(after)

    assert found is not None
    assert after < found <= after + every
    assert (found - anchor) % every == 0


def test_what_is_due_once_is_due_once() -> None:
    assert list(coming(Once(1000), 0)) == [1000]
    assert list(coming(Once(1000), 1000)) == []
