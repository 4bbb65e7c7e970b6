"""Whatever the order in which several writers go on, whoever dies or hears nothing, and whenever events come: each
event is counted once, and whoever asks gets what he would count by hand.
"""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from naq_runtime.errors import ServerUnreachable
from naq_runtime.statistics.rollup import UNITS
from naq_runtime.statistics.writer import RollupWriter
from tests.support.counted import BEGUN_NS, CountedLog, assert_counts, job_event
from tests.support.interleaving import Crash

SECOND_NS = 10**9
AHEAD_S = (0, 0, 240)
"""What each writer takes the server's clock to be ahead of what it is."""


class Writers(RuleBasedStateMachine):
    """Three of them, who all believe that it is on them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.log = CountedLog(self.loop)
        self.writers = [self._writer(place) for place in range(len(AHEAD_S))]
        self.busy: set[int] = set()

    @rule(
        kind=st.sampled_from(["enqueued", "started", "completed", "failed", "cancelled"]),
        ago_s=st.sampled_from([-7200, 0, 0, 0, 1, 61, 3600, 90_000]),
        value=st.floats(0, 1e7),
        queue=st.sampled_from(["mail", "print"]),
        times=st.sampled_from([1, 2, 30]),
    )
    def happen(self, kind: str, ago_s: int, value: float, queue: str, times: int) -> None:
        time_ns = self.log.clock.time_ns() - ago_s * SECOND_NS
        for number in range(times):
            event = job_event(
                kind,
                time_ns,
                queue_name=queue,
                worker_id=None if kind == "enqueued" else f"w{number % 3}",
                wait_ms=value,
                duration_ms=value + number,
            )
            self.log.store(event)

    @rule(seconds=st.sampled_from([0.5, 7, 60, 60, 600, 3600, 3600, 30_000]))
    def time_passes(self, seconds: float) -> None:
        self.log.clock.advance(seconds)

    @rule(place=st.integers(0, 2), times=st.sampled_from([0, 1, 3, 99]))
    def roll_up(self, place: int, times: int) -> None:
        if place not in self.busy:
            self.busy.add(place)
            self.log.begin(self.writers[place], lambda error: self._ended(place, error))
        self._go_on(-1, times)

    @precondition(lambda self: self.log.turns.waiting)
    @rule(which=st.integers(0, 9), times=st.integers(1, 9))
    def go_on(self, which: int, times: int) -> None:
        self._go_on(which, times)

    @precondition(lambda self: self.log.turns.waiting)
    @rule(which=st.integers(0, 9), dies=st.booleans())
    def go_wrong(self, which: int, dies: bool) -> None:
        self.log.turns.give(which, Crash() if dies else ServerUnreachable("no answer"))

    @rule(since_s=st.integers(-100_000, 0), length_s=st.sampled_from([1, 59, 60, 3600, 5000, 86_400, 200_000]))
    def ask(self, since_s: int, length_s: int) -> None:
        since_ns = self.log.clock.time_ns() + since_s * SECOND_NS
        answer = self.log.read(since_ns, since_ns + length_s * SECOND_NS)

        assert answer.is_exact
        assert_counts(answer, self.log.happened)

    @invariant()
    def ranges_follow_each_other(self) -> None:
        for unit in UNITS:
            expected = 1
            for one in self.log.rollups(unit):
                assert one.first == expected
                expected = one.last + 1

    def teardown(self) -> None:
        try:
            self.log.turns.finish()
            self.log.clock.advance(90_000)
            self.log.catch_up()
            answer = self.log.read(BEGUN_NS - 200_000 * SECOND_NS, self.log.clock.time_ns(), ("queue",))
            assert_counts(answer, self.log.happened, ("queue",))
            assert answer.scanned == 0
        finally:
            self.loop.close()

    def _writer(self, place: int) -> RollupWriter:
        return self.log.writer(ahead_ns=AHEAD_S[place] * SECOND_NS)

    def _ended(self, place: int, error: BaseException | None) -> None:
        self.busy.discard(place)
        if isinstance(error, Crash):
            self.writers[place] = self._writer(place)

    def _go_on(self, which: int, times: int) -> None:
        for _ in range(times):
            if self.log.turns.waiting:
                self.log.turns.give(which)


Writers.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
TestTogether = pytest.mark.timeout(300)(Writers.TestCase)
