"""Time in memory: what waits for it, and schedules."""

from __future__ import annotations

from datetime import UTC, datetime

from naq_runtime import Job, Queue, ScheduleConfig, current_job, sync, task
from naq_runtime.testing import Drained, MemoryBroker

ran: list[str] = []


@task
async def report() -> None:
    ran.append(current_job().job_id)


@task(retries=3, retry_delay=60.0, jitter=0)
async def never() -> None:
    raise ConnectionError("not yet")


@task
async def fail() -> None:
    raise ValueError("no")


async def test_one_queue_drained_alone_waits_for_nothing_of_others() -> None:
    async with MemoryBroker() as broker, Queue("a") as a, Queue("b") as b:
        mine = await a.enqueue_in(60, report)
        other = await b.enqueue_in(5, report)
        then = await b.enqueue_in(120, report)
        every_minute = ScheduleConfig(every=7)
        await b.schedule(report, when=every_minute)
        begun = broker.now_ns

        assert (await broker.drain(queue="a", scheduled=True)).completed == 1

        assert round((broker.now_ns - begun) / 1e9) == 60
        assert [await one.status() for one in (mine, other, then)] == ["completed", "queued", "scheduled"]


async def test_those_that_depend_on_a_failed_job_are_counted_with_the_cancelled() -> None:
    async with MemoryBroker() as broker, Queue() as queue:
        bad = Job(fail)
        child = Job(report, depends_on=bad)
        await queue.enqueue_many([bad, child, Job(report, depends_on=child)])

        drained = await broker.drain(raise_errors=False)

        assert drained == Drained(completed=0, failed=1, cancelled=2, retried=0)


class TestSchedules:
    async def test_what_comes_due_while_time_passes_is_run_tick_by_tick(self) -> None:
        async with MemoryBroker() as broker, Queue("reports") as queue:
            await queue.schedule(report, when=ScheduleConfig(every=60, phase=0, overlap="skip"))
            assert (await broker.drain()).completed == 0

            broker.advance(3600)

            assert (await broker.drain()).completed == 60
            assert (await broker.drain()).completed == 0
            broker.assert_enqueued(report, queue="reports", count=60)

    async def test_scheduled_moves_the_clock_to_the_next_tick_of_each(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            begun = broker.now_ns
            at = datetime.fromtimestamp(begun // 10**9 + 100, UTC)
            await queue.schedule(report, when=ScheduleConfig(every=3600, starts_at=at))
            await queue.schedule(report, when=ScheduleConfig(at=at))

            assert (await broker.drain(scheduled=True)).completed == 2
            assert round((broker.now_ns - begun) / 1e9) in (99, 100)
            assert (await broker.drain(scheduled=True)).completed == 1
            assert round((broker.now_ns - begun) / 1e9) in (3699, 3700)

    async def test_there_is_an_end_although_retries_take_longer_than_the_next_tick(self) -> None:
        async with MemoryBroker() as broker, Queue() as queue:
            await queue.schedule(never, when=ScheduleConfig(every=30))

            drained = await broker.drain(scheduled=True, raise_errors=False)

            assert drained == Drained(completed=0, failed=1, cancelled=0, retried=3)

    def test_without_an_event_loop_too(self) -> None:
        with MemoryBroker() as broker:
            sync.Queue().schedule(report, when=ScheduleConfig(every=60))
            broker.advance(120)

            assert broker.drain_sync().completed == 2
