"""A worker: pulls jobs as slots come free, runs them, and settles them in groups.

A job is held from its delivery until its outcome is stored. While it is held, the server is told so; when the
worker dies, the job is given to another.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import Iterable, Sequence

from naq_runtime.errors import SerializationError, ServerError, ServerUnreachable
from naq_runtime.events.models import WorkerEventType
from naq_runtime.job import Job, JobStatus
from naq_runtime.naming import check_name, new_id
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.jobs import JobStore
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.tasks import TaskRegistry
from naq_runtime.version import VERSION
from naq_runtime.worker.activity import Activity
from naq_runtime.worker.custody import Custody, Holding
from naq_runtime.worker.execution import Executor, undecodable
from naq_runtime.worker.heartbeat import Heartbeat, LoopLag, Usage
from naq_runtime.worker.intake import Intake
from naq_runtime.worker.record import WorkerRecord, WorkerState
from naq_runtime.worker.reporting import report_ended, report_interrupted, report_started, report_stored
from naq_runtime.worker.settlement import Finished, Settlement

__all__ = ["Worker", "default_worker_name"]

log = logging.getLogger(__name__)

_UNSETTLED_LIMIT = 2_000
"""Above so many finished jobs that are not settled, no more are asked for; below half of it they are again."""
_LISTED_JOBS = 100
_CANCEL_WAIT_S = 1.0
"""A job that does not heed its cancellation is left behind after so long."""


def default_worker_name() -> str:
    """Host, process and a few random letters: ``build-7-4242-k3f9``."""
    host = re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname().split(".")[0])[:40] or "worker"
    return f"{host}-{os.getpid()}-{new_id(4)}"


class Worker:
    """Runs the jobs of some queues, until it is asked to stop.

    Args:
        services: connection, event log and settings.
        queues: whose jobs to run.
        registry: the functions it may run.
        modules: what the registry was loaded from, for its record.
        name: unique among the workers.
        concurrency: jobs at a time; the configured number when left out.

    Raises:
        InvalidName: a queue's or the worker's name cannot be used.
    """

    def __init__(
        self,
        services: ServiceManager,
        queues: Sequence[str],
        registry: TaskRegistry,
        *,
        modules: Sequence[str] = (),
        name: str | None = None,
        concurrency: int | None = None,
    ) -> None:
        self.worker_id = check_name("worker", name or default_worker_name())
        self.queues = tuple(dict.fromkeys(check_name("queue", queue) for queue in queues))
        self.concurrency = concurrency or services.config.worker.concurrency
        self.completed = self.failed = self.interrupted = 0
        self._services = services
        self._config = services.config
        self._clock = services.clock
        self._modules = tuple(modules)
        self._started_at_ns = self._clock.time_ns()
        self._stop_reason: str | None = None
        self._stop_requested = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lag = LoopLag()
        self._usage = Usage()
        self._custody = Custody(self._config.jobs.ack_wait)
        self._store = JobStore(services.connection, services.names)
        self._settlement = Settlement(
            services.connection,
            services.topology,
            services.names,
            services.serializer,
            commit_size=self._config.worker.commit_size,
            settled=self._on_settled,
            troubled=self._on_trouble,
        )
        self._intake = Intake(
            services.connection,
            services.topology,
            services.names,
            self.queues,
            self._custody,
            slots=self.concurrency,
            start=self._start,
            blocked=lambda: self._settlement.waiting >= _UNSETTLED_LIMIT,
        )
        self._executor = Executor(
            registry.get,
            services.serializer,
            worker_id=self.worker_id,
            threads=self.concurrency,
            clock=self._clock,
            cancelled=self._stop_requested.is_set,
        )

    def __repr__(self) -> str:
        return f"<Worker {self.worker_id} running={len(self._running)}/{self.concurrency} {self._settlement!r}>"

    @property
    def active(self) -> int:
        """How many jobs run now."""
        return len(self._running)

    @property
    def is_stopping(self) -> bool:
        """Whether it has been asked to stop."""
        return self._stop_requested.is_set()

    @property
    def stuck(self) -> int:
        """Functions that still run although their jobs were handed back: threads, and what heeds no cancellation."""
        return self._executor.threads_running + len(self._running)

    def request_stop(self, reason: str = "requested") -> None:
        """Fetch no more, let running jobs end within the grace, hand back the rest. May be called twice."""
        if self._stop_reason is None:
            self._stop_reason = reason
        self._stop_requested.set()

    async def run(self) -> None:
        """Work until `request_stop`.

        Raises:
            ServerError: the server cannot be used, or ended the connection for good.
        """
        services = self._services
        self._events = await services.get_service(EventService)
        self._activity = Activity(self._events, self.worker_id, self.concurrency)
        await services.topology.jobs()
        await services.topology.results()
        await services.topology.workers()
        bucket = LeaseBucket(services.connection, services.names, services.names.workers_bucket)
        self._heartbeat = Heartbeat(
            bucket, self._config.worker.heartbeat_interval, describe=self._record, beaten=self._on_beat
        )
        self._report_worker(WorkerEventType.STARTED)
        await self._heartbeat.beat()
        self._lag.start()
        try:
            await self._intake.open()
            await self._supervise()
        finally:
            await self._shut_down()

    # One job

    def _start(self, holding: Holding) -> None:
        subject = holding.delivery.subject
        self._running[subject] = asyncio.create_task(self._process(holding), name=subject)
        self._activity.changed(len(self._running))

    async def _process(self, holding: Holding) -> None:
        subject, begun_ns = holding.delivery.subject, self._clock.monotonic_ns()
        try:
            await self._execute(holding)
        except Exception as error:  # supervision: a fault of ours must cost no more than this one job
            self._give_up(holding, error)
        finally:
            self._running.pop(subject, None)
            self._activity.changed(len(self._running))
            self._intake.slot_freed((self._clock.monotonic_ns() - begun_ns) / 1e9)

    def _give_up(self, holding: Holding, error: Exception) -> None:
        """Record a job that we could not handle as failed; when not even that is possible, end the worker loudly."""
        log.exception("job %s could not be handled", holding.delivery.subject, extra={"action": "job_fault"})
        try:
            self._settle_broken(holding, error)
        except Exception as fault:  # supervision: raised again by the side task that waits for it
            if not self._fault.done():
                self._fault.set_exception(fault)

    def _settle_broken(self, holding: Holding, error: Exception) -> None:
        broken = undecodable(holding.delivery.subject, error, self.worker_id, self._clock.time_ns())
        self._settlement.add(Finished(holding, broken, self._services.serializer.encode_job(broken.job)))

    async def _execute(self, holding: Holding) -> None:
        delivery, serializer = holding.delivery, self._services.serializer
        try:
            job = serializer.decode_job(delivery.payload)
            if not delivery.subject.endswith(f".{job.queue_name}.{job.job_id}"):
                raise SerializationError(f"the message says job {job.job_id}, its subject says {delivery.subject}")
        except SerializationError as error:
            self._settle_broken(holding, error)
            return
        try:
            if delivery.deliveries > 1 and await self._is_done(job):
                await delivery.acknowledge()
                self._custody.release(holding)
                return
            report_started(self._events, job, self.worker_id, self._clock.time_ns())
            self._settlement.add(Finished(holding, await self._executor.run(job), delivery.payload))
        except (asyncio.CancelledError, ServerError) as cause:
            await self._give_back(holding, job, cause)

    async def _is_done(self, job: Job) -> bool:
        """Whether the outcome of this very job is stored: the worker before died before it could acknowledge."""
        data = await self._store.outcome(job.job_id)
        try:
            done = None if data is None else self._services.serializer.decode_outcome(data).job
        except SerializationError:
            done = None  # whatever it is, it is no outcome of ours
        return done is not None and done.enqueued_at_ns == job.enqueued_at_ns and done.attempt == job.attempt

    async def _give_back(self, holding: Holding, job: Job, cause: BaseException) -> None:
        self.interrupted += 1
        reason = (self._stop_reason or "cancelled") if isinstance(cause, asyncio.CancelledError) else str(cause)
        report_interrupted(self._events, job, self.worker_id, reason)
        await self._hand_back(holding)

    async def _hand_back(self, holding: Holding) -> None:
        self._custody.release(holding)
        try:
            await holding.delivery.hand_back()
        except ServerError as error:
            log.debug("not handed back: %s", error, extra={"action": "hand_back_failed"})

    def _on_settled(self, batch: Sequence[Finished]) -> None:
        now_ns = self._clock.time_ns()
        for finished in batch:
            execution = finished.execution
            self._custody.release(finished.holding)
            if execution.result.status is JobStatus.COMPLETED:
                self.completed += 1
            else:
                self.failed += 1
            report_ended(self._events, execution)
            if execution.job.result_ttl != 0:
                report_stored(self._events, execution, now_ns)
        if self._settlement.waiting < _UNSETTLED_LIMIT // 2:
            self._intake.unblocked()

    def _on_trouble(self, error: ServerError) -> None:
        self._events.worker(
            WorkerEventType.ERROR,
            worker_id=self.worker_id,
            error_type=type(error).__name__,
            error_message=f"outcomes cannot be stored: {error}",
        )

    # The worker itself

    async def _supervise(self) -> None:
        """Return when asked to stop; raise what a side task, or the end of the connection, makes of it."""
        connection = self._services.connection
        side = [
            asyncio.create_task(self._settlement.run(), name="settlement"),
            asyncio.create_task(self._intake.run(), name="intake"),
            asyncio.create_task(self._custody.run(), name="custody"),
            asyncio.create_task(self._heartbeat.run(), name="heartbeat"),
            asyncio.create_task(self._faultless(), name="handling a job"),
        ]
        stop = asyncio.create_task(self._stop_requested.wait(), name="stop")
        closed = asyncio.create_task(connection.closed.wait(), name="closed")
        try:
            done, _ = await asyncio.wait({*side, stop, closed}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & set(side):
                self._stop_reason = f"{task.get_name()} failed"
                await task
            if closed in done:
                raise ServerUnreachable(
                    f"the server ended the connection: {connection.last_error or 'no reason given'}"
                )
            await self._drain()
        finally:
            for task in (*side, stop, closed):
                task.cancel()
            await asyncio.gather(*side, stop, closed, return_exceptions=True)

    async def _faultless(self) -> None:
        """Wait for a fault, for ever if need be, and raise it."""
        await self._fault

    async def _drain(self) -> None:
        """Take no more, wait for what runs, hand back what does not end in time, settle what did."""
        await self._heartbeat.beat()
        await self._intake.close()
        running = set(self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=self._config.worker.shutdown_grace)
            await _cancelled(late)
        try:
            async with asyncio.timeout(self._config.nats.request_timeout * 2):
                await self._settlement.drained()
        except TimeoutError:
            log.warning(
                "%d outcomes could not be stored; their jobs will run again",
                self._settlement.waiting,
                extra={"action": "outcomes_lost"},
            )

    async def _shut_down(self) -> None:
        self.request_stop("stopped")
        await self._intake.close()
        await _cancelled(self._running.values())
        for holding in self._custody:
            await self._hand_back(holding)
        self._lag.stop()
        self._activity.stop()
        self._executor.close()
        await self._settlement.close()
        await self._store.close()
        await self._heartbeat.end()
        self._report_worker(WorkerEventType.STOPPED)

    @property
    def _state(self) -> WorkerState:
        if self._stop_requested.is_set():
            return WorkerState.STOPPING if self._running or len(self._custody) else WorkerState.STOPPED
        return WorkerState.BUSY if self._running else WorkerState.IDLE

    def _record(self) -> WorkerRecord:
        statistics = self._events.statistics()
        return WorkerRecord(
            worker_id=self.worker_id,
            state=self._state,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            queue_names=self.queues,
            concurrency_limit=self.concurrency,
            started_at_ns=self._started_at_ns,
            beat_at_ns=self._clock.time_ns(),
            heartbeat_interval=self._config.worker.heartbeat_interval,
            version=VERSION,
            modules=self._modules,
            active_jobs=len(self._running),
            running_job_ids=tuple(subject.rpartition(".")[2] for subject in list(self._running)[:_LISTED_JOBS]),
            jobs_completed=self.completed,
            jobs_failed=self.failed,
            jobs_interrupted=self.interrupted,
            cpu_percent=self._usage.cpu_percent(),
            rss_bytes=self._usage.rss_bytes(),
            loop_lag_ms=self._lag.take_ms(),
            events_buffered=statistics.buffered,
            events_dropped=statistics.dropped,
        )

    def _on_beat(self, record: WorkerRecord) -> None:
        self._events.worker(
            WorkerEventType.HEARTBEAT,
            worker_id=record.worker_id,
            queue_names=record.queue_names,
            concurrency_limit=record.concurrency_limit,
            active_jobs=record.active_jobs,
            running_job_ids=record.running_job_ids,
            cpu_percent=record.cpu_percent,
            rss_bytes=record.rss_bytes,
            loop_lag_ms=record.loop_lag_ms,
            events_buffered=record.events_buffered,
            events_dropped=record.events_dropped,
        )

    def _report_worker(self, event_type: WorkerEventType) -> None:
        stopped = event_type is WorkerEventType.STOPPED
        self._events.worker(
            event_type,
            worker_id=self.worker_id,
            hostname=socket.gethostname(),
            pid=os.getpid(),
            queue_names=self.queues,
            concurrency_limit=self.concurrency,
            version=VERSION,
            modules=self._modules,
            reason=self._stop_reason if stopped else None,
            jobs_completed=self.completed if stopped else None,
            jobs_failed=self.failed if stopped else None,
            jobs_interrupted=self.interrupted if stopped else None,
        )


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait a moment for them."""
    waiting = set(tasks)
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting, timeout=_CANCEL_WAIT_S)
