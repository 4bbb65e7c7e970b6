"""The jobs of schedules, as they are stored with them: each tick makes one like it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from naq_runtime.errors import InvalidSchedule, SerializationError
from naq_runtime.job import Job
from naq_runtime.schedule import Schedule
from naq_runtime.serializer import Serializer

__all__ = ["WISHES", "Templates"]

WISHES = ("retries", "retry_delay", "timeout", "result_ttl")
"""What a job may leave to its task."""


class Templates:
    """Writes the jobs of schedules, and reads them.

    Args:
        prepare: gives a job its function's name and its queue, and refuses what could not be enqueued.
    """

    def __init__(self, serializer: Serializer, prepare: Callable[[Job], Job]) -> None:
        self._serializer = serializer
        self._prepare = prepare

    def prepared(self, job: Job) -> Job:
        """A job that each tick can make.

        Raises:
            InvalidSchedule: no tick can.
            NotImportable, JobRefused: it could not be enqueued.
        """
        if job.needs or job.unique_key is not None:
            raise InvalidSchedule("a scheduled job cannot depend on others or have a unique key: see overlap")
        if job.run_at_ns:
            raise InvalidSchedule("a scheduled job has no time of its own: use at, or starts_at")
        return self._prepare(job)

    def encode(self, job: Job) -> bytes:
        """A job that is prepared; the same bytes whenever somebody says the same.

        Raises:
            SerializationError: an argument has no such form.
        """
        return self._serializer.encode_job(job.evolve(job_id="tick", enqueued_at_ns=0))

    def job_of(self, schedule: Schedule) -> Job:
        """What each tick makes.

        Raises:
            SerializationError: it cannot be read.
        """
        return self._serializer.decode_job(schedule.payload).evolve(queue_name=schedule.queue_name)

    def rewritten(self, schedule: Schedule, job: Job | None, wishes: Mapping[str, Any]) -> Schedule:
        """With another job, or with the same but for some of its fields; see `prepared` and `encode` for errors."""
        if job is None and not wishes:
            return schedule
        prepared = self.prepared((job or self._job_or_new(schedule)).evolve(**wishes))
        return schedule.evolve(function_name=str(prepared.function), payload=self.encode(prepared))

    def differences(self, before: Schedule, after: Schedule) -> dict[str, Any]:
        """What of the job is not as it was."""
        if before.payload == after.payload:
            return {}
        was, is_now = self._job_or_new(before), self._job_or_new(after)
        fields = ("function", "args", "kwargs", *WISHES)
        return {name: getattr(is_now, name) for name in fields if getattr(is_now, name) != getattr(was, name)}

    def _job_or_new(self, schedule: Schedule) -> Job:
        """What each tick makes, or where that cannot be read, one of the same function without arguments."""
        try:
            return self.job_of(schedule)
        except SerializationError:
            return Job(schedule.function_name)
