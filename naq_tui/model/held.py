"""Which jobs each worker has in its hands, and since when: by the events as they come, put right by what it says."""

from __future__ import annotations

from typing import NamedTuple

from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.worker.record import WorkerRecord

__all__ = ["HeldJobs", "Oldest"]

_WORKERS = 4000
"""Workers whose jobs are remembered; who began first goes first."""
_JOBS = 1000
"""Of one worker."""
_TOLD = 100
"""A worker tells so many of its jobs; who tells fewer tells all."""
_STARTED = JobEventType.STARTED
_ENDS = frozenset(
    (
        JobEventType.COMPLETED,
        JobEventType.FAILED,
        JobEventType.TIMED_OUT,
        JobEventType.CANCELLED,
        JobEventType.INTERRUPTED,
    )
)
_GIVING_UP = frozenset((JobEventType.TIMED_OUT, JobEventType.CANCELLED, JobEventType.INTERRUPTED))
"""After these a thread may run on, which nobody can stop."""


_NONE: dict[str, int] = {}
"""No job, of a worker of which nothing is known."""


class Oldest(NamedTuple):
    """The job that a worker has had for longest."""

    job_id: str
    since_ns: int
    at_least: bool
    """Whether it may have begun before: it ran already when it was seen first."""


class HeldJobs:
    """When each job of each worker began, by the clock of the server."""

    def __init__(self) -> None:
        self._begun: dict[str, dict[str, int]] = {}
        self._seen: dict[str, dict[str, int]] = {}
        """Jobs whose beginning nobody heard of, and when they were seen first."""
        self._over: dict[str, dict[str, int]] = {}
        """Jobs whose end was heard of, and not yet their beginning, and when they ended."""
        self._given_up: dict[str, dict[str, int]] = {}
        """When jobs began that ended although their threads may run on."""

    def count(self, event: JobEvent) -> None:
        """Take in what a worker did with a job."""
        worker = event.worker_id
        if worker is None:
            return
        if event.event_type is _STARTED:
            _note(self._begun, worker, event.job_id, event.moment_ns)
        elif event.event_type in _ENDS:
            since_ns = self._begun.get(worker, _NONE).pop(event.job_id, None)
            if since_ns is None:
                _note(self._over, worker, event.job_id, event.moment_ns)
            elif event.event_type in _GIVING_UP:
                _note(self._given_up, worker, event.job_id, since_ns)

    def count_earlier(self, event: JobEvent) -> None:
        """Take in what a worker did before all that was taken in so far, the latest first."""
        worker = event.worker_id
        if worker is None:
            return
        if event.event_type in _ENDS:
            _note(self._over, worker, event.job_id, event.moment_ns)
        elif event.event_type is _STARTED and self._over.get(worker, _NONE).pop(event.job_id, None) is None:
            _note(self._begun, worker, event.job_id, event.moment_ns)

    def see(self, record: WorkerRecord, now_ns: int) -> None:
        """Take in what a worker says that it runs."""
        told = {*record.running_job_ids, *record.stuck_job_ids}
        begun = self._begun.get(record.worker_id, {})
        if len(record.running_job_ids) < _TOLD:
            beat_ns = record.on_server(record.beat_at_ns)
            for job_id in [job for job, since_ns in begun.items() if since_ns < beat_ns and job not in told]:
                del begun[job_id]  # its end was missed
        given_up = self._given_up.get(record.worker_id, {})
        for job_id in record.stuck_job_ids:
            if job_id in given_up:  # that it was given up was no end
                begun.setdefault(job_id, given_up[job_id])
        seen = self._seen.get(record.worker_id, {})
        unheard = {job_id: seen.get(job_id, now_ns) for job_id in told if job_id not in begun}
        if unheard:
            self._seen[record.worker_id] = unheard
        elif seen:
            del self._seen[record.worker_id]

    def forget(self, worker_id: str) -> None:
        """A worker is gone."""
        self._begun.pop(worker_id, None)
        self._seen.pop(worker_id, None)
        self._over.pop(worker_id, None)
        self._given_up.pop(worker_id, None)

    def learn(self, worker_id: str, job_id: str, since_ns: int) -> bool:
        """Take in when a job began of which only that was unknown; true when it was."""
        seen = self._seen.get(worker_id, _NONE)
        if job_id not in seen:
            return False
        del seen[job_id]
        _note(self._begun, worker_id, job_id, since_ns)
        return True

    def count_of(self, worker_id: str) -> int:
        """How many jobs a worker has in its hands, as far as that is known."""
        return len(self._begun.get(worker_id, _NONE)) + len(self._seen.get(worker_id, _NONE))

    def oldest(self, worker_id: str) -> Oldest | None:
        """The job that a worker has had for longest; ``None`` when it has none."""
        found = [Oldest(job_id, since_ns, True) for job_id, since_ns in self._seen.get(worker_id, {}).items()]
        begun = self._begun.get(worker_id)
        if begun:
            job_id, since_ns = min(begun.items(), key=lambda item: item[1])
            found.append(Oldest(job_id, since_ns, False))
        return min(found, key=lambda one: one.since_ns, default=None)


def _note(jobs_of: dict[str, dict[str, int]], worker: str, job_id: str, moment_ns: int) -> None:
    jobs = jobs_of.get(worker)
    if jobs is None:
        _make_room(jobs_of, _WORKERS)
        jobs = jobs_of[worker] = {}
    _make_room(jobs, _JOBS)
    jobs[job_id] = moment_ns


def _make_room(entries: dict[str, int] | dict[str, dict[str, int]], limit: int) -> None:
    if len(entries) >= limit:
        del entries[next(iter(entries))]
