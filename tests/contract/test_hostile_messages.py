"""Messages that no producer of ours would send: each is settled, and holds nothing else up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from naq_runtime.job import Job, JobStatus
from naq_runtime.nats.publish import AckedPublish, Outgoing
from naq_runtime.nats.pull import CreditPull, Delivery
from naq_runtime.nats.state import queue_states
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.worker.worker import Worker
from tests.support.waiting import eventually

QUEUE = "mail"
WORKLOAD = "tests.unit.workload"

Send = Callable[[str, bytes], Awaitable[None]]


@pytest.fixture
async def jobs(services: ServiceManager) -> JobService:
    """Jobs in and out, with the queue made."""
    service = await services.get_service(JobService)
    await services.topology.queue(QUEUE)
    return service


@pytest.fixture
async def send(services: ServiceManager, jobs: JobService) -> AsyncIterator[Send]:
    """Stores a message as any client of the server may."""
    publisher = AckedPublish(services.connection)
    await publisher.open()

    async def store(subject: str, payload: bytes) -> None:
        await publisher.store([Outgoing(subject, payload)])

    yield store
    await publisher.close()


async def work_until_nothing_is_left(services: ServiceManager, jobs: JobService) -> Worker:
    """Let a worker run until an honest job behind all others has ended, and the queue is empty."""
    worker = Worker(services, [QUEUE], TaskRegistry.load([WORKLOAD]), concurrency=1)
    running = asyncio.create_task(worker.run())

    async def nothing_left() -> bool:
        (state,) = await queue_states(services.connection, services.names)
        return state.waiting == state.running == 0

    try:
        honest = await jobs.enqueue_job(Job(f"{WORKLOAD}.add", (1,)), QUEUE)
        assert (await jobs.wait(honest, 30)).result == 2
        await eventually(nothing_left)
    finally:
        worker.request_stop()
        await asyncio.wait_for(running, 30)
    return worker


@pytest.mark.parametrize(
    "payload", [b"", b"hello", b"{}", b"\xff" * 1_000, b"[" * 100_000], ids=lambda data: repr(data[:9])
)
async def test_a_message_that_is_no_job_has_failed(
    services: ServiceManager, jobs: JobService, send: Send, payload: bytes
) -> None:
    await send(services.names.job(QUEUE, "j1"), payload)

    await work_until_nothing_is_left(services, jobs)

    outcome = await jobs.outcome("j1")
    assert outcome is not None
    assert (outcome.result.status, outcome.result.error_type) == (JobStatus.FAILED, "SerializationError")


@pytest.mark.parametrize("token", ["x" * 65, "$id", "naïve", "a=b"])
async def test_a_job_whose_id_cannot_be_one_does_not_stay(
    services: ServiceManager, jobs: JobService, send: Send, token: str
) -> None:
    await send(services.names.job(QUEUE, token), b"{}")

    worker = await work_until_nothing_is_left(services, jobs)

    assert (worker.counts.completed, worker.counts.failed) == (1, 1)


async def test_a_job_that_says_it_is_another_has_failed(services: ServiceManager, jobs: JobService, send: Send) -> None:
    other = services.serializer.encode_job(Job(f"{WORKLOAD}.add", (1,), job_id="other", queue_name=QUEUE))
    await send(services.names.job(QUEUE, "j1"), other)

    await work_until_nothing_is_left(services, jobs)

    assert await jobs.outcome("other") is None
    outcome = await jobs.outcome("j1")
    assert outcome is not None
    assert "the message says job other" in (outcome.result.error or "")


async def test_a_job_so_large_that_no_outcome_fits_around_it_does_not_stay(
    services: ServiceManager, jobs: JobService, send: Send
) -> None:
    def encoded(length: int) -> bytes:
        return services.serializer.encode_job(Job("a." + "b" * length, job_id="j1", queue_name=QUEUE))

    room = services.connection.max_payload - len(encoded(1)) + 1
    await send(services.names.job(QUEUE, "j1"), encoded(room))

    worker = await work_until_nothing_is_left(services, jobs)

    assert (worker.counts.completed, worker.counts.failed) == (1, 1)


async def test_a_job_delivered_again_whose_stored_outcome_cannot_be_read_is_run(
    services: ServiceManager, jobs: JobService, send: Send
) -> None:
    await jobs.enqueue_job(Job(f"{WORKLOAD}.add", (40, 2), job_id="j1"), QUEUE)
    await deliver_once(services)
    await send(services.names.result("j1"), b"garbage")

    await work_until_nothing_is_left(services, jobs)

    outcome = await jobs.outcome("j1")
    assert outcome is not None
    assert outcome.result.result == 42


@pytest.mark.parametrize("payload", [b"", b"done", b"\xff"])
async def test_a_mark_that_says_nothing_of_how_a_job_ended_keeps_nobody_from_those_that_do(
    services: ServiceManager, jobs: JobService, send: Send, payload: bytes
) -> None:
    await send(services.names.met("child", "parent"), payload)
    await jobs.enqueue_job(Job(f"{WORKLOAD}.add", (1,), job_id="parent"), QUEUE)
    await jobs.enqueue_job(Job(f"{WORKLOAD}.add", (40, 2), job_id="child", depends_on="parent"), QUEUE)

    await work_until_nothing_is_left(services, jobs)

    assert (await jobs.wait("child", 30)).result == 42


async def deliver_once(services: ServiceManager) -> None:
    """Take the next job, and hand it back at once."""
    taken: list[Delivery] = []
    consumer = services.names.queue_consumer(QUEUE)
    pull = CreditPull(
        services.connection, services.names.jobs_stream, consumer, deliver=taken.append, refunded=lambda: None
    )
    await pull.start()
    await pull.grant(1)
    await eventually(lambda: taken)
    await taken[0].hand_back()
    await pull.close()
