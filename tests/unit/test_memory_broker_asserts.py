"""What a broker in memory says to a test that asks, and to one that is wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from naq_runtime import Job, JobFailed, JobStatus, NAQConfig, Queue, Snooze, task
from naq_runtime.config import NatsConfig
from naq_runtime.errors import ConfigError, ResultTimeout, ServerUnreachable, TaskError
from naq_runtime.testing import MemoryBroker


@task
async def greet(name: str) -> str:
    return f"Hello, {name}"


@task(retries=1, retry_delay=1)
async def fail(text: str) -> None:
    raise ValueError(text)


@task
async def nap() -> None:
    await asyncio.sleep(60)


@task
async def always_later() -> None:
    raise Snooze(1)


class TestWhatWasEnqueued:
    async def test_of_an_id_that_is_used_again_each_job_counts(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            for name in ("Ada", "Bob"):
                await queue.enqueue_job(Job(greet, (name,), job_id="one", result_ttl=0))
                await broker.drain()

            assert broker.assert_enqueued(greet, count=2).args == ("Bob",)

    async def test_the_next_attempt_of_a_job_from_before_a_clear_is_not_enqueued_since(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(fail, "no")
            broker.clear()

            await broker.drain(scheduled=True, raise_errors=False)

            broker.assert_not_enqueued()

    async def test_after_a_clear_jobs_are_still_known(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handle = await queue.enqueue_job(Job(greet, ("Ada",), result_ttl=0))
            await broker.drain()
            broker.clear()

            assert broker.events(handle) == []
            assert await handle.status() is JobStatus.COMPLETED

    async def test_time_stands_still_while_jobs_are_enqueued(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue_in(300, greet, "Ada")

            assert broker.assert_enqueued(greet).run_at_ns == broker.now_ns + 300 * 10**9

    async def test_long_arguments_and_many_jobs_are_cut(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue_many(Job(greet, (f"{number} {'x' * 10_000}",)) for number in range(25))

            with pytest.raises(AssertionError, match=r"there are 25:\n  … and 5 before\n.*'5 x+…") as caught:
                broker.assert_enqueued(fail)
            assert len(str(caught.value)) < 8_000

    async def test_a_number_is_named_in_plain_words(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(greet, "Ada")

            with pytest.raises(AssertionError, match=r"^1 job and not 2 enqueued of"):
                broker.assert_enqueued(greet, count=2)
            with pytest.raises(AssertionError, match=r"^no job and not 2 enqueued of"):
                broker.assert_enqueued(fail, count=2)

    async def test_questions_that_cannot_be_meant_are_refused(self) -> None:
        async with MemoryBroker() as broker:
            with pytest.raises(ValueError, match="for none there is assert_not_enqueued"):
                broker.assert_enqueued(greet, count=0)
            with pytest.raises(TypeError, match=r"for one text write args=\['Ada'\]"):
                broker.assert_enqueued(greet, args="Ada")


class TestWhatFailed:
    async def test_the_error_of_a_drain_shows_the_job_its_traceback_and_the_others(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue_many(Job(fail, (f"no {number}",), retries=0) for number in range(8))

            with pytest.raises(JobFailed, match="no 0") as caught:
                await broker.drain()

            call, trace, *others = caught.value.__notes__
            assert call == f"It was {__name__}.fail('no 0')."
            assert trace.startswith("Traceback")
            assert "raise ValueError(text)" in trace
            assert others[0] == f"Failed, too: {__name__}.fail('no 1'): ValueError: no 1"
            assert others[-1] == "And so did 2 more."

    async def test_events_that_were_not_expected_come_with_the_errors(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handle = await queue.enqueue_job(Job(fail, ("no luck",), retries=0))
            await broker.drain(raise_errors=False)

            with pytest.raises(
                AssertionError, match=r"there came enqueued, started, failed, .*\n  ValueError: no luck"
            ):
                broker.assert_events(handle, "enqueued", "started", "completed", "result_stored")

    async def test_a_job_that_never_ends_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("naq_runtime.testing.draining._ENDLESS", 50)
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.enqueue(always_later)

            with pytest.raises(TaskError, match=r"snooze for ever\? The last was of .*\.always_later\(\)"):
                await broker.drain(scheduled=True)

    async def test_a_job_that_ran_when_the_waiting_ended_stays_in_its_queue(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            handle = await queue.enqueue(nap)
            with pytest.raises(ResultTimeout):
                await handle.result(timeout=0.5)

            assert await handle.status() is JobStatus.QUEUED
            broker.assert_events(handle, "enqueued", "started", "interrupted")


class TestBeingMade:
    @pytest.mark.parametrize("given", [{"modules": "shop"}, {"allow": "shop.*"}])
    def test_one_name_instead_of_a_list_is_refused(self, given: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match="a list of names"):
            MemoryBroker(**given)

    def test_what_is_no_settings_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="expects a NAQConfig, got True"):
            MemoryBroker(True)  # type: ignore[arg-type]

    async def test_entered_twice_it_is_left_twice(self) -> None:
        broker = MemoryBroker()
        async with broker:
            async with broker:
                pass
            async with Queue() as queue:
                await queue.enqueue(greet, "Ada")
            broker.assert_enqueued(greet)

        with pytest.raises(ServerUnreachable):
            async with Queue(config=NAQConfig(nats=NatsConfig(url="nats://127.0.0.1:1"))):
                pass
