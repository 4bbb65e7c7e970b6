"""What commands print as JSON: the shape of each document, which stays as it is.

Members may be added later, and none is renamed or removed. What has nothing to say is ``null``. A moment comes twice:
``died_at`` in ISO 8601, UTC, and ``died_at_ns`` in nanoseconds since 1970, by the clock of the server.
`naq_tui.cli.schema` makes a JSON Schema of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct, field

from naq_runtime.alerts.record import AlertState
from naq_runtime.job import JobStatus
from naq_runtime.schedule import ScheduleState

__all__ = [
    "Alert",
    "AlertRule",
    "Change",
    "Check",
    "Consumer",
    "DeadEvent",
    "DeadJob",
    "DeadLetter",
    "FoundJob",
    "Job",
    "JobProgress",
    "MeasuredRule",
    "NeededJob",
    "Processor",
    "Purgeable",
    "Purged",
    "Queue",
    "Schedule",
    "ScheduleDetail",
    "Setting",
    "SettingMistake",
    "Stream",
    "StreamDetail",
    "Tick",
    "WatchedAlert",
    "WhyItWaits",
]

Moment = str | None
Nanoseconds = int | None
Event = dict[str, Any]
"""As `naq events history` prints it."""


class _Document(Struct):
    """All members are always there."""


# Jobs


class FoundJob(_Document):
    """A job of `naq job find`."""

    job_id: str
    state: str
    queue_name: str
    function_name: str | None
    arguments: str | None
    """As text, cut where it is long."""
    attempt: int
    worker_id: str | None
    enqueued_at: Moment
    enqueued_at_ns: Nanoseconds
    run_at: Moment
    run_at_ns: Nanoseconds
    started_at: Moment
    started_at_ns: Nanoseconds
    finished_at: Moment
    finished_at_ns: Nanoseconds
    wait_ms: float | None
    duration_ms: float | None
    error_type: str | None
    error_message: str | None


class WhyItWaits(_Document):
    """A reason for which a job waits, or waited."""

    cause: str
    text: str
    evidence: str | None
    """How that is known."""


class JobProgress(_Document):
    """How far a job says that it has come."""

    done: float | None
    total: float | None
    text: str | None
    time: Moment
    time_ns: Nanoseconds


class NeededJob(_Document):
    """A job that another one waits for."""

    job_id: str
    on: str | None
    """How it must end: success, failure or always."""
    status: str | None
    met: bool | None


class Job(_Document):
    """All that is known of a job."""

    job_id: str
    status: JobStatus
    function_name: str | None
    queue_name: str | None
    attempt: int
    worker_id: str | None
    enqueued_at: Moment
    enqueued_at_ns: Nanoseconds
    run_at: Moment
    run_at_ns: Nanoseconds
    started_at: Moment
    started_at_ns: Nanoseconds
    finished_at: Moment
    finished_at_ns: Nanoseconds
    duration_ms: float | None
    dead_letter: bool
    """Whether it is kept as a dead letter."""
    cancelled_by: str | None
    cancelled_because: str | None
    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    timeout: float | None
    """Of an attempt, in seconds."""
    retries: int | None
    retry_delay: float | list[float] | None
    """In seconds; one for each try, or the same for all."""
    result_ttl: float | None
    """In seconds."""
    unique_key: str | None
    unique_for: float | None
    """In seconds."""
    waits_because: list[WhyItWaits]
    progress: JobProgress | None
    depends_on: list[NeededJob]
    result: Any
    error_type: str | None
    error_message: str | None
    traceback: str | None
    events: list[Event]


class DeadJob(_Document):
    """A job that failed for good."""

    job_id: str
    queue_name: str
    function_name: str
    error_type: str
    error_message: str
    attempts: int
    worker_id: str | None
    duration_ms: float
    """Of the last attempt."""
    died_at: Moment
    died_at_ns: Nanoseconds


class DeadLetter(DeadJob):
    """The same, with all that is kept of it."""

    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    traceback: str | None


# Schedules


class Schedule(_Document):
    """A schedule. Spans are in seconds."""

    schedule_id: str
    state: ScheduleState
    reason: str | None
    queue_name: str
    function_name: str
    cron: str | None
    timezone: str | None
    every: float | None
    at: Moment
    at_ns: Nanoseconds
    starts_at: Moment
    starts_at_ns: Nanoseconds
    ends_at: Moment
    ends_at_ns: Nanoseconds
    jitter: float
    repeat: int | None
    """How many jobs are left."""
    missed: Literal["skip", "once", "all"]
    catch_up_limit: int
    catch_up_window: float
    overlap: Literal["allow", "skip", "buffer", "cancel"]
    created_at: Moment
    created_at_ns: Nanoseconds
    next_run_at: Moment
    next_run_at_ns: Nanoseconds
    last_run_at: Moment
    last_run_at_ns: Nanoseconds
    last_job_id: str | None
    lag_ms: float | None
    """How long after its time the last job was made."""
    ticks: int
    missed_ticks: int
    held: Moment
    """A tick that waits for the job before it."""
    held_ns: Nanoseconds
    errors: int
    """In a row."""


class ScheduleDetail(Schedule):
    """The same, with its job, what comes and what happened."""

    args: Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    timeout: float | None
    retries: int | None
    retry_delay: float | list[float] | None
    """In seconds; one for each try, or the same for all."""
    result_ttl: float | None
    coming: list[Moment] | None
    """The next ticks, in ISO 8601, UTC; ``null`` when the timetable cannot be read on this machine."""
    leader: str | None
    """The scheduler that leads."""
    events: list[Event]


class Tick(_Document):
    """A time at which a schedule is due."""

    due_at: Moment
    due_at_ns: Nanoseconds
    local: str
    """The same in the time zone of the schedule."""
    run_at: Moment
    """Later by the jitter."""
    run_at_ns: Nanoseconds


# Queues


class Queue(_Document):
    """How a queue stands."""

    name: str
    paused: bool
    waiting: int
    running: int
    redelivered: int
    """Jobs that have come to a worker again."""
    scheduled: int
    """Jobs that wait for their time, or for another attempt."""
    depending: int
    """Jobs that wait for others."""
    workers: list[str]
    concurrency_limit: int
    """0 for none."""
    rate_limit: str
    """Empty for none."""


class Purgeable(_Document):
    """Jobs of one function that would be purged."""

    status: JobStatus
    function_name: str
    jobs: int
    oldest: Moment
    oldest_ns: Nanoseconds


class Purged(_Document):
    """What became of a queue."""

    jobs: int
    """How many were cancelled."""


# Streams


class Stream(_Document):
    """A stream of the namespace, and how full it is."""

    name: str
    purpose: str
    """What is in it, in plain words."""
    subjects: list[str]
    messages: int
    bytes: int
    max_messages: int
    """0 for no limit, as with bytes and the age."""
    max_bytes: int
    max_age_s: float
    share: float | None
    """Of the limit that is nearest to be reached; `null` without one."""
    first_sequence: int
    last_sequence: int
    first: Moment
    first_ns: Nanoseconds
    last: Moment
    last_ns: Nanoseconds
    deleted: int
    """Messages between the first and the last that are no longer there."""
    consumers: int
    retention: str
    discards_new: bool
    """Whether a full stream refuses what is new; else the oldest goes."""
    storage: str
    replicas: int
    leader: str
    """Empty outside a cluster."""
    troubles: list[str]
    """What is wrong with its replicas."""


class Consumer(_Document):
    """Somebody who is given the messages of a stream."""

    name: str
    purpose: str
    pending: int
    """Messages that were not delivered yet."""
    unacknowledged: int
    max_unacknowledged: int
    """Above it nothing more is delivered."""
    redelivered: int
    delivered: int
    """The sequence of the stream up to which was delivered."""
    lag: int
    """Sequences of the stream behind that; not all of them need be for it."""
    acknowledged: int
    pulls: int
    """Requests that wait for messages."""
    paused: bool


class StreamDetail(Stream):
    """A stream with its consumers."""

    readers: list[Consumer]


# Alerts


class Alert(_Document):
    """An alert of a rule that is pending or fires."""

    labels: Mapping[str, str]
    state: AlertState
    value: float | None
    since: Moment
    since_ns: Nanoseconds
    fired: Moment
    fired_ns: Nanoseconds
    clearing: bool
    """Whether what the rule says is not true any more."""
    acknowledged_by: str | None
    acknowledged: Moment
    acknowledged_ns: Nanoseconds


class WatchedAlert(_Document):
    """A rule, and how it stands."""

    name: str
    rule: str
    severity: str
    message: str | None
    state: AlertState
    """The worst of its alerts."""
    watched: bool
    """Whether a scheduler evaluates it."""
    by: str | None
    as_of: Moment
    as_of_ns: Nanoseconds
    silenced_until: Moment
    silenced_until_ns: Nanoseconds
    alerts: list[Alert]
    hidden: int
    """How many more alerts there would be."""


class Change(_Document):
    """When an alert begins to fire, or is over."""

    operator: str
    value: float
    for_s: float


class AlertRule(_Document):
    """A rule of the config, with all that it leaves out put in."""

    name: str
    rule: str
    severity: str
    metric: str
    unit: str
    window_s: float | None
    by: list[str]
    threshold: Change
    clear: Change
    webhook: bool


class MeasuredRule(_Document):
    """What a rule measures now for one set of labels."""

    labels: Mapping[str, str]
    value: float | None
    holds: bool | None
    """Whether what the rule says is true; ``null`` where there is no value."""


# Processors


class Processor(_Document):
    """A durable processor."""

    name: str
    running: bool
    waiting: int
    """Events that it has not begun."""
    in_work: int
    redelivered: int
    dead: int
    """Events that it has given up."""
    done_up_to: int
    """The sequence in the log before which all is done."""


class DeadEvent(_Document):
    """An event that a processor has given up."""

    sequence: int
    error_type: str
    error_message: str
    attempts: int
    failed_at: Moment
    failed_at_ns: Nanoseconds
    event: Any
    """``null`` where it cannot be read."""


# Settings


class Setting(_Document):
    """A setting, and where its value comes from."""

    key: str
    value: Any
    from_: str = field(name="from")
    """``option``, ``env``, ``profile``, ``context``, ``file`` or ``default``."""
    name: str | None
    """Of the option, the variable, the profile or the context."""
    file: str | None


class SettingMistake(_Document):
    """What is wrong with a setting."""

    key: str | None
    where: str | None
    mistake: str


class Check(_Document):
    """What `naq doctor` has looked at."""

    check: str
    state: str
    """``ok``, ``warn``, ``bad`` or ``skipped``."""
    found: str
    meaning: str | None
    remedy: str | None
    """How to mend it."""
    details: list[str]
