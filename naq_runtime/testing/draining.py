"""One drain of a broker in memory: jobs are run until none is left that may run."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from naq_runtime.clock import ManualClock
from naq_runtime.errors import JobFailed, TaskError
from naq_runtime.events.models import JobEventType
from naq_runtime.job import Execution, Job, JobStatus
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.services.events import EventService
from naq_runtime.testing.record import described
from naq_runtime.testing.streams import MemoryStreams
from naq_runtime.testing.ticking import Ticking
from naq_runtime.testing.worker import MemoryWorker

__all__ = ["Drain", "Drained", "Tally"]

_ENDLESS = 10_000
"""Attempts in one drain, above which it is taken for one that does not end."""
_NAMED = 5
"""So many failed jobs are named beside the first."""


class Drained(NamedTuple):
    """What became of the jobs of one drain."""

    completed: int
    failed: int
    """For good."""
    cancelled: int
    """Those among them that depended on one that failed."""
    retried: int
    """Attempts that another one follows."""


class Tally:
    """What has become of jobs so far."""

    def __init__(self, events: EventService) -> None:
        self._events = events
        self._ends: list[Execution] = []
        self._cancelled = 0

    def __len__(self) -> int:
        """How many attempts have ended."""
        return len(self._ends)

    @property
    def last(self) -> Execution:
        """The attempt that ended last."""
        return self._ends[-1]

    def add(self, execution: Execution) -> None:
        """An attempt has ended."""
        self._ends.append(execution)

    def report(self, event_type: JobEventType, job: Job, fields: Mapping[str, Any]) -> None:
        """Take the events of jobs that do not run, such as those that depend on one that failed."""
        self._cancelled += event_type is JobEventType.CANCELLED
        self._events.about(event_type, job, fields)

    def raise_first(self) -> None:
        """Raise the error of the first job that failed for good, if there is one.

        Raises:
            JobFailed: with notes of its function, of its traceback, and of the others that failed.
        """
        failed = [one for one in self._ends if one.again is None and one.result.status is JobStatus.FAILED]
        if not failed:
            return
        first, *others = failed
        try:
            first.result.unwrap()
        except JobFailed as error:
            error.add_note(f"It was {described(first.job)}.")
            if first.result.traceback:
                error.add_note(first.result.traceback.rstrip())
            for other in others[:_NAMED]:
                error.add_note(f"Failed, too: {described(other.job)}: {other.result.error_type}: {other.result.error}")
            if len(others) > _NAMED:
                error.add_note(f"And so did {len(others) - _NAMED:,} more.")
            raise

    @property
    def drained(self) -> Drained:
        """The numbers."""
        statuses = [one.result.status for one in self._ends if one.again is None]
        return Drained(
            completed=statuses.count(JobStatus.COMPLETED),
            failed=statuses.count(JobStatus.FAILED),
            cancelled=statuses.count(JobStatus.CANCELLED) + self._cancelled,
            retried=len(self._ends) - len(statuses),
        )


class Drain:
    """Runs jobs.

    Args:
        running: those that run, by subject; drains that go on at the same time have it in common.
        queue: only jobs of this one.
    """

    def __init__(
        self,
        streams: MemoryStreams,
        names: Names,
        clock: ManualClock,
        worker: MemoryWorker,
        ticking: Ticking,
        tally: Tally,
        *,
        running: MutableMapping[str, MemoryWorker],
        queue: str | None,
    ) -> None:
        self._streams = streams
        self._names = names
        self._clock = clock
        self._worker = worker
        self._ticking = ticking
        self._tally = tally
        self._running = running
        self._queue = queue

    async def run(self, *, scheduled: bool) -> None:
        """Run jobs until none is left.

        Args:
            scheduled: whether to move the clock to those that wait for their time.

        Raises:
            TaskError: there is no end to them.
        """
        while await self._run_ready() or await self._ticking.make_next() or (scheduled and await self._advance()):
            pass

    async def _run_ready(self) -> bool:
        before = len(self._tally)
        ready: Sequence[StoredMessage] = list(self._worker.ready(self._queue, self._running))
        for message in ready:
            await self._run(message)
        return len(self._tally) > before

    async def _run(self, message: StoredMessage) -> None:
        if message.subject in self._running or not self._is_still_there(message):
            return
        if len(self._tally) >= _ENDLESS:
            raise TaskError(
                f"after {_ENDLESS:,} attempts there is still more to run: does a job enqueue itself, or snooze for "
                f"ever? The last was of {described(self._tally.last.job)}"
            )
        self._running[message.subject] = self._worker
        try:
            execution = await self._worker.run(message)
        finally:
            del self._running[message.subject]
        if execution is not None:
            self._tally.add(execution)

    def _is_still_there(self, message: StoredMessage) -> bool:
        there = self._streams.messages(self._names.jobs_stream, message.subject)
        return any(one.sequence == message.sequence for one in there)

    async def _advance(self) -> bool:
        """Move the clock to the next job or schedule that waits for its time; whether there is one."""
        job_ns, tick_ns = self._streams.next_due_ns(self._later), await self._ticking.next_ns()
        due_ns = min((one for one in (job_ns, tick_ns) if one is not None), default=None)
        if due_ns is None:
            return False
        self._clock.advance(max(0, due_ns - self._clock.time_ns()) / 1e9)
        if due_ns == tick_ns:
            self._ticking.wait_for(due_ns)
        return True

    @property
    def _later(self) -> str:
        return self._names.anywhere(self._queue or "*", "*")
