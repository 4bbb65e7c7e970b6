"""Events of several processes, put in order."""

from __future__ import annotations

from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_tui.sources.ordering import Ordering


def event(sequence: int, timestamp_ns: int) -> StoredEvent:
    return StoredEvent(
        sequence,
        JobEvent(event_type=JobEventType.STARTED, job_id="j", queue_name="q", timestamp_ns=timestamp_ns),
    )


def sequences(events: list[StoredEvent]) -> list[int]:
    return [stored.sequence for stored in events]


def test_nothing_is_given_back_before_it_was_held() -> None:
    ordering = Ordering(hold_ns=100)
    ordering.add([event(1, 5)], now_ns=1_000)

    assert ordering.take(1_099) == []
    assert sequences(ordering.take(1_100)) == [1]


def test_a_batch_that_came_later_but_happened_before_comes_first() -> None:
    ordering = Ordering(hold_ns=100)
    ordering.add([event(1, 20), event(2, 40)], now_ns=1_000)
    ordering.add([event(3, 10), event(4, 30)], now_ns=1_090)

    assert sequences(ordering.take(1_100)) == [3, 1, 4, 2]


def test_what_happened_after_waits_for_its_own_time() -> None:
    ordering = Ordering(hold_ns=100)
    ordering.add([event(1, 20)], now_ns=1_000)
    ordering.add([event(2, 30)], now_ns=1_090)

    assert sequences(ordering.take(1_100)) == [1]
    assert len(ordering) == 1
    assert sequences(ordering.take(1_190)) == [2]


def test_an_emitter_whose_clock_is_ahead_holds_nothing_up_and_loses_nothing() -> None:
    ordering = Ordering(hold_ns=100)
    ordering.add([event(1, 10**12), event(2, 20)], now_ns=1_000)
    ordering.add([event(3, 30)], now_ns=1_050)

    assert sequences(ordering.take(1_100)) == [2, 3, 1]
