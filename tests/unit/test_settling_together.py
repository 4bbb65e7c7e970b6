"""Two processes that see to the end of the same job, one of which was held up in between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest

from naq_runtime import Job, JobStatus
from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.models import JobEvent
from tests.support.interleaving import Site


async def unused() -> None:
    """Nobody runs it."""


class Stage:
    """A site whose operations a test steps through."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.site = Site(self.loop, unused)
        opening = self.loop.create_task(self.site.open())
        while not opening.done():
            self.site.turns._go_on()
            if self.site.turns.waiting:
                self.site.turns.give(0)

    def act_until_done(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.site.turns.act(coroutine)
        self.site.turns.finish()

    def events_of(self, job_id: str) -> list[str]:
        stored = self.loop.run_until_complete(self.site.storage.history(job_id))
        events = [one.event for one in stored if isinstance(one.event, JobEvent)]
        return [str(event.event_type) for event in sorted(events, key=lambda event: event.timestamp_ns)]

    def close(self) -> None:
        self.loop.run_until_complete(self.site.close())
        self.loop.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (JobStatus.FAILED, ["waiting_for_dependencies", "dependency_failed", "cancelled", "result_stored"]),
        (JobStatus.COMPLETED, ["waiting_for_dependencies", "dependency_satisfied", "enqueued"]),
    ],
)
def test_a_dependency_that_two_settle_is_told_of_once(
    stage: Stage, steps: int, ended: JobStatus, expected: list[str]
) -> None:
    # Given a job that waits for another
    site, name = stage.site, "tests.unit.test_settling_together.unused"
    stage.act_until_done(site.jobs.enqueue_job(Job(name, job_id="parent")))
    stage.act_until_done(site.jobs.enqueue_job(Job(name, job_id="child", depends_on="parent")))

    # When one that settles the other job is held up after some steps, while somebody else settles it
    site.turns.act(site.rules.dependencies.settle({"parent": ended}))
    for _ in range(steps):
        if site.turns.waiting:
            site.turns.give(0)
    site.turns.act(site.rules.dependencies.settle({"parent": ended}))
    while site.turns.waiting > 1:
        site.turns.give(-1)
    site.turns.finish()

    # Then the events say everything once, and no mark outlives the next two sweeps
    assert stage.events_of("child") == expected
    for _ in range(2):
        stage.act_until_done(site.rules.dependencies.sweep())
    assert site.streams.messages(site.config.names.jobs_stream, site.config.names.met("*", "*")) == []


@pytest.mark.parametrize("steps", range(2, 8))
@pytest.mark.parametrize("other_steps", range(2, 8))
def test_a_job_goes_when_its_last_two_dependencies_end_in_one_process_at_the_same_time(
    stage: Stage, steps: int, other_steps: int
) -> None:
    # Given a job that waits for two others
    site, name = stage.site, "tests.unit.test_settling_together.unused"
    for parent in ("one", "other"):
        stage.act_until_done(site.jobs.enqueue_job(Job(name, job_id=parent)))
    stage.act_until_done(site.jobs.enqueue_job(Job(name, job_id="child", depends_on=["one", "other"])))

    # When the ends of both are settled by turns
    for place, (parent, number) in enumerate((("one", steps), ("other", other_steps))):
        site.turns.act(site.rules.dependencies.settle({parent: JobStatus.COMPLETED}))
        for _ in range(number):
            if site.turns.waiting > place:
                site.turns.give(place)
    site.turns.finish()

    # Then the job waits no more, without any sweep
    assert stage.events_of("child")[-1] == "enqueued"


@pytest.mark.parametrize("steps", range(20))
def test_a_settling_that_the_server_interrupts_is_taken_up_where_it_was(stage: Stage, steps: int) -> None:
    # Given a job that waits for one that waits for another
    site, name = stage.site, "tests.unit.test_settling_together.unused"
    stage.act_until_done(site.jobs.enqueue_job(Job(name, job_id="parent")))
    stage.act_until_done(site.jobs.enqueue_job(Job(name, job_id="child", depends_on="parent")))
    stage.act_until_done(site.jobs.enqueue_job(Job(name, job_id="grandchild", depends_on="child")))

    async def settle() -> None:
        with suppress(ServerUnreachable):
            await site.rules.dependencies.settle({"parent": JobStatus.FAILED})

    # When the server goes away while the failure of that one is settled, and is there again
    site.turns.act(settle())
    for _ in range(steps):
        if site.turns.waiting:
            site.turns.give(0)
    if site.turns.waiting:
        site.turns.give(0, ServerUnreachable("gone"))
    stage.act_until_done(settle())

    # Then both are cancelled, without any sweep
    assert stage.events_of("child").count("cancelled") == 1
    assert stage.events_of("grandchild").count("cancelled") == 1
