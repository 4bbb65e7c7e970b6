"""Whole queues: hold them back, let them go, empty them, and see how they stand."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Self

from naq_runtime.errors import ConfigError, SerializationError, ServerError
from naq_runtime.events.models import SystemEventType
from naq_runtime.job import Job, JobStatus
from naq_runtime.jobs.store import TOMBSTONE, Found, found
from naq_runtime.naming import check_name
from naq_runtime.nats.control import Control
from naq_runtime.nats.direct import StoredMessage, stream_bounds
from naq_runtime.nats.queues import QueueConsumer, paused_until_ns
from naq_runtime.nats.rates import Rate
from naq_runtime.nats.state import living_workers, queue_state, queue_states
from naq_runtime.services.events import EventService
from naq_runtime.services.jobs import JobService
from naq_runtime.snapshot import QueueState

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["QueueService"]

log = logging.getLogger(__name__)

_MOST_CONCURRENCY = 1_000_000
_HOLD_NS = 30_000_000_000
"""A purge holds its queue for so long, and anew while it lasts: when it dies, the queue goes on by itself."""
_AT_A_TIME = 5_000
_BYTES_AT_A_TIME = 32 * 1024 * 1024


class _Hold:
    """A pause for as long as it takes, which ends by itself when its owner dies; one for good is left as it is.

    Args:
        now_ns: the time by the server's clock.
    """

    def __init__(self, consumer: QueueConsumer, now_ns: Callable[[], int]) -> None:
        self._consumer = consumer
        self._now_ns = now_ns
        self._until_ns = 0
        self.delivered = 0
        """The sequence of the last job that was delivered."""

    async def go_on(self) -> None:
        """Begin it, or make it last."""
        if self._now_ns() + _HOLD_NS // 2 < self._until_ns:
            return
        info = await self._consumer.info()
        self._until_ns = self._now_ns() + _HOLD_NS
        if paused_until_ns(info) < self._until_ns:
            info = await self._consumer.pause(self._until_ns)
        self.delivered = max(self.delivered, info["delivered"]["stream_seq"])

    async def end(self) -> None:
        """Let the queue go on, unless somebody else has paused it meanwhile."""
        if paused_until_ns(await self._consumer.info()) == self._until_ns:
            await self._consumer.resume()


class QueueService:
    """What can be done with whole queues. All of it stands on the server, whatever becomes of the workers."""

    def __init__(self, services: ServiceManager, events: EventService, jobs: JobService) -> None:
        self._services = services
        self._events = events
        self._jobs = jobs
        self._connection = services.connection
        self._streams = services.streams
        self._names = services.names
        self._control = Control(services.connection, services.names)

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Ready the stream of jobs."""
        return cls(services, await services.get_service(EventService), await services.get_service(JobService))

    async def stop(self) -> None:
        """Nothing to give back."""

    # How they stand

    async def state(self, queue: str) -> QueueState:
        """One queue.

        Raises:
            NotFound: there is no such queue.
        """
        info = await self._consumer(queue).info()
        return queue_state(queue, info, await living_workers(self._connection, self._names))

    async def states(self) -> tuple[QueueState, ...]:
        """Every queue, by name."""
        return await queue_states(self._connection, self._names)

    # Holding back

    async def pause(self, queue: str, *, reason: str = "") -> None:
        """Begin no more jobs of a queue, until it is resumed; those that run go on, and more may be put in.

        It may be done before there is any job, or any worker.
        """
        await (await self._made(queue)).pause()
        await self._changed(queue)
        self._events.system(SystemEventType.QUEUE_PAUSED, queue_name=queue, reason=reason or None)

    async def resume(self, queue: str) -> None:
        """Let a paused queue go on.

        Raises:
            NotFound: there is no such queue.
        """
        await self._consumer(queue).resume()
        await self._changed(queue)
        self._events.system(SystemEventType.QUEUE_RESUMED, queue_name=queue)

    async def limit(self, queue: str, *, concurrency: int | None = None, rate: str | None = None) -> None:
        """Limit what the workers of a queue may do, all of them together. It may be done before there is any.

        When it returns, the workers keep to it; one that does not answer within a second is not waited for.

        Args:
            concurrency: jobs that may run at a time; 0 for no limit, ``None`` to leave it as it is.
            rate: starts within any span of time, ``5/s``, ``100/min`` or ``10/30s``; an empty string for no limit,
                ``None`` to leave it as it is.

        Raises:
            ConfigError: a limit that cannot be kept.
        """
        if concurrency is not None and not 0 <= concurrency <= _MOST_CONCURRENCY:
            raise ConfigError(f"a queue may run 1 to {_MOST_CONCURRENCY:,} jobs at a time, or 0 for no limit")
        wanted = Rate.parse(rate) if rate else rate
        consumer = await self._made(queue)
        if wanted:
            await self._services.topology.bucket(self._names.rates_bucket)
        limits = await consumer.limit(concurrency=concurrency, rate=wanted)
        if not await self._workers_keep_limits(queue):
            log.warning(
                "not every worker has said that it keeps to the new limits of queue %s: they do so when they "
                "look again, within half a minute",
                queue,
                extra={"action": "limits_not_confirmed"},
            )
        self._events.system(
            SystemEventType.QUEUE_LIMITED,
            queue_name=queue,
            concurrency_limit=limits.concurrency,
            rate_limit=str(limits.rate or ""),
        )

    async def _workers_keep_limits(self, queue: str) -> bool:
        return await self._control.renew_limits(queue)

    # Emptying

    async def purge(
        self,
        queue: str,
        *,
        function: str | None = None,
        older_than_s: float | None = None,
        scheduled: bool = False,
        waiting: bool = False,
        progress: Callable[[int], object] = lambda _: None,
    ) -> int:
        """Cancel the jobs of a queue that no worker has had yet; how many that were.

        Args:
            function: only those of functions whose names match, with the shell's wildcards.
            older_than_s: only those that were enqueued so long ago, by the clock of the server.
            scheduled: those that wait for their time, too.
            waiting: those that wait for other jobs, too.
            progress: told now and then how many are cancelled by then.

        Raises:
            NotFound: there is no such queue.
            ServerError: some may be cancelled; do it again.
        """
        purged = 0
        async with self._held(self._consumer(queue)) as hold:
            last = await self._last_sequence()
            wanted = self._filter(function, older_than_s)
            subjects = [self._names.job(queue, "*")]
            subjects += [self._names.later(queue, "*")] if scheduled else []
            subjects += [self._names.waiting(queue, "*")] if waiting else []
            for subject in subjects:
                async for some in self._standing(subject, last, wanted):
                    await hold.go_on()
                    free = await self._with_nobody(some, hold.delivered)
                    purged += await self._jobs.cancel_all(free, reason="purged")
                    progress(purged)
        self._events.system(SystemEventType.QUEUE_PURGED, queue_name=queue, count=purged)
        return purged

    async def _last_sequence(self) -> int:
        return (await stream_bounds(self._connection, self._names.jobs_stream)).last

    @asynccontextmanager
    async def _held(self, consumer: QueueConsumer) -> AsyncIterator[_Hold]:
        """Nothing is delivered meanwhile."""
        hold = _Hold(consumer, lambda: self._jobs.now_ns() + self._connection.skew_ns)
        try:
            await hold.go_on()
            yield hold
        finally:
            with contextlib.suppress(ServerError):  # then it ends by itself
                await hold.end()

    async def _with_nobody(self, standing: Sequence[Found], delivered: int) -> Sequence[Found]:
        """Without those that workers have. What was delivered is with one of them, or was handed back."""
        doubtful = {
            one.job_id for one in standing if one.status is JobStatus.QUEUED and one.message.sequence <= delivered
        }
        if doubtful:
            having = await self._control.find_jobs(doubtful)
            doubtful = doubtful if having is None else having
        return [one for one in standing if one.job_id not in doubtful]

    async def _standing(
        self, subject: str, last: int, wanted: Callable[[StoredMessage], bool]
    ) -> AsyncIterator[Sequence[Found]]:
        """The jobs under a subject that are meant, many at a time; tombstones are none."""
        some: list[Found] = []
        size = 0
        async for page in self._streams.scan(self._names.jobs_stream, subject):
            some += [found(message) for message in page if message.sequence <= last and wanted(message)]
            size += sum(len(message.data) for message in page)
            if len(some) >= _AT_A_TIME or size >= _BYTES_AT_A_TIME:
                yield some
                some, size = [], 0
            if page[-1].sequence >= last:
                break
        if some:
            yield some

    def _filter(self, function: str | None, older_than_s: float | None) -> Callable[[StoredMessage], bool]:
        now_ns = self._jobs.now_ns() + self._connection.skew_ns
        before_ns = None if older_than_s is None else now_ns - int(older_than_s * 1e9)

        def wanted(message: StoredMessage) -> bool:
            if TOMBSTONE in message.headers:
                return False
            if function is None and before_ns is None:
                return True
            job = self._decoded(message)
            if job is None or (function is not None and not fnmatchcase(str(job.function), function)):
                return False
            return before_ns is None or 0 < job.enqueued_at_ns <= before_ns  # 0: nobody knows since when

        return wanted

    def _decoded(self, message: StoredMessage) -> Job | None:
        try:
            return self._services.serializer.decode_job(message.data)
        except SerializationError:
            return None

    def _consumer(self, queue: str) -> QueueConsumer:
        unlimited = self._services.config.jobs.max_ack_pending
        return QueueConsumer(self._connection, self._names, check_name("queue", queue), unlimited=unlimited)

    async def _made(self, queue: str) -> QueueConsumer:
        consumer = self._consumer(queue)
        self._services.topology.forget(queue)  # it may have been deleted since it was looked for
        await self._services.topology.queue(queue)
        return consumer

    async def _changed(self, queue: str) -> None:
        await self._streams.announce(self._names.control_queue(queue))
