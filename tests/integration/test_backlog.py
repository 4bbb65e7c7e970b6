"""What waits in the queues for something else than a worker, counted by the server's streams."""

from __future__ import annotations

import pytest

from naq_runtime import Job, NAQConfig, Queue
from naq_runtime import backlog as module
from naq_runtime.monitor import Monitor
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.queues import QueueService
from naq_runtime.snapshot import QueueBacklog
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker


async def test_queues_of_which_nothing_waits_have_empty_backlogs(services: ServiceManager) -> None:
    monitor = await services.get_service(Monitor)

    assert await monitor.backlogs(["mail"]) == {"mail": QueueBacklog()}


@pytest.mark.parametrize("listed", [5_000, 0], ids=["few", "many"])
async def test_scheduled_depending_and_dead_jobs_are_counted_by_queue(
    config: NAQConfig, services: ServiceManager, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    monkeypatch.setattr(module, "_LISTED", listed)
    async with Queue("mail", config=config) as mail, Queue("news", config=config) as news:
        parent = await mail.enqueue_in(600, tasks.add, 1)
        await mail.enqueue_in(600, tasks.add, 2)
        await news.enqueue_many([Job(tasks.add, (1,), depends_on=[parent.job_id]), Job(tasks.fail, retries=0)])
        async with running_worker(config, "news"):
            monitor = await services.get_service(Monitor)

            async def counted() -> bool:
                return (await monitor.backlogs(["news"]))["news"].dead == 1

            await eventually(counted)
        found = await monitor.backlogs(["mail", "news"])

    assert found["mail"] == QueueBacklog(scheduled=2)
    assert found["news"] == QueueBacklog(depending=1, dead=1)


async def test_jobs_that_are_tried_again_are_told_from_those_that_wait_for_their_time(
    config: NAQConfig, services: ServiceManager
) -> None:
    monitor = await services.get_service(Monitor)

    async def failed_once() -> bool:
        return (await monitor.backlogs(["mail"]))["mail"].retrying == 1

    async with Queue("mail", config=config) as queue, running_worker(config, "mail"):
        await queue.enqueue_in(600, tasks.add, 1)
        await queue.enqueue_many([Job(tasks.fail, retries=3, retry_delay=600)])
        await eventually(failed_once)

    assert (await monitor.backlogs(["mail"]))["mail"].scheduled == 2


async def test_the_age_of_the_oldest_job_is_that_of_the_first_which_no_worker_has(
    config: NAQConfig, services: ServiceManager
) -> None:
    monitor = await services.get_service(Monitor)

    async def older() -> bool:
        return (await monitor.backlogs(["mail"]))["mail"].oldest_s > 0.2

    async with Queue("mail", config=config) as queue:
        await queue.enqueue(tasks.add, 1)
        await eventually(older)
        await (await services.get_service(QueueService)).purge("mail")

    assert (await monitor.backlogs(["mail"]))["mail"].oldest_s == 0
