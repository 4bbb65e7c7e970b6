"""Jobs that wait for others.

Three kinds of messages, all in the stream of jobs: the job itself under ``waiting``; an edge under ``needs`` from each
job that it waits for; and a mark under ``met`` for each of those that has ended, with how it ended. Marks are only
ever added, so it does not matter who writes them, how often, and in which order: whoever has written the last one sees
them all, and lets the job go. Whoever ends a job writes marks before the job leaves its queue; whoever enqueues a job
that waits looks for outcomes after the edges are there. What a process that died in between has left is found by
`Dependencies.sweep`. No event is needed for any of this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.errors import DependencyCycle, NaqError, SerializationError, UnknownDependency
from naq_runtime.events.models import JobEventType
from naq_runtime.job import After, Execution, Job, JobResult, JobStatus
from naq_runtime.jobs.outcomes import Outcomes
from naq_runtime.jobs.store import TOMBSTONE, Entry, JobStore, found
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, at_time, if_last_is, once
from naq_runtime.serializer import Serializer

__all__ = ["Decision", "Dependencies", "decide"]

log = logging.getLogger(__name__)

_MOST_ANCESTORS = 10_000

Report = Callable[[JobEventType, Job, dict[str, Any]], None]


class Decision(NamedTuple):
    """What becomes of a job that waits."""

    what: Literal["wait", "run", "cancel"]
    because: After | None = None
    """The dependency that failed."""


def decide(job: Job, met: Mapping[str, JobStatus]) -> Decision:
    """Whether a job runs, given how those of its dependencies that have ended did so."""
    for need in job.needs:
        status = met.get(need.job_id)
        if status is not None and not need.is_met_by(status) and job.on_dependency_failure == "cancel":
            return Decision("cancel", need)
    return Decision("run" if all(need.job_id in met for need in job.needs) else "wait")


class Dependencies:
    """Holds jobs until those that they depend on have ended.

    Args:
        report: takes an event of a job.
    """

    def __init__(
        self,
        streams: Streams,
        names: Names,
        serializer: Serializer,
        store: JobStore,
        outcomes: Outcomes,
        *,
        report: Report,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._store = store
        self._outcomes = outcomes
        self._report = report
        self._now_ns = clock.time_ns
        self._orphaned = set[int]()
        """Edges to jobs that did not wait when we last looked."""
        self._unclaimed = set[int]()
        """Marks that no job waited for when we last looked."""

    # Enqueuing

    async def hold(self, job: Job, payload: bytes) -> NaqError | None:
        """Store a job that waits; says why it was refused.

        Raises:
            ServerError: it may or may not be stored.
        """
        refusal = await self._refusal(job)
        if refusal is not None:
            return refusal
        names, queue, asked_ns = self._names, job.queue_name or "default", self._now_ns()
        waiting = Outgoing(names.waiting(queue, job.job_id), payload, if_last_is(0, names.anywhere(queue, job.job_id)))
        edges = [Outgoing(names.needs(need.job_id, job.job_id), b"") for need in job.needs]
        answers = await self._streams.publish([*edges, waiting])
        failed = next((answer for answer in answers if isinstance(answer, NaqError)), None)
        if failed is not None:
            return self._store.refusal(Entry(queue, job.job_id, payload), failed)
        needs = tuple(need.job_id for need in job.needs)
        self._report(JobEventType.WAITING_FOR_DEPENDENCIES, job, {"depends_on": needs, "timestamp_ns": asked_ns})
        await self._catch_up(job)
        await self.consider(job.job_id)
        return None

    async def _refusal(self, job: Job) -> NaqError | None:
        if await self._waits_for_itself(job):
            return DependencyCycle(f"job {job.job_id} would wait for itself, by way of others")
        if job.on_unknown_dependency == "wait":
            return None
        ended = await self._store.outcomes([need.job_id for need in job.needs])
        for need in job.needs:
            if need.job_id in ended:
                continue
            standing = await self._store.find(need.job_id)
            if standing is None:
                return UnknownDependency(
                    f"job {need.job_id} is not known: it never was, or its outcome has expired or was not stored; "
                    "to wait for a job that will come, say on_unknown_dependency='wait'"
                )
            if self._keeps_nothing(standing.message):
                return UnknownDependency(
                    f"job {need.job_id} stores no outcome (result_ttl=0), so nothing can depend on it"
                )
        return None

    def _keeps_nothing(self, message: StoredMessage) -> bool:
        job = self._decoded(message)
        return job is not None and job.result_ttl == 0

    async def _waits_for_itself(self, job: Job) -> bool:
        """Only a job that others wait for already can close a circle."""
        if not await self._streams.last(self._names.jobs_stream, [self._names.needs(job.job_id, "*")]):
            return False
        to_see, seen = [need.job_id for need in job.needs], set[str]()
        while to_see and len(seen) < _MOST_ANCESTORS:
            one = to_see.pop()
            if one == job.job_id:
                return True
            if one in seen:
                continue
            seen.add(one)
            waiting = await self._waiting(one)
            ancestor = None if waiting is None else self._decoded(waiting)
            to_see += [need.job_id for need in ancestor.needs] if ancestor else []
        return False

    # Running

    async def results_of(self, job: Job) -> Mapping[str, JobResult]:
        """The outcomes of the jobs that it waited for, by id, as far as they can be read."""
        found, ids = {}, [need.job_id for need in job.needs]
        for job_id, data in (await self._store.outcomes(ids, whole=True)).items():
            try:
                found[job_id] = self._serializer.decode_outcome(data).result
            except SerializationError as error:
                log.warning("outcome of %s: %s", job_id, error, extra={"action": "outcome_not_decoded"})
        return found

    # Ending

    async def settle(self, parent_id: str, status: JobStatus) -> None:
        """A job has ended: let those that waited for it know. May be done again.

        Raises:
            ServerError: do it again.
        """
        to_tell = [(parent_id, status)]
        while to_tell:
            ended_id, ended = to_tell.pop()
            edges = await self._streams.last(self._names.jobs_stream, [self._names.needs(ended_id, "*")])
            for edge in edges:
                child_id = edge.subject.rpartition(".")[2]
                await self._mark(child_id, ended_id, ended)
                if await self.consider(child_id) == "cancel":
                    to_tell.append((child_id, JobStatus.CANCELLED))
            await self._streams.delete(self._names.jobs_stream, [edge.sequence for edge in edges])

    async def consider(self, child_id: str) -> Literal["wait", "run", "cancel", "gone"]:
        """Look whether a job that waits may go; says what became of it. May be done again.

        Raises:
            ServerError: do it again.
        """
        waiting = await self._waiting(child_id)
        job = None if waiting is None else self._decoded(waiting)
        if waiting is None or job is None:
            return "gone"
        marks = await self._streams.last(self._names.jobs_stream, [self._names.met(child_id, "*")])
        met = {mark.subject.rpartition(".")[2]: JobStatus(mark.data.decode()) for mark in marks}
        decision = decide(job, met)
        if decision.what == "wait":
            return "wait"
        if decision.what == "run":
            await self._release(job, waiting)
        reason = _failure_of(decision.because, met)
        if decision.what == "cancel":
            await self._store_cancelled(job, reason)
        jobs_stream = self._names.jobs_stream
        (was_ours,) = await self._streams.delete(jobs_stream, [waiting.sequence])
        if was_ours and decision.what == "cancel":
            self._report(JobEventType.CANCELLED, job, {"state": "waiting", "reason": reason})
            if job.result_ttl != 0:
                self._report(JobEventType.RESULT_STORED, job, {})
            await self._streams.announce(self._names.done(job.job_id))
        await self._streams.delete(jobs_stream, [mark.sequence for mark in marks])
        return decision.what

    async def sweep(self) -> int:
        """Look at every job that waits, and let go what was left behind; how many that were.

        Raises:
            ServerError: do it again.
        """
        moved, waiting = 0, set[str]()
        async for page in self._streams.scan(self._names.jobs_stream, self._names.waiting("*", "*")):
            for message in page:
                waiting.add(found(message).job_id)
                job = None if TOMBSTONE in message.headers else self._decoded(message)
                if job is None:
                    continue
                await self._catch_up(job)
                became = await self.consider(job.job_id)
                moved += became in ("run", "cancel")
                if became == "cancel":
                    await self.settle(job.job_id, JobStatus.CANCELLED)
        await self._remove_marks_but_of(waiting)
        return moved

    async def remove_orphans(self) -> int:
        """Forget on what jobs depend that do not wait any more; how often that was.

        What is found twice in a row is removed: an edge is there a moment before its job is.

        Raises:
            ServerError: do it again.
        """
        orphans = set[int]()
        waiting = {
            found(message).job_id
            async for page in self._streams.scan(self._names.jobs_stream, self._names.waiting("*", "*"))
            for message in page
        }
        async for page in self._streams.scan(self._names.jobs_stream, self._names.needs("*", "*")):
            orphans.update(edge.sequence for edge in page if edge.subject.rpartition(".")[2] not in waiting)
        gone = await self._streams.delete(self._names.jobs_stream, sorted(orphans & self._orphaned))
        self._orphaned = orphans
        return sum(gone)

    async def _remove_marks_but_of(self, waiting: Collection[str]) -> None:
        """Marks that came too late for their job; one that came too early is left until the next time."""
        unclaimed = set[int]()
        async for page in self._streams.scan(self._names.jobs_stream, self._names.met("*", "*")):
            unclaimed.update(mark.sequence for mark in page if mark.subject.split(".")[2] not in waiting)
        await self._streams.delete(self._names.jobs_stream, sorted(unclaimed & self._unclaimed))
        self._unclaimed = unclaimed

    async def _catch_up(self, job: Job) -> None:
        """Write marks for those dependencies that have ended, as their outcomes say."""
        ended = await self._store.outcomes([need.job_id for need in job.needs])
        for parent_id, data in ended.items():
            try:
                status = self._serializer.decode_outcome(data).result.status
            except SerializationError:
                continue
            await self._mark(job.job_id, parent_id, status)

    async def _mark(self, child_id: str, parent_id: str, status: JobStatus) -> None:
        """Say how a dependency ended; whoever is first says it in an event, too."""
        names, mark = self._names, self._names.met(child_id, parent_id)
        there = await self._streams.last(names.jobs_stream, [mark, names.waiting("*", child_id)])
        if any(message.subject == mark for message in there):
            return
        waiting = there[0] if there else None
        asked_ns = self._now_ns()
        (answer,) = await self._streams.publish([Outgoing(mark, status.value.encode(), _first_while(waiting, mark))])
        if is_conflict(answer) or answer == 0:
            return  # others have let it go meanwhile, or said it
        if isinstance(answer, NaqError):
            raise answer
        job = None if waiting is None else self._decoded(waiting)
        need = None if job is None else next((n for n in job.needs if n.job_id == parent_id), None)
        if job is None or need is None:
            return
        event = JobEventType.DEPENDENCY_SATISFIED if need.is_met_by(status) else JobEventType.DEPENDENCY_FAILED
        said = {"dependency_id": parent_id, "reason": status.value, "timestamp_ns": asked_ns}
        self._report(event, job, said)

    async def _store_cancelled(self, job: Job, reason: str) -> None:
        if job.result_ttl == 0:
            return
        now_ns = self._now_ns()
        result = JobResult(
            job_id=job.job_id,
            status=JobStatus.CANCELLED,
            error_type="DependencyFailed",
            error=reason,
            attempt=job.attempt,
            start_time_ns=now_ns,
            finish_time_ns=now_ns,
        )
        await self._outcomes.store([(Execution(job, result), self._serializer.encode_job(job))])

    async def _waiting(self, job_id: str) -> StoredMessage | None:
        messages = await self._streams.last(self._names.jobs_stream, [self._names.waiting("*", job_id)])
        return messages[-1] if messages and TOMBSTONE not in messages[-1].headers else None

    def _decoded(self, message: StoredMessage) -> Job | None:
        try:
            return self._serializer.decode_job(message.data)
        except SerializationError as error:
            log.warning("%s is no job: %s", message.subject, error, extra={"action": "job_not_decoded"})
            return None

    async def _release(self, job: Job, waiting: StoredMessage) -> None:
        """Put a job into its queue, or where it waits for its time, once."""
        names, queue = self._names, job.queue_name or "default"
        target = names.job(queue, job.job_id)
        headers = if_last_is(waiting.sequence, waiting.subject) | once(f"{job.job_id}-{waiting.sequence}")
        released_ns = self._now_ns()  # once it is stored, a worker may be faster than this
        later = job.run_at_ns > released_ns
        if later:
            headers |= at_time(job.run_at_ns + self._streams.skew_ns, target)
        subject = names.later(queue, job.job_id) if later else target
        (answer,) = await self._streams.publish([Outgoing(subject, waiting.data, headers)])
        if is_conflict(answer) or answer == 0:
            return  # somebody else has let it go
        if isinstance(answer, NaqError):
            raise answer
        event = JobEventType.SCHEDULED if later else JobEventType.ENQUEUED
        said = {"run_at_ns": job.run_at_ns} if later else {}
        self._report(event, job, {**said, "timestamp_ns": released_ns})


def _first_while(waiting: StoredMessage | None, mark: str) -> dict[str, str]:
    """A mark is written while its job waits, and once; one that comes before its job lies there until that comes."""
    if waiting is None:
        return if_last_is(0)
    return if_last_is(waiting.sequence, waiting.subject) | once(f"{mark}-{waiting.sequence}")


def _failure_of(need: After | None, met: Mapping[str, JobStatus]) -> str:
    return "" if need is None else f"job {need.job_id} {met[need.job_id].value}, and {need.on} was asked for"
