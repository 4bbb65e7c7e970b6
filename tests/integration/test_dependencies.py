"""Jobs that wait for others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from naq_runtime import After, Job, JobService, JobStatus, NAQConfig, Queue, ServiceManager
from naq_runtime.errors import DependencyCycle, UnknownDependency
from naq_runtime.job import Execution, JobResult
from naq_runtime.jobs.rules import JobRules
from naq_runtime.nats.control import Control
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, Stored
from naq_runtime.nats.streams import Streams
from naq_runtime.worker.dependants import Dependants
from tests.conftest import MakeConfig
from tests.integration.test_retries import story
from tests.support import sample_tasks
from tests.support import wayward_tasks as tasks
from tests.support.waiting import eventually
from tests.support.workers import running_worker


@pytest.fixture
async def rules(config: NAQConfig, services: ServiceManager) -> JobRules:
    """Those of another process, which reports nothing."""
    await services.get_service(JobService)
    ask = Control(services.connection, services.names).end_jobs
    return JobRules(services.streams, services.names, services.serializer, report=lambda *_: None, ask=ask)


async def test_a_job_gets_the_results_of_those_that_it_waited_for(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        parents = [Job(sample_tasks.add, (number, number), job_id=f"p{number}") for number in range(5)]
        child = Job(tasks.inherit, depends_on=parents)
        grandchild = Job(tasks.inherit, depends_on=[child, "p0"], job_id="last")
        await queue.enqueue_many([*parents, child, grandchild])

        assert await queue.handle(child.job_id).result(timeout=30) == {f"p{number}": 2 * number for number in range(5)}
        assert await queue.handle("last").result(timeout=30) == {
            child.job_id: {f"p{number}": 2 * number for number in range(5)},
            "p0": 0,
        }
    for job_id in (child.job_id, "last"):
        assert "dependency_satisfied" in [event.event_type for event in await story(config, job_id)]


@pytest.mark.parametrize(
    ("on", "good", "status"),
    [
        ("success", True, JobStatus.COMPLETED),
        ("success", False, JobStatus.CANCELLED),
        ("failure", True, JobStatus.CANCELLED),
        ("failure", False, JobStatus.COMPLETED),
        ("always", True, JobStatus.COMPLETED),
        ("always", False, JobStatus.COMPLETED),
    ],
)
async def test_it_runs_or_is_cancelled_as_the_end_of_the_other_one_says(
    config: NAQConfig, on: Literal["success", "failure", "always"], good: bool, status: JobStatus
) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        parent = await (queue.enqueue(sample_tasks.add, 1) if good else queue.enqueue(sample_tasks.fail))
        child = await queue.enqueue_job(Job(tasks.inherit, depends_on=After(parent.job_id, on=on)))

        assert (await child.outcome(timeout=30)).status is status

    types = [str(event.event_type) for event in await story(config, child.job_id)]
    failed = status is JobStatus.CANCELLED
    assert types[:2] == ["waiting_for_dependencies", "dependency_failed" if failed else "dependency_satisfied"]


async def test_one_that_is_to_run_all_the_same_does(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        parent = await queue.enqueue(sample_tasks.fail)
        child = await queue.enqueue_job(Job(tasks.inherit, depends_on=parent, on_dependency_failure="run"))

        assert await child.result(timeout=30) == {parent.job_id: None}


async def test_a_whole_line_falls_with_its_first(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        first = Job(sample_tasks.fail)
        line = [first]
        for _ in range(6):
            line.append(Job(tasks.inherit, depends_on=line[-1]))
        handles = await queue.enqueue_many(line)

        outcomes = [await handle.outcome(timeout=30) for handle in handles]

    assert [outcome.status for outcome in outcomes] == [JobStatus.FAILED] + [JobStatus.CANCELLED] * 6
    assert "failed, and success was asked for" in (outcomes[1].error or "")


async def test_what_had_ended_before_is_waited_for_no_more(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        parent = await queue.enqueue(sample_tasks.add, 1)
        await parent.result(timeout=30)

        child = await queue.enqueue_job(Job(tasks.inherit, depends_on=parent.job_id))

        assert await child.result(timeout=30) == {parent.job_id: 2}


async def test_what_is_not_known_is_refused_or_waited_for_as_asked(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        with pytest.raises(UnknownDependency, match="on_unknown_dependency='wait'"):
            await queue.enqueue_job(Job(tasks.inherit, depends_on="tomorrow"))

        child = await queue.enqueue_job(Job(tasks.inherit, depends_on="tomorrow", on_unknown_dependency="wait"))
        assert await child.status() == JobStatus.WAITING
        await queue.enqueue_job(Job(sample_tasks.add, (2,), job_id="tomorrow"))
        assert await child.result(timeout=30) == {"tomorrow": 3}


async def test_what_stores_no_outcome_cannot_be_depended_on(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        parent = await queue.enqueue_job(Job(sample_tasks.add, (1,), result_ttl=0))

        with pytest.raises(UnknownDependency, match="result_ttl=0"):
            await queue.enqueue_job(Job(tasks.inherit, depends_on=parent))


async def test_nobody_waits_for_himself(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        for job_id, parent in (("a", "c"), ("b", "a")):
            await queue.enqueue_job(Job(tasks.inherit, job_id=job_id, depends_on=parent, on_unknown_dependency="wait"))

        with pytest.raises(DependencyCycle):
            await queue.enqueue_job(Job(tasks.inherit, job_id="c", depends_on="b"))


async def test_they_hold_without_any_event(make_config: MakeConfig) -> None:
    config = make_config(events__enabled=False)
    async with Queue(config=config) as queue, running_worker(config):
        parents = await queue.enqueue_many(Job(sample_tasks.add, (number,)) for number in range(10))
        child = await queue.enqueue_job(Job(tasks.inherit, depends_on=parents))

        assert len(await child.result(timeout=30)) == 10


async def test_a_job_whose_parent_ended_unheard_is_found_by_the_sweep(config: NAQConfig, rules: JobRules) -> None:
    async with Queue("default", config=config) as queue:
        parent = await queue.enqueue_job(Job(sample_tasks.add, (1,), job_id="p", queue_name="default"))
        child = await queue.enqueue_job(Job(tasks.inherit, depends_on=parent))
        found = await rules.store.find("p")
        assert found is not None
        # its worker stored the outcome, and died before it let anybody know
        job = Job("any.function", job_id="p", queue_name="default")
        result = JobResult(job_id="p", status=JobStatus.COMPLETED, attempt=1)
        await rules.outcomes.store([(Execution(job, result, b"2"), found.message.data)])
        assert await child.status() == JobStatus.WAITING

        assert await rules.dependencies.sweep() == 1

        assert await child.status() == JobStatus.QUEUED


async def test_a_mark_that_comes_too_late_is_removed_and_one_that_comes_too_early_is_not_lost(
    config: NAQConfig, services: ServiceManager, rules: JobRules, tmp_path: Path
) -> None:
    names = services.names
    await services.streams.publish([Outgoing(names.met("early", "p"), b"completed")])
    await services.streams.publish([Outgoing(names.met("late", "p"), b"completed")])
    await rules.dependencies.sweep()
    async with Queue(config=config) as queue:
        early = Job(tasks.inherit, job_id="early", depends_on=["p", "q"], on_unknown_dependency="wait")
        await queue.enqueue_job(early)

        await rules.dependencies.sweep()

    marks = await services.streams.last(names.jobs_stream, [names.met("*", "*")])
    assert [message.subject for message in marks] == [names.met("early", "p")]


class Blinking:
    """The streams of a worker whose first reading was answered just before an edge could be read."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def __getattr__(self, name: str) -> Any:
        return getattr(self._streams, name)

    async def scan(self, stream: str, subject: str) -> AsyncIterator[list[StoredMessage]]:
        for page in list[list[StoredMessage]]():
            yield page


