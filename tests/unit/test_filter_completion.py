"""What may come next while a filter is typed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.events.filters import EventFilter, FilterError, complete

KNOWN = {"queue": ["email", "mail"], "function": ["shop.confirm"], "error_type": ["no such thing"]}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("q", ["queue:", "queues:"]),
        ("dur", ["duration>"]),
        ("duration", ["duration>", "duration>=", "duration<", "duration<=", "duration="]),
        ("queue:", ["email", "mail"]),
        ("queue:m", ["mail", "email"]),
        ("queue:email,", ["mail"]),
        ("queue:mail", ["email"]),
        ("type:ret", ["retry_scheduled"]),
        ("x type:ret", ["retry_scheduled"]),
        ("(type:ret", ["retry_scheduled"]),
        ("!type:ret", ["retry_scheduled"]),
        ("final:", ["true", "false"]),
        ("category:j", ["job"]),
        ("function:conf", ["shop.confirm"]),
        ("error_type:", ['"no such thing"']),
        ('error_type:"no s', ['"no such thing"']),
        ("duration>", []),
        ("colour:", []),
        ("zzz", []),
        ('"q', []),
        ("/q", []),
        ("/a q", []),
        ("function:/a q", []),
        ("/a/ dur", ["duration>"]),
        ("a/b dur", ["duration>"]),
        ("queue>", []),
        ("queue=m", ["mail", "email"]),
        ("time", ["time>", "time>=", "time<", "time<="]),
        ("time:", []),
    ],
)
def test_what_is_offered(text: str, options: list[str]) -> None:
    assert list(complete(text, len(text), KNOWN).options) == options


def test_fields_come_first_that_are_asked_about_most() -> None:
    assert complete("", 0).options[:4] == ("queue:", "type:", "job:", "worker:")


def test_very_many_known_values_hold_nobody_up_who_types() -> None:
    known = {"queue": [f"queue-{number}" for number in range(100_000)]}
    began = time.process_time()

    assert complete("queue:", 6, known).options[:2] == ("queue-0", "queue-1")
    assert complete("queue:99999", 11, known).options == ("queue-99999",)

    assert time.process_time() - began < 2


def test_one_is_put_where_the_cursor_is() -> None:
    text = "type:failed queu duration>5s"
    found = complete(text, 16, KNOWN)

    assert found.options == ("queue:", "queues:")
    assert found.taken(text, "queue:") == ("type:failed queue: duration>5s", 18)


def test_the_rest_of_a_value_makes_room() -> None:
    text = "queue:email !failed"
    found = complete(text, 8, KNOWN)
    assert found.taken(text, found.options[0]) == ("queue:email !failed", 11)


@given(st.text("qtype:,! ()\"'\\/<>=a", max_size=14), st.integers(0, 14))
def test_whatever_is_typed_a_place_in_the_text_is_found(text: str, cursor: int) -> None:
    cursor = min(cursor, len(text))
    found = complete(text, cursor, KNOWN)
    assert 0 <= found.start <= cursor <= found.end <= len(text)


@given(st.sampled_from(["", "queue:", "!type:", "a (category:", "final:", "error_type:", "x OR function:"]), st.data())
def test_a_value_that_is_taken_makes_a_filter(before: str, data: st.DataObject) -> None:
    options = [o for o in complete(before, len(before), KNOWN).options if o[-1] not in ":>"]
    if options:
        text, _ = complete(before, len(before), KNOWN).taken(before, data.draw(st.sampled_from(options)))
        try:
            EventFilter(text + ")" * before.count("("))
        except FilterError as error:
            pytest.fail(f"{text}: {error}")
