"""What the events of a job say of it beside its stretches: the latest progress, what was logged, who cancelled it."""

from __future__ import annotations

from dataclasses import dataclass

from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.pages.life import BEGINS, latest_life

__all__ = ["Dependency", "History"]

_ERRORS = (JobEventType.FAILED, JobEventType.TIMED_OUT)
_DEPENDENCY_ENDS = (JobEventType.DEPENDENCY_SATISFIED, JobEventType.DEPENDENCY_FAILED)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A job that this one waits for, or waited for."""

    job_id: str
    wanted: str
    """How it must end: ``success``, ``failure`` or ``always``; empty when nobody says."""
    met: bool | None = None
    """Whether it ended so; ``None`` while it has not ended."""
    ended: str = ""
    """How it ended."""
    ended_at_ns: int = 0


class History:
    """The events of the latest life of one job, by type."""

    def __init__(self, detail: JobDetail) -> None:
        self.detail = detail
        self._by_type: dict[JobEventType, list[JobEvent]] = {}
        self._latest: dict[JobEventType, int] = {}
        """The place of the latest event of each type."""
        by_type = self._by_type
        for place, stored in enumerate(latest_life(detail)):
            event = stored.event
            if isinstance(event, JobEvent):
                kind = event.event_type
                if kind in by_type:
                    by_type[kind].append(event)
                else:
                    by_type[kind] = [event]
                self._latest[kind] = place

    @property
    def function_name(self) -> str:
        """``module.qualname``; empty when nobody says."""
        job = self.detail.job
        if job is None:
            return self._told("function_name")
        function = job.function
        return function if isinstance(function, str) else f"{function.__module__}.{function.__qualname__}"

    @property
    def queue_name(self) -> str:
        """The name of its queue; empty when nobody says."""
        job = self.detail.job
        return job.queue_name if job is not None and job.queue_name else self._told("queue_name")

    def _told(self, name: str) -> str:
        return next((value for stored in self.detail.events if (value := getattr(stored.event, name, None))), "")

    def all(self, kind: JobEventType) -> list[JobEvent]:
        """The events of a type, the oldest first."""
        return self._by_type.get(kind, [])

    def last(self, *kinds: JobEventType) -> JobEvent | None:
        """The latest event of any of these types."""
        kind = max(kinds, key=self._place)
        return self._by_type[kind][-1] if kind in self._by_type else None

    @property
    def begun_ns(self) -> int:
        """When somebody enqueued it; 0 when no event says so."""
        begins = [self._by_type[kind][0] for kind in BEGINS if kind in self._by_type]
        return min((event.moment_ns for event in begins), default=0)

    def _place(self, kind: JobEventType) -> int:
        return self._latest.get(kind, -1)

    @property
    def error(self) -> JobEvent | None:
        """The latest attempt that failed or timed out."""
        return self.last(*_ERRORS)

    @property
    def progress(self) -> JobEvent | None:
        """The latest report of the latest run."""
        if self._place(JobEventType.PROGRESS) < self._place(JobEventType.STARTED):
            return None
        return self.last(JobEventType.PROGRESS)

    @property
    def burial(self) -> JobEvent | None:
        """That it lies among the dead letters."""
        if self._place(JobEventType.DEAD_LETTERED) < self._place(JobEventType.REQUEUED):
            return None
        return self.last(JobEventType.DEAD_LETTERED)

    @property
    def due_ns(self) -> int:
        """When it is to become runnable, or was for the last time; 0 when it was so from the beginning."""
        said = self.last(JobEventType.SCHEDULED, JobEventType.RETRY_SCHEDULED)
        if said is not None and said.run_at_ns:
            return said.on_server(said.run_at_ns)
        return self.detail.job.run_at_ns if self.detail.job is not None else 0

    @property
    def is_retried(self) -> bool:
        """Whether it waits for another attempt."""
        if self.detail.status is not JobStatus.SCHEDULED:
            return False
        return self.error is not None or (self.detail.job is not None and self.detail.job.attempt > 1)

    def dependencies(self) -> list[Dependency]:
        """The jobs that it waits for, or waited for, in the order in which they were given."""
        waits = self.last(JobEventType.WAITING_FOR_DEPENDENCIES)
        wanted = dict.fromkeys(waits.depends_on if waits else (), "")
        if self.detail.job is not None:
            wanted |= {after.job_id: after.on for after in self.detail.job.needs}
        ends = {event.dependency_id or "": event for kind in _DEPENDENCY_ENDS for event in self.all(kind)}
        wanted |= {job_id: "" for job_id in ends if job_id not in wanted}
        return [_dependency(job_id, condition, ends.get(job_id)) for job_id, condition in wanted.items()]


def _dependency(job_id: str, wanted: str, end: JobEvent | None) -> Dependency:
    if end is None:
        return Dependency(job_id, wanted)
    met = end.event_type is JobEventType.DEPENDENCY_SATISFIED
    return Dependency(job_id, wanted, met, end.reason or "", end.moment_ns)
