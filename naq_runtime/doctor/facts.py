"""What checks are made of: what stands, as it was asked for. What could not be is `Unknown`, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct, field

from naq_runtime.alerts.record import AlertRecord
from naq_runtime.config import NAQConfig
from naq_runtime.doctor.check import Unknown
from naq_runtime.jetstream import Account, Stream
from naq_runtime.nats.wanted import Difference
from naq_runtime.processing.overview import ProcessorState
from naq_runtime.skews import ClockSkew
from naq_runtime.snapshot import QueueState, ScheduleNews
from naq_runtime.worker.roll import WorkerStatus

__all__ = ["DeadLetters", "Facts", "FoundStream", "ServerSkew"]

_NOT_ASKED = Unknown("it was not asked for")


class FoundStream(NamedTuple):
    """A stream that is there."""

    stream: Stream
    differences: tuple[Difference, ...] = ()
    """Fields that would have it lose or repeat something."""


class ServerSkew(NamedTuple):
    """How far the clock of the server is ahead of ours."""

    skew_ms: float
    within_ms: float
    """How wrong that can be."""


class DeadLetters(NamedTuple):
    """How many there are."""

    standing: int
    lately: int
    """Of them, those of the last hour; a little too many where some were retried since."""


class Facts(Struct, frozen=True, kw_only=True):
    """All that was asked for."""

    config: NAQConfig = field(default_factory=NAQConfig)
    environ: Mapping[str, str] = {}
    now_ns: int = 0
    """By the clock of the server."""
    streams: Mapping[str, FoundStream | Unknown | None] = {}
    """By name; ``None`` for one that is not there."""
    account: Account | Unknown = _NOT_ASKED
    server_skew: ServerSkew | Unknown = _NOT_ASKED
    skews: tuple[ClockSkew, ...] | Unknown = _NOT_ASKED
    queues: tuple[QueueState, ...] | Unknown = _NOT_ASKED
    workers: tuple[WorkerStatus, ...] | Unknown = _NOT_ASKED
    """Those that are lost or have stopped among them."""
    schedules: ScheduleNews | Unknown = _NOT_ASKED
    dead: DeadLetters | Unknown = _NOT_ASKED
    alerts: tuple[AlertRecord, ...] | Unknown = _NOT_ASKED
    processors: tuple[ProcessorState, ...] | Unknown = _NOT_ASKED
