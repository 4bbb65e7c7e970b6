"""Clocks of hosts that are wrong: the times of a job are right all the same, within 50 ms."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import pytest

from naq_runtime import EventService, Job, JobEvent, NAQConfig, Queue, ServiceManager
from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.monitor import Monitor
from tests.support import sample_tasks
from tests.support.clocks import WrongClock, timed
from tests.support.history import all_events, history
from tests.support.processes import environment, naq, program
from tests.support.waiting import eventually
from tests.support.workers import running_worker

WITHIN_NS = 500_000_000
MODULES = ("tests.support.clocks",)
TOOK_S = 0.2


class Truth(NamedTuple):
    """When something really happened, by the clock of this machine, which is the server's."""

    asked_ns: int
    began_ns: int
    ended_ns: int
    told_ns: int


async def run_one(config: NAQConfig, *, clock: Clock = SYSTEM_CLOCK, delay_s: float = 0) -> tuple[str, Truth]:
    """Enqueue `timed` by this clock, and wait for it."""
    async with ServiceManager(config, role="producer", clock=clock) as services, Queue(services=services) as queue:
        asked_ns = time.time_ns()
        run_at_ns = clock.time_ns() + int(delay_s * 1e9) if delay_s else 0
        handle = await queue.enqueue_job(Job(timed, (TOOK_S,), run_at_ns=run_at_ns))
        began_ns, ended_ns = await handle.result(timeout=30)
    return handle.job_id, Truth(asked_ns, began_ns, ended_ns, time.time_ns())


async def by_type(config: NAQConfig, job_id: str) -> dict[str, JobEvent]:
    """The events of a job, in the order in which a reader has them."""

    async def all_of_them() -> dict[str, JobEvent]:
        events = await history(config, job_id)
        found = {str(event.event_type): event for event in events if isinstance(event, JobEvent)}
        return found if "result_stored" in found else {}

    return await eventually(all_of_them)


def is_between(moment_ns: int, earliest_ns: int, latest_ns: int) -> bool:
    return earliest_ns - WITHIN_NS <= moment_ns <= latest_ns + WITHIN_NS


def check(events: dict[str, JobEvent], truth: Truth) -> None:
    """The timeline is right."""
    enqueued, started, completed = (events[kind] for kind in ("enqueued", "started", "completed"))
    assert is_between(enqueued.moment_ns, truth.asked_ns, truth.began_ns)
    assert is_between(started.moment_ns, truth.asked_ns, truth.began_ns)
    assert is_between(completed.moment_ns, truth.ended_ns, truth.told_ns)
    assert started.wait_ms is not None
    assert started.wait_ms * 1e6 <= truth.began_ns - truth.asked_ns + WITHIN_NS
    assert list(events)[:3] == ["enqueued", "started", "completed"]


@pytest.mark.parametrize("ahead_s", [300.0, -300.0])
async def test_the_timeline_of_a_worker_whose_clock_is_wrong_is_right(config: NAQConfig, ahead_s: float) -> None:
    async with running_worker(config, modules=MODULES, clock=WrongClock(ahead_s)):
        job_id, truth = await run_one(config)

    events = await by_type(config, job_id)
    check(events, truth)
    assert abs(events["started"].timestamp_ns - truth.began_ns) > 290e9  # it says what its own clock showed


@pytest.mark.parametrize("ahead_s", [300.0, -300.0])
async def test_that_of_a_producer_whose_clock_is_wrong_is_right(config: NAQConfig, ahead_s: float) -> None:
    async with running_worker(config, modules=MODULES):
        job_id, truth = await run_one(config, clock=WrongClock(ahead_s))

    check(await by_type(config, job_id), truth)


async def test_that_of_both_is_right_when_they_are_wrong_in_both_directions(config: NAQConfig) -> None:
    async with running_worker(config, modules=MODULES, clock=WrongClock(-300)):
        job_id, truth = await run_one(config, clock=WrongClock(300))

    check(await by_type(config, job_id), truth)


@pytest.mark.parametrize("step_s", [300.0, -300.0])
async def test_a_clock_that_is_set_while_a_job_runs_disturbs_nothing(config: NAQConfig, step_s: float) -> None:
    clock = WrongClock(0)

    async def set_it() -> None:
        await asyncio.sleep(TOOK_S / 2)
        clock.ahead_s += step_s

    async with running_worker(config, modules=MODULES, clock=clock) as worker:
        setting = asyncio.create_task(eventually(lambda: worker.active))
        setting.add_done_callback(lambda _: later.append(asyncio.create_task(set_it())))
        later: list[asyncio.Task[None]] = []
        job_id, truth = await run_one(config)
        await asyncio.gather(setting, *later)
        second_id, second = await run_one(config)

    check(await by_type(config, job_id), truth)
    check(await by_type(config, second_id), second)
    completed = (await by_type(config, second_id))["completed"]
    assert abs(completed.timestamp_ns - second.ended_ns) > 290e9


