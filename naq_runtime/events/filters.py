"""Which events are wanted."""

from __future__ import annotations

from dataclasses import dataclass

from naq_runtime.events.models import Event, JobEvent
from naq_runtime.naming import Names, check_name

__all__ = ["EventFilter"]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """All that is given must hold; what is left out holds always. A queue's events are those of its jobs.

    Raises:
        InvalidName: a job, queue or worker is named by something that cannot be one.
    """

    job_id: str | None = None
    event_type: str | None = None
    queue_name: str | None = None
    worker_id: str | None = None

    def __post_init__(self) -> None:
        for kind, name in (("job id", self.job_id), ("queue", self.queue_name), ("worker", self.worker_id)):
            if name is not None:
                check_name(kind, name)
        if self.event_type is not None:
            check_name("event type", self.event_type)

    @property
    def is_empty(self) -> bool:
        """Whether every event matches."""
        return self == EventFilter()

    def subject(self, names: Names) -> str:
        """The narrowest subject that all matching events are stored under."""
        if self.job_id is None and self.queue_name is None:
            return names.events
        return names.job_event(self.job_id or "*", self.queue_name or "*", self.event_type or "*", "*")

    def matches(self, event: Event) -> bool:
        """Whether the event is wanted."""
        if self.event_type is not None and event.event_type != self.event_type:
            return False
        if self.job_id is not None and not (isinstance(event, JobEvent) and event.job_id == self.job_id):
            return False
        if self.worker_id is not None and self.worker_id != getattr(event, "worker_id", None):
            return False
        return self.queue_name is None or (isinstance(event, JobEvent) and event.queue_name == self.queue_name)