class Interrupting:
    """The streams of a producer; something else happens as soon as it has stored what it meant to first."""

    def __init__(self, streams: Streams, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._streams = streams
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._streams, name)

    async def publish(self, messages: Sequence[Outgoing]) -> list[Stored]:
        answers = await self._streams.publish(messages)
        if self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile()
        return answers


async def test_a_worker_that_begins_while_an_edge_is_being_stored_knows_it(services: ServiceManager) -> None:
    parent = Job("any.function", job_id="p")
    child = Job("any.function", job_id="c", depends_on="p", on_unknown_dependency="wait")
    await services.get_service(JobService)
    dependants = Dependants(services.connection, cast("Streams", Blinking(services.streams)), services.names)
    streams = cast("Streams", Interrupting(services.streams, dependants.open))
    ask = Control(services.connection, services.names).end_jobs
    rules = JobRules(streams, services.names, services.serializer, report=lambda *_: None, ask=ask)

    assert await rules.dependencies.hold(child, services.serializer.encode_job(child)) is None

    await eventually(lambda: dependants.may_be_needed(parent))
    await dependants.close()


async def test_a_worker_forgets_edges_that_are_gone(services: ServiceManager) -> None:
    parent = Job("any.function", job_id="p")
    await services.topology.jobs()
    dependants = Dependants(services.connection, services.streams, services.names)
    await dependants.open()
    await services.connection.publish(services.names.awaited("c"), b"p q")
    await eventually(lambda: dependants.may_be_needed(parent))

    await dependants.refresh()

    assert not dependants.may_be_needed(parent)
    await dependants.close()
