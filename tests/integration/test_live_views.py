"""What the views of events, queues and workers ask, over a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from naq_runtime import Job, NAQConfig, Queue
from naq_runtime.errors import NotFound, ServerError
from naq_tui.source import ConnectionState
from naq_tui.sources.live import LiveSource
from naq_tui.sources.live_questions import LiveQuestions
from tests.support import sample_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@asynccontextmanager
async def asking(config: NAQConfig) -> AsyncIterator[LiveQuestions]:
    """The questions of a source that is live."""
    async with LiveSource(config) as source, aclosing(source.__aiter__()) as batches:
        async for batch in batches:
            if batch.link.state is ConnectionState.LIVE:
                break
        yield source.questions


async def test_backlogs_and_events_before_others_are_told(config: NAQConfig) -> None:
    async with Queue("mail", config=config) as queue, asking(config) as questions:
        await queue.enqueue_many(Job(tasks.add, (number,)) for number in range(20))
        await queue.enqueue_in(600, tasks.add, 1)

        assert (await questions.backlogs(["mail"]))["mail"].scheduled == 1

        async def told() -> bool:
            return bool((await questions.events_before(21, 1, "queue:mail")).events)

        await eventually(told)
        page = await questions.events_before(11, 5, "queue:mail")

    assert [stored.sequence for stored in page.events] == [6, 7, 8, 9, 10]
    assert page.more


async def test_a_worker_is_told_while_it_is_there_and_after_it_has_stopped(config: NAQConfig) -> None:
    async with asking(config) as questions:

        async def there() -> bool:
            try:
                return (await questions.worker("postman")).status.is_active
            except NotFound:
                return False

        async with running_worker(config, "mail", name="postman"):
            await eventually(there)
            assert await questions.former_workers() == ()

        async def former() -> bool:
            return [one.worker_id for one in await questions.former_workers()] == ["postman"]

        await eventually(former)


async def test_without_a_connection_it_is_said_that_there_is_none() -> None:
    with pytest.raises(ServerError, match="no connection"):
        await LiveQuestions().backlogs(["mail"])
