"""Statistics step by step of time: from roll-ups, from events, and from what was read before."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.events.models import JobEvent
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.statistics import reader as reader_module
from naq_runtime.statistics.reader import StatisticsReader, StreamLog
from naq_runtime.statistics.sketch import bounds_ms, bucket_of
from naq_runtime.statistics.store import RollupStore
from naq_runtime.statistics.trends import EventTrends
from tests.support.counted import CountedLog, assert_counts, job_event

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture
def log(loop: asyncio.AbstractEventLoop) -> CountedLog:
    return CountedLog(loop)


class ReadLog(StreamLog):
    """The log, with the number of messages that were read of it."""

    read = 0

    async def scan(self, after: int) -> AsyncIterator[list[StoredMessage]]:
        async for page in super().scan(after):
            self.read += len(page)
            yield page


class Reader:
    """One reader that is asked again and again."""

    def __init__(self, log: CountedLog) -> None:
        self._log = log
        self.events = ReadLog(log.streams, log.names)
        store = RollupStore(log.streams, log.names, log.config.statistics)
        self._reader = StatisticsReader(self.events, store, now_ns=log.clock.time_ns)

    def trends(self, window_s: float, *by: str) -> EventTrends:
        answer: EventTrends = self._log.run(self._reader.trends(window_s, by))
        return answer


def live(log: CountedLog, seconds: float, *, every_s: float = 20, rolled_up: bool = True) -> None:
    """Jobs of two queues now and then, some of which fail, and everything rolled up in time."""
    chance = random.Random(7)
    for number in range(int(seconds / every_s)):
        now_ns = log.clock.time_ns()
        names = {"queue_name": f"q{number % 2}", "worker_id": f"w{number % 3}"}
        kind = "failed" if number % 5 == 0 else "completed"
        log.store(
            job_event("started", now_ns, wait_ms=chance.uniform(0, 50), **names),
            job_event(kind, now_ns, duration_ms=chance.uniform(1, 900), **names),
        )
        log.clock.advance(every_s)
        if rolled_up:
            log.catch_up()


def assert_steps(trends: EventTrends, log: CountedLog, queue: str | None = None) -> None:
    """See that each step says what one gets who counts its events one by one."""
    trend = trends.total if queue is None else trends.by_names[queue, None, None]
    for place, (completed, failed, run) in enumerate(zip(trend.completed, trend.failed, trend.run, strict=True)):
        begun_ns = trends.first_ns + place * trends.step_ns
        there = [
            one.event
            for one in log.happened
            if begun_ns <= one.time_ns < begun_ns + trends.step_ns and isinstance(one.event, JobEvent)
        ]
        events = [event for event in there if queue is None or event.queue_name == queue]
        assert completed == sum(event.event_type == "completed" for event in events)
        assert failed == sum(event.event_type == "failed" for event in events)
        ran = sorted(event.duration_ms for event in events if event.duration_ms is not None)
        assert (run is None) == (not ran)
        if run is not None:
            assert run[1] == pytest.approx(ran[-(-95 * len(ran) // 100) - 1], rel=0.01)


@pytest.mark.parametrize("rolled_up", [True, False], ids=["rolled-up", "events-only"])
@pytest.mark.parametrize(
    ("window_s", "step_s", "lived_s", "every_s"),
    [(300, 5, 1200, 3), (3600, 60, 3 * 3600, 20), (86_400, 3600, 30 * 3600, 600)],
    ids=["5m", "1h", "24h"],
)
def test_every_step_is_what_happened_in_it(
    log: CountedLog, window_s: int, step_s: int, lived_s: int, every_s: float, rolled_up: bool
) -> None:
    live(log, lived_s, every_s=every_s, rolled_up=rolled_up)

    trends = Reader(log).trends(window_s, "queue")

    assert trends.step_ns == step_s * SECOND_NS
    assert window_s <= len(trends.total.completed) * step_s <= window_s + step_s
    assert_counts(trends.statistics, log.happened, ("queue",))
    assert trends.statistics.is_exact
    for queue in (None, "q0", "q1"):
        assert_steps(trends, log, queue)


def test_an_hour_is_answered_by_minutes_though_hours_were_put_together(log: CountedLog) -> None:
    live(log, 5 * 3600, every_s=60)

    trends = Reader(log).trends(4 * 3600, "worker")

    assert trends.step_ns == MINUTE_NS
    assert trends.statistics.scanned <= 4
    assert_counts(trends.statistics, log.happened, ("worker",))
    assert_steps(trends, log)


@pytest.mark.parametrize("window_s", [300, 3600])
def test_asked_again_it_reads_only_what_has_come(log: CountedLog, window_s: int) -> None:
    live(log, 1800, every_s=5, rolled_up=False)
    reader = Reader(log)
    reader.trends(window_s)
    reader.events.read = 0

    live(log, 30, every_s=5, rolled_up=False)
    trends = reader.trends(window_s, "queue")

    assert reader.events.read == 12
    assert_counts(trends.statistics, log.happened, ("queue",))
    assert_steps(trends, log)


def test_what_is_rolled_up_meanwhile_is_not_counted_twice(log: CountedLog) -> None:
    live(log, 1800, every_s=5, rolled_up=False)
    reader = Reader(log)
    assert reader.trends(3600).statistics.rolled_up == 0

    log.catch_up()
    trends = reader.trends(3600, "queue")

    assert trends.statistics.rolled_up > 0
    assert_counts(trends.statistics, log.happened, ("queue",))


def test_of_a_log_that_was_deleted_nothing_is_remembered(log: CountedLog) -> None:
    live(log, 100, every_s=5, rolled_up=False)
    reader = Reader(log)
    reader.trends(300)

    log.forget_stream(log.names.events_stream)
    log.happened.clear()
    log.clock.advance(1)
    log.run(log.topology.events())
    live(log, 200, every_s=4, rolled_up=False)

    assert_counts(reader.trends(300).statistics, log.happened)


def test_a_server_that_forgot_its_last_events_is_read_anew(log: CountedLog) -> None:
    live(log, 100, every_s=5, rolled_up=False)
    reader = Reader(log)
    reader.trends(300)

    shelf = vars(log.streams)["_shelves"][log.names.events_stream]
    last = log.run(log.streams.bounds(log.names.events_stream)).last
    log.run(log.streams.delete(log.names.events_stream, [last]))
    vars(shelf)["_last"] = last - 1
    del log.happened[-1]

    assert_counts(reader.trends(300).statistics, log.happened)


def test_where_minutes_are_gone_steps_are_hours(loop: asyncio.AbstractEventLoop) -> None:
    log = CountedLog(loop, minutes_for=7200)
    live(log, 20 * 3600, every_s=300)
    log.forget_events(10**6)

    trends = Reader(log).trends(10 * 3600, "queue")

    assert trends.step_ns == HOUR_NS
    assert_counts(trends.statistics, log.happened, ("queue",))
    assert_steps(trends, log)


def test_where_there_are_too_many_events_for_short_steps_they_are_minutes(
    log: CountedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(log, 1200, every_s=3)
    monkeypatch.setattr(reader_module, "_FINE_EVENTS", 100)

    trends = Reader(log).trends(300, "queue")

    assert trends.step_ns == MINUTE_NS
    assert_counts(trends.statistics, log.happened, ("queue",))


def test_of_an_empty_namespace_every_step_is_empty(log: CountedLog) -> None:
    log.forget_stream(log.names.events_stream)

    trends = Reader(log).trends(300, "queue")

    assert not any(trends.total.completed)
    assert trends.by_names == {}


@given(st.integers(0, 2**62))
def test_a_duration_is_within_the_bounds_of_its_bucket(duration_ns: int) -> None:
    low_ms, high_ms = bounds_ms(bucket_of(duration_ns))
    assert low_ms <= duration_ns / 1e6 * (1 + 1e-12)
    assert duration_ns / 1e6 <= high_ms
    assert high_ms - low_ms <= max(1e-6, low_ms / 64) * (1 + 1e-9)
