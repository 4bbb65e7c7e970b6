"""A queue in memory whose actors go on one operation at a time, in an order that a test decides, or die in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, cast

from naq_runtime.clock import Clock, ManualClock
from naq_runtime.config import NAQConfig
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.job import Whereabouts
from naq_runtime.jobs.rules import JobRules
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, Stored
from naq_runtime.nats.streams import Streams
from naq_runtime.scheduler.leadership import Leadership
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.services.manager import Ground, ServiceManager, stand_on
from naq_runtime.services.scheduler import SchedulerService
from naq_runtime.snapshot import LeaderState
from naq_runtime.tasks import Task
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology
from naq_runtime.testing.twins import MemoryConnection, MemoryEvents
from naq_runtime.testing.worker import MemoryWorker
from naq_runtime.worker.inheritance import Inheritance

__all__ = ["LEASE_S", "Crash", "Elsewhere", "InTurns", "Site", "Ticking", "Turns"]

LEASE_S = 3.0
"""Of the lead of schedulers."""

_LOOPS = 50
"""Rounds of the event loop that any actor needs at most until it waits for its turn."""


class Crash(BaseException):
    """The process that an actor lives in was killed."""


class Ticking(ManualClock):
    """No two moments are the same."""

    def time_ns(self) -> int:
        self.advance(1e-6)
        return super().time_ns()


class Elsewhere:
    """The clock of another host: it goes as the one here does, and shows another time."""

    def __init__(self, clock: ManualClock, ahead_s: float) -> None:
        self._clock = clock
        self._ahead_ns = int(ahead_s * 1e9)
        self.monotonic_ns = clock.monotonic_ns

    def time_ns(self) -> int:
        """What it shows."""
        return self._clock.time_ns() + self._ahead_ns


class Turns:
    """Actors wait here before whatever others can see."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[asyncio.Future[None]] = []
        self._actors: set[asyncio.Task[Any]] = set()

    @property
    def waiting(self) -> int:
        """How many actors wait."""
        self._waiting = [turn for turn in self._waiting if not turn.done()]
        return len(self._waiting)

    async def wait(self) -> None:
        """Return when it is the caller's turn."""
        turn = self._loop.create_future()
        self._waiting.append(turn)
        await turn

    def act(self, actor: Coroutine[Any, Any, Any]) -> None:
        """Let an actor begin."""
        task = self._loop.create_task(actor)
        self._actors.add(task)
        task.add_done_callback(self._actors.discard)
        self._go_on()

    def give(self, place: int, error: BaseException | None = None) -> None:
        """Let one of those that wait go on, or die."""
        turn = self._waiting.pop(place % self.waiting)
        if error is None:
            turn.set_result(None)
        else:
            turn.set_exception(error)
        self._go_on()

    def finish(self) -> None:
        """Let all go on until none is left."""
        while self.waiting:
            self.give(0)
        assert not self._actors, f"still at work: {self._actors}"

    def _go_on(self) -> None:
        async def rounds() -> None:
            for _ in range(_LOOPS):
                await asyncio.sleep(0)

        self._loop.run_until_complete(rounds())


class InTurns(MemoryStreams):
    """The same streams, where each operation waits for its turn.

    Args:
        answers: whether the answer to what was stored waits for another one.
        skew_ns: how far the one clock is ahead of that of whoever uses these.
    """

    def __init__(self, whole: MemoryStreams, turns: Turns, *, answers: bool = False, skew_ns: int = 0) -> None:
        vars(self).update(vars(whole))
        self._turns = turns
        self._answers = answers
        self.skew_ns = skew_ns

    async def publish(self, messages: Sequence[Outgoing]) -> list[Stored]:
        answers = []
        for message in messages:
            await self._turns.wait()
            answers += await super().publish([message])
            if self._answers:
                await self._turns.wait()
        return answers

    async def publish_together(self, messages: Sequence[Outgoing]) -> list[int]:
        await self._turns.wait()
        sequences = await super().publish_together(messages)
        if self._answers:
            await self._turns.wait()
        return sequences

    async def store(self, outcomes: Sequence[Outgoing]) -> None:
        for outcome in outcomes:
            await self._turns.wait()
            await super().store([outcome])

    async def last(self, stream: str, subjects: Sequence[str]) -> list[StoredMessage]:
        await self._turns.wait()
        return await super().last(stream, subjects)

    async def first(self, stream: str, subject: str) -> StoredMessage | None:
        await self._turns.wait()
        return await super().first(stream, subject)

    async def scan(self, stream: str, subject: str, after: int = 0) -> AsyncIterator[list[StoredMessage]]:
        await self._turns.wait()
        async for page in super().scan(stream, subject, after):
            yield page

    async def delete(self, stream: str, sequences: Sequence[int]) -> list[bool]:
        done = []
        for sequence in sequences:
            await self._turns.wait()
            done += await super().delete(stream, [sequence])
        return done


