"""The sections of the settings: what there is to set, what is allowed, and what it is when nobody says.

All durations are in seconds, all sizes in bytes.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from naq_runtime.processors.settings import shown_url

__all__ = [
    "AlertConfig",
    "DeadConfig",
    "EventsConfig",
    "JobsConfig",
    "LogConfig",
    "MetricsConfig",
    "NatsConfig",
    "ResultsConfig",
    "SchedulerConfig",
    "Section",
    "StatisticsConfig",
    "StreamsConfig",
    "TracingConfig",
    "WorkerConfig",
    "redacted_url",
    "split_urls",
]

Seconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Positive = Annotated[int, Meta(gt=0)]
Limit = Annotated[int, Meta(ge=-1)]
"""-1 for no limit."""


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""


class NatsConfig(Section, frozen=True, kw_only=True):
    """Where the server is, and who we are to it."""

    url: Annotated[str, Meta(pattern=r"[^\s,]", description="an address such as nats://127.0.0.1:4222")] = (
        "nats://127.0.0.1:4222"
    )
    """Several servers of a cluster are parted by commas."""
    user: str | None = None
    password: str | None = None
    token: str | None = None
    creds: str | None = None
    """Path of a credentials file (needs the extra ``nkeys``)."""
    nkey: str | None = None
    """Path of a file with the seed of an nkey (needs the extra ``nkeys``)."""
    tls_ca: str | None = None
    """Path of the certificates of those who may vouch for the server; those of this machine when left out."""
    tls_cert: str | None = None
    """Path of our own certificate, for servers that ask for one; ``tls_key`` goes with it."""
    tls_key: str | None = None
    tls_first: bool = False
    """Whether the connection is encrypted before anything is said, as servers with ``handshake_first`` want it."""
    jetstream_domain: (
        Annotated[str, Meta(pattern=r"^[^\s.*>]+$", description="a name without dots, spaces and wildcards")] | None
    ) = None
    """Where the streams are, when that is not the domain of the server."""
    connect_timeout: Seconds = 5.0
    request_timeout: Seconds = 5.0
    pending_bytes: Positive = 32 * 1024 * 1024
    """Bytes that may wait for the socket."""
    inbox_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", description="letters, digits, '_' and '-', parted by dots"
        ),
    ] = "_INBOX"
    """Where answers come; one of its own lets permissions keep a role from reading those of others."""

    def __repr__(self) -> str:
        secrets = {"password", "token"}
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown |= {name: "(hidden)" for name in secrets if shown[name] is not None}
        shown["url"] = redacted_url(self.url)
        return f"NatsConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class LogConfig(Section, frozen=True, kw_only=True):
    """What commands say on stderr of themselves."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is worth a line; ``--debug`` is above it."""


class StreamsConfig(Section, frozen=True, kw_only=True):
    """How the streams are created; streams that exist are left as they are."""

    replicas: Annotated[int, Meta(ge=1, le=5)] = 1


class JobsConfig(Section, frozen=True, kw_only=True):
    """The stream of jobs."""

    ack_wait: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """A worker that is silent for so long has lost its jobs to the others."""
    max_ack_pending: Positive = 50_000
    """Jobs of one queue that may be with workers at a time."""
    poison_after: Positive = 5
    """A job that was with so many workers when they died is not tried again."""
    sweep_interval: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """How often a worker looks for jobs that crashed processes have left waiting."""
    serializer: Annotated[str, Meta(pattern=r"^[\w.]+:[\w.]+$", description="a class as 'module:Name'")] = (
        "naq_runtime.serializer:JsonSerializer"
    )
    """The form of jobs and results on the wire, as ``module:Class``; all processes of a namespace need the same."""


class ResultsConfig(Section, frozen=True, kw_only=True):
    """The stream of outcomes."""

    ttl: Seconds = 86_400.0
    """How long an outcome can be read."""
    max_bytes: Limit = -1
    large: Literal["refuse", "store"] = "refuse"
    """A result above the server's limit for one message fails its job, or goes into the object store."""


class DeadConfig(Section, frozen=True, kw_only=True):
    """The stream of dead letters."""

    max_age: Seconds = 30 * 86_400.0
    """How long a dead letter is kept."""
    max_bytes: Limit = 1024**3
    """The server sets so much aside when the stream is made; above it, the oldest go."""


class WorkerConfig(Section, frozen=True, kw_only=True):
    """One worker process."""

    concurrency: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """Jobs that run at a time."""
    queue_order: Literal["fair", "strict", "weighted"] = "fair"
    """Of a worker with several queues: all alike; each only while nothing waits in those before it; or by weight."""
    heartbeat_interval: Annotated[float, Meta(ge=0.1, le=3600)] = 5.0
    shutdown_grace: Annotated[float, Meta(ge=0, le=86_400)] = 20.0
    """How long running jobs may take to end after a request to stop."""
    commit_size: Annotated[int, Meta(ge=1, le=1000)] = 256
    """Outcomes that are stored together before their jobs are acknowledged."""


