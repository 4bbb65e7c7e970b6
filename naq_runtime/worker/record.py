"""What a worker says of itself, for as long as it lives."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from naq_runtime.errors import SerializationError
from naq_runtime.events.models import Count, Skew

__all__ = ["LEASE_BEATS", "Counts", "WorkerRecord", "WorkerState", "decode_worker", "encode_worker"]


LEASE_BEATS = 3
"""A lease outlives so many heartbeats that are missed."""


class WorkerState(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    """What its modules want done before the first job is under way."""
    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Counts(Struct):
    """What has become of a worker's jobs since it started."""

    completed: int = 0
    failed: int = 0
    """For good: they are not tried again."""
    interrupted: int = 0
    """Begun here, and handed back."""


class WorkerRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A worker's lease: renewed at every heartbeat, gone when the worker is."""

    worker_id: str
    state: WorkerState
    hostname: str
    pid: Count
    queue_names: tuple[str, ...]
    concurrency_limit: Count
    started_at_ns: Count
    beat_at_ns: Count
    """When this record was written, by the worker's clock."""
    heartbeat_interval: float
    """Seconds between two beats."""
    version: str = ""
    modules: tuple[str, ...] = ()
    active_jobs: Count = 0
    running_job_ids: tuple[str, ...] = ()
    """At most 100 of them."""
    running_by_queue: dict[str, Count] = {}
    """How many of them are of which queue."""
    jobs_completed: Count = 0
    jobs_failed: Count = 0
    jobs_interrupted: Count = 0
    stuck_job_ids: tuple[str, ...] = ()
    """Jobs that were given up, and whose threads still run."""
    cpu_percent: float = 0.0
    """Of one core."""
    rss_bytes: Count = 0
    loop_lag_ms: float = 0.0
    """The worst delay of the event loop since the beat before."""
    events_buffered: Count = 0
    events_dropped: Count = 0
    reason: str = ""
    """Why it has stopped."""
    clock_skew_ms: Skew = 0.0
    """How far its clock is ahead of that of the server, as far as it knows."""

    def on_server(self, time_ns: int) -> int:
        """A time of this record by the clock of the server."""
        return time_ns - int(self.clock_skew_ms * 1e6)


encode_worker = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(WorkerRecord).decode


def decode_worker(data: bytes) -> WorkerRecord:
    """The record of its JSON.

    Raises:
        SerializationError: the bytes are no worker's record.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SerializationError(f"not a worker's record: {error}") from error
