"""Spans and moments of time, as they are typed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_tui.cli.format import iso_text, moment_ns, past_moment, span_s

NOON_NS = int(datetime(2026, 3, 1, 12, 0, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture
def paris() -> Iterator[None]:
    """The local clocks are those of Paris."""
    before = os.environ["TZ"]
    os.environ["TZ"] = "Europe/Paris"
    time.tzset()
    yield
    os.environ["TZ"] = before
    time.tzset()


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[arg-type, misc]  # year, month, day …


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86_400),
        ("2w", 1_209_600),
        ("250ms", 0.25),
        ("1h30m", 5400),
        ("1 h 30 m", 5400),
        ("1.5h", 5400),
        ("0", 0),
        ("90", 90),
        (" 0.2 ", 0.2),
    ],
)
def test_a_span_is_a_number_with_a_unit_or_several(text: str, seconds: float) -> None:
    assert span_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "m", "5x", "5M", "-5m", "5m-", "m5", "nan", "inf", "1e3", "٣s", "5m 3", "1d1"])
def test_what_is_no_span_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90s, 5m, 2h, 1d"):
        span_s(text)


def test_a_span_of_more_than_ten_years_is_refused() -> None:
    with pytest.raises(ValueError, match="more than ten years"):
        span_s("4000d")


@given(st.integers(0, 300), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_the_parts_of_a_span_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    whole = days * 86_400 + hours * 3600 + minutes * 60 + seconds

    assert span_s(f"{days}d{hours}h{minutes}m{seconds}s") == whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T14:30:00Z", at(2026, 3, 2, 14, 30)),
        ("2026-03-02T14:30+01:00", at(2026, 3, 2, 13, 30)),
        ("2026-03-02 14:30:00.25+00:00", at(2026, 3, 2, 14, 30) + 250_000_000),
        ("2026-02-01T00:00Z", at(2026, 2, 1)),
    ],
)
def test_a_moment_in_iso_8601_has_its_zone(text: str, expected: int) -> None:
    assert moment_ns(text, NOON_NS) == expected


@pytest.mark.usefixtures("paris")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14:30", at(2026, 3, 1, 13, 30)),
        ("13:00:01", at(2026, 3, 1, 12, 0, 1)),
        ("13:00", at(2026, 3, 2, 12, 0)),
        ("9:05", at(2026, 3, 2, 8, 5)),
    ],
)
def test_a_time_of_day_is_a_local_one_the_next_that_comes(text: str, expected: int) -> None:
    assert moment_ns(text, NOON_NS) == expected


@pytest.mark.usefixtures("paris")
def test_a_time_of_day_after_the_clocks_change_is_what_they_show() -> None:
    saturday_evening = at(2026, 3, 28, 19)

    assert moment_ns("18:00", saturday_evening) == at(2026, 3, 29, 16)


@pytest.mark.usefixtures("paris")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", at(2026, 3, 1, 10)),
        ("90", at(2026, 3, 1, 11, 58, 30)),
        ("14:30", at(2026, 2, 28, 13, 30)),
        ("13:00", at(2026, 3, 1, 12, 0)),
        ("9:05", at(2026, 3, 1, 8, 5)),
        ("2026-02-01T00:00Z", at(2026, 2, 1)),
    ],
)
def test_a_moment_that_is_over_is_so_long_ago_or_the_last_time_of_that_kind(text: str, expected: int) -> None:
    assert past_moment(text, NOON_NS).at_ns(NOON_NS) == expected


def test_an_age_counts_from_whatever_now_is_and_a_time_of_day_does_not() -> None:
    five_minutes_ns = 300 * 10**9
    ages, times = (
        [past_moment(text, NOON_NS) for text in texts] for texts in (("2h", "90"), ("9:05", "2026-02-01T00Z"))
    )

    for age in ages:
        assert age.at_ns(NOON_NS + five_minutes_ns) == age.at_ns(NOON_NS) + five_minutes_ns
    for moment in times:
        assert moment.at_ns(NOON_NS + five_minutes_ns) == moment.at_ns(NOON_NS)


@pytest.mark.usefixtures("paris")
@given(st.integers(0, 10 * 365 * 24 * 60), st.integers(0, 23), st.integers(0, 59))
def test_the_last_time_of_day_is_within_25_hours_of_now(minutes: int, hour: int, minute: int) -> None:
    now_ns = NOON_NS + minutes * 60 * 10**9

    found_ns = past_moment(f"{hour}:{minute:02d}", now_ns).at_ns(now_ns)

    assert now_ns - 25 * 3600 * 10**9 <= found_ns <= now_ns


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-03-01T10:00", "-5m"])
def test_what_is_no_moment_in_the_past_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|zone"):
        past_moment(text, NOON_NS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2026-03-02T14:30", "does not say its zone"),
        ("2026-03-02", "does not say its zone"),
        ("tomorrow", "expected a time such as"),
        ("25:00", "expected a time such as"),
        ("9999-01-01T00:00Z", "more than ten years off"),
        ("0001-01-01T00:00+14:00", "more than ten years off"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        moment_ns(text, NOON_NS)


def test_a_moment_is_printed_in_utc_to_the_microsecond() -> None:
    assert iso_text(NOON_NS + 45_123_456) == "2026-03-01T12:00:00.045123Z"
    assert iso_text(0) is iso_text(None) is iso_text(10**30) is None
