"""The services of a program under test, over streams in memory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, cast

from naq_runtime.config import NAQConfig
from naq_runtime.context import running_as
from naq_runtime.errors import NotFound, ResultTimeout
from naq_runtime.events.codec import encode_event
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import Event
from naq_runtime.job import Job, JobResult
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import Bounds, StoredMessage
from naq_runtime.nats.queues import FOR_GOOD_NS, QueueConsumer, QueueLimits, with_limits
from naq_runtime.nats.rates import Rate
from naq_runtime.nats.state import queue_state
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.queues import QueueService
from naq_runtime.services.statistics import reader_of
from naq_runtime.snapshot import QueueState
from naq_runtime.statistics.reader import StatisticsReader
from naq_runtime.tasks import Task
from naq_runtime.testing.shelf import moment
from naq_runtime.testing.streams import MemoryStreams
from naq_runtime.testing.worker import InThread
from naq_runtime.worker.calling import ProcessRunner

__all__ = ["MemoryConnection", "MemoryEvents", "MemoryJobs", "MemoryQueueConsumer", "MemoryQueues"]


class _NoServer:
    """Stands for the client of a connection that there is not."""

    is_connected = True
    is_closed = False

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(
            "this needs a server, and the broker in memory has none: it has jobs, results, queues and events. "
            "For the rest, start a server in the test (naq_runtime.EmbeddedServer)"
        )

    async def close(self) -> None:
        """Nothing is open."""
        self.is_closed = True


class MemoryConnection(Connection):
    """Where a connection would be; whoever tries to send something is told that there is no server."""

    def __init__(self, config: NAQConfig) -> None:
        super().__init__(config.nats, cast("Any", _NoServer()))


class MemoryEvents(EventService):
    """Keeps events at once, so that a test finds what it has caused."""

    def __init__(self, services: ServiceManager, storage: MemoryEventStorage) -> None:
        super().__init__(services.config, storage, instance=services.instance, role=services.role, clock=services.clock)
        self._kept = storage
        self._of = services
        self.enabled = True

    async def start(self) -> None:
        """Nothing runs in the background."""

    async def flush(self) -> None:
        """Nothing waits to be stored."""

    def _statistics_reader(self, wanted: EventFilter | None = None) -> StatisticsReader:
        return reader_of(self._of, MemoryLog(self._kept), wanted=wanted)

    def _take(self, event: Event) -> None:
        self._kept.add(event)
        self._processors.offer(event)


class MemoryLog:
    """The events as they would lie in their stream, each stored at the moment in which it happened."""

    def __init__(self, storage: MemoryEventStorage) -> None:
        self._storage = storage

    async def bounds(self) -> Bounds:
        """See `EventLog.bounds`."""
        return Bounds(1, len(self._storage.events), "memory")

    async def scan(self, after: int) -> AsyncIterator[list[StoredMessage]]:
        """See `EventLog.scan`."""
        page = [
            StoredMessage("", one.sequence, encode_event(one.event), moment(one.event.timestamp_ns))
            for one in self._storage.events[after:]
        ]
        if page:
            yield page

    async def since(self, time_ns: int) -> int:
        """See `EventLog.since`."""
        return 1


class MemoryJobs(JobService):
    """Has jobs run when somebody waits for their end, or at once.

    Args:
        run: runs what can run now.
        running: the ids of those that run.
        at_once: whether to run each job that is enqueued.
    """

    def __init__(
        self,
        services: ServiceManager,
        events: EventService,
        run: Callable[[], Awaitable[object]],
        running: Callable[[], Collection[str]],
        *,
        at_once: bool,
    ) -> None:
        super().__init__(services, events)
        self._run = run
        self._running = running
        self._at_once = at_once

    async def enqueue_job(self, job: Job, queue_name: str | None = None) -> str:
        """See `JobService.enqueue_job`."""
        job_id = await super().enqueue_job(job, queue_name)
        if self._at_once:
            await self._run()
        return job_id

    async def enqueue_jobs(self, jobs: Sequence[Job]) -> list[str]:
        """See `JobService.enqueue_jobs`."""
        try:
            return await super().enqueue_jobs(jobs)
        finally:
            if self._at_once:
                await self._run()

    async def wait(self, job_id: str, timeout_s: float | None = None, *, since_ns: int = 0) -> JobResult:
        """See `JobService.wait`; a job that cannot end unless the test does something is not waited for."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._run()
        except TimeoutError as error:
            raise ResultTimeout(f"job {job_id} has not ended within {timeout_s:g} s") from error
        outcome = await self.outcome(job_id)
        if outcome is not None and outcome.job.enqueued_at_ns >= since_ns:
            return outcome.result
        if _but_this_one(self._running()):
            return await super().wait(job_id, timeout_s, since_ns=since_ns)
        await self._see_that_it_may_end(job_id, since_ns)
        standing = await self._store.find(job_id)
        where = "queued" if standing is None else standing.status.value
        raise ResultTimeout(
            f"job {job_id} is {where} and does not end by itself: move the time with "
            "broker.advance(seconds), let it run with broker.drain(scheduled=True), or resume its queue"
        )

    def _fetched(self, job: Job) -> None:
        """What a test looks at does not belong to the story that it tests."""

    def _processes_for(self, task: Task | None) -> AbstractAsyncContextManager[ProcessRunner | None]:
        if task is None:
            return nullcontext()
        return nullcontext(InThread(lambda _: task, self._serializer))


