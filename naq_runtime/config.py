"""The settings of everything, read once, from one place.

Priority, lowest first: the defaults below, the TOML file, the environment (``NAQ_NAMESPACE``, ``NAQ_NATS_URL``,
``NAQ_WORKER_CONCURRENCY``: section and key in capitals), arguments. All durations are in seconds, all sizes in bytes.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from naq_runtime.errors import ConfigError
from naq_runtime.naming import Names, check_name
from naq_runtime.processors.settings import KINDS, Settings, WebhookConfig, shown_url

__all__ = [
    "AlertConfig",
    "DeadConfig",
    "EventsConfig",
    "JobsConfig",
    "MetricsConfig",
    "NAQConfig",
    "NatsConfig",
    "ResultsConfig",
    "SchedulerConfig",
    "StatisticsConfig",
    "StreamsConfig",
    "TracingConfig",
    "WorkerConfig",
    "get_config",
    "read_processor",
    "redacted_url",
    "settings_of",
    "shown_setting",
    "split_urls",
]

Seconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Positive = Annotated[int, Meta(gt=0)]
Limit = Annotated[int, Meta(ge=-1)]
"""-1 for no limit."""


_SECRETS = {"password", "token", "secret", "webhook", "headers", "headers[...]"}
_BY_NAME = {"processors", "alerts", "webhooks"}
"""Sections with a table for each name."""
"""Keys whose values are not shown."""


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""


class NatsConfig(_Section, frozen=True, kw_only=True):
    """Where the server is, and who we are to it."""

    url: Annotated[str, Meta(pattern=r"[^\s,]")] = "nats://127.0.0.1:4222"
    """Several servers of a cluster are parted by commas."""
    user: str | None = None
    password: str | None = None
    token: str | None = None
    creds: str | None = None
    """Path of a credentials file (needs the extra ``nkeys``)."""
    connect_timeout: Seconds = 5.0
    request_timeout: Seconds = 5.0
    pending_bytes: Positive = 32 * 1024 * 1024
    """Bytes that may wait for the socket."""
    inbox_prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")] = "_INBOX"
    """Where answers come; one of its own lets permissions keep a role from reading those of others."""

    def __repr__(self) -> str:
        secrets = {"password", "token"}
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown |= {name: "(hidden)" for name in secrets if shown[name] is not None}
        shown["url"] = redacted_url(self.url)
        return f"NatsConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class StreamsConfig(_Section, frozen=True, kw_only=True):
    """How the streams are created; streams that exist are left as they are."""

    replicas: Annotated[int, Meta(ge=1, le=5)] = 1


class JobsConfig(_Section, frozen=True, kw_only=True):
    """The stream of jobs."""

    ack_wait: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """A worker that is silent for so long has lost its jobs to the others."""
    max_ack_pending: Positive = 50_000
    """Jobs of one queue that may be with workers at a time."""
    poison_after: Positive = 5
    """A job that was with so many workers when they died is not tried again."""
    sweep_interval: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """How often a worker looks for jobs that crashed processes have left waiting."""
    serializer: Annotated[str, Meta(pattern=r"^[\w.]+:[\w.]+$")] = "naq_runtime.serializer:JsonSerializer"
    """The form of jobs and results on the wire, as ``module:Class``; all processes of a namespace need the same."""


class ResultsConfig(_Section, frozen=True, kw_only=True):
    """The stream of outcomes."""

    ttl: Seconds = 86_400.0
    """How long an outcome can be read."""
    max_bytes: Limit = -1
    large: Literal["refuse", "store"] = "refuse"
    """A result above the server's limit for one message fails its job, or goes into the object store."""


class DeadConfig(_Section, frozen=True, kw_only=True):
    """The stream of dead letters."""

    max_age: Seconds = 30 * 86_400.0
    """How long a dead letter is kept."""
    max_bytes: Limit = 1024**3
    """The server sets so much aside when the stream is made; above it, the oldest go."""


class WorkerConfig(_Section, frozen=True, kw_only=True):
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


