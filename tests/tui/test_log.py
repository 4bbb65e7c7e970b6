"""The log keeps the newest events; a filter finds the same lines as a plain search, however it is interleaved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import StoredEvent
from naq_tui.model.log import EventLog, Filtered
from tests.tui.builders import job_event, stored


def events(*names: str, first: int = 1) -> tuple[StoredEvent, ...]:
    return stored([job_event("enqueued", name) for name in names], first)


def log_of(*names: str, limit: int = 100) -> EventLog:
    log = EventLog(limit)
    log.extend(events(*names), len(names))
    return log


def shown(view: Filtered) -> list[int]:
    return [view.at(position).sequence for position in range(view.first, view.end)]


def finished(log: EventLog, needle: str) -> list[int]:
    view = Filtered(log, EventFilter(needle))
    while not view.complete:
        view.advance(7)
    return shown(view)


def test_a_position_stays_with_its_event_when_older_ones_go() -> None:
    log = log_of("a", "b", "c", limit=3)
    before = log.at(2)

    log.extend(events("d", "e", first=4), 2)

    assert (log.first, log.end) == (2, 5)
    assert log.at(2) is before


def test_a_copy_does_not_move_on() -> None:
    log = log_of("a", "b", limit=2)
    copy = log.copy()

    log.extend(events("c", first=3), 1)

    assert (copy.first, copy.end) == (0, 2)
    assert copy.at(0).sequence == 1


def test_the_newest_matches_are_found_first() -> None:
    log = log_of(*["apple"] * 50)
    view = Filtered(log, EventFilter("apple"))

    view.advance(10)

    assert shown(view) == list(range(41, 51))
    assert not view.complete


def test_older_matches_do_not_move_newer_ones() -> None:
    view = Filtered(log_of(*["apple"] * 50), EventFilter("apple"))
    view.advance(10)
    newest = view.at(view.end - 1)
    end = view.end

    view.advance(10)

    assert view.end == end
    assert view.at(end - 1) is newest


def test_a_small_letter_matches_both_cases_and_a_capital_only_itself() -> None:
    log = log_of("Apple", "apple", "pear")

    assert finished(log, "apple") == [1, 2]
    assert finished(log, "Apple") == [1]


def test_the_whole_job_id_and_the_name_of_the_event_can_be_searched() -> None:
    log = log_of("0123456789abcdef")

    assert finished(log, "9abcdef") == [1]
    assert finished(log, "ENQUEUED".lower()) == [1]


NAMES = st.sampled_from(["apple", "pear", "plum"])


@given(
    st.lists(NAMES, max_size=60),
    st.lists(st.tuples(st.lists(NAMES, max_size=30), st.integers(0, 25)), max_size=12),
)
def test_a_filter_in_portions_finds_what_a_plain_search_finds(
    begin: list[str], steps: list[tuple[list[str], int]]
) -> None:
    log = EventLog(40)
    log.extend(events(*begin), len(begin))
    view = Filtered(log, EventFilter("pear"))
    for names, budget in steps:
        log.extend(events(*names, first=log.end + 1), len(names))
        view.advance(budget)
        assert shown_as_far_as_kept(view, log) == sorted(shown_as_far_as_kept(view, log))
    while not view.complete:
        view.advance(9)

    kept = [log.at(position) for position in range(log.first, log.end)]
    assert shown(view) == [entry.sequence for entry in kept if getattr(entry.event, "job_id", "") == "pear"]


def shown_as_far_as_kept(view: Filtered, log: EventLog) -> list[int]:
    view.advance(0)
    return shown(view)
