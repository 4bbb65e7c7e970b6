"""Which jobs may wait for others: not for what is unknown or leaves nothing behind, and not for themselves."""

from __future__ import annotations

from naq_runtime.errors import DependencyCycle, NaqError, UnknownDependency
from naq_runtime.job import Job
from naq_runtime.jobs.store import Found, JobStore, decoded
from naq_runtime.naming import Names
from naq_runtime.nats.streams import Streams
from naq_runtime.serializer import Serializer

__all__ = ["Admission", "circle"]

_MOST_ANCESTORS = 10_000


class Admission:
    """Looks at a job that is to wait before it does."""

    def __init__(self, streams: Streams, names: Names, serializer: Serializer, store: JobStore) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._store = store

    async def refusal(self, job: Job) -> NaqError | None:
        """Why a job may not wait; ``None`` when it may.

        Raises:
            ServerError: that cannot be told now.
        """
        if await self.waits_for_itself(job):
            return circle(job)
        if job.on_unknown_dependency == "wait":
            return None
        ids = [need.job_id for need in job.needs]
        standing = await self._store.find_all(ids)
        ended = await self._store.outcomes([job_id for job_id in ids if job_id not in standing])
        for job_id in ids:
            if job_id in standing and self._keeps_nothing(standing[job_id]):
                return UnknownDependency(f"job {job_id} stores no outcome (result_ttl=0), so nothing can depend on it")
            if job_id not in standing and job_id not in ended:
                return UnknownDependency(
                    f"job {job_id} is not known: it never was, or its outcome has expired or was not stored; "
                    "to wait for a job that will come, say on_unknown_dependency='wait' "
                    "(naq enqueue --on-unknown-dependency wait)"
                )
        return None

    async def waits_for_itself(self, job: Job) -> bool:
        """Only a job that others wait for already can close a circle, or one that names itself.

        Raises:
            ServerError: that cannot be told now.
        """
        to_see, seen = [need.job_id for need in job.needs], set[str]()
        if job.job_id in to_see:
            return True
        if not await self._streams.last(self._names.jobs_stream, [self._names.needs(job.job_id, "*")]):
            return False
        while to_see and len(seen) < _MOST_ANCESTORS:
            one = to_see.pop()
            if one == job.job_id:
                return True
            if one in seen:
                continue
            seen.add(one)
            waiting = await self._store.waiting(one)
            ancestor = None if waiting is None else decoded(self._serializer, waiting)
            to_see += [need.job_id for need in ancestor.needs] if ancestor else []
        return False

    def _keeps_nothing(self, standing: Found) -> bool:
        job = decoded(self._serializer, standing.message)
        return job is not None and job.result_ttl == 0


def circle(job: Job) -> DependencyCycle:
    """The refusal of a job that would wait for itself."""
    return DependencyCycle(f"job {job.job_id} would wait for itself, by way of others")
