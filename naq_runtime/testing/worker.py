"""A worker without a server: it runs what lies in the streams, when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor as Threads
from typing import Any

from naq_runtime.clock import Clock
from naq_runtime.config import NAQConfig
from naq_runtime.context import JobContext
from naq_runtime.errors import SerializationError
from naq_runtime.events.models import JobEventType
from naq_runtime.hooks import Middleware
from naq_runtime.job import Execution, Job
from naq_runtime.jobs.ledger import Finished
from naq_runtime.jobs.rules import JobRules
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.serializer import Serializer
from naq_runtime.services.events import EventService
from naq_runtime.tasks import Task
from naq_runtime.testing.streams import MemoryStreams
from naq_runtime.worker.execution import Executor, undecodable
from naq_runtime.worker.reporting import report_interrupted, report_settled, report_started

__all__ = ["InThread", "MemoryWorker"]

WORKER_ID = "memory"


class MemoryWorker:
    """Runs jobs by the same rules, and with the same events, as any worker.

    Args:
        find: the task of a name.
        threads: where plain functions run.
    """

    def __init__(
        self,
        streams: MemoryStreams,
        config: NAQConfig,
        serializer: Serializer,
        rules: JobRules,
        events: EventService,
        *,
        find: Callable[[str], Task],
        middleware: Sequence[Middleware],
        threads: int | Threads,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._names = config.names
        self._serializer = serializer
        self._rules = rules
        self._events = events
        self._now_ns = clock.time_ns
        self._loop = asyncio.get_running_loop()
        self._executor = Executor(
            find,
            serializer,
            worker_id=WORKER_ID,
            threads=threads,
            clock=clock,
            emit=self._emit,
            processes=InThread(find, serializer),
            middleware=middleware,
        )

    def close(self) -> None:
        """Run no more."""
        self._executor.close()

    def cancel(self, job_id: str, reason: str) -> None:
        """End a job that runs here; may be called from another loop."""
        self._loop.call_soon_threadsafe(self._executor.cancel, job_id, reason)

    def ready(self, queue: str | None, busy: Collection[str]) -> Iterator[StoredMessage]:
        """The jobs that may run now, first in first."""
        for message in self._streams.messages(self._names.jobs_stream, self._names.job(queue or "*", "*")):
            name = self._names.queue_consumer(message.subject.split(".")[2])
            if message.subject not in busy and not self._streams.consumers.get(name, {}).get("paused"):
                yield message

    async def run(self, message: StoredMessage) -> Execution | None:
        """Take one job to its end, or to its next attempt; ``None`` for one that somebody has cancelled.

        One that runs when this is cancelled stays in its queue, as when a worker stops.
        """
        if TOMBSTONE in message.headers:
            await self._rules.cancelling.finish(message)
            return None
        try:
            job = self._serializer.decode_job(message.data)
        except SerializationError as error:
            broken = undecodable(message.subject, error, WORKER_ID, self._now_ns())
            payload = self._serializer.encode_job(broken.job)
            return await self._settle(Finished(broken, payload, message.sequence, message.data))
        dependencies = await self._rules.dependencies.results_of(job) if job.needs else None
        report_started(self._events, job, WORKER_ID, self._now_ns())
        try:
            execution = self._rules.ledger.judged(await self._executor.run_apart(job, message.data, dependencies))
        except asyncio.CancelledError:
            report_interrupted(self._events, job, WORKER_ID, "the drain ended")
            raise
        return await self._settle(Finished(execution, message.data, message.sequence))

    async def _settle(self, finished: Finished) -> Execution:
        execution = finished.execution
        await self._rules.ledger.write([finished])
        await self._streams.delete(self._names.jobs_stream, [finished.sequence])
        report_settled(self._events, execution)
        if execution.again is None:
            await self._streams.announce(self._names.done(execution.job.job_id))
        return execution

    def _emit(self, job: Job, event_type: JobEventType, fields: dict[str, Any]) -> None:
        self._events.about(event_type, job, {"worker_id": WORKER_ID, "attempt": job.attempt, **fields})


class InThread:
    """Runs in a thread what is to run in a process: a test sees what it does."""

    def __init__(self, find: Callable[[str], Task], serializer: Serializer) -> None:
        self._find = find
        self._serializer = serializer

    async def run(self, payload: bytes, context: JobContext) -> bytes:
        """See `ProcessRunner.run`."""
        job = self._serializer.decode_job(payload)
        task = self._find(str(job.function))
        args, kwargs = task.arguments.convert(job.args, job.kwargs)
        return self._serializer.encode_value(await asyncio.to_thread(task.function, *args, **kwargs))
