"""The jobs that one depends on, theirs and so on, and those that depend on it.

A job that has not ended says what it depends on, and edges say who waits for it. Of those that have ended, only events
tell both, for as long as they are kept: edges go when nobody waits any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain

from naq_runtime.errors import SerializationError
from naq_runtime.events.models import JobEvent, StoredEvent
from naq_runtime.job import Job, JobStatus
from naq_runtime.jobs.store import JobStore, decoded
from naq_runtime.naming import Names
from naq_runtime.nats.streams import Streams
from naq_runtime.serializer import Serializer
from naq_runtime.surroundings import Family, Member, status_after

__all__ = ["FamilyReader"]

_MOST_LEVELS = 8
_MOST_MEMBERS = 80
"""That are looked at in each of the two directions."""

Histories = Callable[[Sequence[str]], Awaitable[Mapping[str, Sequence[StoredEvent]]]]
"""All events of some jobs, by id, in causal order; those of which there are none are left out."""

_Known = tuple[Member, tuple[str, ...]]
"""A job, and the ids of those that it depends on."""


class FamilyReader:
    """Reads families, a generation at a time.

    Args:
        histories: reads the events of jobs.
    """

    def __init__(
        self, streams: Streams, names: Names, serializer: Serializer, store: JobStore, histories: Histories
    ) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._store = store
        self._histories = histories

    async def read(self, job_id: str, told: Iterable[StoredEvent] = ()) -> Family:
        """The family of a job: eight generations at most, and eighty jobs, in each direction.

        Args:
            told: events of jobs that began to wait for others, as far as they are at hand.

        Raises:
            ServerError: it cannot be read now.
        """
        members: dict[str, Member] = {}
        needs: dict[str, tuple[str, ...]] = {}
        needed_by: dict[str, tuple[str, ...]] = {}
        by_parent = _by_parent(told)
        await self._climb([job_id], members, needs)
        await self._descend([job_id], by_parent, members, needed_by)
        return Family(members=members, needs=needs, needed_by=needed_by)

    async def _climb(self, level: Sequence[str], members: dict[str, Member], needs: dict[str, tuple[str, ...]]) -> None:
        for _ in range(_MOST_LEVELS + 1):
            if not level:
                return
            for job_id, (member, parents) in (await self._look_at(level)).items():
                members[job_id] = member
                if parents:
                    needs[job_id] = parents
            parents_of = (needs.get(job_id, ()) for job_id in level)
            level = _new(chain.from_iterable(parents_of), members)

    async def _descend(
        self,
        level: Sequence[str],
        by_parent: Mapping[str, list[str]],
        members: dict[str, Member],
        needed_by: dict[str, tuple[str, ...]],
    ) -> None:
        most = len(members) + _MOST_MEMBERS
        for _ in range(_MOST_LEVELS):
            children = await self._children(level, by_parent)
            needed_by |= children
            level = _new(chain.from_iterable(children.values()), members, most)
            if not level:
                return
            known = await self._look_at(level)
            members |= {job_id: member for job_id, (member, _) in known.items()}

    async def _children(self, level: Sequence[str], told: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
        """Who waits for these jobs, or did as far as events tell."""
        edges = [self._names.needs(job_id, "*") for job_id in level]
        children = {job_id: dict.fromkeys(told.get(job_id, ())) for job_id in level}
        for edge in await self._streams.last(self._names.jobs_stream, edges):
            parent_id, child_id = edge.subject.split(".")[-2:]
            children[parent_id][child_id] = None
        return {job_id: tuple(ids) for job_id, ids in children.items() if ids}

    async def _look_at(self, job_ids: Sequence[str]) -> dict[str, _Known]:
        """Where each of these jobs stands, and what it depends on."""
        standing = await self._store.find_all(job_ids)
        histories = await self._histories(job_ids)
        unheard = [job_id for job_id in job_ids if job_id not in standing and job_id not in histories]
        outcomes = await self._store.outcomes(unheard) if unheard else {}
        known: dict[str, _Known] = {}
        for job_id in job_ids:
            found = standing.get(job_id)
            told = _told_by(histories.get(job_id, ()))
            if found is not None:
                known[job_id] = _as_it_stands(found.status, decoded(self._serializer, found.message), told)
            elif job_id in outcomes:
                known[job_id] = self._by_outcome(outcomes[job_id])
            else:
                known[job_id] = told
        return known

    def _by_outcome(self, data: bytes) -> _Known:
        try:
            outcome = self._serializer.decode_outcome(data)
        except SerializationError:
            return Member(), ()
        return Member(outcome.result.status, str(outcome.job.function)), _needs(outcome.job)


def _as_it_stands(status: JobStatus, job: Job | None, told: _Known) -> _Known:
    """A job that has not ended; its events tell whether it runs."""
    if status is JobStatus.QUEUED and told[0].status is JobStatus.RUNNING:
        status = JobStatus.RUNNING
    if job is None:
        return Member(status, told[0].function_name), told[1]
    return Member(status, str(job.function)), _needs(job)


def _told_by(events: Sequence[StoredEvent]) -> _Known:
    function, parents = "", tuple[str, ...]()
    for stored in events:
        event = stored.event
        if isinstance(event, JobEvent):
            function = event.function_name or function
            parents = event.depends_on or parents
    return Member(status_after(events), function), parents


def _needs(job: Job) -> tuple[str, ...]:
    return tuple(need.job_id for need in job.needs)


def _by_parent(told: Iterable[StoredEvent]) -> dict[str, list[str]]:
    """Who began to wait for whom."""
    found: dict[str, list[str]] = {}
    for stored in told:
        if isinstance(stored.event, JobEvent):
            for parent_id in stored.event.depends_on:
                found.setdefault(parent_id, []).append(stored.event.job_id)
    return found


def _new(job_ids: Iterable[str], members: Mapping[str, Member], most: int = _MOST_MEMBERS) -> list[str]:
    """Those that were not looked at yet, as many as there is room for."""
    fresh = [job_id for job_id in dict.fromkeys(job_ids) if job_id not in members]
    return fresh[: max(0, most - len(members))]