class SchedulerConfig(_Section, frozen=True, kw_only=True):
    """The schedulers of a namespace."""

    lease: Annotated[float, Meta(ge=0.5, le=3600)] = 3.0
    """A leader that is silent for so long has lost the lead to the others."""
    late_after: Annotated[float, Meta(ge=1, le=86_400)] = 30.0
    """A tick that is seen to so late was missed, and is treated as its schedule says; one that is not runs."""
    chores_interval: Annotated[float, Meta(ge=0.5, le=86_400)] = 10.0
    """How often the leader looks for what crashed processes have left behind."""
    alerts_interval: Annotated[float, Meta(ge=0.2, le=3600)] = 5.0
    """How often the leader evaluates the rules of alerts."""


class AlertConfig(_Section, frozen=True, kw_only=True):
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


class EventsConfig(_Section, frozen=True, kw_only=True):
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


class StatisticsConfig(_Section, frozen=True, kw_only=True):
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


class TracingConfig(_Section, frozen=True, kw_only=True):
    """OpenTelemetry in the processes that enqueue and run jobs (extra ``otel``)."""

    enabled: bool = False
    """Jobs carry the context of a trace; spans are exported as the variables ``OTEL_…`` say."""


class MetricsConfig(_Section, frozen=True, kw_only=True):
    """The endpoint of ``naq metrics`` (extra ``prometheus``)."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 9464
    """0 for any that is free."""
    interval: Annotated[float, Meta(ge=0.1, le=3600)] = 5.0
    """How often queues, workers and streams are looked at."""


class NAQConfig(_Section, frozen=True, kw_only=True):
    """All settings, validated."""

    namespace: str = "naq"
    nats: NatsConfig = field(default_factory=NatsConfig)
    streams: StreamsConfig = field(default_factory=StreamsConfig)
    jobs: JobsConfig = field(default_factory=JobsConfig)
    results: ResultsConfig = field(default_factory=ResultsConfig)
    dead: DeadConfig = field(default_factory=DeadConfig)
    worker: WorkerConfig = field(default_factory=WorkerConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    events: EventsConfig = field(default_factory=EventsConfig)
    statistics: StatisticsConfig = field(default_factory=StatisticsConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    tracing: TracingConfig = field(default_factory=TracingConfig)
    processors: dict[str, Settings] = field(default_factory=dict)
    """What is done with events, by name; see `naq_runtime.processors`."""
    alerts: dict[str, AlertConfig] = field(default_factory=dict)
    """The rules of alerts, by name."""
    webhooks: dict[str, WebhookConfig] = field(default_factory=dict)
    """Where alerts are told of, by name."""

    def __post_init__(self) -> None:
        Names(self.namespace)
        if self.alerts:
            from naq_runtime.alerts.settings import check_alerts

            check_alerts(self.alerts, self.webhooks)

    def __hash__(self) -> int:
        """Of everything but tables by name, which have no hash: processes keep things by their settings."""
        return hash(tuple(getattr(self, name) for name in self.__struct_fields__ if name not in _BY_NAME))

    @property
    def names(self) -> Names:
        """The names on the wire in this namespace."""
        return Names(self.namespace)

    @classmethod
    def load(
        cls,
        file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        arguments: Mapping[str, object] | None = None,
    ) -> NAQConfig:
        """Merge file, environment and arguments over the defaults.

        Args:
            file: a TOML file; without one, ``NAQ_CONFIG``, ``./naq.toml`` and the user's ``naq/config.toml`` are
            looked for. environ: the environment, ``os.environ`` when left out. arguments: values by dotted key
            (``{"nats.url": …}``); ``None`` values are passed over.

        Raises:
            ConfigError: naming the key, what was expected and what came.
        """
        environ = os.environ if environ is None else environ
        path = file or _default_file(environ)
        tree = _read_toml(path) if path else {}
        for key, text in _from_environment(environ).items():
            _put(tree, key, text)
        for key, value in (arguments or {}).items():
            if value is not None:
                _put(tree, key, value)
        for name, table in _tables(tree, "processors").items():
            tree["processors"][name] = read_processor(name, table)
        for section, kind in (("alerts", AlertConfig), ("webhooks", WebhookConfig)):
            for name, table in _tables(tree, section).items():
                tree[section][name] = _read_table(section, name, table, kind)
        config: NAQConfig = _converted(tree, cls)
        return config


_SECRETS = frozenset(("nats.password", "nats.token"))


def settings_of(config: NAQConfig) -> dict[str, Any]:
    """All settings by dotted key."""
    found: dict[str, Any] = {}
    for name in config.__struct_fields__:
        value = getattr(config, name)
        if isinstance(value, _Section):
            found |= {f"{name}.{inner}": getattr(value, inner) for inner in value.__struct_fields__}
        else:
            found[name] = value
    return found


def shown_setting(key: str, value: object) -> str:
    """A value as others may see it: secrets are hidden."""
    if key in _SECRETS and value is not None:
        return "(hidden)"
    return redacted_url(str(value)) if key == "nats.url" else str(value)


def get_config() -> NAQConfig:
    """The settings of this process: file and environment, without arguments."""
    return NAQConfig.load()


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


def _default_file(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("NAQ_CONFIG"):
        return Path(named)
    import platformdirs

    for candidate in (Path("naq.toml"), Path(platformdirs.user_config_dir("naq")) / "config.toml"):
        if candidate.is_file():
            return candidate
    return None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the config file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the config file {path} is not valid TOML: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Values by dotted key, of the variables whose names are settings."""
    found = {}
    for option in msgspec.structs.fields(NAQConfig):
        if option.name == "processors":
            continue  # a table for each name is no matter of the environment
        if isinstance(option.type, type) and issubclass(option.type, Struct):
            keys = [f"{option.name}.{inner.name}" for inner in msgspec.structs.fields(option.type)]
        else:
            keys = [option.name]
        for key in keys:
            variable = "NAQ_" + key.replace(".", "_").upper()
            if variable in environ:
                found[key] = environ[variable]
    return found


