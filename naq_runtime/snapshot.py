"""What stands at one moment: the server, the queues, the workers, the schedules, and all that is known of one job or
one schedule. Values only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from msgspec import Meta, Struct

from naq_runtime.alerts.record import AlertRecord
from naq_runtime.events.models import StoredEvent
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.worker.record import WorkerRecord
from naq_runtime.worker.roll import WorkerStatus

if TYPE_CHECKING:  # it takes a while, and most readers never see a schedule
    from naq_runtime.schedule import Schedule

__all__ = [
    "HeldJob",
    "JobDetail",
    "LeaderState",
    "QueueBacklog",
    "QueueState",
    "ScheduleDetail",
    "ScheduleMark",
    "ScheduleNews",
    "ServerState",
    "Snapshot",
    "StreamState",
    "WorkerDetail",
]


class ServerState(Struct, frozen=True, kw_only=True):
    """The server that answered."""

    name: str
    version: str
    url: str
    """Without credentials."""
    cluster: str | None = None
    rtt_ms: float = 0.0


class QueueState(Struct, frozen=True, kw_only=True):
    """A queue, as the stream of jobs counts it, and the workers say what runs."""

    name: str
    waiting: int
    """Jobs that have not begun: nobody has them yet, or a worker that has not come to them, or one that is lost."""
    running: int
    """Jobs that living workers have begun."""
    redelivered: int = 0
    """Of those with workers, the ones that had been with one before."""
    pulls: int = 0
    """Requests of workers that wait for a job."""
    paused: bool = False
    concurrency_limit: int = 0
    """Jobs that may run at a time over all workers; 0 for no limit."""
    rate_limit: str = ""
    """``100/60s``; empty for no limit."""
    workers: int | None = None
    """How many living workers take its jobs; ``None`` where that is not known."""


class QueueBacklog(Struct, frozen=True, kw_only=True):
    """Jobs of a queue that no worker can have now, and for how long those have waited that one could."""

    scheduled: int = 0
    """For their time, those among them that are tried again."""
    retrying: int | None = 0
    """For another attempt; ``None`` when there are too many to look at each."""
    depending: int = 0
    """For other jobs."""
    dead: int = 0
    """Dead letters."""
    oldest_s: float = 0.0
    """For how long the oldest job has waited that no worker was given; 0 where none waits."""


class StreamState(Struct, frozen=True, kw_only=True):
    """A stream of ours."""

    name: str
    messages: int
    bytes: int
    first_sequence: int
    last_sequence: int


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that stands at one moment."""

    taken_at_ns: int
    """By the clock of the server."""
    server: ServerState
    queues: tuple[QueueState, ...] = ()
    """By name."""
    workers: tuple[WorkerRecord, ...] = ()
    """Those whose lease stands, by id."""
    streams: tuple[StreamState, ...] = ()
    alerts: tuple[AlertRecord, ...] = ()
    """The rules that the leader of the schedulers has evaluated, by name, with their alerts."""


class JobDetail(Struct, frozen=True, kw_only=True):
    """All that is known of one job."""

    job_id: str
    status: JobStatus
    job: Job | None = None
    """With its arguments; ``None`` once neither the queue nor an outcome holds it."""
    result: JobResult | None = None
    """``None`` until it has ended, and after its outcome has expired."""
    events: tuple[StoredEvent, ...] = ()
    """In causal order; also those of workers that were lost while they ran it."""
    is_ending: bool = False
    """Whether it was cancelled, and its worker has not ended it yet: a function in a thread runs to its own end."""


class LeaderState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The scheduler that leads, or led last, as its record says."""

    instance_id: str
    """Empty when the last one has resigned."""
    term: int
    """One higher for each next lead."""
    lease_s: Annotated[float, Meta(gt=0, le=3600)]
    hostname: str = ""
    pid: int = 0
    since_ns: int = 0
    """When the lead began, by the leader's clock."""
    schedules: int = 0
    """How many it keeps."""
    silent_s: float = 0.0
    """Since it renewed the lead, when it was looked at; not in the record."""

    @property
    def leads(self) -> bool:
        """Whether somebody leads: one that is silent for longer than its lease does not."""
        return bool(self.instance_id) and self.silent_s <= self.lease_s


class ScheduleMark(NamedTuple):
    """Up to where schedules have been read; only for who made it."""

    stream: str
    """Tells the stream from a later one of the same name."""
    sequence: int
    read_ns: int
    """When, by the reader's monotonic clock."""


class ScheduleNews(Struct, frozen=True, kw_only=True):
    """The schedules that have changed since a mark, or all of them."""

    mark: ScheduleMark
    """From which to ask again."""
    whole: bool
    """Whether what was known before counts no more."""
    more: bool = False
    """Whether there are more to be asked for at once."""
    schedules: tuple[Schedule, ...] = ()
    """As they stand, those that are over among them; without their jobs."""
    unreadable: tuple[str, ...] = ()
    """The ids of records that this version cannot read."""
    leader: LeaderState | None = None
    """``None`` when none has ever led."""
    leader_known: bool = True
    """Whether it is known who leads: of the past, events do not always tell."""


class ScheduleDetail(Struct, frozen=True, kw_only=True):
    """All that is known of one schedule."""

    schedule: Schedule
    job: Job | None = None
    """What each tick makes; ``None`` when it cannot be read."""
    events: tuple[StoredEvent, ...] = ()
    """The latest, oldest first."""
    told: bool = False
    """Whether the schedule is known by its events alone, which do not tell all of its settings."""


class HeldJob(Struct, frozen=True, kw_only=True):
    """A job in the hands of a worker."""

    job_id: str
    queue_name: str = ""
    function_name: str = ""
    """Empty where no event of it is kept."""
    attempt: int = 1
    started_ns: int = 0
    """By the clock of the server; 0 where that is not known."""
    stuck: bool = False
    """Whether it was given up, and its thread still runs."""


class WorkerDetail(Struct, frozen=True, kw_only=True):
    """All that is known of one worker."""

    status: WorkerStatus
    jobs: tuple[HeldJob, ...] = ()
    """Those it runs, or held when it was lost, the oldest first; 100 at most."""
    beats: tuple[StoredEvent, ...] = ()
    """Its latest heartbeats, oldest first."""
    events: tuple[StoredEvent, ...] = ()
    """The latest of its own and of its jobs, oldest first; without heartbeats."""
