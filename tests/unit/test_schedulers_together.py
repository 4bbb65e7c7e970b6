"""Whatever the order in which schedulers go on, whoever dies, is stopped for a while or hears nothing: one leads at a
time, and every tick has exactly one job.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from naq_runtime import Job, Schedule, ScheduleConfig
from naq_runtime.errors import NotFound, ServerError, ServerUnreachable
from naq_runtime.events.models import ScheduleEvent, ScheduleEventType
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.schedule import decode_schedule, tick_id
from naq_runtime.scheduler.leadership import Leadership
from naq_runtime.services.scheduler import SchedulerService
from naq_runtime.snapshot import LeaderState
from tests.support import sample_tasks as tasks
from tests.support.interleaving import LEASE_S, Crash, Site

HOURS_AHEAD = (0.0, 5.0, -3.0)
CONFIGS: dict[str, dict[str, Any]] = {
    "rate": {"every": 10, "missed": "all", "catch_up_limit": 400},
    "cron": {"cron": "*/7 * * * * *", "missed": "all", "catch_up_limit": 400},
    "some": {"every": 5, "missed": "all", "catch_up_limit": 400, "repeat": 6},
}


class Host(NamedTuple):
    """A scheduler as it runs."""

    schedules: SchedulerService
    leadership: Leadership
    busy: set[str]
    """What it is doing."""


class Schedulers(RuleBasedStateMachine):
    """Nobody dies; all may be slow."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.site = Site(self.loop, tasks.add)
        self.hosts: list[Host] = []
        self.ever: list[Host] = []
        self.jobs: list[str] = []
        self.leads: list[LeaderState] = []
        self.first: dict[str, Schedule] = {}

    @initialize()
    def open(self) -> None:
        self.site.turns.act(self.site.open())
        self.site.turns.finish()
        self.site.streams.on_stored.append(self._note)
        self.people, _ = self.site.scheduler("people")
        for name, config in CONFIGS.items():
            self.site.turns.act(
                self.people.schedule_job(Job(tasks.add, (1,)), ScheduleConfig(schedule_id=name, **config))
            )
            self.site.turns.finish()
        for message in self.site.streams.messages(self.names.jobs_stream, self.names.schedule("*")):
            schedule = decode_schedule(message.data)
            self.first[schedule.schedule_id] = schedule
        self.hosts = [self._host(place) for place in range(len(HOURS_AHEAD))]

    @property
    def names(self) -> Any:
        return self.site.config.names

    # What schedulers do

    @rule(place=st.integers(0, 2), times=st.sampled_from([0, 1, 2, 9, 9]))
    def lead(self, place: int, times: int) -> None:
        host = self.hosts[place]
        self._begin(host, "lead", host.leadership.step(), times)

    @rule(place=st.integers(0, 2), times=st.integers(0, 4))
    def tick(self, place: int, times: int) -> None:
        host = self.hosts[place]
        if not host.leadership.leads:  # as a scheduler does that finds out before it ticks
            self._begin(host, "lead", host.leadership.step(), 9)
        if host.leadership.leads:
            self._begin(host, "tick", host.schedules.trigger_due_jobs(), times)

    @rule(seconds=st.sampled_from([1.0, LEASE_S, 10.0]), awake=st.sets(st.integers(0, 2), min_size=1))
    def live(self, seconds: float, awake: set[int]) -> None:
        """Those go on as they should; the others are stopped, where they are."""
        self.site.clock.advance(seconds)
        for place in sorted(awake):
            self.tick(place, 9)

    @rule(place=st.integers(0, 2), times=st.integers(0, 3))
    def resign(self, place: int, times: int) -> None:
        host = self.hosts[place]
        if host.leadership.leads:
            self._begin(host, "lead", host.leadership.resign(), times)

    @precondition(lambda self: self.site.turns.waiting)
    @rule(which=st.integers(0, 9), times=st.integers(1, 8))
    def go_on(self, which: int, times: int) -> None:
        self._go_on(which, times)

    @precondition(lambda self: self.site.turns.waiting)
    @rule(which=st.integers(0, 9))
    def hear_nothing(self, which: int) -> None:
        self.site.turns.give(which, ServerUnreachable("no answer"))

    def _go_on(self, which: int, times: int) -> None:
        for _ in range(times):
            if self.site.turns.waiting:
                self.site.turns.give(which)

    # What others do

    @rule(name=st.sampled_from(sorted(CONFIGS)), number=st.integers(0, 99))
    def modify(self, name: str, number: int) -> None:
        self._begin(None, "modify", self.people.modify(name, args=(number,)), 2)

    @rule(name=st.sampled_from(sorted(CONFIGS)))
    def trigger_now(self, name: str) -> None:
        self._begin(None, "trigger", self.people.trigger_now(name), 1)

    @rule()
    def work(self) -> None:
        """Workers end all jobs that there are."""
        jobs = [message.sequence for message in self.site.left()]
        self.loop.run_until_complete(self.site.streams.delete(self.names.jobs_stream, jobs))

    @rule(seconds=st.sampled_from([1.0, LEASE_S / 2, LEASE_S, 10.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.site.clock.advance(seconds)

    # What must hold

    @invariant()
    def one_leads(self) -> None:
        leading = [host.leadership for host in self.ever if host.leadership.leads]
        assert len(leading) <= 1, leading

    def teardown(self) -> None:
        try:
            self.site.turns.finish()
            self._to_the_end()
            self._judge()
        finally:
            self.site.turns.act(self.site.close())
            while self.site.turns.waiting:
                self.site.turns.give(0)
            self.loop.close()

    def _to_the_end(self) -> None:
        """One that was never stopped goes on alone."""
        last = self._host(0)
        for _ in range(3):
            self.site.clock.advance(LEASE_S + 1)
            self._begin(last, "lead", last.leadership.step(), 9)
            self.site.turns.finish()
        assert last.leadership.leads
        self._begin(last, "tick", last.schedules.trigger_due_jobs(), 9)
        self.site.turns.finish()

    def _judge(self) -> None:
        terms = [leader.term for leader in self.leads]
        assert terms == sorted(terms)
        holders = {(leader.term, leader.instance_id, leader.since_ns) for leader in self.leads if leader.instance_id}
        assert len(holders) == len({term for term, *_ in holders}), "two have had the same term"
        twice = [job_id for job_id, count in Counter(self.jobs).items() if count > 1]
        assert not twice
        for name, schedule in self.first.items():
            made = [job_id for job_id in self.jobs if job_id.startswith(name) and "-now-" not in job_id]
            assert made == self._ticks_of(schedule)
        self._judge_events()

    def _judge_events(self) -> None:
        events = [stored.event for stored in self.site.storage.events]
        told = [
            event.job_id
            for event in events
            if isinstance(event, ScheduleEvent) and event.event_type is ScheduleEventType.TRIGGERED
        ]
        assert len(told) == len(set(told))
        assert set(told) <= set(self.jobs)

    def _ticks_of(self, schedule: Schedule) -> list[str]:
        """The ids of the jobs that it must have made by now."""
        ticks = [schedule.next_ns, *_until(schedule, self.site.clock.time_ns())]
        ticks = [due_ns for due_ns in ticks if due_ns <= self.site.clock.time_ns()]
        return [tick_id(schedule.schedule_id, due_ns) for due_ns in ticks[: schedule.repeat]]

    def _host(self, place: int) -> Host:
        host = Host(*self.site.scheduler(f"s{place}", ahead_s=HOURS_AHEAD[place] * 3600), set())
        host.schedules.act_for(host.leadership)
        self.ever.append(host)
        return host

    def _begin(self, host: Host | None, what: str, doing: Coroutine[Any, Any, object], times: int) -> None:
        """Let somebody begin with something, and take some turns."""
        if host is not None and what in host.busy:
            doing.close()
            return
        self.site.turns.act(self._do(host, what, doing))
        self._go_on(-1, times)

    async def _do(self, host: Host | None, what: str, doing: Coroutine[Any, Any, object]) -> None:
        busy = set() if host is None else host.busy
        busy.add(what)
        try:
            with contextlib.suppress(ServerError, NotFound):
                await doing
        except Crash:
            if host in self.hosts:
                place = self.hosts.index(host)
                self.hosts[place] = self._host(place)
        finally:
            busy.discard(what)

    def _note(self, message: StoredMessage) -> None:
        if message.subject.startswith(f"{self.names.namespace}.jobs."):
            self.jobs.append(message.subject.rpartition(".")[2])
        elif message.subject.startswith("$KV"):
            self.leads.append(msgspec.json.decode(message.data, type=LeaderState))


class DyingSchedulers(Schedulers):
    """Any of them may die at any moment, and comes back as another one of its name."""

    @precondition(lambda self: self.site.turns.waiting)
    @rule(which=st.integers(0, 9))
    def crash(self, which: int) -> None:
        self.site.turns.give(which, Crash())


def _until(schedule: Schedule, now_ns: int) -> list[int]:
    ticks = []
    for due_ns in schedule.ticks_after(schedule.next_ns):
        if due_ns > now_ns:
            break
        ticks.append(due_ns)
    return ticks


limits = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
Schedulers.TestCase.settings = limits
DyingSchedulers.TestCase.settings = limits
TestSlow = pytest.mark.timeout(300)(Schedulers.TestCase)
TestDying = pytest.mark.timeout(300)(DyingSchedulers.TestCase)
