"""What happened to the jobs of one function: with all durations, and without reading many events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from naq_runtime.statistics.reader import FunctionCount
from tests.support.counted import CountedLog, job_event

MINUTE_NS = 60 * 10**9


@pytest.fixture
def log() -> Iterator[CountedLog]:
    loop = asyncio.new_event_loop()
    yield CountedLog(loop)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def run_jobs(log: CountedLog, count: int) -> None:
    """A job of each of two functions in each of the next minutes."""
    for number in range(count):
        now_ns = log.clock.time_ns()
        log.store(
            job_event("completed", now_ns, duration_ms=float(number + 1)),
            job_event("failed", now_ns, duration_ms=1000.0, function_name="shop.other"),
        )
        log.clock.advance(60)


def by_rollups(log: CountedLog, hours: float = 1) -> FunctionCount | None:
    found: FunctionCount | None = log.run(log.reader().function_by_rollups("shop.send", hours))
    return found


def test_only_jobs_of_the_function_count(log: CountedLog) -> None:
    run_jobs(log, 20)

    group, since_ns, until_ns = log.run(log.reader().function("shop.send", 1))

    assert group.types == {"job.completed": 20}
    assert group.run is not None
    assert (group.run.count, group.run.max_ns) == (20, 20_000_000)
    assert until_ns - since_ns == 60 * MINUTE_NS


def test_a_function_that_did_nothing_has_nothing(log: CountedLog) -> None:
    run_jobs(log, 2)

    assert log.run(log.reader().function("shop.never", 1)).group.types == {}


def test_who_is_told_how_much_is_read_can_end_it(log: CountedLog) -> None:
    run_jobs(log, 20)

    def impatient(_: int, total: int) -> None:
        raise TimeoutError(total)

    with pytest.raises(TimeoutError, match="40"):
        log.run(log.reader().function("shop.send", 1, impatient))


def test_what_is_rolled_up_is_told_without_any_event(log: CountedLog) -> None:
    run_jobs(log, 20)
    log.catch_up()
    log.store(*(job_event("completed", log.clock.time_ns(), duration_ms=5.0) for _ in range(50)))
    log.forget_events(until=10**6)

    found = by_rollups(log)

    assert found is not None
    assert found.group.types["job.completed"] == 19
    assert found.since_ns % MINUTE_NS == found.until_ns % MINUTE_NS == 0
    assert found.until_ns <= log.clock.time_ns()


def test_only_the_minutes_that_were_asked_for_count(log: CountedLog) -> None:
    run_jobs(log, 40)
    log.catch_up()

    found = by_rollups(log, hours=1 / 6)

    assert found is not None
    assert found.group.types["job.completed"] <= 10


def test_while_nothing_is_rolled_up_there_is_no_answer(log: CountedLog) -> None:
    run_jobs(log, 3)

    assert by_rollups(log) is None
