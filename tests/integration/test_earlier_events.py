"""Going back through the log, page by page, from any place in it."""

from __future__ import annotations

import pytest

from naq_runtime import Job, NAQConfig, Queue
from naq_runtime.events import queries as module
from naq_runtime.monitor import Monitor
from naq_runtime.services.manager import ServiceManager
from tests.support import sample_tasks as tasks


async def enqueue(config: NAQConfig, queue: str, count: int) -> None:
    async with Queue(queue, config=config) as producer:
        await producer.enqueue_many(Job(tasks.add, (number,)) for number in range(count))


async def test_pages_that_follow_each_other_back_hold_every_event_once(
    config: NAQConfig, services: ServiceManager
) -> None:
    await enqueue(config, "mail", 120)
    monitor = await services.get_service(Monitor)
    before, more = 110, True
    found: list[int] = []
    while more:
        events, before, more = await monitor.events.before(before, 50)
        found = [stored.sequence for stored in events] + found

    assert found == list(range(1, 110))


async def test_only_what_matches_comes_and_it_is_found_however_far_back_it_lies(
    config: NAQConfig, services: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SCAN_LIMIT", 10)
    await enqueue(config, "news", 3)
    await enqueue(config, "mail", 60)
    monitor = await services.get_service(Monitor)

    page = await monitor.events.before(60, 50, "queue:news type:enqueued")

    assert len(page.events) == 3
    assert not page.more


async def test_where_only_a_part_was_looked_through_it_says_where_to_go_on(
    config: NAQConfig, services: ServiceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SCAN_LIMIT", 10)
    await enqueue(config, "mail", 60)
    monitor = await services.get_service(Monitor)

    page = await monitor.events.before(60, 50, '"no such text"')

    assert page.events == []
    assert (page.before, page.more) == (50, True)
