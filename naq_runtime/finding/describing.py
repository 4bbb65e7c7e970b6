"""All that a list says of some jobs, read together: a handful of questions to the server, however many they are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from naq_runtime.errors import SerializationError
from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.events.reading import causal_order, decode_stored
from naq_runtime.finding.found import ENDED, FoundJob, of_events, of_job, of_outcome
from naq_runtime.job import Job, JobStatus
from naq_runtime.jobs.dead import DeadLetter
from naq_runtime.jobs.rules import JobRules
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import StoredMessage, all_of, last_by_subject
from naq_runtime.nats.state import delivered_up_to
from naq_runtime.serializer import Serializer

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["Describer"]

_HISTORIES = 100
"""Jobs whose events are asked for at a time: the server puts 1,024 into an answer."""
_CHATTER = (JobEventType.LOG, JobEventType.PROGRESS)


class _Standing(NamedTuple):
    """A job that has not ended, as it lies there."""

    job: FoundJob
    is_new: bool
    """Whether nothing has happened to it but that it was enqueued."""

    def after(self, history: FoundJob | None) -> FoundJob:
        """With what its events tell: whether it runs, and how it fared before."""
        job = self.job
        if history is None:
            return job
        runs = job.status is JobStatus.QUEUED and history.status is JobStatus.RUNNING
        return replace(
            history,
            status=JobStatus.RUNNING if runs else job.status,
            dead=False,
            ended_at_ns=0,
            queue_name=job.queue_name,
            function_name=job.function_name or history.function_name,
            arguments=job.arguments,
            attempt=max(job.attempt, history.attempt if runs else 1),
            enqueued_at_ns=job.enqueued_at_ns or history.enqueued_at_ns,
        )


_UNTOLD = _Standing(FoundJob(job_id="", status=JobStatus.QUEUED), is_new=False)


class Describer:
    """Says where jobs stand: what has not ended as it lies in the stream of jobs, what has ended by its outcome.

    Only of those that have been with a worker, or whose outcome is not kept, the events are read, too.
    """

    def __init__(self, services: ServiceManager, rules: JobRules) -> None:
        self._connection: Connection = services.connection
        self._names: Names = services.names
        self._serializer: Serializer = services.serializer
        self._rules = rules

    async def describe(self, job_ids: Sequence[str]) -> dict[str, FoundJob]:
        """The jobs of these ids, by id, without those of which nothing is known.

        Raises:
            ServerError: they cannot be read now.
        """
        standing = await self._standing(job_ids)
        rest = [job_id for job_id in job_ids if job_id not in standing]
        outcomes, letters = await asyncio.gather(self._rules.store.outcomes(rest), self._rules.dead.find_all(rest))
        ended = {job_id: job for job_id, data in outcomes.items() if (job := self._of_outcome(data)) is not None}
        untold = [job_id for job_id in job_ids if job_id not in ended and not standing.get(job_id, _UNTOLD).is_new]
        histories, waits = await asyncio.gather(self._histories(untold), self._waits(ended))
        ended |= {job_id: replace(ended[job_id], wait_ms=wait_ms) for job_id, wait_ms in waits.items()}
        found = {}
        for job_id in job_ids:
            history = of_events(histories.get(job_id, ()))
            job = (
                standing[job_id].after(history)
                if job_id in standing
                else self._of_ended(ended.get(job_id), letters.get(job_id), history)
            )
            if job is not None:
                found[job_id] = job
        return found

    async def _standing(self, job_ids: Sequence[str]) -> dict[str, _Standing]:
        """Those that have not ended. What no worker has ever had is told by its message alone."""
        messages = await self._rules.store.find_all(job_ids)
        if not messages:
            return {}
        delivered = await delivered_up_to(self._connection, self._names)
        found = {}
        for job_id, one in messages.items():
            if TOMBSTONE in one.message.headers:
                continue
            job = self._job(one.message.data)
            base = FoundJob(job_id=job_id, status=one.status) if job is None else of_job(job, one.status)
            was_out = one.status is JobStatus.QUEUED and one.message.sequence <= delivered.get(one.queue, 0)
            is_new = job is not None and job.attempt == 1 and not was_out
            found[job_id] = _Standing(replace(base, queue_name=one.queue), is_new)
        return found

    def _of_ended(self, job: FoundJob | None, letter: DeadLetter | None, history: FoundJob | None) -> FoundJob | None:
        """By its outcome, or its letter, or what happened to it."""
        if job is None and letter is not None:
            job = self._of_letter(letter)
        if job is None and history is not None:
            # It is nowhere, and nobody has said how it ended: see `JobService.detail`.
            job = history if history.status in ENDED else replace(history, status=JobStatus.COMPLETED)
        return job and replace(job, dead=letter is not None and job.status is JobStatus.FAILED)

    def _job(self, data: bytes) -> Job | None:
        try:
            return self._serializer.decode_job(data)
        except SerializationError:
            return None

    def _of_outcome(self, data: bytes) -> FoundJob | None:
        try:
            outcome = self._serializer.decode_outcome(data)
        except SerializationError:
            return None
        return of_outcome(outcome.job, outcome.result)

    def _of_letter(self, letter: DeadLetter) -> FoundJob:
        job = self._job(letter.payload)
        base = FoundJob(job_id=letter.job_id, status=JobStatus.FAILED, function_name=letter.function_name)
        return replace(
            base if job is None else of_job(job, JobStatus.FAILED),
            queue_name=letter.queue_name,
            attempt=letter.attempts,
            worker_id=letter.worker_id,
            ended_at_ns=letter.died_at_ns,
            duration_ms=letter.duration_ms,
            error_type=letter.error_type,
            error_message=letter.error[:2_000],
            moment_ns=letter.died_at_ns,
        )

    async def _waits(self, ended: Mapping[str, FoundJob]) -> dict[str, float | None]:
        """How long those waited that have run, as their workers told: an outcome has the time of the producer's clock.

        Those of which no event tells any more are left out.
        """
        names, ran = self._names, [job for job in ended.values() if job.started_at_ns]
        subjects = [names.job_event(job.job_id, job.queue_name, JobEventType.STARTED, "*") for job in ran]
        if not subjects:
            return {}
        messages = await last_by_subject(self._connection, names.events_stream, subjects)
        started = [stored.event for stored in decode_stored(messages)]
        runs = {(job.job_id, job.attempt) for job in ran}
        return {
            event.job_id: event.wait_ms
            for event in started
            if isinstance(event, JobEvent) and (event.job_id, event.attempt) in runs
        }

    async def _histories(self, job_ids: Sequence[str]) -> dict[str, list[JobEvent]]:
        """The events of each job, in causal order."""
        found: dict[str, list[JobEvent]] = {}
        for start in range(0, len(job_ids), _HISTORIES):
            messages = await self._events_of(job_ids[start : start + _HISTORIES])
            for stored in causal_order(decode_stored(messages)):
                if isinstance(stored.event, JobEvent):
                    found.setdefault(stored.event.job_id, []).append(stored.event)
        return found

    async def _events_of(self, job_ids: Sequence[str]) -> list[StoredMessage]:
        """Some jobs have more events than an answer has room for; what they logged is left out then."""
        names, stream = self._names, self._names.events_stream
        messages = await all_of(self._connection, stream, [names.job_history(one) for one in job_ids])
        if messages is not None:
            return messages
        if len(job_ids) == 1:
            kinds = [kind for kind in JobEventType if kind not in _CHATTER]
            subjects = [names.job_event(job_ids[0], "*", kind, "*") for kind in kinds]
            return await last_by_subject(self._connection, stream, subjects)
        middle = len(job_ids) // 2
        return [*await self._events_of(job_ids[:middle]), *await self._events_of(job_ids[middle:])]
