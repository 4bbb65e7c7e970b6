"""Whatever the order in which producers, workers and those who cancel go on, and whoever of them dies in between:
each job has an end, and its events tell a story that can have happened.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from naq_runtime import Cancel, Job, JobStatus, Retry, Snooze, current_job
from naq_runtime.errors import NotFound
from naq_runtime.events.models import JobEvent
from naq_runtime.job import After
from tests.support.interleaving import Crash, Site
from tests.support.lifecycle import Stage, faults, last_stages

WAYS = ("complete", "fail", "retry", "snooze", "give up", "work")


async def act(ways: list[str]) -> str:
    """Do in each run what was planned for it, and complete at last."""
    machine = Machine.current
    run = machine.runs.get(current_job().job_id, 0)
    machine.runs[current_job().job_id] = run + 1
    machine.started_after_cancel |= {current_job().job_id} & machine.cancelled_for_good
    way = ways[run] if run < len(ways) else "complete"
    if way == "fail":
        raise ValueError("planned")
    if way == "retry":
        raise Retry(after=3)
    if way == "snooze":
        raise Snooze(5)
    if way == "give up":
        raise Cancel("planned")
    if way == "work":
        await machine.site.turns.wait()
    return "done"


class Machine(RuleBasedStateMachine):
    """Nobody dies."""

    current: Machine
    crashes = False

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        Machine.current = self
        self.loop = asyncio.new_event_loop()
        self.site = Site(self.loop, act)
        self.runs: dict[str, int] = {}
        self.accepted: set[str] = set()
        self.has_crashed = False
        self.cancelled_for_good: set[str] = set()
        self.started_after_cancel: set[str] = set()
        self.numbers = 0

    @initialize()
    def open(self) -> None:
        opening = self.loop.create_task(self.site.open())
        while not opening.done():
            self.site.turns._go_on()
            if self.site.turns.waiting:
                self.site.turns.give(0)
        opening.result()

    # What people do

    @rule(
        target=jobs,
        ways=st.lists(st.sampled_from(WAYS), max_size=4),
        retries=st.integers(0, 3),
        delay=st.sampled_from([0.0, 0.0, 5.0]),
    )
    def enqueue(self, ways: list[str], retries: int, delay: float) -> str:
        return self._enqueue(ways, retries, (), delay)

    @rule(
        target=jobs,
        parents=st.lists(jobs, min_size=1, max_size=3, unique=True),
        on=st.sampled_from(["success", "failure", "always"]),
    )
    def enqueue_child(self, parents: list[str], on: Any) -> str:
        return self._enqueue([], 0, tuple(After(parent, on=on) for parent in parents), 0.0)

    def _enqueue(self, ways: list[str], retries: int, needs: tuple[After, ...], delay: float) -> str:
        self.numbers += 1
        job_id = f"job{self.numbers}"
        run_at_ns = self.site.clock.time_ns() + int(delay * 1e9) if delay else 0
        job = Job(
            "tests.unit.test_job_states.act",
            (ways,),
            job_id=job_id,
            retries=retries,
            retry_delay=2.0,
            depends_on=needs,
            run_at_ns=run_at_ns,
            on_unknown_dependency="wait",
        )
        self.site.turns.act(self._put(job))
        return job_id

    async def _put(self, job: Job) -> None:
        try:
            await self.site.jobs.enqueue_job(job)
        except Crash:
            return
        self.accepted.add(job.job_id)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        self.site.turns.act(self._cancel(job_id))

    async def _cancel(self, job_id: str) -> None:
        with contextlib.suppress(NotFound, Crash):
            if await self.site.jobs.cancel(job_id) and job_id not in self.site.running:
                self.cancelled_for_good.add(job_id)

    # What workers do

    @precondition(lambda self: self.site.ready())
    @rule(which=st.integers(0, 9))
    def deliver(self, which: int) -> None:
        ready = self.site.ready()
        self.site.turns.act(self.site.work(ready[which % len(ready)]))

    @precondition(lambda self: self.site.turns.waiting)
    @rule(which=st.integers(0, 9), times=st.integers(1, 8))
    def go_on(self, which: int, times: int) -> None:
        for _ in range(times):
            if self.site.turns.waiting:
                self.site.turns.give(which)

    @rule()
    def sweep(self) -> None:
        self.site.turns.act(self._sweep())

    async def _sweep(self) -> None:
        with contextlib.suppress(Crash):
            await self.site.rules.dependencies.sweep()

    @rule(seconds=st.floats(0.1, 10))
    def time_passes(self, seconds: float) -> None:
        self.site.clock.advance(seconds)

    # What came of it

    def teardown(self) -> None:
        try:
            self._to_the_end()
            self._judge()
        finally:
            self.loop.run_until_complete(self.site.close())
            self.loop.close()

    def _to_the_end(self) -> None:
        """Nobody dies any more, and everybody goes on."""
        for _ in range(200):
            self.site.turns.finish()
            for message in self.site.ready():
                self.site.turns.act(self.site.work(message))
            self.sweep()
            self.site.turns.finish()
            self.site.clock.advance(10)
            if not self._unfinished():
                return
        raise AssertionError(f"never ended: {self._unfinished()}")

    def _unfinished(self) -> set[str]:
        """Jobs that have not ended, but for those that wait, at last, for what never was."""
        left = {}
        for message in self.site.left():
            job = self.site.services.serializer.decode_job(message.data)
            left[job.job_id] = [need.job_id for need in job.needs] if ".waiting." in message.subject else []
        waiting_in_vain = {job_id for parents in left.values() for job_id in parents if job_id not in self.accepted}
        while more := {job_id for job_id in left if waiting_in_vain.intersection(left[job_id])} - waiting_in_vain:
            waiting_in_vain |= more
        return set(left) - waiting_in_vain

    def _judge(self) -> None:
        waiting = {message.subject.rpartition(".")[2] for message in self.site.left()}
        for job_id in sorted(self.accepted - waiting):
            outcome = self.loop.run_until_complete(self._outcome(job_id))
            assert outcome is not None, f"{job_id} is lost"
            events = self._events_of(job_id)
            told = f"{job_id}: {' '.join(f'{event.event_type}:{event.attempt}' for event in events)}"
            assert faults(events, gaps=self.has_crashed) == [], told
            if not self.has_crashed:
                assert last_stages(events) <= {Stage.KEPT, Stage.BURIED}, told
            assert outcome is not JobStatus.COMPLETED or self.runs.get(job_id), f"{job_id} never ran"
        assert not self.started_after_cancel

    def _events_of(self, job_id: str) -> list[JobEvent]:
        stored = self.loop.run_until_complete(self.site.storage.history(job_id))
        events = [one.event for one in stored if isinstance(one.event, JobEvent)]
        return sorted(events, key=lambda event: event.timestamp_ns)

    async def _outcome(self, job_id: str) -> JobStatus | None:
        messages = self.site.streams.messages(
            self.site.config.names.results_stream, self.site.config.names.result(job_id)
        )
        if not messages:
            return None
        return self.site.services.serializer.decode_outcome(messages[-1].data).result.status


class DyingMachine(Machine):
    """Any of them may die at any moment."""

    @precondition(lambda self: self.site.turns.waiting)
    @rule(which=st.integers(0, 9))
    def crash(self, which: int) -> None:
        self.has_crashed = True
        self.site.turns.give(which, Crash())


limits = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
Machine.TestCase.settings = limits
DyingMachine.TestCase.settings = limits
TestInterleavings = pytest.mark.timeout(300)(Machine.TestCase)
TestCrashes = pytest.mark.timeout(300)(DyingMachine.TestCase)