class Site:
    """Producers, workers and sweepers over one set of streams.

    Args:
        task: runs every job.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, task: Callable[..., Any]) -> None:
        self.config = NAQConfig()
        self.clock = Ticking()
        self.turns = Turns(loop)
        self.streams = MemoryStreams(self.clock)
        self.storage = MemoryEventStorage()
        self._task = Task.of(task)
        self._in_turns: Streams = InTurns(self.streams, self.turns)
        self._stack = AsyncExitStack()
        self.running: dict[str, MemoryWorker] = {}
        """By job."""
        self.begun: set[int] = set()
        """Sequences of messages that a worker has had."""

    async def open(self) -> None:
        """Make the streams and the parts."""
        before = stand_on(self._ground)
        try:
            services = self.services = await self._stack.enter_async_context(ServiceManager(self.config))
        finally:
            stand_on(before)
        self.jobs = await services.get_service(JobService)
        self._events = await services.get_service(EventService)
        await services.topology.dead()
        await services.topology.bucket(services.names.leader_bucket)
        names, serializer = services.names, services.serializer
        self.rules = JobRules(
            self._in_turns,
            names,
            serializer,
            report=self._events.about,
            ask=self._ask,
            clock=self.clock,
        )
        self._inheritance = Inheritance(
            self.rules,
            names,
            serializer,
            self._events,
            worker_id="memory",
            poison_after=100,
        )

    def scheduler(self, name: str = "scheduler", *, ahead_s: float = 0.0) -> tuple[SchedulerService, Leadership]:
        """One that has not read anything yet, as of a process of its own.

        Args:
            name: unique among those that run.
            ahead_s: what the clock of its host is ahead.
        """
        streams = InTurns(self.streams, self.turns, answers=True, skew_ns=-int(ahead_s * 1e9))
        there = _Host(self.services, Elsewhere(self.clock, ahead_s), streams)
        service = SchedulerService(cast("ServiceManager", there), self._events, self.jobs)
        who = LeaderState(instance_id=name, term=0, lease_s=LEASE_S)
        return service, Leadership(streams, self.config.names, who, clock=there.clock)

    async def close(self) -> None:
        """Forget all."""
        await self._stack.aclose()

    def ready(self) -> list[StoredMessage]:
        """What lies in queues and is with no worker."""
        queued = self.streams.messages(self.config.names.jobs_stream, self.config.names.job("*", "*"))
        return [message for message in queued if _id_of(message) not in self.running]

    def left(self) -> list[StoredMessage]:
        """Jobs that have not ended."""
        names = self.config.names
        places = (names.job("*", "*"), names.later("*", "*"), names.waiting("*", "*"))
        return self.streams.messages(names.jobs_stream, *places)

    async def work(self, message: StoredMessage) -> None:
        """Be a worker that was given a job, perhaps after another one has died with it."""
        worker = MemoryWorker(
            self._in_turns,  # type: ignore[arg-type]
            self.config,
            self.services.serializer,
            self.rules,
            self._events,
            find=lambda _: self._task,
            middleware=(),
            threads=1,
            clock=self.clock,
        )
        self.running[_id_of(message)] = worker
        again = message.sequence in self.begun
        self.begun.add(message.sequence)
        try:
            job = self.services.serializer.decode_job(message.data)
            if again and await self._inheritance.is_over(job):
                await self._in_turns.delete(self.config.names.jobs_stream, [message.sequence])
                return
            await worker.run(message)
        except Crash:
            pass
        finally:
            worker.close()
            del self.running[_id_of(message)]

    async def _ground(self, services: ServiceManager, _: AsyncExitStack) -> Ground:
        async def events_of(services: ServiceManager) -> EventService:
            return MemoryEvents(services, self.storage)

        services.clock = self.clock
        topology = MemoryTopology(self.streams, services.config)
        return Ground(MemoryConnection(services.config), topology, self._in_turns, self._ask, {EventService: events_of})

    async def _ask(self, job_ids: Any, *, by: str, reason: str) -> Whereabouts:
        await self.turns.wait()
        here = {job_id for job_id in job_ids if job_id in self.running}
        for job_id in here:
            self.running[job_id].cancel(job_id, reason)
        return Whereabouts(here)


class _Host:
    """The services as they are on a host that has a clock of its own."""

    def __init__(self, services: ServiceManager, clock: Clock, streams: Streams) -> None:
        self._services = services
        self.clock = clock
        self.streams = streams

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)


def _id_of(message: StoredMessage) -> str:
    return message.subject.rpartition(".")[2]
