"""A queue in the test's own process: what users' tests do with it."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from naq_runtime import After, Cancel, Job, JobFailed, JobStatus, NAQConfig, Queue, Retry, current_job, sync, task
from naq_runtime.config import NatsConfig
from naq_runtime.errors import ConfigError, DuplicateJob, NotFound, ResultTimeout, ServerUnreachable, TaskError
from naq_runtime.testing import Drained, MemoryBroker
from tests.support.lifecycle import faults
from tests.support.processes import program
from tests.support.wayward_tasks import leave_as_a_generator

HERE = __name__
seen: list[object] = []


@task(queue="mail")
async def send(address: str, *, subject: str = "") -> str:
    seen.append(address)
    return f"sent to {address}"


@task(retries=2, retry_delay=60.0)
async def flaky(successes_at: int) -> int:
    attempt = current_job().attempt
    if attempt < successes_at:
        raise ConnectionError("not yet")
    return attempt


@task
async def order(address: str) -> str:
    async with Queue() as queue:
        handle = await queue.enqueue(send, address)
    return handle.job_id


@task
async def order_and_wait(address: str) -> str:
    async with Queue() as queue:
        handle = await queue.enqueue(send, address)
        return str(await handle.result())


@task
def order_plainly(address: str) -> str:
    return str(sync.Queue().enqueue(send, address).result())


@task
def which_thread() -> int:
    return threading.get_ident()


@task(process=True)
def heavy(number: int) -> int:
    return number**2


@task
async def giving_up() -> None:
    raise Cancel("no use")


@task(retries=1)
async def later() -> None:
    if current_job().attempt == 1:
        raise Retry(after=5)


@task
async def for_ever() -> None:
    async with Queue() as queue:
        await queue.enqueue(for_ever)


@task
async def child() -> int:
    return sum(parent.result for parent in current_job().dependencies.values())


async def unmarked() -> str:
    return "ran"


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


class TestEnqueuing:
    async def test_a_job_waits_until_the_test_drains(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handle = await queue.enqueue(send, "ada@example.com", subject="Hello")

            broker.assert_enqueued(send, args=["ada@example.com"], kwargs={"subject": "Hello"}, queue="mail", count=1)
            assert seen == []

            assert await broker.drain() == Drained(completed=1, failed=0, cancelled=0, retried=0)
            assert seen == ["ada@example.com"]
            assert await handle.result() == "sent to ada@example.com"

    async def test_inline_a_job_runs_as_it_is_enqueued(self) -> None:
        async with MemoryBroker(inline=True), Queue() as queue:
            handle = await queue.enqueue(order, "ada@example.com")

            assert seen == ["ada@example.com"]
            assert await handle.status() == JobStatus.COMPLETED

    async def test_whoever_waits_for_a_result_has_the_jobs_run(self) -> None:
        async with MemoryBroker(), Queue() as queue:
            handle = await queue.enqueue(order_and_wait, "ada@example.com")

            assert await handle.result(timeout=30) == "sent to ada@example.com"

    async def test_an_id_that_is_taken_is_refused_as_on_a_server(self) -> None:
        async with MemoryBroker(), Queue() as queue:
            await queue.enqueue_job(Job(send, ("a",), job_id="one"))

            with pytest.raises(DuplicateJob):
                await queue.enqueue_job(Job(send, ("b",), job_id="one"))

    async def test_a_queue_of_another_namespace_is_refused(self) -> None:
        async with MemoryBroker():
            with pytest.raises(ConfigError, match="MemoryBroker"):
                async with Queue(config=NAQConfig(namespace="other")):
                    pass

    async def test_outside_of_it_queues_have_a_server_again(self) -> None:
        async with MemoryBroker():
            pass

        config = NAQConfig(nats=NatsConfig(url="nats://127.0.0.1:1"))
        with pytest.raises(ServerUnreachable):
            async with Queue(config=config):
                pass


class TestAsserting:
    async def test_what_was_not_enqueued_is_told_with_what_was(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(send, "ada@example.com")

            with pytest.raises(AssertionError, match=r"there is 1:\s+.*send\('ada@example.com'\) in mail"):
                broker.assert_enqueued(send, args=["bob@example.com"])
            with pytest.raises(AssertionError, match="1 job and not 2"):
                broker.assert_enqueued(send, count=2)
            with pytest.raises(AssertionError, match="1 job enqueued of"):
                broker.assert_not_enqueued(send)

            broker.assert_not_enqueued(send, queue="default")
            broker.assert_not_enqueued(flaky)

    async def test_the_events_of_a_job_can_be_named_in_order(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handle = await queue.enqueue(send, "a")
            await broker.drain()

            broker.assert_events(handle, "enqueued", "started", "completed", "result_stored")
            with pytest.raises(AssertionError, match="there came enqueued, started, completed, result_stored"):
                broker.assert_events(handle, "enqueued", "failed")

    async def test_cleared_it_remembers_nothing_and_runs_what_waits(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(send, "a")
            broker.clear()

            broker.assert_not_enqueued()
            assert broker.events() == []
            assert (await broker.drain()).completed == 1


class TestDraining:
    async def test_jobs_run_in_order_those_that_jobs_enqueue_among_them(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(order, "third")
            await queue.enqueue(send, "first")
            await queue.enqueue(send, "second")

            assert (await broker.drain()).completed == 4
            assert seen == ["first", "second", "third"]

    async def test_a_job_that_fails_for_good_is_an_error_of_the_test_after_all_have_run(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(flaky, "not a number")
            handle = await queue.enqueue(send, "a")

            with pytest.raises(JobFailed, match="ArgumentError"):
                await broker.drain()
            assert seen == ["a"]
            assert await handle.result() == "sent to a"

    async def test_a_generator_exit_that_a_job_waited_for_is_its_failure(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(leave_as_a_generator, "task")

            with pytest.raises(JobFailed, match="GeneratorExit"):
                await broker.drain()

    async def test_a_retry_waits_for_its_time_and_the_test_decides_when_that_is(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handle = await queue.enqueue(flaky, 2)

            assert await broker.drain() == Drained(completed=0, failed=0, cancelled=0, retried=1)
            with pytest.raises(ResultTimeout, match="advance"):
                await handle.result()
            broker.advance(timedelta(minutes=2))
            assert await broker.drain() == Drained(completed=1, failed=0, cancelled=0, retried=0)
            assert await handle.result() == 2
            broker.assert_enqueued(flaky, count=1)
            assert faults(broker.events(handle)) == []  # type: ignore[arg-type]

    async def test_or_all_of_them_are_run_at_once(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handle = await queue.enqueue(flaky, 3)
            await queue.enqueue_in(timedelta(hours=1), send, "next")
            before_ns = broker.now_ns

            drained = await broker.drain(scheduled=True)

            assert drained == Drained(completed=2, failed=0, cancelled=0, retried=2)
            assert await handle.result() == 3
            assert broker.now_ns - before_ns >= 3_600 * 1e9

    async def test_failed_for_good_a_job_is_among_the_dead_letters(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handle = await queue.enqueue(flaky, 9)

            drained = await broker.drain(scheduled=True, raise_errors=False)

            assert drained == Drained(completed=0, failed=1, cancelled=0, retried=2)
            with pytest.raises(JobFailed, match="not yet"):
                await handle.result()
            assert [event.event_type for event in broker.events(handle)][-2:] == ["dead_lettered", "result_stored"]

    async def test_jobs_may_ask_for_another_time_or_give_up(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue_many([Job(giving_up), Job(later)])

            drained = await broker.drain(scheduled=True)

            assert drained == Drained(completed=1, failed=0, cancelled=1, retried=1)

    async def test_dependants_run_after_those_that_they_wait_for(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            parents = [await queue.enqueue_job(Job(heavy, (number,))) for number in (3, 4)]
            handle = await queue.enqueue_job(Job(child, depends_on=[parent.job_id for parent in parents]))

            assert (await broker.drain()).completed == 3
            assert await handle.result() == 25
            assert faults(broker.events(handle)) == []  # type: ignore[arg-type]

    async def test_dependants_of_a_failed_job_are_cancelled(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            parent = await queue.enqueue_job(Job(flaky, (2,), retries=0))
            heir = await queue.enqueue_job(Job(child, depends_on=After(parent.job_id)))
            await broker.drain(raise_errors=False)

            assert await heir.status() == JobStatus.CANCELLED

    async def test_a_job_without_end_is_found_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("naq_runtime.testing.draining._ENDLESS", 50)
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(for_ever)

            with pytest.raises(TaskError, match="enqueue itself"):
                await broker.drain()

    async def test_only_marked_functions_run_and_those_that_are_allowed(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(unmarked)
            with pytest.raises(JobFailed, match="UnknownTask"):
                await broker.drain()
        async with MemoryBroker(allow=[f"{HERE}.unmark*"]) as broker, Queue() as queue:
            await queue.enqueue(unmarked)
            assert (await broker.drain()).completed == 1


class TestQueues:
    async def test_a_paused_queue_keeps_its_jobs(self) -> None:
        async with MemoryBroker() as broker, Queue("mail") as queue:
            await queue.enqueue(send, "a")
            await queue.pause()
            assert (await broker.drain()).completed == 0
            await queue.resume()
            assert (await broker.drain()).completed == 1

    async def test_a_purged_queue_has_no_jobs(self) -> None:
        async with MemoryBroker() as broker, Queue("mail") as queue:
            handle = await queue.enqueue(send, "a")
            await queue.limit(concurrency=1, rate="5/s")

            assert await queue.purge() == 1
            assert (await broker.drain()).completed == 0
            assert await handle.status() == JobStatus.CANCELLED

    async def test_one_queue_can_be_drained_alone(self) -> None:
        async with MemoryBroker() as broker:
            async with Queue("one") as one, Queue("two") as two:
                await one.enqueue(send, "a")
                await two.enqueue(send, "b")
            await broker.drain(queue="two")
            assert seen == ["b"]

    async def test_a_job_is_cancelled_wherever_it_stands(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handles = [await queue.enqueue(send, "a"), await queue.enqueue_in(60, send, "b")]

            assert [await handle.cancel() for handle in handles] == [True, True]
            assert await broker.drain(scheduled=True) == Drained(0, 0, 0, 0)
            with pytest.raises(NotFound):
                await queue.handle("never-was").cancel()


class TestWithoutAnEventLoop:
    def test_the_blocking_face_puts_its_jobs_there_too(self) -> None:
        with MemoryBroker() as broker:
            handle = sync.Queue("mail").enqueue(send, "a")
            broker.assert_enqueued(send, args=["a"])

            assert broker.drain_sync().completed == 1
            assert handle.result() == "sent to a"

    def test_plain_functions_run_in_the_thread_of_the_test(self) -> None:
        with MemoryBroker() as broker:
            handle = sync.Queue().enqueue(which_thread)
            broker.drain_sync()

            assert handle.result() == threading.get_ident()

    def test_plain_functions_may_enqueue_and_wait(self) -> None:
        with MemoryBroker() as broker:
            handle = sync.Queue().enqueue(order_plainly, "a")
            broker.drain_sync()

            assert handle.result() == "sent to a"

    def test_errors_come_back(self) -> None:
        with MemoryBroker() as broker:
            sync.Queue().enqueue_job(Job(flaky, (5,), retries=0))
            with pytest.raises(JobFailed, match="not yet"):
                broker.drain_sync()


SHOP = """
from naq_runtime import task

@task
def greet(name):
    return f"Hello, {name}"
"""

TEST_SHOP = """
import pytest
from naq_runtime import sync
from shop import greet

def test_by_hand(naq_broker):
    handle = sync.Queue().enqueue(greet, "Ada")
    naq_broker.assert_enqueued(greet, args=["Ada"])
    naq_broker.drain_sync()
    assert handle.result() == "Hello, Ada"

@pytest.mark.naq(inline=True)
def test_inline(naq_broker):
    assert sync.Queue().enqueue(greet, "Ada").status() == "completed"
"""


async def test_the_plugin_gives_tests_a_broker(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "test_shop.py").write_text(TEST_SHOP)

    finished = await program("pytest", "--strict-markers", "-p", "no:cacheprovider", cwd=tmp_path)

    assert "2 passed" in finished.out, finished.out
