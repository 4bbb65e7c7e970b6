"""What a job tells of itself while it runs, and what is kept of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest

from naq_runtime import DuplicateJob, Job, JobStatus, NAQConfig, Queue
from naq_runtime.errors import NotFound
from tests.integration.test_retries import story
from tests.support import sample_tasks
from tests.support import wayward_tasks as tasks
from tests.support.logs import recorded
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@pytest.fixture
def logging_set_up() -> Iterator[None]:
    """As in the process of a worker."""
    with recorded(logging.DEBUG, usual=logging.WARNING):
        yield


@pytest.mark.usefixtures("logging_set_up")
async def test_progress_and_log_lines_are_events_of_the_job(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.talkative, 3)
        await handle.result(timeout=30)

    events = await story(config, handle.job_id)
    lines = [event for event in events if event.event_type == "log"]
    assert [(event.text, event.level) for event in lines] == [
        (f"tests.support.wayward_tasks: line {number}", "INFO") for number in range(3)
    ]
    last = [event for event in events if event.event_type == "progress"][-1]
    assert (last.done, last.total, last.text) == (3, 3, "on it")


@pytest.mark.usefixtures("logging_set_up")
async def test_they_are_bounded_however_much_a_job_tells(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.talkative, 5_000)
        await handle.result(timeout=30)

    events = await story(config, handle.job_id)
    lines = [event.text for event in events if event.event_type == "log"]
    assert len(lines) == 201
    assert lines[-1] == "more than 200 lines: the rest is not recorded"
    progress = [event.done for event in events if event.event_type == "progress"]
    assert progress[-1] == 5_000
    assert len(progress) < 1_000


@pytest.mark.usefixtures("logging_set_up")
@pytest.mark.parametrize(
    "function",
    [tasks.outspoken, tasks.outspoken_in_thread, tasks.outspoken_in_process],
    ids=["loop", "thread", "process"],
)
async def test_from_which_level_on_does_not_depend_on_where_it_runs(
    config: NAQConfig, function: Callable[..., object]
) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(function))
        await handle.result(timeout=30)

    lines = [(event.text, event.level) for event in await story(config, handle.job_id) if event.event_type == "log"]
    assert lines == [(f"tests.support.wayward_tasks: {text}", text.upper()) for text in ("debug", "info", "warning")]


HEARD: dict[str, object] = {
    "whole": (1, 2, "half"),
    "decimal": (1.5, 3, None),
    "true": (1, None, None),
    "large": (1e30, 1e40, None),
    "surrogate": (1, None, r"\ud800"),
    "text": "TypeError: progress takes numbers, and done is of type str",
    "nothing": "TypeError: progress takes numbers, and done is of type NoneType",
    "huge": "ValueError: progress takes finite numbers, and done is none",
    "nan": "ValueError: progress takes finite numbers, and done is none",
    "infinite": "ValueError: progress takes finite numbers, and total is none",
    "message": "TypeError: the message must be text, and is of type int",
    "line": ("INFO", (r"\udcff" * 2_000)[:2_000]),
    "level": ("INFO", "x"),
    "own level": (r"\ud800", "x"),
    "no line": "TypeError: the line must be text, and is of type dict",
    "no level": "TypeError: the level must be text, and is of type NoneType",
}


@pytest.mark.parametrize(
    "function", [tasks.say, tasks.say_in_thread, tasks.say_in_process], ids=["loop", "thread", "child"]
)
async def test_what_is_made_of_it_does_not_depend_on_where_it_runs(
    config: NAQConfig, function: Callable[..., object]
) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handles = await queue.enqueue_many(Job(function, (what,)) for what in tasks.SAID)
        outcomes = [await handle.outcome(timeout=20) for handle in handles]

    heard: dict[str, object] = {}
    for what, outcome in zip(tasks.SAID, outcomes, strict=True):
        heard[what] = f"{outcome.error_type}: {outcome.error}" if outcome.error_type else None
        for event in await story(config, outcome.job_id):
            if event.event_type == "progress":
                heard[what] = (event.done, event.total, event.text)
            elif event.event_type == "log":
                heard[what] = (event.level, event.text)
    assert heard == HEARD


async def test_a_job_in_a_process_tells_too_and_only_from_its_level_on(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue(tasks.talkative_in_process)
        await handle.result(timeout=30)

    events = await story(config, handle.job_id)
    lines = [(event.text, event.level) for event in events if event.event_type == "log"]
    assert lines == [("tests.support.wayward_tasks: careful", "WARNING")]
    assert [(event.done, event.total) for event in events if event.event_type == "progress"] == [(1, 2)]


async def test_a_result_can_be_read_for_its_own_time(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        handle = await queue.enqueue_job(Job(sample_tasks.add, (1,), result_ttl=4))
        assert await handle.result(timeout=30) == 2

        async def is_gone() -> bool:
            try:
                await handle.outcome(timeout=0.1)
            except NotFound:
                return True
            return False

        await eventually(is_gone)
        assert await handle.status() == JobStatus.COMPLETED  # as its events say


async def test_of_those_who_use_a_key_at_once_one_gets_it(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, Queue(config=config) as other:
        answers = await asyncio.gather(
            *(
                one.enqueue_job(Job(sample_tasks.add, (1,), unique_key="order 17", unique_for=60))
                for one in (queue, other) * 10
            ),
            return_exceptions=True,
        )

    winners = [answer for answer in answers if not isinstance(answer, BaseException)]
    losers = [answer for answer in answers if isinstance(answer, DuplicateJob)]
    assert (len(winners), len(losers)) == (1, 19)
    assert {loser.job_id for loser in losers} == {winners[0].job_id}


async def test_a_key_is_free_again_when_its_time_is_over_and_not_before(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        job = Job(sample_tasks.add, (1,), unique_key="k", unique_for=5)
        await (await queue.enqueue_job(job)).result(timeout=30)
        with pytest.raises(DuplicateJob):
            await queue.enqueue_job(job.evolve(job_id="second"))

        async def is_taken() -> bool:
            try:
                await queue.enqueue_job(job.evolve(job_id="second"))
            except DuplicateJob:
                return False
            return True

        await eventually(is_taken)


@pytest.mark.parametrize("delay", [0.0, 60.0])
async def test_an_id_is_taken_wherever_its_job_stands(config: NAQConfig, delay: float) -> None:
    async with Queue(config=config) as queue:
        first = await queue.enqueue_in(delay, sample_tasks.add, 1)
        waiting = await queue.enqueue_job(Job(tasks.inherit, depends_on=first))

        for handle in (first, waiting):
            with pytest.raises(DuplicateJob):
                await queue.enqueue_job(Job(sample_tasks.add, (1,), job_id=handle.job_id))
