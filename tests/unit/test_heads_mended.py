"""Somebody overwrites what says how far roll-ups have come: it is made anew from them, and all goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from naq_runtime.nats.publish import Outgoing
from naq_runtime.statistics.rollup import HOUR, MINUTE, UNITS
from naq_runtime.statistics.store import Head, RollupStore, token_of
from tests.support.counted import BEGUN_NS, CountedLog, assert_counts, job_event

HOUR_NS = 3600 * 10**9
MINUTE_NS = 60 * 10**9
DAMAGE = (b"", b"{]", b'{"log":5}', b'{"log":"of another"}', b"\xff")


@pytest.fixture
def log() -> Iterator[CountedLog]:
    loop = asyncio.new_event_loop()
    yield CountedLog(loop)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def live(log: CountedLog, hours: float, *, every_s: float = 900) -> None:
    """A job now and then, some of it told late, and everything rolled up in time."""
    for number in range(int(hours * 3600 / every_s)):
        now_ns = log.clock.time_ns()
        late_ns = 2 * HOUR_NS if number % 7 == 0 else 0
        log.store(job_event("started", now_ns, wait_ms=5.0), job_event("completed", now_ns - late_ns, duration_ms=50.0))
        log.clock.advance(every_s)
        log.catch_up()


def head(log: CountedLog) -> Head:
    store = RollupStore(log.streams, log.names, log.config.statistics)
    (standing,) = log.run(store.heads())
    found: Head = standing.head
    return found


def damage(log: CountedLog, data: bytes = DAMAGE[0], token: str | None = None) -> None:
    created = log.run(log.streams.bounds(log.names.events_stream)).created
    answer = log.streams.put(Outgoing(log.names.stats_head(token or token_of(created)), data))
    assert isinstance(answer, int)


def ranges(log: CountedLog) -> dict[str, list[tuple[int, int]]]:
    return {unit.name: [(one.first, one.last) for one in log.rollups(unit)] for unit in UNITS}


@pytest.mark.parametrize("hours", [0.25, 0.75, 1, 2.25, 23.5, 26, 51.75])
def test_what_is_made_anew_says_what_the_old_one_said(log: CountedLog, hours: float) -> None:
    live(log, hours)
    before = head(log)
    damage(log)

    log.catch_up()

    after = head(log)
    assert (after.log, after.through) == (before.log, before.through)
    for unit in (MINUTE, HOUR):
        old, new = before.pending(unit), after.pending(unit)
        assert (new.through, new.period) == (old.through, old.period)
        assert new.after == (old.after if old.period is not None else 0)
    assert before.mark_ns <= after.mark_ns <= before.mark_ns + MINUTE_NS
    assert before.stored_ns <= after.stored_ns <= log.clock.time_ns()


@pytest.mark.parametrize("data", DAMAGE)
def test_whatever_it_is_overwritten_with_each_event_is_counted_once(log: CountedLog, data: bytes) -> None:
    live(log, 27)
    damage(log, data)
    live(log, 15)
    damage(log, data)
    live(log, 2)

    answer = log.read(BEGUN_NS - 9 * HOUR_NS, log.clock.time_ns())

    assert_counts(answer, log.happened)
    assert answer.scanned == 0
    for of_unit in ranges(log).values():
        assert [first for first, _ in of_unit] == [1, *(last + 1 for _, last in of_unit[:-1])]


def test_events_that_are_gone_stay_counted(log: CountedLog) -> None:
    live(log, 27)
    log.forget_events(len(log.happened) - 10)
    damage(log)

    log.catch_up()

    answer = log.read(BEGUN_NS - 9 * HOUR_NS, log.clock.time_ns())
    assert (answer.total.events, answer.gaps) == (len(log.happened), ())


def test_where_there_are_no_rollups_yet_they_are_begun(log: CountedLog) -> None:
    log.run(log.topology.stats())
    damage(log)
    live(log, 2)

    answer = log.read(BEGUN_NS - 9 * HOUR_NS, log.clock.time_ns())

    assert (answer.rolled_up, answer.scanned) == (len(log.happened), 0)


def test_rubbish_in_the_place_of_a_log_that_never_was_is_left_alone(log: CountedLog) -> None:
    said: list[Any] = []
    log.run(log.topology.stats())
    damage(log, token="nobody")
    live(log, 1)

    log.run(log.writer(in_turns=False, mended=said.append).catch_up())

    assert said == []
    assert head(log).through == len(log.happened)


def test_it_is_told_of_once(log: CountedLog) -> None:
    said: list[Any] = []
    live(log, 1)
    damage(log)
    writers = [log.writer(in_turns=False, mended=said.append) for _ in range(2)]

    for writer in writers:
        log.run(writer.catch_up())

    (error,) = said
    assert log.names.stats_head("") in str(error)


def test_a_leader_that_is_none_any_more_mends_nothing(log: CountedLog) -> None:
    live(log, 1)
    damage(log)

    log.run(log.writer(in_turns=False, may_act=lambda: False).catch_up())

    assert log.run(RollupStore(log.streams, log.names, log.config.statistics).damaged_heads())


def test_a_head_that_somebody_removed_is_made_anew_too(log: CountedLog) -> None:
    live(log, 27)
    stream = log.names.stats_stream
    heads = log.streams.messages(stream, log.names.stats_head("*"))
    log.run(log.streams.delete(stream, [message.sequence for message in heads]))
    live(log, 3)

    answer = log.read(BEGUN_NS - 9 * HOUR_NS, log.clock.time_ns())

    assert_counts(answer, log.happened)
    assert answer.scanned == 0
    assert ranges(log)["minute"][0][0] == 1
