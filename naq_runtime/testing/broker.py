"""`MemoryBroker`: a whole queue in the test's own process, without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import Executor as Threads
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import NamedTuple, Self

from naq_runtime import background
from naq_runtime.clock import ManualClock
from naq_runtime.config import NAQConfig, get_config
from naq_runtime.errors import ConfigError, TaskError
from naq_runtime.job import Execution, JobResult, JobStatus
from naq_runtime.jobs.rules import JobRules
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.retry import seconds_of
from naq_runtime.serializer import load_serializer
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import Ground, OpenGround, ServiceManager, stand_on
from naq_runtime.services.queues import QueueService
from naq_runtime.snapshot import Asked
from naq_runtime.tasks import Task, TaskRegistry
from naq_runtime.testing.calling_thread import CallingThread
from naq_runtime.testing.record import Record
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology
from naq_runtime.testing.twins import MemoryConnection, MemoryEvents, MemoryJobs, MemoryQueues
from naq_runtime.testing.worker import MemoryWorker

__all__ = ["Drained", "MemoryBroker"]

_THREADS = 4
_ENDLESS = 10_000
"""Jobs in one drain, above which it is taken for one that does not end."""


class Drained(NamedTuple):
    """What became of the jobs of one drain."""

    completed: int
    failed: int
    """For good."""
    cancelled: int
    retried: int
    """Attempts that another one follows."""


class _Clock(ManualClock):
    """Stands still until it is moved, and yet knows how long something takes."""

    monotonic_ns = staticmethod(time.monotonic_ns)


class MemoryBroker(Record):
    """Stands in for the server: queues that are opened meanwhile, async or not, put their jobs here.

    Jobs are enqueued, held, retried and ended by the same code as on a server, and run in the order in which they came
    when the test says so. The clock stands still, and is moved by the test.

    Args:
        config: settings; those of file and environment when left out. Nothing is connected to.
        modules: modules of tasks, whose hooks are called as a worker does. Tasks of other modules are found, too.
        allow: names of functions that may run although they have no ``@task``, with the shell's wildcards.
        inline: run each job as soon as it is enqueued.

    ::

        async with MemoryBroker() as broker, Queue("mail") as queue:
            handle = await queue.enqueue(send, "ada@example.com")
            broker.assert_enqueued(send, args=["ada@example.com"], queue="mail")
            await broker.drain()
            assert await handle.result() == "sent"
    """

    def __init__(
        self,
        config: NAQConfig | None = None,
        *,
        modules: Sequence[str] = (),
        allow: Sequence[str] = (),
        inline: bool = False,
    ) -> None:
        self.config = config or get_config()
        super().__init__(load_serializer(self.config.jobs.serializer))
        self._clock = _Clock(time.time_ns())
        self._streams = MemoryStreams(self._clock)
        self._streams.on_stored.append(self._remember)
        self._registry = TaskRegistry.load(modules, allow)
        self._allow = tuple(allow)
        self._others: dict[str, TaskRegistry] = {}
        self._inline = inline
        self._running: dict[str, MemoryWorker] = {}
        """By subject."""
        self._before: OpenGround | None = None

    def __repr__(self) -> str:
        return f"<MemoryBroker {len(self.jobs())} jobs enqueued, {len(self._running)} running>"

    # For as long as it stands in

    def __enter__(self) -> Self:
        background.close()  # what is open there has a server
        self._before = stand_on(self._open)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        background.close()
        if self._before is not None:
            stand_on(self._before)
            self._before = None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    # Running

    async def drain(self, *, queue: str | None = None, scheduled: bool = False, raise_errors: bool = True) -> Drained:
        """Run jobs until none is left that may run, those among them that jobs enqueue.

        Args:
            queue: only those of this one.
            scheduled: those that wait for their time, too, such as retries: the clock is moved to each of them.
            raise_errors: whether a job that failed for good is an error here, once all have run.

        Raises:
            JobFailed: the first of those that failed.
            TaskError: there is no end to the jobs, or a module's hook failed.
        """
        return await self._drain(queue, scheduled, raise_errors, _THREADS)

    def drain_sync(self, *, queue: str | None = None, scheduled: bool = False, raise_errors: bool = True) -> Drained:
        """`drain` for tests without an event loop. Plain functions run in this very thread, as a database may need."""
        with ThreadPoolExecutor(1) as aside, CallingThread() as here:
            return here.serve(aside.submit(asyncio.run, self._drain(queue, scheduled, raise_errors, here)))

    def advance(self, by: float | timedelta) -> None:
        """Let time pass: seconds, or a `timedelta`. What comes due then is run by the next drain."""
        self._clock.advance(seconds_of(by))

    @property
    def now_ns(self) -> int:
        """The time of the broker's clock, nanoseconds since 1970 UTC."""
        return self._clock.time_ns()

    async def _drain(self, queue: str | None, scheduled: bool, raise_errors: bool, threads: int | Threads) -> Drained:
        ends: list[Execution] = []
        async with self._worker(threads) as worker:
            while True:
                before = len(ends)
                for message in list(worker.ready(queue, self._running)):
                    await self._run(worker, message, ends)
                if len(ends) == before and not (scheduled and self._advance_to_next()):
                    break
        if raise_errors:
            _raise_first([one.result for one in ends if one.again is None])
        statuses = [one.result.status for one in ends if one.again is None]
        return Drained(
            completed=statuses.count(JobStatus.COMPLETED),
            failed=statuses.count(JobStatus.FAILED),
            cancelled=statuses.count(JobStatus.CANCELLED),
            retried=len(ends) - len(statuses),
        )

    async def _run(self, worker: MemoryWorker, message: StoredMessage, ends: list[Execution]) -> None:
        if message.subject in self._running or not self._is_still_there(message):
            return
        if len(ends) >= _ENDLESS:
            raise TaskError(f"after {_ENDLESS:,} jobs there are still more: does one of them enqueue itself?")
        self._running[message.subject] = worker
        try:
            execution = await worker.run(message)
        finally:
            del self._running[message.subject]
        if execution is not None:
            ends.append(execution)

    def _is_still_there(self, message: StoredMessage) -> bool:
        there = self._streams.messages(self.config.names.jobs_stream, message.subject)
        return any(one.sequence == message.sequence for one in there)

    def _advance_to_next(self) -> bool:
        """Move the clock to the next job that waits for its time; whether there is one."""
        due_ns = self._streams.next_due_ns()
        if due_ns is not None:
            self._clock.advance(max(0, due_ns - self._clock.time_ns()) / 1e9)
        return due_ns is not None

    @asynccontextmanager
    async def _worker(self, threads: int | Threads) -> AsyncIterator[MemoryWorker]:
        async with ServiceManager(self.config, role="worker") as services:
            await services.get_service(JobService)
            await services.topology.dead()
            events = await services.get_service(EventService)
            rules = JobRules(
                self._streams,
                services.names,
                services.serializer,
                report=events.about,
                ask=services.ask,
                large_as_objects=self.config.results.large == "store",
                clock=self._clock,
            )
            worker = MemoryWorker(
                self._streams,
                self.config,
                services.serializer,
                rules,
                events,
                find=self._find,
                middleware=self._registry.middleware,
                threads=threads,
                clock=self._clock,
            )
            await self._registry.start_up()
            try:
                yield worker
            finally:
                await self._registry.shut_down()
                worker.close()

    def _find(self, name: str) -> Task:
        if name in set(self._registry):
            return self._registry.get(name)
        module = name.rpartition(".")[0]
        if module not in self._others:
            self._others[module] = TaskRegistry.load([module], self._allow)
        return self._others[module].get(name)

    # For those who enqueue

    async def _open(self, services: ServiceManager, _: AsyncExitStack) -> Ground:
        if services.config.namespace != self.config.namespace:
            raise ConfigError(
                f"the broker in memory is that of namespace {self.config.namespace}, and this is for "
                f"{services.config.namespace}: use MemoryBroker(config) with the same settings"
            )
        services.clock = self._clock
        return Ground(
            MemoryConnection(services.config),
            MemoryTopology(self._streams, services.config),
            self._streams,
            self._ask,
            {EventService: self._events_of, JobService: self._jobs_of, QueueService: self._queues_of},
        )

    async def _events_of(self, services: ServiceManager) -> EventService:
        return MemoryEvents(services, self._storage)

    async def _jobs_of(self, services: ServiceManager) -> JobService:
        await services.topology.jobs()
        await services.topology.results()
        events = await services.get_service(EventService)
        return MemoryJobs(services, events, self._run_what_can, self._running_ids, at_once=self._inline)

    async def _queues_of(self, services: ServiceManager) -> QueueService:
        events, jobs = await services.get_service(EventService), await services.get_service(JobService)
        return MemoryQueues(services, events, jobs, self._streams)

    async def _run_what_can(self) -> None:
        await self.drain(raise_errors=False)

    def _running_ids(self) -> set[str]:
        return {subject.rpartition(".")[2] for subject in self._running}

    async def _ask(self, job_ids: Collection[str], *, by: str, reason: str) -> Asked:
        """See `AskWorkers`."""
        asked = set[str]()
        for subject, worker in list(self._running.items()):
            job_id = subject.rpartition(".")[2]
            if job_id in job_ids:
                worker.cancel(job_id, reason or (f"by {by}" if by else "cancelled"))
                asked.add(job_id)
        return Asked(asked)


def _raise_first(results: Sequence[JobResult]) -> None:
    for result in results:
        if result.status is JobStatus.FAILED:
            result.unwrap()