async def test_a_job_that_waited_for_its_time_has_waited_since_then_and_not_by_a_wrong_clock(config: NAQConfig) -> None:
    async with running_worker(config, modules=MODULES, clock=WrongClock(300)):
        job_id, truth = await run_one(config, clock=WrongClock(-300), delay_s=1.0)

    events = await by_type(config, job_id)
    started = events["started"]
    assert started.wait_ms is not None
    assert is_between(truth.asked_ns + int(1e9 + started.wait_ms * 1e6), truth.asked_ns + 10**9, truth.began_ns)
    scheduled = events["scheduled"]
    assert scheduled.run_at_ns is not None
    assert is_between(scheduled.on_server(scheduled.run_at_ns), truth.asked_ns + 10**9, truth.asked_ns + 10**9)


async def test_a_process_whose_clock_is_five_minutes_ahead_is_put_right_and_says_so(config: NAQConfig) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.clocks", "300", "default", env=environment(config)
    )
    try:
        job_id, truth = await run_one(config)
        check(await by_type(config, job_id), truth)
        async with ServiceManager(config, role="monitor") as services:
            monitor = await services.get_service(Monitor)
            (worker,) = await monitor.workers()
            skews = await monitor.clock_skews()
            now_ns = monitor.now_ns()
        shown = json.loads((await naq("job", "show", job_id, "--format", "json", config=config)).out)
        page = await naq("worker", "show", worker.worker_id, config=config)
    finally:
        process.terminate()
        await process.wait()

    assert abs(worker.clock_skew_ms - 300_000) < 1_000
    assert is_between(worker.on_server(worker.beat_at_ns), truth.asked_ns - 20 * 10**9, now_ns)
    assert is_between(shown["started_at_ns"], truth.asked_ns, truth.began_ns)
    assert is_between(shown["finished_at_ns"], truth.ended_ns, truth.told_ns)
    assert "5 m 00 s ahead" in page.out
    (wrong,) = [one for one in skews if abs(one.skew_ms) > 1_000]
    assert wrong.role == "worker"
    assert wrong.skew_ms == pytest.approx(300_000, abs=1_000)


async def test_events_say_when_the_server_has_stored_them(config: NAQConfig) -> None:
    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        tail = await monitor.follow(after=0)
        async with running_worker(config, modules=MODULES, clock=WrongClock(-300)):
            await run_one(config)
        live = (await asyncio.wait_for(tail.next_batch(), 20)).events
        await tail.stop()

    read = {stored.sequence: stored for stored in await all_events(config)}
    assert live
    for stored in live:
        assert read[stored.sequence].stored_at == stored.stored_at
        assert stored.stored_ns is not None
        assert is_between(stored.stored_ns, stored.event.moment_ns, time.time_ns())


@pytest.mark.parametrize("ahead_s", [300, -300])
async def test_an_age_counts_from_the_servers_now_whatever_the_clock_of_who_asks(
    config: NAQConfig, ahead_s: int
) -> None:
    async with running_worker(config, modules=MODULES):
        await run_one(config)
    told = await all_events(config)
    wrong = partial(program, "tests.support.wrong_naq", str(ahead_s), "events", config=config)
    last_minute = ("--since", "1m", "--until", "1ms")

    streamed = await wrong("stream", *last_minute, "--format", "raw")
    exported = await wrong("export", *last_minute)
    counted = await wrong("stats", *last_minute, "--format", "json")

    assert len(streamed.out.splitlines()) == len(told)
    assert exported.err == f"naq: {len(told)} events exported\n"
    assert json.loads(counted.out)["total"]["events"] == len(told)


@pytest.mark.parametrize("ahead_s", [300.0, -300.0])
async def test_so_it_does_for_programs(config: NAQConfig, ahead_s: float) -> None:
    async with running_worker(config, modules=MODULES):
        await run_one(config)
    told = await all_events(config)

    async with ServiceManager(config, role="monitor", clock=WrongClock(ahead_s)) as services:
        events = await services.get_service(EventService)
        late = await events.get_recent_events(since="1m", until=timedelta(0))
        none = await events.get_recent_events(since="2m", until="1m")

    assert [stored.event for stored in late] == [stored.event for stored in told]
    assert none == []


@pytest.mark.parametrize("ahead_s", [300, -300])
async def test_so_it_does_for_dead_letters_and_for_jobs_that_are_purged(config: NAQConfig, ahead_s: int) -> None:
    async with Queue("mail", config=config) as queue, running_worker(config, "mail"):
        await (await queue.enqueue_job(Job(sample_tasks.fail, job_id="dead"))).outcome(timeout=30)
    async with Queue("mail", config=config) as queue:
        await queue.enqueue_job(Job(sample_tasks.add, (1, 2)))
    wrong = partial(program, "tests.support.wrong_naq", str(ahead_s), config=config)

    for age, those in (("1ms", 1), ("2m", 0)):
        listed = await wrong("dead", "list", "--before", age, "--format", "json")
        shown = await wrong("queue", "purge", "mail", "--older-than", age, "--dry-run", "--format", "json")
        assert (len(json.loads(listed.out)), len(json.loads(shown.out))) == (those, those)
    purged = [await wrong("queue", "purge", "mail", "--older-than", age, "--yes") for age in ("2m", "1ms")]
    assert [one.out for one in purged] == ["0\n", "1\n"]
