"""What is answered when not everything is there: roll-ups, events, or either of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from naq_runtime import EventService, Queue, ServiceManager, get_config
from naq_runtime.errors import ConfigError
from naq_runtime.statistics.rollup import DAY, HOUR, MINUTE
from naq_runtime.statistics.writer import MOST_EVENTS
from naq_runtime.testing import MemoryBroker
from tests.support import sample_tasks as tasks
from tests.support.counted import BEGUN_NS, CountedLog, assert_counts, job_event

SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture
def log(loop: asyncio.AbstractEventLoop) -> CountedLog:
    return CountedLog(loop)


def live(log: CountedLog, hours: float, *, every_s: float = 600) -> None:
    """A job now and then, and everything rolled up in time."""
    for _ in range(int(hours * 3600 / every_s)):
        now_ns = log.clock.time_ns()
        log.store(job_event("started", now_ns, wait_ms=5.0), job_event("completed", now_ns, duration_ms=50.0))
        log.clock.advance(every_s)
        log.catch_up()


def now_ns(log: CountedLog) -> int:
    return log.clock.time_ns()


def test_without_any_rollup_the_events_are_counted(log: CountedLog) -> None:
    log.store(*(job_event("completed", now_ns(log), duration_ms=number) for number in range(100)))

    answer = log.read(now_ns(log) - HOUR_NS, now_ns(log) + 1)

    assert_counts(answer, log.happened)
    assert (answer.rolled_up, answer.scanned, answer.is_exact, answer.gaps) == (0, 100, True, ())


def test_of_an_empty_namespace_nothing_happened(log: CountedLog) -> None:
    log.forget_stream(log.names.events_stream)

    answer = log.read(now_ns(log) - HOUR_NS, now_ns(log))

    assert answer.total.events == 0
    assert (answer.total.failure_share, answer.total.run, answer.groups, answer.is_exact) == (None, None, (), True)


def test_a_time_that_ends_before_it_begins_is_refused(log: CountedLog) -> None:
    with pytest.raises(ConfigError, match="begins before it ends"):
        log.read(10, 10)


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), 1e9])
async def test_a_number_of_hours_that_makes_no_sense_is_refused(hours: float) -> None:
    async with MemoryBroker(), ServiceManager(get_config()) as services:
        events = await services.get_service(EventService)
        with pytest.raises(ConfigError, match="hours"):
            await events.get_event_statistics(hours)


def test_a_day_is_answered_by_rollups_and_only_its_ends_by_events(log: CountedLog) -> None:
    live(log, 30)

    answer = log.read(now_ns(log) - DAY_NS - 130 * SECOND_NS, now_ns(log) - 70 * SECOND_NS)

    assert_counts(answer, log.happened)
    assert answer.is_exact
    assert answer.scanned <= 4


def test_what_failed_of_what_ended_is_said_for_each_group(log: CountedLog) -> None:
    for kind, queue in (("completed", "mail"), ("failed", "mail"), ("timed_out", "mail"), ("completed", "print")):
        log.store(job_event(kind, now_ns(log), queue_name=queue, duration_ms=1.0))

    answer = log.read(now_ns(log) - 1, now_ns(log) + 1, ("queue",))

    shares = {group.queue: group.failure_share for group in answer.groups}
    assert shares == {"mail": pytest.approx(2 / 3), "print": 0.0}
    assert [group.queue for group in answer.groups] == ["mail", "print"]
    assert answer.total.failed == 2


def test_rollups_outlive_the_events(log: CountedLog) -> None:
    live(log, 5)
    log.forget_events(10**6)

    answer = log.read(BEGUN_NS - HOUR_NS, now_ns(log))

    assert_counts(answer, log.happened)
    assert (answer.scanned, answer.is_exact, answer.gaps) == (0, True, ())


def test_where_the_events_of_a_minute_are_gone_it_is_answered_as_a_whole(log: CountedLog) -> None:
    live(log, 3)
    log.forget_events(10**6)

    answer = log.read(BEGUN_NS + HOUR_NS + SECOND_NS, now_ns(log))

    assert not answer.is_exact
    assert answer.asked_since_ns - answer.since_ns == 21 * SECOND_NS
    assert_counts(answer, log.happened)


def test_where_minutes_are_gone_hours_are_answered_as_a_whole_and_then_days(
    loop: asyncio.AbstractEventLoop,
) -> None:
    log = CountedLog(loop, minutes_for=7200, hours_for=2 * 86_400)
    live(log, 120, every_s=1800)
    log.forget_events(10**6)

    a_day_ago = log.read(now_ns(log) - DAY_NS - 100 * SECOND_NS, now_ns(log))
    all_days = log.read(BEGUN_NS + 5 * HOUR_NS, now_ns(log))

    assert (a_day_ago.since_ns % HOUR_NS, a_day_ago.is_exact) == (0, False)
    assert_counts(a_day_ago, log.happened)
    assert (all_days.since_ns % DAY_NS, all_days.is_exact) == (0, False)
    assert_counts(all_days, log.happened)


def test_rollups_that_were_deleted_are_made_anew_from_the_events(log: CountedLog) -> None:
    live(log, 3)
    before = [(one.first, one.last) for one in log.rollups(HOUR)]
    log.forget_stream(log.names.stats_stream)
    assert_counts(log.read(BEGUN_NS, now_ns(log)), log.happened)

    log.catch_up()

    answer = log.read(BEGUN_NS - HOUR_NS, now_ns(log))
    assert_counts(answer, log.happened)
    assert answer.rolled_up == len(log.happened)
    assert [(one.first, one.last) for one in log.rollups(HOUR)] == before


def test_events_that_were_gone_before_anybody_counted_them_are_a_gap_with_its_place(log: CountedLog) -> None:
    live(log, 1)
    counted = len(log.happened)
    log.store(*(job_event("completed", now_ns(log)) for _ in range(50)))
    log.clock.advance(3600)
    log.store(job_event("completed", now_ns(log)))
    log.clock.advance(120)
    log.forget_events(counted + 40)
    scanned = log.read(BEGUN_NS, now_ns(log))

    log.catch_up()

    for answer in (scanned, log.read(BEGUN_NS, now_ns(log))):
        (gap,) = answer.gaps
        assert (gap.first, gap.last) == (counted + 1, counted + 40)
        assert answer.total.events == len(log.happened) - 40
    assert log.read(BEGUN_NS, BEGUN_NS + 60 * SECOND_NS).gaps == ()
    log.clock.advance(2 * 86_400)
    log.catch_up()
    assert log.read(BEGUN_NS, now_ns(log)).gaps[0].last == counted + 40


def test_a_single_rollup_that_somebody_deleted_is_made_up_for_by_its_events_or_is_a_gap(log: CountedLog) -> None:
    live(log, 0.6)
    stream = log.names.stats_stream
    minutes = log.streams.messages(stream, f"{log.names.namespace}.stats.minute.*.*.*.*.3.*")
    log.run(log.streams.delete(stream, [message.sequence for message in minutes]))

    answer = log.read(BEGUN_NS - HOUR_NS, now_ns(log))

    assert_counts(answer, log.happened)
    assert (answer.scanned, answer.gaps) == (2, ())
    log.forget_events(10**6)
    (gap,) = log.read(BEGUN_NS - HOUR_NS, now_ns(log)).gaps
    assert (gap.first, gap.last) == (3, 4)


def test_a_rollup_that_is_gone_before_its_hour_is_put_together_is_a_gap_in_that(log: CountedLog) -> None:
    live(log, 0.6)
    stream = log.names.stats_stream
    minutes = log.streams.messages(stream, f"{log.names.namespace}.stats.minute.*.*.*.*.3.*")
    log.run(log.streams.delete(stream, [message.sequence for message in minutes]))
    live(log, 2)

    answer = log.read(BEGUN_NS - HOUR_NS, now_ns(log))

    (gap,) = answer.gaps
    assert (gap.first, gap.last) == (3, 4)
    assert answer.total.events == len(log.happened) - 2


def test_a_log_that_was_made_anew_is_counted_from_its_beginning_and_the_old_one_stays_counted(log: CountedLog) -> None:
    live(log, 2)
    log.forget_stream(log.names.events_stream)
    log.run(log.topology.events())
    live(log, 26)

    answer = log.read(BEGUN_NS - HOUR_NS, now_ns(log))

    assert_counts(answer, log.happened)
    assert len(answer.ended_logs_ns) == 1
    for unit in (HOUR, DAY):
        logs = {one.log for one in log.rollups(unit)}
        assert len(logs) == 2, f"the last {unit.name} of the old log was put together, too"


def test_a_log_whose_server_forgot_its_last_events_is_counted_on_from_there(log: CountedLog) -> None:
    live(log, 1)
    shelf, last = vars(log.streams)["_shelves"][log.names.events_stream], len(log.happened)
    log.run(log.streams.delete(log.names.events_stream, [last - 1, last]))
    vars(shelf)["_last"] = last - 2  # so that others get the sequences of what was counted
    live(log, 2)

    assert_counts(log.read(BEGUN_NS - HOUR_NS, now_ns(log)), log.happened)


@pytest.mark.parametrize("is_rolled_up", [True, False], ids=["rolled_up_before", "not_yet"])
def test_when_the_clock_of_the_server_was_ahead_and_is_set_right_rollups_go_on(
    log: CountedLog, is_rolled_up: bool
) -> None:
    writer = log.writer(in_turns=False)
    live(log, 1)
    log.clock.set_by(12 * 3600)
    ahead = [job_event("completed", now_ns(log), duration_ms=5.0) for _ in range(3)]
    log.store(*ahead)
    if is_rolled_up:
        log.clock.advance(120)
        log.run(writer.catch_up())
    log.clock.set_by(-12 * 3600)

    for _ in range(4):
        log.store(job_event("completed", now_ns(log), duration_ms=50.0))
        log.clock.advance(600)
        log.run(writer.catch_up())

    answer = log.read(BEGUN_NS - HOUR_NS, now_ns(log) + DAY_NS)
    assert_counts(answer, log.happened)
    assert (answer.rolled_up, answer.scanned) == (len(log.happened), 0)


def test_what_is_not_settled_yet_is_not_rolled_up(log: CountedLog) -> None:
    log.clock.advance(-(now_ns(log) // SECOND_NS) % 60 + 58)
    log.store(job_event("started", now_ns(log)))
    log.clock.advance(4)

    assert log.catch_up() == 0
    log.clock.advance(5)
    assert log.catch_up() == 1


def test_a_busy_minute_becomes_several_rollups_of_bounded_size(log: CountedLog) -> None:
    template = job_event("progress", now_ns(log))
    for _ in range(MOST_EVENTS + 10):
        log.store(job_event("progress", template.timestamp_ns))
    log.clock.advance(120)

    log.catch_up()

    assert [one.last - one.first + 1 for one in log.rollups(MINUTE)] == [MOST_EVENTS, 10]


def test_too_many_to_be_told_apart_is_said(loop: asyncio.AbstractEventLoop) -> None:
    log = CountedLog(loop, most_groups=10)
    log.store(*(job_event("started", now_ns(log), worker_id=f"w{number}") for number in range(1_000)))
    log.clock.advance(120)
    log.catch_up()

    by_worker, by_queue = (log.read(BEGUN_NS - HOUR_NS, now_ns(log), (by,)) for by in ("worker", "queue"))

    assert by_worker.has_others
    assert "(others)" in {group.worker for group in by_worker.groups}
    assert by_worker.total.started == by_queue.total.started == 1_000
    assert (by_queue.has_others, [group.queue for group in by_queue.groups]) == (False, ["mail"])


def test_who_has_no_say_any_more_writes_nothing(log: CountedLog) -> None:
    log.store(job_event("started", now_ns(log)))
    log.clock.advance(120)

    log.run(log.writer(in_turns=False, may_act=lambda: False).catch_up())

    assert log.rollups(MINUTE) == []


async def test_in_memory_the_events_of_a_test_are_counted() -> None:
    async with MemoryBroker(modules=[tasks.__name__]) as broker:
        async with Queue() as queue:
            await queue.enqueue(tasks.add, 1, 2)
            await broker.drain()
        broker.advance(1)
        async with ServiceManager(get_config()) as services:
            answer = await (await services.get_service(EventService)).get_event_statistics(hours=1)

    assert (answer.total.enqueued, answer.total.started, answer.total.completed) == (1, 1, 1)
