"""Whoever rolls events up may die, or not hear what was stored, at any operation: another one goes on, or he does it
again, and every event is counted once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from naq_runtime.errors import ServerUnreachable
from naq_runtime.statistics.rollup import DAY, HOUR, MINUTE, UNITS, Rollup
from tests.support.counted import BEGUN_NS, CountedLog, assert_counts, job_event
from tests.support.interleaving import Crash

MINUTE_NS = 60 * 10**9
STEPS_MIN = (2, 45, 90, 20 * 60, 1)
"""Minutes that pass between the looks of a writer: hours and a day end between them."""


class Performance:
    """A day and some hours of events, and somebody who rolls them up; one of his operations goes wrong.

    Args:
        place: of the operation; -1 for none.
        fault: what becomes of it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, place: int, fault: BaseException) -> None:
        self.log = CountedLog(loop)
        self.operations = 0
        self._place = place
        self._fault = fault
        self._writer = self.log.writer()

    def play(self) -> None:
        """From the beginning to the end."""
        for minutes in STEPS_MIN:
            for part in range(4):
                self._live(part)
                self.log.clock.advance(minutes * 15)
            self._look()
        self.log.clock.advance(60)
        self._look()

    def ranges(self) -> dict[str, list[tuple[int, int]]]:
        """What the roll-ups of each unit cover."""
        return {unit.name: [(one.first, one.last) for one in self.log.rollups(unit)] for unit in UNITS}

    def _live(self, part: int) -> None:
        """What happens in a moment; one thing is told of late."""
        now_ns = self.log.clock.time_ns()
        self.log.store(
            job_event("enqueued", now_ns),
            job_event("started", now_ns, wait_ms=part + 0.5, worker_id="anna"),
            job_event("completed", now_ns - part * 20 * MINUTE_NS, duration_ms=100.0 * part, worker_id="anna"),
        )

    def _look(self) -> None:
        ends: list[BaseException | None] = []
        self.log.begin(self._writer, ends.append)
        while self.log.turns.waiting:
            self.log.turns.give(0, self._fault if self.operations == self._place else None)
            self.operations += 1
        (end,) = ends
        if end is not None:
            if isinstance(end, Crash):
                self._writer = self.log.writer()
            self._look()


@contextmanager
def performed(place: int = -1, fault: BaseException | None = None) -> Iterator[Performance]:
    loop = asyncio.new_event_loop()
    try:
        performance = Performance(loop, place, fault or Crash())
        performance.play()
        yield performance
    finally:
        loop.close()


def are_gapless(ranges: list[tuple[int, int]]) -> bool:
    firsts = [first for first, _ in ranges]
    return firsts == [1, *(last + 1 for _, last in ranges[:-1])]


def total(rollups: list[Rollup]) -> int:
    return sum(sum(group.types.values()) for one in rollups for group in one.groups)


def test_when_nothing_goes_wrong_each_event_is_in_one_rollup_of_each_unit_that_is_over() -> None:
    with performed() as performance:
        ranges, log = performance.ranges(), performance.log

        assert all(are_gapless(ranges[unit.name]) for unit in UNITS)
        assert [len(ranges[unit.name]) for unit in (DAY, HOUR)] == [1, 6]
        assert ranges["minute"][-1][1] == len(log.happened)
        assert total(log.rollups(MINUTE)) == len(log.happened)
        for unit in (HOUR, DAY):
            covered = [one for one in log.rollups(MINUTE) if one.last <= ranges[unit.name][-1][1]]
            assert total(log.rollups(unit)) == total(covered)


@pytest.mark.parametrize("fault", [Crash(), ServerUnreachable("no answer")], ids=["killed", "unheard"])
def test_at_whichever_operation_something_goes_wrong_the_rollups_are_the_same(fault: BaseException) -> None:
    with performed() as undisturbed:
        operations, expected = undisturbed.operations, undisturbed.ranges()
    assert operations > 50

    for place in range(operations):
        with performed(place, fault) as performance:
            log = performance.log
            answer = log.read(BEGUN_NS - 24 * 60 * MINUTE_NS, log.clock.time_ns(), ("worker",))

            assert performance.ranges() == expected, f"at operation {place}"
            assert_counts(answer, log.happened, ("worker",))
