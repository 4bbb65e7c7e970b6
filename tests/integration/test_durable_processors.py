"""Durable processors on a real server: nothing is lost, whoever dies, and nothing stands in the way of the rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from naq_runtime import EventService, NAQConfig, ServiceManager
from naq_runtime.errors import Rejected, Unavailable
from naq_runtime.events.models import StoredEvent
from naq_runtime.processing import processor as module
from naq_runtime.processing.dead import DeadEvents
from naq_runtime.processing.overview import processors
from tests.support.processing import MAIL, Seen, dead_of, log
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.05)
    monkeypatch.setattr(module, "_AWAY_S", 0.02)


async def test_every_event_that_is_wanted_is_processed_once_and_in_order(services: ServiceManager) -> None:
    events = await services.get_service(EventService)
    seen = Seen()

    async with events.process_events("billing", seen.one, filters=MAIL) as processor:
        await log(services, 3, 1000, queue_name="other")
        ids = await log(services, 300)
        await eventually(lambda: len(seen.ids) == 300)
        await eventually(lambda: processor.statistics().held == 0)

    assert seen.ids == ids
    assert processor.statistics().processed == 300


async def test_a_batch_is_what_is_there(services: ServiceManager) -> None:
    events = await services.get_service(EventService)
    seen = Seen()
    ids = await log(services, 1000)

    async with events.process_events("billing", seen.many, batch=100, start="beginning"):
        await eventually(lambda: len(seen.ids) == 1000)

    assert seen.ids == ids
    assert max(seen.batches) == 100
    assert len(seen.batches) < 500


async def test_it_goes_on_where_it_stopped(services: ServiceManager) -> None:
    events = await services.get_service(EventService)
    first, second = Seen(), Seen()
    async with events.process_events("billing", first.one):
        before = await log(services, 10)
        await eventually(lambda: len(first.ids) == 10)
    meanwhile = await log(services, 10, 10)

    async with events.process_events("billing", second.one):
        after = await log(services, 10, 20)
        await eventually(lambda: len(second.ids) >= 20)

    assert (first.ids, second.ids) == (before, meanwhile + after)


async def test_where_the_first_of_a_name_begins(services: ServiceManager) -> None:
    events = await services.get_service(EventService)
    old = await log(services, 5)
    moment = datetime.now(UTC)
    lately = await log(services, 5, 5)
    new, all_, since = Seen(), Seen(), Seen()

    async with (
        events.process_events("new", new.one, start="new"),
        events.process_events("all", all_.one, start="beginning"),
        events.process_events("since", since.one, start=moment),
    ):
        now = await log(services, 5, 10)
        await eventually(lambda: [len(new.ids), len(since.ids), len(all_.ids)] == [5, 10, 15])

    assert (new.ids, since.ids, all_.ids) == (now, lately + now, old + lately + now)


async def test_two_of_one_name_share_the_work(config: NAQConfig, services: ServiceManager) -> None:
    events = await services.get_service(EventService)

    async def a_while(stored: StoredEvent) -> None:
        await asyncio.sleep(0.002)
        await seen.one(stored)

    async def a_while_too(stored: StoredEvent) -> None:
        await asyncio.sleep(0.002)
        await other.one(stored)

    seen, other = Seen(), Seen()
    async with ServiceManager(config, role="test") as elsewhere:
        others = await elsewhere.get_service(EventService)
        async with events.process_events("billing", a_while), others.process_events("billing", a_while_too):
            ids = await log(services, 500)
            await eventually(lambda: len(seen.ids) + len(other.ids) >= 500)

    assert sorted(seen.ids + other.ids) == sorted(ids)
    assert min(len(seen.ids), len(other.ids)) > 50
    assert seen.ids == sorted(seen.ids, key=ids.index)


async def test_one_that_fails_is_tried_again_while_those_behind_it_go_on(services: ServiceManager) -> None:
    tries: Counter[str] = Counter()

    def judge(job_id: str) -> None:
        tries[job_id] += 1
        if job_id == "job-3" and tries[job_id] < 3:
            raise LookupError("not yet")

    events = await services.get_service(EventService)
    seen = Seen(judge)
    async with events.process_events("billing", seen.one, filters=MAIL) as processor:
        ids = await log(services, 10)
        await eventually(lambda: len(seen.ids) == 10)

    assert sorted(seen.ids) == ids
    assert seen.ids[-1] == "job-3"
    assert processor.statistics()[:3] == (10, 2, 0)
    assert await dead_of(services) == []


@pytest.mark.parametrize("batch", [1, 50])
async def test_out_of_tries_it_is_a_dead_event_with_its_reason(services: ServiceManager, batch: int) -> None:
    def judge(job_id: str) -> None:
        if job_id == "job-3":
            raise LookupError("no such\x1b[31m customer")

    events = await services.get_service(EventService)
    seen = Seen(judge)
    process = seen.one if batch == 1 else seen.many
    async with events.process_events("billing", process, batch=batch, retries=2) as processor:
        ids = await log(services, 10)
        await eventually(lambda: processor.statistics().dead == 1)
        await eventually(lambda: set(seen.ids) == set(ids) - {"job-3"})

    (dead,) = await dead_of(services)
    assert (dead.processor, dead.error_type, dead.attempts) == ("billing", "LookupError", 3)
    assert dead.reason == "no such\x1b[31m customer"
    assert b'"job-3"' in dead.payload
    assert await dead_of(services, "other") == []


async def test_one_that_is_rejected_is_dead_at_once_and_processed_when_it_is_retried(services: ServiceManager) -> None:
    is_mended = False

    def judge(job_id: str) -> None:
        if job_id == "job-0" and not is_mended:
            raise Rejected("never")

    events = await services.get_service(EventService)
    seen = Seen(judge)
    async with events.process_events("billing", seen.one) as processor:
        await log(services, 2)
        await eventually(lambda: processor.statistics().dead == 1)
        (dead,) = await dead_of(services)
        is_mended = True
        await DeadEvents(services.streams, services.names).retry(dead)
        await eventually(lambda: len(seen.ids) == 2)
        await eventually(lambda: processor.statistics().held == 0)

    assert dead.attempts == 1
    assert seen.ids == ["job-1", "job-0"]
    assert await dead_of(services) == []
    assert (await services.streams.bounds(services.names.processors_stream))[:2] == (3, 2)


async def test_what_is_unavailable_holds_everything_back_and_speaks_against_no_event(
    services: ServiceManager,
) -> None:
    tries = 0

    def judge(job_id: str) -> None:
        nonlocal tries
        tries += 1
        if tries < 20:
            raise Unavailable("down", retry_after_s=0.01)

    events = await services.get_service(EventService)
    seen = Seen(judge)
    async with events.process_events("billing", seen.one, filters=MAIL, retries=1) as processor:
        ids = await log(services, 10)
        await eventually(lambda: len(seen.ids) == 10)

    assert seen.ids == ids
    assert processor.statistics()[:3] == (10, 0, 0)


async def test_who_asks_to_be_tried_again_at_once_is_not_hammered(
    services: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AWAY_S", 0.1)
    loop, tries = asyncio.get_running_loop(), list[float]()

    def judge(job_id: str) -> None:
        tries.append(loop.time())
        if len(tries) < 4:
            raise Unavailable("down", retry_after_s=0.0)

    events = await services.get_service(EventService)
    seen = Seen(judge)
    async with events.process_events("billing", seen.one, filters=MAIL):
        await log(services, 1)
        await eventually(lambda: len(seen.ids) == 1)

    assert tries[-1] - tries[0] >= 0.3


async def test_one_that_is_stopped_while_it_waits_gives_back_what_it_has(services: ServiceManager) -> None:
    def judge(job_id: str) -> None:
        raise Unavailable("down", retry_after_s=60)

    events = await services.get_service(EventService)
    waiting, seen = Seen(judge), Seen()
    async with events.process_events("billing", waiting.many, filters=MAIL, batch=10) as processor:
        ids = await log(services, 10)
        await eventually(lambda: processor.statistics().held > 0)

    async with events.process_events("billing", seen.many, filters=MAIL, batch=10):
        await eventually(lambda: len(seen.ids) == 10, within=15)

    assert sorted(seen.ids) == ids
    assert seen.batches == [1] * 10  # what was tried before comes alone


async def test_what_is_in_work_ends_before_it_stops(services: ServiceManager) -> None:
    begun, seen = asyncio.Event(), Seen()

    async def slow(stored: StoredEvent) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        await seen.one(stored)

    events = await services.get_service(EventService)
    async with events.process_events("billing", slow) as processor:
        await log(services, 3)
        await begun.wait()
        await eventually(lambda: processor.statistics().held > 1)
    async with events.process_events("billing", seen.one):
        await eventually(lambda: len(seen.ids) == 3)

    assert Counter(seen.ids) == {"job-0": 1, "job-1": 1, "job-2": 1}


async def test_one_that_has_all_the_work_that_it_wants_is_seen_to_run(services: ServiceManager) -> None:
    go_on, seen = asyncio.Event(), Seen()

    async def slow(stored: StoredEvent) -> None:
        await go_on.wait()
        await seen.one(stored)

    events = await services.get_service(EventService)

    async def is_running() -> bool:
        return [(state.name, state.is_running) for state in await processors(services)] == [("billing", True)]

    async with events.process_events("billing", slow, filters="queue:mail category:job") as processor:
        await log(services, 5)
        await eventually(lambda: processor.statistics().held == 2)
        assert await is_running()
        go_on.set()
        await eventually(lambda: len(seen.ids) == 5)

    async def is_idle() -> bool:
        return not await is_running()

    await eventually(is_idle)


async def test_what_is_no_event_is_passed_over_and_counted(services: ServiceManager) -> None:
    events = await services.get_service(EventService)
    seen = Seen()
    async with events.process_events("billing", seen.many, batch=10) as processor:
        await log(services, 1)
        await services.connection.request(f"{services.names.namespace}.events.job.x.mail.completed.1", b"{]")
        await log(services, 1, 1)
        await eventually(lambda: len(seen.ids) == 2)
        await eventually(lambda: processor.statistics().held == 0)

    assert processor.statistics().passed_over == 1
    assert await dead_of(services) == []


async def test_a_changed_filter_is_taken_over_and_it_goes_on_where_it_stopped(services: ServiceManager) -> None:
    events = await services.get_service(EventService)
    seen = Seen()
    async with events.process_events("billing", seen.one, filters=MAIL):
        mail = await log(services, 2)
        await eventually(lambda: len(seen.ids) == 2)

    async with events.process_events("billing", seen.one, filters={"queue_name": "other"}):
        other = await log(services, 2, 2, queue_name="other")
        await eventually(lambda: len(seen.ids) == 4)

    assert seen.ids == mail + other