def _but_this_one(running: Collection[str]) -> set[str]:
    """Those of them that somebody else runs."""
    context = running_as.get()
    return set(running).difference(() if context is None else (context.job_id,))


class MemoryQueueConsumer(QueueConsumer):
    """What holds a queue back, kept in memory. A pause holds; limits are only remembered."""

    def __init__(self, streams: MemoryStreams, names: Names, queue: str) -> None:
        self._streams = streams
        self._jobs = (names.jobs_stream, names.job(queue, "*"))
        self._name = names.queue_consumer(queue)
        self._queue = queue

    async def info(self) -> dict[str, Any]:
        """See `QueueConsumer.info`."""
        if self._name not in self._streams.consumers:
            raise NotFound(f"there is no queue {self._queue}: no job was ever put into it")
        counts = {"num_pending": len(self._streams.messages(*self._jobs)), "num_ack_pending": 0}
        return self._streams.consumers[self._name] | counts | {"delivered": {"stream_seq": 0}}

    async def pause(self, until_ns: int = FOR_GOOD_NS) -> dict[str, Any]:
        """See `QueueConsumer.pause`; it does not end by itself."""
        config = (await self.info())["config"] | {"pause_until": moment(until_ns)}
        self._streams.consumers[self._name] = {"config": config, "paused": True}
        return await self.info()

    async def resume(self) -> None:
        """See `QueueConsumer.resume`."""
        await self.info()  # which says when there is no such queue
        self._streams.consumers[self._name]["paused"] = False

    async def limit(self, *, concurrency: int | None, rate: Rate | str | None) -> QueueLimits:
        """See `QueueConsumer.limit`."""
        await self.info()
        config = self._streams.consumers[self._name]["config"]
        config["metadata"] = with_limits(config["metadata"], concurrency, rate)
        return await self.limits()


class MemoryQueues(QueueService):
    """Whole queues, in memory."""

    def __init__(self, services: ServiceManager, events: EventService, jobs: JobService, streams: MemoryStreams):
        super().__init__(services, events, jobs)
        self._memory = streams

    async def states(self) -> tuple[QueueState, ...]:
        """See `QueueService.states`."""
        prefix = self._names.queue_consumer("")
        queues = sorted(name.removeprefix(prefix) for name in self._memory.consumers if name.startswith(prefix))
        return tuple([queue_state(queue, await self._consumer(queue).info(), ()) for queue in queues])

    async def _last_sequence(self) -> int:
        return sys.maxsize

    async def _workers_keep_limits(self, queue: str) -> bool:
        return True  # there are none

    def _consumer(self, queue: str) -> QueueConsumer:
        return MemoryQueueConsumer(self._memory, self._names, queue)
