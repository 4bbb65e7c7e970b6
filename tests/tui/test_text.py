"""Text from jobs is made harmless, and made to fit."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from naq_tui.text import (
    age_text,
    clip,
    clock_text,
    count_text,
    fit,
    inert,
    inert_lines,
    percent_text,
    rate_text,
    short_age_text,
    wrap,
)

ANY_TEXT = st.text(st.characters(), max_size=60)
"""With control characters, and with surrogates that stand alone."""
INVISIBLE = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200d\u200e\u200f\u061c")


@given(ANY_TEXT)
def test_no_character_that_a_terminal_obeys_survives(text: str) -> None:
    assert not [c for c in inert(text) if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(inert(text)) & INVISIBLE


@given(ANY_TEXT)
def test_what_is_inert_stays_as_it_is(text: str) -> None:
    assert inert(inert(text)) == inert(text)


@given(ANY_TEXT)
def test_inert_text_can_be_written_to_a_terminal(text: str) -> None:
    inert(text).encode()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("a\nb\tc\r", "a b c "),
        ("\x7f\x00", "␡␀"),
        ("\x9b31m", "\ufffd31m"),
        ("abc\u202edcba", "abc\ufffddcba"),
        ("zero\u200bwidth\ufeff", "zero\ufffdwidth\ufffd"),
        ("\ud800", "\ufffd"),
        ("[red]x[/red] [/foo]", "[red]x[/red] [/foo]"),
        ("\U0001f1e9\U0001f1ea", "DE"),
        ("e" + "\u0301" * 40, "e\u0301\u0301"),
        ("日本語 naïve ✓", "日本語 naïve ✓"),
    ],
)
def test_hostile_text_becomes_visible(hostile: str, shown: str) -> None:
    assert inert(hostile) == shown


def test_a_long_text_is_cut() -> None:
    assert inert("x" * 10_000, 20) == "x" * 19 + "…"


def test_lines_beyond_the_limit_are_counted() -> None:
    assert inert_lines("a\nb\nc\nd", lines=2) == ["a", "b", "… 2 more lines"]


@given(st.text(max_size=40), st.integers(0, 30))
def test_clipped_text_is_never_too_wide(text: str, width: int) -> None:
    assert cell_len(clip(inert(text), width)) <= width


@given(st.text(max_size=40), st.integers(0, 30), st.sampled_from(["left", "right"]))
def test_fitted_text_is_exactly_as_wide_as_asked(text: str, width: int, align: str) -> None:
    assert cell_len(fit(inert(text), width, "left" if align == "left" else "right")) == width


def test_a_wide_character_is_not_cut_in_half() -> None:
    assert fit("日本語", 4) == "日… "


@given(st.text(max_size=60).map(inert), st.integers(2, 20))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    pieces = wrap(text, width)
    assert "".join(pieces) == text
    assert all(cell_len(piece) <= width for piece in pieces)


def test_a_sentence_is_wrapped_between_its_words() -> None:
    assert wrap("try again later, please", 12) == ["try again ", "later, ", "please"]


def test_a_word_that_fills_most_of_a_line_is_cut() -> None:
    assert wrap("in /srv/shop/.venv/lib", 10) == ["in /srv/sh", "op/.venv/l", "ib"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (9_999, "9,999"),
        (10_000, "10.0k"),
        (123_456, "123k"),
        (999_600, "1.0M"),
        (45 * 10**5, "4.5M"),
    ],
)
def test_counts_are_short(count: int, text: str) -> None:
    assert count_text(count) == text


@given(st.integers())
def test_a_count_never_needs_more_than_six_cells(count: int) -> None:
    assert len(count_text(count)) <= 6


@pytest.mark.parametrize(
    ("rate", "text"), [(0, "0"), (0.01, "<0.1"), (0.4, "0.4"), (12.34, "12.3"), (99.96, "100"), (12_300, "12.3k")]
)
def test_rates_are_short(rate: float, text: str) -> None:
    assert rate_text(rate) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.0001, "<0.1 %"), (0.004, "0.4 %"), (0.1249, "12 %"), (1, "100 %")]
)
def test_shares_are_percentages(share: float, text: str) -> None:
    assert percent_text(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (3.9, "3 s"), (125, "2 m 05 s"), (3720, "1 h 02 m"), (273_600, "3 d 4 h")]
)
def test_ages_name_their_units(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.9, "3 s"), (179, "179 s"), (180, "3 m"), (10_800, "3 h"), (10**6, "11 d"), (10**400, "9999 d")],
)
def test_short_ages_are_short(seconds: float, text: str) -> None:
    assert short_age_text(seconds) == text


def test_the_clock_shows_local_time() -> None:
    assert clock_text(1_760_000_400_045_000_000) == "09:00:00"
    assert clock_text(1_760_000_400_045_000_000, milliseconds=True) == "09:00:00.045"


def test_a_time_beyond_all_calendars_is_not_an_error() -> None:
    assert clock_text(2**63 * 10**9) == "--:--:--"
