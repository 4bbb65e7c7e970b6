"""Whoever sees to schedules may die, or not hear what was stored, at any operation: another one goes on, or he does it
again, and every tick has exactly one job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from naq_runtime import Job, Schedule, ScheduleConfig, ScheduleState
from naq_runtime.errors import ServerError, ServerUnreachable
from naq_runtime.events.models import ScheduleEvent, ScheduleEventType
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.schedule import decode_schedule, tick_id
from naq_runtime.services.scheduler import SchedulerService
from tests.support import sample_tasks as tasks
from tests.support.interleaving import Crash, Site

BEGUN_S = 1_700_000_000
"""When the clock begins: 2023-11-14, 22:13:20 UTC."""


class Step(NamedTuple):
    """Time passes, and a scheduler looks."""

    seconds: float
    jobs_end: bool = True
    """Whether all jobs have ended meanwhile."""


class Story(NamedTuple):
    """A schedule, what happens, and when its jobs were due, in seconds after the beginning."""

    config: dict[str, Any]
    steps: tuple[Step, ...]
    due: tuple[int, ...]
    state: ScheduleState | None = ScheduleState.ACTIVE


BUSY = Step(10, jobs_end=False)
SOON = datetime.fromtimestamp(BEGUN_S + 5, UTC)
STORIES = {
    "interval": Story({"every": 10}, (Step(11), Step(20), Step(10)), (10, 20, 30, 40)),
    "cron": Story({"cron": "*/10 * * * * *"}, (Step(11), Step(20)), (10, 20, 30)),
    "repeat": Story({"every": 10, "repeat": 3}, (Step(21), Step(40)), (10, 20, 30), ScheduleState.FINISHED),
    "once": Story({"at": SOON}, (Step(6), Step(9)), (5,), ScheduleState.FINISHED),
    "skip": Story({"every": 10, "overlap": "skip"}, (Step(11), BUSY, Step(10)), (10, 30)),
    "buffer": Story({"every": 10, "overlap": "buffer"}, (Step(11), BUSY, BUSY, Step(2), Step(10)), (10, 30, 40)),
    "cancel": Story({"every": 10, "overlap": "cancel"}, (Step(11), BUSY, BUSY, Step(10)), (10, 20, 30, 40)),
    "missed, run all": Story(
        {"every": 10, "missed": "all", "catch_up_limit": 3}, (Step(11), Step(100)), (10, 60, 70, 80, 90, 100, 110)
    ),
    "missed, run one": Story({"every": 10}, (Step(11), Step(80)), (10, 60, 70, 80, 90)),
}


class Performance:
    """A story as it goes when one operation goes wrong.

    Args:
        place: of the operation; -1 for none.
        fault: what becomes of it.
    """

    def __init__(self, story: Story, loop: asyncio.AbstractEventLoop, place: int, fault: BaseException) -> None:
        self.operations = 0
        self.jobs: list[str] = []
        """All that were ever put into a queue."""
        self._story = story
        self._site = Site(loop, tasks.add)
        self._place = place
        self._fault = fault

    def play(self) -> None:
        """From the beginning to the end."""
        site = self._site
        self._undisturbed(site.open())
        site.streams.on_stored.append(self._note)
        wanted = ScheduleConfig(schedule_id="story", **self._story.config)
        self._undisturbed(site.scheduler()[0].schedule_job(Job(tasks.add, (1,)), wanted))
        scheduler, _ = site.scheduler()
        for step in self._story.steps:
            site.clock.advance(step.seconds)
            if step.jobs_end:
                self._undisturbed(site.streams.delete(site.config.names.jobs_stream, [m.sequence for m in site.left()]))
            scheduler = self._look(scheduler)

    def close(self) -> None:
        """Forget all."""
        site = self._site
        site.turns.finish()
        self._undisturbed(site.close())

    @property
    def schedule(self) -> Schedule:
        """As it stands at the end, but for what no two performances have in common."""
        names = self._site.config.names
        (message,) = self._site.streams.messages(names.jobs_stream, names.schedule("story"))
        return decode_schedule(message.data).evolve(last_run_ns=0, created_at_ns=0, anchor_ns=0, payload=b"")

    def events(self, event_type: ScheduleEventType) -> list[ScheduleEvent]:
        """All of this type."""
        events = [stored.event for stored in self._site.storage.events]
        return [event for event in events if isinstance(event, ScheduleEvent) and event.event_type is event_type]

    def _look(self, scheduler: SchedulerService) -> SchedulerService:
        """Have it make what is due; returns who does so the next time."""
        ends: list[BaseException | None] = []

        async def look() -> None:
            try:
                await scheduler.trigger_due_jobs()
                ends.append(None)
            except (Crash, ServerError) as error:
                ends.append(error)

        self._site.turns.act(look())
        while self._site.turns.waiting:
            self._site.turns.give(0, self._fault if self.operations == self._place else None)
            self.operations += 1
        (end,) = ends
        if end is None:
            return scheduler
        return self._look(self._site.scheduler()[0] if isinstance(end, Crash) else scheduler)

    def _undisturbed(self, doing: Coroutine[Any, Any, object]) -> None:
        self._site.turns.act(doing)
        self._site.turns.finish()

    def _note(self, message: StoredMessage) -> None:
        if ".jobs." in message.subject and TOMBSTONE not in message.headers:
            self.jobs.append(message.subject.rpartition(".")[2])


@contextmanager
def performed(story: Story, place: int = -1, fault: BaseException | None = None) -> Iterator[Performance]:
    loop = asyncio.new_event_loop()
    performance = Performance(story, loop, place, fault or Crash())
    try:
        performance.play()
        yield performance
        performance.close()
    finally:
        loop.close()


def ids(story: Story) -> list[str]:
    return [tick_id("story", (BEGUN_S + due) * 10**9) for due in story.due]


@pytest.mark.parametrize("name", STORIES)
def test_a_story_in_which_nothing_goes_wrong(name: str) -> None:
    story = STORIES[name]
    with performed(story) as performance:
        told = performance.events(ScheduleEventType.TRIGGERED)

        assert performance.jobs == ids(story)
        assert [event.job_id for event in told] == ids(story)
        assert [event.tick for event in told] == list(range(1, len(story.due) + 1))
        assert performance.schedule.state is story.state


@pytest.mark.parametrize("name", STORIES)
def test_a_scheduler_killed_at_any_operation_leaves_one_job_for_each_tick(name: str) -> None:
    story = STORIES[name]
    with performed(story) as undisturbed:
        operations, expected = undisturbed.operations, undisturbed.schedule

    for place in range(operations):
        with performed(story, place, Crash()) as performance:
            told = [event.job_id for event in performance.events(ScheduleEventType.TRIGGERED)]

            assert performance.jobs == ids(story), f"killed at operation {place}"
            assert performance.schedule == expected, f"killed at operation {place}"
            assert len(told) == len(set(told)), f"killed at operation {place}"


@pytest.mark.parametrize("name", STORIES)
def test_an_answer_that_does_not_come_leaves_one_job_and_one_event_for_each_tick(name: str) -> None:
    story = STORIES[name]
    with performed(story) as undisturbed:
        operations, expected = undisturbed.operations, undisturbed.schedule

    for place in range(operations):
        with performed(story, place, ServerUnreachable("no answer")) as performance:
            told = [event.job_id for event in performance.events(ScheduleEventType.TRIGGERED)]

            assert performance.jobs == ids(story), f"unheard at operation {place}"
            assert performance.schedule == expected, f"unheard at operation {place}"
            assert told == ids(story), f"unheard at operation {place}"
