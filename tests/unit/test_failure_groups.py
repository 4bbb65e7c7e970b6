"""The same error groups, whatever ids and numbers it names; and a window goes on with time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.finding.failures import FailureGroups, Reason, normalised

SECOND = 1_000_000_000


def failed(at_s: float, job_id: str = "j-1", message: str = "boom", kind: str = "failed") -> JobEvent:
    return JobEvent(
        event_type=JobEventType(kind),
        timestamp_ns=int(at_s * SECOND),
        job_id=job_id,
        queue_name=f"queue-{job_id}",
        function_name="shop.send",
        error_type="ValueError",
        error_message=message,
    )


class TestNormalised:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("no row 17 in 'orders'", "no row 18,204 in 'carts'"),
            ("10.0.0.7:5432 refused after 1.5 s", "10.0.0.19:5432 refused after 12 s"),
            ("job 3k9x2abq0e7d5c1m8t4z is gone", "job zz9x2abq0e7d5c1m8t00 is gone"),
            ("<Order at 0x7f3a9c>", "<Order at 0x7f0001>"),
            ("550e8400-e29b-41d4-a716-446655440000 missing", "00000000-e29b-41d4-a716-446655440000 missing"),
            ("https://shop.example/a?x=1 is slow", "https://shop.example/b is slow"),
            ("ada@example.org over quota", "grace.h@mail.example.org over quota"),
            ("digest deadbeef99 differs", "digest 0123abcdef differs"),
            ("line one\n  line two", "line one line two"),
            ('"a b" is no date', '"c" is no date'),
            ("invalid syntax (mail.py, line 3)", "invalid syntax (<unknown>, line 12)"),
            ("/var/spool/mail/a.txt is full", "/srv/b.txt is full"),
        ],
    )
    def test_what_changes_counts_no_more(self, one: str, other: str) -> None:
        assert normalised(one) == normalised(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("503 Service Unavailable", "502 Bad Gateway"),
            ("HTTP 503", "HTTP 404"),
            ("[Errno 111] Connection", "[Errno 104] Connection"),
            ("451 4.3.2 busy", "550 5.1.1 busy"),
            ("exit status 1", "exit status 2"),
            ("no such table", "no such column"),
            ("can't connect to mail", "can't connect to news"),
            ("invalid syntax (mail.py, line 3)", "unexpected indent (mail.py, line 3)"),
            ("GET /orders", "GET /carts"),
            ("read/write error", "and/or error"),
        ],
    )
    def test_what_tells_errors_apart_stays(self, one: str, other: str) -> None:
        assert normalised(one) != normalised(other)

    def test_words_with_digits_stay(self) -> None:
        assert normalised("sha256 of utf8 text in v2") == "sha256 of utf8 text in v2"

    @given(st.text(max_size=700))
    def test_it_is_short_and_one_line(self, text: str) -> None:
        once = normalised(text)
        assert len(once) <= 300
        assert "\n" not in once

    def test_a_text_that_a_job_has_chosen_takes_no_time(self) -> None:
        for evil in (
            "a" * 10_000,
            "1" * 10_000,
            "a1-" * 3_000,
            "'" * 10_000,
            "a@" * 5_000,
            "x@" + "a-" * 5_000,
            "/a" * 5_000,
            "(a, line " * 900,
        ):
            assert len(normalised(evil)) <= 300


class TestGroups:
    def test_failures_of_one_reason_are_one_group(self) -> None:
        groups = FailureGroups()
        groups.add(1, failed(10, "a", "no row 1"))
        groups.add(2, failed(12, "b", "no row 2"))
        groups.add(3, failed(11, "a", "no row 3", "timed_out"))
        groups.add(4, failed(13, "c", "no column"))
        (rows, column) = sorted(groups, key=len, reverse=True)
        assert (len(rows), rows.first_ns, rows.last_ns) == (3, 10 * SECOND, 12 * SECOND)
        assert rows.example == "no row 2"
        assert rows.job_ids == ("b", "a")
        assert rows.queues == ["queue-a", "queue-b"]
        assert column.reason == Reason("shop.send", "ValueError", "no column")

    def test_an_event_counts_once(self) -> None:
        groups = FailureGroups()
        assert groups.add(1, failed(10))
        assert not groups.add(1, failed(10))
        assert len(groups) == 1

    def test_other_events_count_nothing(self) -> None:
        groups = FailureGroups()
        assert not groups.add(1, failed(10, kind="dead_lettered"))
        assert not groups.add(2, failed(10, kind="completed"))

    def test_what_lies_before_the_window_is_forgotten(self) -> None:
        groups = FailureGroups()
        for place, at_s in enumerate((10, 20, 30)):
            groups.add(place, failed(at_s, message="boom" if at_s < 30 else "crash"))
        assert groups.begin_at(20 * SECOND)
        assert sorted(len(group) for group in groups) == [1, 1]
        assert not groups.begin_at(20 * SECOND)
        assert groups.begin_at(25 * SECOND)
        assert [group.reason.message for group in groups] == ["crash"]
        assert not groups.add(9, failed(24))

    def test_the_series_counts_by_parts_of_the_window(self) -> None:
        groups = FailureGroups()
        for place, at_s in enumerate((0, 1, 25, 99, 100)):
            groups.add(place, failed(at_s))
        (group,) = groups
        assert group.series(0, 100 * SECOND, 4) == [2, 1, 0, 2]

    @given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from("abc")), max_size=60), st.randoms())
    def test_the_order_in_which_they_come_does_not_matter(
        self, told: list[tuple[int, str]], chance: random.Random
    ) -> None:
        events = [(place, failed(at_s, job_id, job_id)) for place, (at_s, job_id) in enumerate(told)]
        shuffled = chance.sample(events, len(events))
        one, other = FailureGroups(), FailureGroups()
        for place, event in events:
            one.add(place, event)
        for place, event in shuffled:
            other.add(place, event)
        assert {group.reason: group.failures for group in one} == {group.reason: group.failures for group in other}

    def test_there_is_room_for_so_many_and_the_rest_is_counted(self) -> None:
        groups = FailureGroups(most=100)
        for place in range(1_000):
            groups.add(place, failed(place))
        assert len(groups) <= 100
        assert len(groups) + groups.forgotten == 1_000
        (group,) = groups
        assert group.last_ns == 999 * SECOND
