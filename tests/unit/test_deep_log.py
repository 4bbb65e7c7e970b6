"""A log that grows at both ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.events.answers import EarlierEvents
from naq_tui.model.deep_log import DeepLog
from naq_tui.model.log import EventLog
from tests.tui.builders import job_event, stored


def log_of(sequences: list[int], limit: int = 100) -> EventLog:
    log = EventLog(limit)
    for sequence in sequences:
        log.extend(stored([job_event("enqueued", f"job-{sequence}")], sequence), 1)
    return log


def page(deep: DeepLog, size: int, *, all_of: int) -> EarlierEvents:
    """What a server answers that has the events from 1 up to ``all_of``."""
    last = min(all_of, deep.before - 1)
    first = max(1, last - size + 1)
    events = [one for sequence in range(first, last + 1) for one in stored([job_event()], sequence)]
    return EarlierEvents(events, first, first > 1)


def sequences(deep: DeepLog) -> list[int]:
    return [one.sequence for one in deep.log.between(deep.log.first, deep.log.end)]


@given(kept=st.permutations(range(31, 41)), size=st.integers(1, 50))
def test_however_the_kept_ones_lie_every_event_comes_once(kept: list[int], size: int) -> None:
    deep = DeepLog(log_of(kept))
    while deep.more:
        deep.take(page(deep, size, all_of=40))

    assert sorted(sequences(deep)) == list(range(1, 41))
    assert sequences(deep)[-10:] == list(kept)


def test_positions_stay_with_their_events() -> None:
    log = log_of([31, 32, 33])
    deep = DeepLog(log)
    deep.take(page(deep, 10, all_of=33))

    assert [deep.log.at(position).sequence for position in range(log.first, log.end)] == [31, 32, 33]
    assert deep.log.first < log.first


def test_what_the_log_forgets_is_kept_as_long_as_it_was_seen_in_time() -> None:
    log = log_of([1, 2, 3], limit=3)
    deep = DeepLog(log)
    log.extend(stored([job_event()], 4), 1)
    assert deep.catch_up(log)
    assert sequences(deep) == [1, 2, 3, 4]

    log.extend(stored([job_event()] * 5, 5), 5)
    assert not deep.catch_up(log)


def test_when_there_is_no_room_for_more_nothing_more_is_wanted() -> None:
    deep = DeepLog(log_of([98, 99, 100]), limit=10)
    deep.take(page(deep, 50, all_of=100))

    assert sequences(deep) == [91, 92, 93, 94, 95, 96, 97, 98, 99, 100]
    assert not deep.more


def test_before_anything_has_come_there_is_no_place_to_go_back_from() -> None:
    assert not DeepLog(EventLog()).more