class SchedulerConfig(Section, frozen=True, kw_only=True):
    """The schedulers of a namespace."""

    lease: Annotated[float, Meta(ge=0.5, le=3600)] = 3.0
    """A leader that is silent for so long has lost the lead to the others."""
    late_after: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """A tick that is seen to so late was missed, and is treated as its schedule says; one that is not runs."""
    chores_interval: Annotated[float, Meta(ge=0.5, le=86_400)] = 10.0
    """How often the leader looks for what crashed processes have left behind."""
    alerts_interval: Annotated[float, Meta(ge=0.2, le=3600)] = 5.0
    """How often the leader evaluates the rules of alerts."""


class AlertConfig(Section, frozen=True, kw_only=True):
    """A rule of alerts, and what is done when it fires."""

    rule: str
    """As ``docs/alerts.md`` says: ``failed_rate{queue=mail} > 5% for 2m``."""
    severity: Literal["info", "warning", "critical"] = "warning"
    webhook: str | None = None
    """What is called when an alert fires or is over: a table ``[webhooks.NAME]``, or an address."""
    message: Annotated[str, Meta(max_length=500)] = ""
    """What to say besides; ``{queue}``, ``{value}`` and so on stand for labels and figures."""
    min_samples: Positive = 20
    """Shares and percentiles of fewer jobs say nothing."""

    def __repr__(self) -> str:
        webhook = shown_url(self.webhook) if self.webhook and "://" in self.webhook else self.webhook
        return f"AlertConfig(rule={self.rule!r}, severity={self.severity!r}, webhook={webhook!r})"


class EventsConfig(Section, frozen=True, kw_only=True):
    """The event log."""

    enabled: bool = True
    batch_size: Annotated[int, Meta(ge=1, le=1000)] = 500
    flush_interval: Annotated[float, Meta(gt=0, le=60)] = 0.1
    max_buffer_size: Positive = 200_000
    """Events that wait for the server at most. Above it heartbeats go first, then progress and log lines, the ends of
    jobs last; what goes is counted."""
    max_buffer_bytes: Annotated[int, Meta(ge=65_536)] = 128 * 1024 * 1024
    """Of their subjects and payloads; Python needs 250 more for each."""
    spool: str | None = None
    """A folder for what waits when half of the buffer is full, and for what is left at the end of a process. The next
    process of the same folder stores what one that was killed has left in it."""
    spool_max_bytes: Annotated[int, Meta(ge=1_048_576)] = 1024**3
    """Of each process in that folder."""
    metrics_interval: Annotated[float, Meta(ge=0.1, le=86_400)] = 10.0
    """How often workers and schedulers say what they cost."""
    max_age: Seconds = 7 * 86_400.0
    heartbeat_max_age: Seconds = 3600.0
    """Heartbeats and metrics leave earlier than other events, where a scheduler leads."""
    max_bytes: Limit = 1024**3
    """The server sets so much aside when the stream is made."""
    max_count: Limit = 5_000_000


class StatisticsConfig(Section, frozen=True, kw_only=True):
    """The roll-ups of the events, which the leader of the schedulers writes."""

    enabled: bool = True
    """Whether this scheduler writes any; without them statistics are counted from the events, which takes longer."""
    minutes_for: Annotated[float, Meta(ge=7200, le=10 * 365 * 86_400)] = 2 * 86_400.0
    """How long the roll-ups of single minutes are kept; and below, those of hours and days. They are needed until those
    of the next longer time are made of them."""
    hours_for: Annotated[float, Meta(ge=2 * 86_400, le=10 * 365 * 86_400)] = 60 * 86_400.0
    days_for: Seconds = 2 * 365 * 86_400.0
    most_groups: Annotated[int, Meta(ge=8, le=100_000)] = 2_000
    """Of queue, function and worker in one roll-up at most; what comes beyond is counted together as ``(others)``."""
    max_bytes: Limit = -1
    """Of all roll-ups. The server sets so much aside when the stream is made; above it, the oldest go."""


class TracingConfig(Section, frozen=True, kw_only=True):
    """OpenTelemetry in the processes that enqueue and run jobs (extra ``otel``)."""

    enabled: bool = False
    """Jobs carry the context of a trace; spans are exported as the variables ``OTEL_…`` say."""


class MetricsConfig(Section, frozen=True, kw_only=True):
    """The endpoint of ``naq metrics`` (extra ``prometheus``)."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 9464
    """0 for any that is free."""
    interval: Annotated[float, Meta(ge=0.1, le=3600)] = 5.0
    """How often queues, workers and streams are looked at."""


def redacted_url(url: str) -> str:
    """The URL, or several parted by commas, without user, password or token."""
    return ",".join(_redacted(part) for part in split_urls(url))


def split_urls(text: str) -> list[str]:
    """The addresses of a list; a comma inside a password parts nothing."""
    comma = r",(?=\s*\w+://)" if "@" in text else ","
    return [part.strip() for part in re.split(comma, text) if part.strip()]


def _redacted(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]