def _put(tree: dict[str, Any], key: str, value: object) -> None:
    *sections, name = key.split(".")
    for section in sections:
        inner = tree.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"setting {section}: expected a table, got {inner!r}")
        tree = inner
    tree[name] = value


def _tables(tree: Mapping[str, Any], section: str) -> dict[str, Any]:
    """The tables of a section that has one for each name."""
    found = tree.get(section, {})
    if not isinstance(found, dict):
        raise ConfigError(f"setting {section}: expected tables [{section}.NAME], got another value")
    return found


def read_processor(name: str, table: Any) -> Settings:
    """The settings of a table ``[processors.NAME]``.

    Raises:
        ConfigError: naming the key, what was expected and what came.
    """
    if isinstance(table, dict) and (kind := table.get("kind")) not in KINDS:
        raise ConfigError(f"setting processors.{name}.kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    settings: Settings = _read_table("processors", name, table, Settings)
    return settings


def _read_table(section: str, name: str, table: Any, kind: Any) -> Any:
    """The table ``[section.NAME]``: of all together, an error would not say in which it is."""
    try:
        check_name(section.removesuffix("s"), name)
    except ValueError as error:
        raise ConfigError(f"setting {section}: {error}") from error
    return _converted(table, kind, f"{section}.{name}")


def _converted(tree: Any, kind: Any, section: str = "") -> Any:
    try:
        return msgspec.convert(tree, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(_explain(error, tree, section)) from error


def _explain(error: Exception, tree: Any, section: str) -> str:
    """Name the key, what was expected, and what came."""
    text, _, path = str(error).partition(" - at `$")
    key = path.rstrip("`").lstrip(".")
    if not key:
        return f"setting {section}: {text[0].lower()}{text[1:]}" if section else f"config: {text}"
    value: Any = tree
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    full = f"{section}.{key}" if section else key
    problem = f"setting {full}: {text[0].lower()}{text[1:]}"
    if isinstance(value, Mapping) or (section and value is None):
        return problem
    shown = "(hidden)" if _is_secret(full) else repr(value)
    return f"{problem.partition(', got ')[0]}, got {shown}"


def _is_secret(key: str) -> bool:
    """Whether the value of a setting is not to be shown: the address of a webhook has its secret in it."""
    names = key.split(".")
    section, name = names[0], names[-1]
    is_address = section == "webhooks" or (section == "processors" and name == "url")
    return is_address or not _SECRETS.isdisjoint(names)
