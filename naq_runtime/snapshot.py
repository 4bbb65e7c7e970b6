"""What stands at one moment: the server, the queues, the workers, and all that is known of one job. Values only."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from msgspec import Struct

from naq_runtime.events.models import StoredEvent
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.worker.record import WorkerRecord

__all__ = ["Asked", "JobDetail", "QueueState", "ServerState", "Snapshot", "StreamState"]


class ServerState(Struct, frozen=True, kw_only=True):
    """The server that answered."""

    name: str
    version: str
    url: str
    """Without credentials."""
    cluster: str | None = None
    rtt_ms: float = 0.0


class QueueState(Struct, frozen=True, kw_only=True):
    """A queue, as the stream of jobs counts it."""

    name: str
    waiting: int
    """Jobs that no worker has yet."""
    running: int
    """Jobs that are with a worker: running, or about to."""
    redelivered: int = 0
    """Of those running, the ones that had been with a worker before."""
    pulls: int = 0
    """Requests of workers that wait for a job."""
    paused: bool = False
    concurrency_limit: int = 0
    """Jobs that may run at a time over all workers; 0 for no limit."""
    rate_limit: str = ""
    """``100/60s``; empty for no limit."""


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
    """By the clock of the reader."""
    server: ServerState
    queues: tuple[QueueState, ...] = ()
    """By name."""
    workers: tuple[WorkerRecord, ...] = ()
    """Those whose lease stands, by id."""
    streams: tuple[StreamState, ...] = ()


class JobDetail(Struct, frozen=True, kw_only=True):
    """All that is known of one job."""

    job_id: str
    status: JobStatus
    job: Job | None = None
    """With its arguments; ``None`` once neither the queue nor an outcome holds it."""
    result: JobResult | None = None
    """``None`` until it has ended, and after its outcome has expired."""
    events: tuple[StoredEvent, ...] = ()
    """In causal order."""


class Asked(NamedTuple):
    """What workers say of jobs that somebody wants to end."""

    running: Collection[str] = ()
    """The ids of those that run, and are being ended."""
    ended: Collection[int] = ()
    """The sequences of those that have ended, where no outcome says so: none is kept, or it is being written."""
