"""What a test asks afterwards: what was enqueued, and which events came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from naq_runtime.errors import SerializationError
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import Event, JobEvent
from naq_runtime.job import Job
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.queue import JobHandle
from naq_runtime.serializer import Serializer
from naq_runtime.sync import JobHandle as SyncHandle
from naq_runtime.tasks import reference

__all__ = ["Record", "described"]

_PLACES = ("jobs", "later", "waiting")
_SHOWN = 20
"""Jobs that a message names."""
_WIDTH = 300
"""Characters that it has for each."""


class Record:
    """Remembers every job that was enqueued and every event, run or not, until it is cleared."""

    def __init__(self, serializer: Serializer) -> None:
        self._serializer = serializer
        self._storage = MemoryEventStorage()
        self._enqueued: dict[tuple[str, int], Job] = {}
        """By id and time: a retry is no other job."""
        self._cleared = (0, 0)
        """How many jobs and events are not shown any more: the next attempt of a job is no new one for that."""

    def clear(self) -> None:
        """Forget jobs and events so far; those that wait are still run."""
        self._cleared = (len(self._enqueued), len(self._storage.events))

    # Looking

    def jobs(
        self,
        function: Callable[..., Any] | str | None = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
    ) -> list[Job]:
        """The jobs that were enqueued, in order.

        Args:
            function: only those of this one, or of this name.
            args: only those with exactly these arguments, as JSON gives them back.
            kwargs: only those with these arguments, and perhaps more.
            queue: only those of this queue.
        """
        if isinstance(args, str):
            raise TypeError(f"args must be a sequence of arguments; for one text write args=[{args!r}]")
        name = None if function is None else reference(function)
        wanted_args = None if args is None else self._as_stored(args)
        wanted_kwargs = {key: self._as_stored([value]) for key, value in (kwargs or {}).items()}
        return [
            job
            for job in self._all_jobs()
            if (name is None or job.function == name)
            and (queue is None or job.queue_name == queue)
            and (wanted_args is None or self._as_stored(job.args) == wanted_args)
            and all(
                key in job.kwargs and self._as_stored([job.kwargs[key]]) == value
                for key, value in wanted_kwargs.items()
            )
        ]

    def events(self, job: JobHandle | SyncHandle | Job | str | None = None) -> list[Event]:
        """The events so far, in order; of one job, of its handle or its id, when given."""
        events = [stored.event for stored in self._storage.events[self._cleared[1] :]]
        if job is None:
            return events
        job_id = job if isinstance(job, str) else job.job_id
        return [event for event in events if isinstance(event, JobEvent) and event.job_id == job_id]

    # Asserting

    def assert_enqueued(
        self,
        function: Callable[..., Any] | str | None = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
        count: int | None = None,
    ) -> Job:
        """Return the last job that matches as in `jobs`; there must be one at least, or just so many.

        Raises:
            AssertionError: saying what was enqueued instead.
            ValueError: a count below 1.
        """
        if count is not None and count < 1:
            raise ValueError(f"count is 1 at least, got {count}: for none there is assert_not_enqueued")
        found = self.jobs(function, args=args, kwargs=kwargs, queue=queue)
        if not found or (count is not None and len(found) != count):
            wanted = _wanted(function, args, kwargs, queue)
            number = _number(len(found)) + ("" if count is None else f" and not {count}")
            raise AssertionError(f"{number} enqueued of {wanted}; there {self._summary()}")
        return found[-1]

    def assert_not_enqueued(
        self,
        function: Callable[..., Any] | str | None = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
    ) -> None:
        """No job must match as in `jobs`.

        Raises:
            AssertionError: one does.
        """
        found = self.jobs(function, args=args, kwargs=kwargs, queue=queue)
        if found:
            wanted = _wanted(function, args, kwargs, queue)
            raise AssertionError(f"{_number(len(found))} enqueued of {wanted}; there {self._summary()}")

    def assert_events(self, job: JobHandle | SyncHandle | Job | str, *types: str) -> list[Event]:
        """Return the events of a job; they must be of these types, in this order, and no others.

        Raises:
            AssertionError: saying which came instead.
        """
        events = self.events(job)
        came = [str(event.event_type) for event in events]
        if came != [str(one) for one in types]:
            failed = [event for event in events if isinstance(event, JobEvent) and event.error_type]
            errors = "".join(f"\n  {event.error_type}: {event.error_message}" for event in failed)
            expected, there = ", ".join(types) or "none", ", ".join(came) or "none"
            raise AssertionError(f"expected the events {expected}; there came {there}{errors}")
        return events

    # Remembering

    def _remember(self, message: StoredMessage) -> None:
        """Take what is put into a stream; of the jobs, the first message of each."""
        if message.subject.split(".")[1] not in _PLACES or TOMBSTONE in message.headers:
            return
        try:
            job = self._serializer.decode_job(message.data)
        except SerializationError:
            return
        self._enqueued.setdefault((job.job_id, job.enqueued_at_ns), job)

    def _as_stored(self, arguments: Sequence[Any]) -> Any:
        """Arguments in the form that a worker gets them in."""
        job = Job("any.function", tuple(arguments), queue_name="any")
        return self._serializer.decode_job(self._serializer.encode_job(job)).args

    def _all_jobs(self) -> list[Job]:
        return list(self._enqueued.values())[self._cleared[0] :]

    def _summary(self) -> str:
        jobs = self._all_jobs()
        if not jobs:
            return "is none at all"
        lines = [f"\n  {described(job)} in {job.queue_name}" for job in jobs[-_SHOWN:]]
        if len(jobs) > _SHOWN:
            lines.insert(0, f"\n  … and {len(jobs) - _SHOWN:,} before")
        return f"{'is' if len(jobs) == 1 else 'are'} {len(jobs)}:{''.join(lines)}"


def described(job: Job) -> str:
    """A job as the call that it is, cut where it is very long."""
    given = [repr(value) for value in job.args] + [f"{key}={value!r}" for key, value in job.kwargs.items()]
    call = f"{job.function}({', '.join(given)})"
    return call if len(call) <= _WIDTH else f"{call[:_WIDTH]}…"


def _number(jobs: int) -> str:
    return {0: "no job", 1: "1 job"}.get(jobs, f"{jobs} jobs")


def _wanted(
    function: Callable[..., Any] | str | None,
    args: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    queue: str | None,
) -> str:
    parts = ["any function" if function is None else reference(function)]
    parts += [] if args is None else [f"args={tuple(args)!r}"]
    parts += [] if kwargs is None else [f"kwargs={dict(kwargs)!r}"]
    parts += [] if queue is None else [f"queue {queue!r}"]
    return ", ".join(parts)
