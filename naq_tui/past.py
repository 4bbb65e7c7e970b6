"""What has happened, read from any moment on: what the past is rebuilt from, and played."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from naq_runtime.events.models import JobEvent, StoredEvent
from naq_runtime.finding.failures import FAILURES
from naq_runtime.snapshot import JobDetail, ServerState

__all__ = [
    "LAST",
    "Density",
    "Place",
    "Reading",
    "Recording",
    "ScheduleStory",
    "Span",
    "failures_within",
    "happened_by",
    "middle_ns",
    "place_of",
]

LAST = 2**63
"""Behind every sequence."""


class Place(NamedTuple):
    """A point in the order in which things happened: up to it everything has, and nothing behind it."""

    moment_ns: int
    sequence: int = LAST
    """Of events of this very moment, those up to this one have happened."""


class Span(NamedTuple):
    """From a moment to another one, in nanoseconds since 1970."""

    first_ns: int
    last_ns: int


class Density(NamedTuple):
    """How many events there were in equal parts of a time."""

    since_ns: int
    bucket_ns: int
    """The length of each part."""
    events: tuple[int, ...]
    failures: tuple[int | None, ...]
    """Attempts that failed or timed out; ``None`` where nobody has counted them. Where they are counted by longer
    times, the part in the middle of such a time has what there was in it, and the others ``None``."""

    @property
    def until_ns(self) -> int:
        """The end of the last part."""
        return self.since_ns + self.bucket_ns * len(self.events)

    def peaks(self) -> list[int]:
        """When the parts begin that are higher than those beside them, the highest first; in nanoseconds."""
        heights = (0, *self.events, 0)
        tops = [part for part in range(len(self.events)) if heights[part] < heights[part + 1] >= heights[part + 2]]
        tops.sort(key=lambda part: self.events[part], reverse=True)
        return [self.since_ns + part * self.bucket_ns for part in tops]


class ScheduleStory(NamedTuple):
    """What was told of schedules before a moment."""

    events: Sequence[StoredEvent]
    """Of schedules and of who led the schedulers, in no order."""
    ticks_since_ns: int = 0
    """Ticks before this moment are not among them; 0 when none is missing."""


class Reading(Protocol):
    """One reader's way through a recording: on from where it began, and back from there."""

    @property
    def through_ns(self) -> int:
        """All that happened before this has been read, but for what was stored late."""
        ...

    @property
    def at_end(self) -> bool:
        """Whether there was nothing more when it was last looked."""
        ...

    @property
    def verdict(self) -> str:
        """What is to be said of the recording at its end; empty for nothing."""
        ...

    async def on(self) -> Sequence[StoredEvent]:
        """The next events, in the order in which they were stored; none when there are no more by now."""
        ...

    async def back(self) -> Sequence[StoredEvent]:
        """The events before all that were read so far, oldest first; none when there are no more."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class Recording(Protocol):
    """A log of events with a beginning. Whatever it is asked for can raise a `NaqError`."""

    @property
    def server(self) -> ServerState:
        """Where it was recorded."""
        ...

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def spread_ns(self) -> int:
        """Events of one moment are stored within so long."""
        ...

    @property
    def silence_ns(self) -> float:
        """For longer nobody waits for the next event; infinite where time passes as it did."""
        ...

    async def span(self) -> Span:
        """When its first event was stored, and up to when there may be events by now."""
        ...

    async def read(self, place: Place, before: int) -> Reading:
        """Read from about ``before`` events before a place on."""
        ...

    async def density(self, span: Span, parts: int) -> Density:
        """Count what there was in equal parts of a time."""
        ...

    async def workers(self, moment_ns: int) -> Sequence[StoredEvent]:
        """What workers said of themselves before a moment, as far back as is found at no great cost; oldest first."""
        ...

    async def schedules(self, moment_ns: int) -> ScheduleStory:
        """What was told of schedules before a moment, as far back as is found at no great cost."""
        ...

    async def alerts(self, moment_ns: int) -> Sequence[StoredEvent]:
        """What was told of alerts before a moment, as far back as is found at no great cost; in no order."""
        ...

    async def failures(self, since_ns: int, place: Place) -> Sequence[StoredEvent]:
        """The last attempts that failed from a moment on and up to a place, oldest first; of very many the newest."""
        ...

    async def job(self, job_id: str, place: Place) -> JobDetail:
        """All that was known of a job.

        Raises:
            NotFound: nothing was.
        """
        ...


def happened_by(place: Place, stored: StoredEvent) -> bool:
    """Whether an event had happened."""
    return place_of(stored) <= place


def failures_within(since_ns: int, place: Place, events: Iterable[StoredEvent]) -> list[StoredEvent]:
    """Those of some events by which attempts failed, from a moment on and up to a place."""
    return [
        one
        for one in events
        if isinstance(one.event, JobEvent)
        and one.event.event_type in FAILURES
        and since_ns <= one.happened_ns
        and happened_by(place, one)
    ]


def place_of(stored: StoredEvent) -> Place:
    """Where an event is in the order in which things happened."""
    return Place(stored.happened_ns, stored.sequence)


def middle_ns(moments: Collection[int]) -> int:
    """When half of some events had happened, by their moments: those of single ones may be wrong; 0 for none."""
    return sorted(moments)[len(moments) // 2] if moments else 0
