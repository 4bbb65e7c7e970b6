"""`MemoryBroker`: a whole queue in the test's own process, without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import Executor as Threads
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from threading import Lock
from types import TracebackType
from typing import Self

from naq_runtime import background
from naq_runtime.clock import ManualClock
from naq_runtime.config import NAQConfig, get_config
from naq_runtime.errors import ConfigError, ModuleNotLoaded, UnknownTask
from naq_runtime.hooks import call_here
from naq_runtime.job import Whereabouts
from naq_runtime.jobs.cancelling import in_words
from naq_runtime.jobs.rules import JobRules
from naq_runtime.retry import seconds_of
from naq_runtime.serializer import load_serializer
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import Ground, OpenGround, ServiceManager, stand_on
from naq_runtime.services.queues import QueueService
from naq_runtime.tasks import Task, TaskRegistry
from naq_runtime.testing.calling_thread import CallingThread
from naq_runtime.testing.draining import Drain, Drained, Tally
from naq_runtime.testing.framing import Framing, hooks_in
from naq_runtime.testing.record import Record
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology
from naq_runtime.testing.ticking import Ticking
from naq_runtime.testing.twins import MemoryConnection, MemoryEvents, MemoryJobs, MemoryQueues
from naq_runtime.testing.worker import MemoryWorker

__all__ = ["Drained", "MemoryBroker"]

_THREADS = 4


class _Clock(ManualClock):
    """Stands still until it is moved, and yet knows how long something takes.

    The end of a job takes a nanosecond: by when they were enqueued, those of the same id are told apart.
    """

    monotonic_ns = staticmethod(time.monotonic_ns)

    def __init__(self, now_ns: int) -> None:
        super().__init__(now_ns)
        self._lock = Lock()

    def advance(self, seconds: float) -> None:
        """See `ManualClock.advance`; from any thread."""
        with self._lock:
            super().advance(seconds)

    def tick(self) -> None:
        """A job has left its queue."""
        with self._lock:
            self._now_ns += 1


class MemoryBroker(Record):
    """Stands in for the server: queues that are opened meanwhile, async or not, put their jobs here.

    Jobs are enqueued, held, retried and ended by the same code as on a server, and run in the order in which they came
    when the test says so. The clock stands still, and is moved by the test.

    Args:
        config: settings; those of file and environment when left out. Nothing is connected to.
        modules: modules of tasks, whose hooks are called as a worker does. Tasks of other modules are found, too.
        allow: names of functions that may run although they have no ``@task``, with the shell's wildcards.
        inline: run each job as soon as it is enqueued.

    Raises:
        ConfigError: the settings cannot be used.
        ModuleNotLoaded: a module does not import.

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
        if isinstance(modules, str) or isinstance(allow, str):
            given = modules if isinstance(modules, str) else allow
            raise ConfigError(f"modules and allow expect a list of names, as in ['shop.tasks'], got {given!r}")
        if not isinstance(config, NAQConfig | None):
            raise ConfigError(f"config expects a NAQConfig, got {config!r}")
        self.config = config or get_config()
        super().__init__(load_serializer(self.config.jobs.serializer))
        self._clock = _Clock(time.time_ns())
        self._streams = MemoryStreams(self._clock)
        self._streams.on_stored.append(self._remember)
        self._streams.on_deleted.append(self._clock.tick)
        self._registry = TaskRegistry.load(modules, allow)
        self._framing = Framing(self._registry)
        self._allow = tuple(allow)
        self._others: dict[str, TaskRegistry] = {}
        self._inline = inline
        self._running: dict[str, MemoryWorker] = {}
        """By subject."""
        self._before: list[OpenGround] = []

    def __repr__(self) -> str:
        return f"<MemoryBroker {len(self.jobs())} jobs enqueued, {len(self._running)} running>"

    # For as long as it stands in

    def __enter__(self) -> Self:
        background.close()  # what is open there has a server
        self._before.append(stand_on(self._open))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        background.close()
        if self._before:
            stand_on(self._before.pop())

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
            scheduled: those that wait for their time, too, such as retries: the clock is moved to each of them, and to
                the next tick of each schedule.
            raise_errors: whether a job that failed for good is an error here, once all have run.

        Raises:
            JobFailed: the first of those that failed; what it did, where, and which others failed, is in its notes.
            TaskError: there is no end to the jobs, or a module's hook failed.
        """
        return await self._drain(queue, scheduled, raise_errors, _THREADS)

    def drain_sync(self, *, queue: str | None = None, scheduled: bool = False, raise_errors: bool = True) -> Drained:
        """`drain` for tests without an event loop. Plain functions run in this very thread, as a database may need."""
        with ThreadPoolExecutor(1) as aside, CallingThread() as here:
            return here.serve(aside.submit(asyncio.run, self._drain(queue, scheduled, raise_errors, here)))

    def advance(self, by: float | timedelta) -> None:
        """Let time pass: seconds, or a `timedelta`. What comes due then, by schedules too, is run by the next drain."""
        self._clock.advance(seconds_of(by))

    @property
    def now_ns(self) -> int:
        """The time of the broker's clock, nanoseconds since 1970 UTC."""
        return self._clock.time_ns()

    async def _drain(self, queue: str | None, scheduled: bool, raise_errors: bool, threads: int | Threads) -> Drained:
        if self._framing.is_within:
            return Drained(0, 0, 0, 0)  # what hooks enqueue runs between them
        async with ServiceManager(self.config, role="worker") as services:
            tally = Tally(await services.get_service(EventService))
            async with self._worker(services, tally, threads) as worker:
                await Drain(
                    self._streams,
                    services.names,
                    self._clock,
                    worker,
                    await Ticking.create(services, queue),
                    tally,
                    running=self._running,
                    queue=queue,
                ).run(scheduled=scheduled)
        if raise_errors:
            tally.raise_first()
        return tally.drained

    @asynccontextmanager
    async def _worker(
        self, services: ServiceManager, tally: Tally, threads: int | Threads
    ) -> AsyncIterator[MemoryWorker]:
        await services.get_service(JobService)
        await services.topology.dead()
        rules = JobRules(
            self._streams,
            services.names,
            services.serializer,
            report=tally.report,
            ask=services.ask,
            large_as_objects=self.config.results.large == "store",
            clock=self._clock,
        )
        worker = MemoryWorker(
            self._streams,
            self.config,
            services.serializer,
            rules,
            await services.get_service(EventService),
            find=self._find,
            middleware=(*services.middleware, *self._registry.middleware),
            threads=threads,
            clock=self._clock,
        )
        async with self._framing.frame(call_here if isinstance(threads, int) else hooks_in(threads)):
            try:
                yield worker
            finally:
                worker.close()

    def _find(self, name: str) -> Task:
        if name in set(self._registry):
            return self._registry.get(name)
        module = name.rpartition(".")[0]
        if module not in self._others:
            try:
                self._others[module] = TaskRegistry.load([module], self._allow)
            except ModuleNotLoaded as error:
                raise UnknownTask(f"there is no task {name!r}: {error}") from error
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

    async def _ask(self, job_ids: Collection[str], *, by: str, reason: str) -> Whereabouts:
        """See `AskWorkers`."""
        asked = set[str]()
        for subject, worker in list(self._running.items()):
            job_id = subject.rpartition(".")[2]
            if job_id in job_ids:
                worker.cancel(job_id, in_words(reason, by))
                asked.add(job_id)
        return Whereabouts(asked)
