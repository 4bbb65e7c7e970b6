"""Group commit: what became of jobs is written down many at a time, and only then are they acknowledged."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import msgspec
from msgspec import Struct

from naq_runtime.errors import JetStreamError, MessageTooLarge, NaqError, SerializationError
from naq_runtime.job import Execution, JobStatus
from naq_runtime.jobs.ledger import Finished, Ledger
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.streams import Streams
from naq_runtime.worker.custody import Holding
from naq_runtime.worker.returning import Returning

__all__ = ["Settlement", "Unsettled"]

log = logging.getLogger(__name__)

_RETRY_FIRST_S = 0.05
_RETRY_MOST_S = 2.0
_TROUBLE = 2
"""So many failures in a row are trouble; one is common, such as at a reconnect."""
_NOT_STORED = "OutcomeRefused"
_TOO_LARGE = {10054, 10097}
"""Codes of the server: a message, or its headers."""


class Unsettled(Struct, frozen=True):
    """A job whose attempt has ended, and which the worker still holds."""

    holding: Holding
    execution: Execution
    finished: Finished


class Settlement:
    """Takes finished jobs without waiting, and settles them in the background.

    Args:
        settled: is told of each batch that is written down and acknowledged.
        superseded: is told of jobs that another worker has ended meanwhile.
        troubled: is told when a batch could not be written down a second time.
        recovered: is told when one could again, after that.
    """

    def __init__(
        self,
        connection: Connection,
        streams: Streams,
        names: Names,
        ledger: Ledger,
        returning: Returning,
        *,
        commit_size: int,
        settled: Callable[[Sequence[Unsettled]], None],
        superseded: Callable[[Unsettled], None],
        troubled: Callable[[NaqError], None],
        recovered: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._streams = streams
        self._names = names
        self._ledger = ledger
        self._returning = returning
        self._commit_size = commit_size
        self._settled = settled
        self._superseded = superseded
        self._troubled = troubled
        self._recovered = recovered
        self._failures = 0
        self._alone = 0
        """So many of the next ones go by themselves, since one of them is refused."""
        self._waiting: deque[Unsettled] = deque()
        self._arrived = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __repr__(self) -> str:
        return f"<Settlement waiting={len(self._waiting)}>"

    @property
    def waiting(self) -> int:
        """How many finished jobs are not settled yet."""
        return len(self._waiting)

    def add(self, holding: Holding, execution: Execution, payload: bytes, broken: bytes | None = None) -> None:
        """Take a finished job, encoded, and what lay in the queue when that was no job; never waits."""
        execution = self._ledger.judged(execution)
        holding.has_ended, holding.runs_again = True, execution.again is not None
        finished = Finished(execution, payload, holding.delivery.sequence, broken)
        self._waiting.append(Unsettled(holding, execution, finished))
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
            batch = list(islice(self._waiting, 1 if self._alone else self._commit_size))
            try:
                ours = await self._commit(batch)
            except NaqError as error:
                self._report(error)
                if _is_refusal(error) and self._make_storable(batch, error):
                    continue
                await asyncio.sleep(delay)
                delay = min(2 * delay, _RETRY_MOST_S)
                continue
            delay = _RETRY_FIRST_S
            if self._failures >= _TROUBLE:
                self._recovered()
            self._failures = 0
            self._alone = max(0, self._alone - len(batch))
            self._forget(batch, ours)

    def _make_storable(self, batch: Sequence[Unsettled], error: NaqError) -> bool:
        """One of these will be refused however often it is tried: find it, and store no more of it than can be.

        Returns whether anything is left to be tried.
        """
        if len(batch) > 1:
            self._alone = len(batch)
            return True
        one = self._waiting.popleft()
        if one.execution.result.error_type == _NOT_STORED:
            self._waiting.append(one)  # not even that can be stored: others come first
            return False
        one.holding.runs_again = False
        execution = self._ledger.judged(one.execution)  # by now the limit of the stream itself is known
        execution = execution if execution is not one.execution else _unstorable(execution, error)
        finished = msgspec.structs.replace(one.finished, execution=execution)
        self._waiting.appendleft(Unsettled(one.holding, execution, finished))
        return True

    def _report(self, error: NaqError) -> None:
        """The first failure is common, such as a reconnect; from the second on somebody should know."""
        self._failures += 1
        level = logging.DEBUG if self._failures < _TROUBLE else logging.WARNING
        log.log(level, "%d outcomes not stored yet: %s", len(self._waiting), error, extra={"action": "commit_failed"})
        if self._failures == _TROUBLE:
            self._troubled(error)

    async def _commit(self, batch: Sequence[Unsettled]) -> Sequence[Unsettled]:
        """Write a batch down and acknowledge it; those that were still ours."""
        doubtful = [one for one in batch if one.holding.is_doubtful]
        ours = batch if not doubtful else await self._still_ours(batch, doubtful)
        await self._ledger.write([one.finished for one in ours])
        news = []
        for one in ours:
            news.append((one.holding.delivery.reply, b"", ""))  # an empty answer acknowledges
            if one.execution.again is None:
                news.append((self._names.done(one.execution.job.job_id), b"", ""))
        await self._connection.publish_many(news)
        if any(one.holding.delivery.deliveries > 1 for one in ours):
            await self._returning.forget([one.holding.delivery for one in ours])
        return ours

    async def _still_ours(self, batch: Sequence[Unsettled], doubtful: Sequence[Unsettled]) -> Sequence[Unsettled]:
        """Without the jobs that have left the queue while we were silent."""
        subjects = [one.holding.delivery.subject for one in doubtful]
        there = {message.sequence for message in await self._streams.last(self._names.jobs_stream, subjects)}
        return [one for one in batch if not one.holding.is_doubtful or one.finished.sequence in there]

    def _forget(self, batch: Sequence[Unsettled], ours: Sequence[Unsettled]) -> None:
        for _ in batch:
            self._waiting.popleft()
        self._settled(ours)
        if len(ours) < len(batch):
            kept = {id(one) for one in ours}
            for one in batch:
                if id(one) not in kept:
                    self._superseded(one)
        if not self._waiting:
            self._arrived.clear()
            self._empty.set()


def _is_refusal(error: NaqError) -> bool:
    """Whether the same will be refused again, however often it is tried."""
    if isinstance(error, JetStreamError):
        return error.code in _TOO_LARGE
    return isinstance(error, MessageTooLarge | SerializationError)


def _unstorable(execution: Execution, error: NaqError) -> Execution:
    """That the end of a job could not be stored is its end."""
    result = msgspec.structs.replace(
        execution.result,
        status=JobStatus.FAILED,
        result=None,
        error_type=_NOT_STORED,
        error=f"how the job ended ({execution.result.status.value}) cannot be stored: {error}"[:500],
        traceback=None,
    )
    return Execution(execution.job, result)
