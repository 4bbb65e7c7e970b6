"""What speaks against an event, and what does not; and processes of one name that want different things."""

from __future__ import annotations

import asyncio

import pytest

from naq_runtime import EventService, NAQConfig, ServiceManager
from naq_runtime.errors import ServerError, Unavailable
from naq_runtime.events.models import StoredEvent, SystemEvent
from naq_runtime.processing import processor as module
from naq_runtime.processing.intake import Intake
from naq_runtime.processing.processor import DurableProcessor
from tests.support.history import all_events
from tests.support.processing import MAIL, Seen, dead_of, log
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.05)
    monkeypatch.setattr(module, "_AWAY_S", 0.02)


def down(job_id: str) -> None:
    """Nothing can be processed."""
    raise Unavailable("down", retry_after_s=60)


async def stopped_while_down(services: ServiceManager, times: int) -> None:
    """Deliver an event so often to processors that wait for something, and are stopped meanwhile."""
    events = await services.get_service(EventService)
    for _ in range(times):
        async with events.process_events("billing", Seen(down).one, filters=MAIL, retries=1, start="beginning") as one:
            await eventually(lambda waiting=one: waiting._is_away)  # type: ignore[misc]


async def test_to_be_stopped_while_it_waits_counts_as_no_try(services: ServiceManager) -> None:
    tries: list[str] = []

    def fails_once(job_id: str) -> None:
        tries.append(job_id)
        if len(tries) == 1:
            raise LookupError("not yet")

    await log(services, 1)
    await stopped_while_down(services, 4)

    events, seen = await services.get_service(EventService), Seen(fails_once)
    async with events.process_events("billing", seen.one, filters=MAIL, retries=1) as processor:
        await eventually(lambda: processor.statistics().failed == 1)
        await eventually(lambda: seen.ids == ["job-0"])

    assert await dead_of(services) == []


async def test_who_is_killed_while_it_waits_has_not_been_killed_by_its_event(services: ServiceManager) -> None:
    await log(services, 1)
    await stopped_while_down(services, 4)

    events, asked = await services.get_service(EventService), asyncio.Event()

    def judge(job_id: str) -> None:
        asked.set()
        down(job_id)

    async with events.process_events("billing", Seen(judge).one, filters=MAIL, retries=1) as processor:
        await asked.wait()
        await eventually(lambda: processor._is_away)
        while_it_waits = await dead_of(services)

    assert while_it_waits == []


async def test_who_is_told_to_stop_at_once_has_not_been_killed_by_its_event(services: ServiceManager) -> None:
    await log(services, 1)
    await stopped_while_down(services, 4)
    begun = asyncio.Event()

    async def endless(stored: StoredEvent) -> None:
        begun.set()
        await asyncio.Event().wait()

    events, seen = await services.get_service(EventService), Seen()
    async with events.process_events("billing", endless, filters=MAIL, retries=1) as processor:
        await begun.wait()
        assert [one.is_suspect for one in await dead_of(services)] == [True]
        await processor.stop(grace_s=0)
    async with events.process_events("billing", seen.one, filters=MAIL, retries=1):
        await eventually(lambda: seen.ids == ["job-0"])

    assert await dead_of(services) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"queue_name": "mail"}, {"queue_name": "other"}),
        ("queue:mail,other function:send", "queue:mail,other function:charge"),
    ],
)
async def test_one_with_the_filter_of_before_leaves_to_others_what_it_does_not_want(
    config: NAQConfig, services: ServiceManager, before: dict[str, str] | str, after: dict[str, str] | str
) -> None:
    events = await services.get_service(EventService)
    old, new = Seen(), Seen()
    async with (
        events.process_events("billing", old.one, filters=before),
        ServiceManager(config, role="test") as others,
    ):
        await log(services, 1, function_name="send")
        await eventually(lambda: old.ids == ["job-0"])
        # when a new version of the program comes, and the old one still runs
        newer = (await others.get_service(EventService)).process_events("billing", new.one, filters=after)
        async with newer:
            ids = await log(services, 40, 1, queue_name="other", function_name="charge")
            await eventually(lambda: set(new.ids) == set(ids), within=20)

    assert old.ids == ["job-0"]


async def test_that_it_waits_and_that_it_goes_on_is_told_once(config: NAQConfig, services: ServiceManager) -> None:
    tries = 0

    def judge(job_id: str) -> None:
        nonlocal tries
        tries += 1
        if tries < 20:
            raise Unavailable("https://hooks.example answered 503", retry_after_s=0.01)

    events = await services.get_service(EventService)
    all_seen: list[StoredEvent] = []

    async def one(stored: StoredEvent) -> None:
        all_seen.append(stored)
        judge("")

    async with events.process_events("billing", one):
        await log(services, 3)
        await eventually(lambda: len(all_seen) >= 22)
    await events.flush()

    told = [stored.event for stored in await all_events(config) if isinstance(stored.event, SystemEvent)]
    said = [(str(event.event_type), event.part, event.error_message) for event in told if event.part]
    assert said == [
        ("error", "processor billing", "https://hooks.example answered 503"),
        ("recovered", "processor billing", None),
    ]
    assert not any(isinstance(one.event, SystemEvent) and one.event.part for one in all_seen)


async def test_a_single_refusal_is_not_told(config: NAQConfig, services: ServiceManager) -> None:
    refused: set[str] = set()

    def judge(job_id: str) -> None:
        if job_id not in refused:
            refused.add(job_id)
            raise Unavailable("busy")

    events, seen = await services.get_service(EventService), Seen(judge)
    async with events.process_events("billing", seen.one, filters=MAIL):
        await log(services, 5)
        await eventually(lambda: len(seen.ids) == 5)
    await events.flush()

    assert not [one for one in await all_events(config) if isinstance(one.event, SystemEvent) and one.event.part]


async def test_what_cannot_be_handed_back_is_not_held_against_the_others(
    config: NAQConfig, services: ServiceManager
) -> None:
    await log(services, 1)
    async with ServiceManager(config, role="test") as broken:
        processor = DurableProcessor(broken, "billing", Seen(down).many, start="beginning")
        async with processor:
            await eventually(lambda: processor.statistics().held > 0)
            held = tuple(processor._intake._held.values())
            await broken.connection.client.close()

            with pytest.raises(ServerError):
                await processor._intake.hand_back(held)

            assert processor.statistics().held == 0


async def test_a_part_that_fails_ends_the_whole(services: ServiceManager, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(intake: Intake) -> None:
        raise RuntimeError("a mistake in here")

    monkeypatch.setattr(Intake, "_renew", broken)
    processor = DurableProcessor(services, "billing", Seen().many)
    with pytest.raises(RuntimeError, match="a mistake in here"):
        async with processor:
            await processor.run()
