"""Jobs that wait for others.

Three kinds of messages, all in the stream of jobs: the job itself under ``waiting``; an edge under ``needs`` from each
job that it waits for; and a mark under ``met`` for each of those that has ended, with how it ended. Marks are only
ever added, so it does not matter who writes them, how often, and in which order: whoever has written the last one sees
them all, and lets the job go. Whoever ends a job writes marks before the job leaves its queue; whoever enqueues a job
that waits looks for outcomes after the edges are there. What a process that died in between has left is found by
`Dependencies.sweep`. No event is needed for any of this.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.errors import NaqError, SerializationError, ServerError
from naq_runtime.events.models import JobEventType
from naq_runtime.job import After, Execution, Job, JobResult, JobStatus
from naq_runtime.jobs.admission import Admission, circle
from naq_runtime.jobs.outcomes import Outcomes
from naq_runtime.jobs.store import TOMBSTONE, Entry, JobStore, decoded, found
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, at_time, if_last_is, once
from naq_runtime.serializer import Serializer

__all__ = ["Decision", "Dependencies", "decide"]

log = logging.getLogger(__name__)

_TOLD_AT_ONCE = 1000
"""Ids in one message to the workers."""

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
        self._admission = Admission(streams, names, serializer, store)
        self._outcomes = outcomes
        self._report = report
        self._now_ns = clock.time_ns
        self._ended: dict[str, JobStatus] = {}
        """Jobs whose end those that wait for them were not told of, because the server went away."""
        self._told: dict[str, bool] = {}
        """Jobs that were told of an end, and not looked at since, for the same reason; see `_mark_all`."""
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
        refusal = await self._admission.refusal(job)
        if refusal is not None:
            return refusal
        names, queue, asked_ns = self._names, job.queue_name or "default", self._now_ns()
        waiting = Outgoing(names.waiting(queue, job.job_id), payload, if_last_is(0, names.anywhere(queue, job.job_id)))
        edges = [Outgoing(names.needs(need.job_id, job.job_id), b"") for need in job.needs]
        answers = await self._streams.publish([*edges, waiting])
        failed = next((answer for answer in answers if isinstance(answer, NaqError)), None)
        if failed is not None:
            return self._store.refusal(Entry(queue, job.job_id, payload), failed)
        if job.on_unknown_dependency == "wait" and await self._admission.waits_for_itself(job):
            return await self._withdraw(job, [answer for answer in reversed(answers) if isinstance(answer, int)])
        needs = tuple(need.job_id for need in job.needs)
        self._report(JobEventType.WAITING_FOR_DEPENDENCIES, job, {"depends_on": needs, "timestamp_ns": asked_ns})
        await self._tell_workers(job)
        await self._catch_up(job)
        await self.consider(job.job_id)
        return None

    async def _tell_workers(self, job: Job) -> None:
        """Let workers know whose ends matter.

        It comes after the edges and before the look at what has ended. So a worker that begins to listen too late
        for this finds the edges, and one that hears it too late for its job has stored an outcome that is found.
        """
        ids = [need.job_id for need in job.needs]
        for start in range(0, len(ids), _TOLD_AT_ONCE):
            told = " ".join(ids[start : start + _TOLD_AT_ONCE])
            await self._streams.announce(self._names.awaited(job.job_id), told.encode())

    async def _withdraw(self, job: Job, sequences: Sequence[int]) -> NaqError:
        """Somebody has closed a circle at the same moment: it is opened here."""
        await self._streams.delete(self._names.jobs_stream, sequences)
        return circle(job)

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

    async def settle(self, ended: Mapping[str, JobStatus]) -> None:
        """Jobs have ended: let those that waited for them know. May be done again.

        An edge goes before it is looked whether it was the last one of its job: of several who do so, one finds that.

        Raises:
            ServerError: do it again.
        """
        ended, told = self._ended | dict(ended), self._told
        self._ended, self._told = {}, {}
        try:
            while ended or told:
                needs = [self._names.needs(parent_id, "*") for parent_id in ended]
                edges = await self._streams.last(self._names.jobs_stream, needs) if needs else []
                if edges:
                    told |= await self._mark_all([_ends_of(edge) for edge in edges], ended)
                    await self._streams.delete(self._names.jobs_stream, [edge.sequence for edge in edges])
                ended = {}
                for child_id in await self._all_told(told):
                    if await self.consider(child_id) == "cancel":
                        ended[child_id] = JobStatus.CANCELLED
                told = {}
        finally:
            self._ended |= ended
            self._told |= told

    async def _all_told(self, ready: Mapping[str, bool]) -> list[str]:
        """The jobs of which it is certain what becomes of them, or that wait for nothing more."""

        async def waits(child_id: str) -> bool:
            edges = self._names.needs("*", child_id)
            return await self._streams.first(self._names.jobs_stream, edges) is not None

        unclear = [child_id for child_id, is_clear in ready.items() if not is_clear]
        waiting = await asyncio.gather(*map(waits, unclear))
        still = {child_id for child_id, waits_on in zip(unclear, waiting, strict=True) if waits_on}
        return [child_id for child_id in ready if child_id not in still]

    async def consider(self, child_id: str) -> Literal["wait", "run", "cancel", "gone"]:
        """Look whether a job that waits may go; says what became of it. May be done again.

        Raises:
            ServerError: do it again.
        """
        waiting = await self._store.waiting(child_id)
        job = None if waiting is None else decoded(self._serializer, waiting)
        if waiting is None or job is None:
            return "gone"
        marks = await self._streams.last(self._names.jobs_stream, [self._names.met(child_id, "*")])
        met, unread = _said_by(marks)
        await self._streams.delete(self._names.jobs_stream, unread)  # they would keep those off that say something
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
        with suppress(ServerError):  # a sweep removes marks that are left
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
                job = None if TOMBSTONE in message.headers else decoded(self._serializer, message)
                if job is None:
                    continue
                await self._catch_up(job)
                became = await self.consider(job.job_id)
                moved += became in ("run", "cancel")
                if became == "cancel":
                    await self.settle({job.job_id: JobStatus.CANCELLED})
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
        """Write marks for those dependencies that have ended, as their outcomes say, and remove their edges.

        One that stands somewhere has not, whatever an earlier job of its id did.
        """
        ids = [need.job_id for need in job.needs]
        statuses = {}
        standing = await self._store.find_all(ids)
        for parent_id, data in (await self._store.outcomes(ids)).items():
            try:
                outcome = self._serializer.decode_outcome(data)
            except SerializationError:
                continue
            now = decoded(self._serializer, standing[parent_id].message) if parent_id in standing else None
            if now is None or now.enqueued_at_ns == outcome.job.enqueued_at_ns:
                statuses[parent_id] = outcome.result.status
        await self._mark_all([(parent_id, job.job_id) for parent_id in statuses], statuses)
        edges = [self._names.needs(parent_id, job.job_id) for parent_id in statuses]
        left = await self._streams.last(self._names.jobs_stream, edges) if edges else []
        await self._streams.delete(self._names.jobs_stream, [edge.sequence for edge in left])

    async def _mark_all(self, edges: Sequence[tuple[str, str]], ended: Mapping[str, JobStatus]) -> dict[str, bool]:
        """Say how dependencies ended, of parents and children; whoever is first says it in an event, too.

        Returns:
            For each child, whether it is clear by now what becomes of it.
        """
        names, children = self._names, dict.fromkeys(child_id for _, child_id in edges)
        marks = {(parent_id, child_id): names.met(child_id, parent_id) for parent_id, child_id in edges}
        asked = [*marks.values(), *(names.waiting("*", child_id) for child_id in children)]
        there = {message.subject: message for message in await self._streams.last(names.jobs_stream, asked)}
        waiting = {found(one).job_id: one for subject, one in there.items() if subject not in marks.values()}
        jobs = {child_id: decoded(self._serializer, message) for child_id, message in waiting.items()}
        new = [edge for edge, mark in marks.items() if mark not in there]
        asked_ns = self._now_ns()
        answers = await self._streams.publish(
            [
                Outgoing(marks[edge], ended[edge[0]].value.encode(), _first_while(waiting.get(edge[1]), marks[edge]))
                for edge in new
            ]
        )
        for (parent_id, child_id), answer in zip(new, answers, strict=True):
            if is_conflict(answer) or answer == 0:
                continue  # others have let it go meanwhile, or said it
            if isinstance(answer, NaqError):
                raise answer
            self._tell(jobs.get(child_id), parent_id, ended[parent_id], asked_ns)
        return {child_id: _is_clear(jobs.get(child_id), edges, ended) for child_id in children}

    def _tell(self, job: Job | None, parent_id: str, status: JobStatus, asked_ns: int) -> None:
        need = None if job is None else _need_of(job, parent_id)
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


def _ends_of(edge: StoredMessage) -> tuple[str, str]:
    """Parent and child."""
    parent_id, child_id = edge.subject.split(".")[-2:]
    return parent_id, child_id


def _said_by(marks: Sequence[StoredMessage]) -> tuple[dict[str, JobStatus], list[int]]:
    """How jobs ended, by id, and the sequences of marks that do not say that."""
    met, unread = {}, []
    for mark in marks:
        try:
            met[mark.subject.rpartition(".")[2]] = JobStatus(mark.data.decode())
        except ValueError:
            unread.append(mark.sequence)
    return met, unread


def _need_of(job: Job, parent_id: str) -> After | None:
    return next((need for need in job.needs if need.job_id == parent_id), None)


def _is_clear(job: Job | None, edges: Sequence[tuple[str, str]], ended: Mapping[str, JobStatus]) -> bool:
    """Whether a job waits for one other only, or one has not ended as it must."""
    if job is None or len(job.needs) == 1:
        return True
    parents = [parent_id for parent_id, child_id in edges if child_id == job.job_id]
    needs = [(_need_of(job, parent_id), ended[parent_id]) for parent_id in parents]
    return any(need is not None and not need.is_met_by(status) for need, status in needs)


def _first_while(waiting: StoredMessage | None, mark: str) -> dict[str, str]:
    """A mark is written while its job waits, and once; one that comes before its job lies there until that comes."""
    if waiting is None:
        return if_last_is(0)
    return if_last_is(waiting.sequence, waiting.subject) | once(f"{mark}-{waiting.sequence}")


def _failure_of(need: After | None, met: Mapping[str, JobStatus]) -> str:
    return "" if need is None else f"job {need.job_id} {met[need.job_id].value}, and {need.on} was asked for"
