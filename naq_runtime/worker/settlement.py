"""Group commit: outcomes are stored many at a time, and only then are their jobs acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import msgspec
from msgspec import Struct

from naq_runtime.errors import ServerError
from naq_runtime.job import JobResult, JobStatus
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.publish import Outgoing, StreamWriter, open_writer
from naq_runtime.nats.topology import Topology
from naq_runtime.serializer import Serializer
from naq_runtime.worker.custody import Holding
from naq_runtime.worker.execution import Execution, failure

__all__ = ["Finished", "Settlement"]

log = logging.getLogger(__name__)

_RETRY_FIRST_S = 0.05
_RETRY_MOST_S = 2.0
_NAME_LIMIT = 200
_UNNAMED = "unknown.unknown"
"""Stands for a function whose name is too long to be kept."""


class Finished(Struct, frozen=True):
    """A job that ran to an end and is not settled yet."""

    holding: Holding
    execution: Execution
    payload: bytes
    """The job, encoded."""


class Settlement:
    """Takes finished jobs without waiting, and settles them in the background.

    Args:
        settled: is told of each batch whose outcomes are stored and whose jobs are acknowledged.
        troubled: is told when a batch could not be stored a second time.
    """

    def __init__(
        self,
        connection: Connection,
        topology: Topology,
        names: Names,
        serializer: Serializer,
        *,
        commit_size: int,
        settled: Callable[[Sequence[Finished]], None],
        troubled: Callable[[ServerError], None],
    ) -> None:
        self._connection = connection
        self._topology = topology
        self._names = names
        self._serializer = serializer
        self._commit_size = commit_size
        self._settled = settled
        self._troubled = troubled
        self._failures = 0
        self._waiting: deque[Finished] = deque()
        self._arrived = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._writer: StreamWriter | None = None
        self._limit = 0

    def __repr__(self) -> str:
        return f"<Settlement waiting={len(self._waiting)}>"

    @property
    def waiting(self) -> int:
        """How many finished jobs are not settled yet."""
        return len(self._waiting)

    def add(self, finished: Finished) -> None:
        """Take a finished job; never waits."""
        self._waiting.append(finished)
        self._arrived.set()
        self._empty.clear()

    async def drained(self) -> None:
        """Return once everything that was added is settled."""
        await self._empty.wait()

    async def run(self) -> None:
        """Settle what comes, until cancelled. While the server is away, nothing is given up."""
        delay = _RETRY_FIRST_S
        while True:
            await self._arrived.wait()
            batch = list(islice(self._waiting, self._commit_size))
            try:
                await self._commit(batch)
            except ServerError as error:
                self._report(error)
                await self._close_writer()
                await asyncio.sleep(delay)
                delay = min(2 * delay, _RETRY_MOST_S)
                continue
            delay = _RETRY_FIRST_S
            self._failures = 0
            self._forget(batch)

    def _report(self, error: ServerError) -> None:
        """The first failure is common, such as a reconnect; from the second on somebody should know."""
        self._failures += 1
        level = logging.DEBUG if self._failures < 2 else logging.WARNING
        log.log(level, "%d outcomes not stored yet: %s", len(self._waiting), error, extra={"action": "commit_failed"})
        if self._failures == 2:
            self._troubled(error)

    async def close(self) -> None:
        """Give back what it holds."""
        await self._close_writer()

    async def _commit(self, batch: Sequence[Finished]) -> None:
        if self._writer is None:
            stream = await self._topology.results()
            self._limit = stream.largest - 256  # the subject and the headers count too
            self._writer = await open_writer(self._connection, fast=stream.fast_ingest)
        await self._writer.store(
            [self._message(finished) for finished in batch if finished.execution.job.result_ttl != 0]
        )
        news = []
        for finished in batch:
            news.append((finished.holding.delivery.reply, b"", ""))  # an empty answer acknowledges
            news.append((self._names.done(finished.execution.job.job_id), b"", ""))
        await self._connection.publish_many(news)

    def _message(self, finished: Finished) -> Outgoing:
        execution = finished.execution
        job, ttl = execution.job, execution.job.result_ttl
        headers = None if ttl is None else {"Nats-TTL": str(max(1, round(ttl)))}
        payload = self._encoded(finished.payload, execution)
        return Outgoing(self._names.result(job.job_id), payload, headers)

    def _encoded(self, job: bytes, execution: Execution) -> bytes:
        """The outcome, in the first form that fits into one message."""
        payload = b""
        for payload in self._forms(job, execution, self._limit):
            if len(payload) <= self._limit:
                break
        return payload

    def _forms(self, job: bytes, execution: Execution, limit: int) -> Iterator[bytes]:
        """Whole; without the arguments; with an error in place of the result; and the least that can be said."""
        encode, result = self._serializer.encode_outcome, execution.result
        yield encode(job, result, execution.value)
        bare = execution.job.evolve(args=(), kwargs={})
        yield encode(self._serializer.encode_job(bare), result, execution.value)
        if result.status is JobStatus.COMPLETED:
            result = _too_large(execution, limit)
            yield encode(self._serializer.encode_job(bare), result, b"")
        least = bare.evolve(function=_UNNAMED if len(str(bare.function)) > _NAME_LIMIT else bare.function)
        result = msgspec.structs.replace(result, traceback=None, error=(result.error or "")[:_NAME_LIMIT])
        yield encode(self._serializer.encode_job(least), result, b"")

    def _forget(self, batch: Sequence[Finished]) -> None:
        for _ in batch:
            self._waiting.popleft()
        self._settled(batch)
        if not self._waiting:
            self._arrived.clear()
            self._empty.set()

    async def _close_writer(self) -> None:
        if self._writer is not None:
            await self._writer.close()
            self._writer = None


def _too_large(execution: Execution, limit: int) -> JobResult:
    error = ValueError(
        f"the job completed, but its result of {len(execution.value):,} bytes is above the server's limit of "
        f"{limit:,}: store it elsewhere and return a reference"
    )
    return failure(execution.job, error, execution.result).result
