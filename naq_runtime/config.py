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
from naq_runtime.naming import Names

__all__ = [
    "DeadConfig",
    "EventsConfig",
    "JobsConfig",
    "NAQConfig",
    "NatsConfig",
    "ResultsConfig",
    "SchedulerConfig",
    "StreamsConfig",
    "WorkerConfig",
    "get_config",
    "redacted_url",
    "settings_of",
    "shown_setting",
    "split_urls",
]

Seconds = Annotated[float, Meta(gt=0, le=10 * 365 * 86_400)]
Positive = Annotated[int, Meta(gt=0)]
Limit = Annotated[int, Meta(ge=-1)]
"""-1 for no limit."""


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

    def __post_init__(self) -> None:
        Names(self.namespace)

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
        try:
            return msgspec.convert(tree, cls, strict=False)
        except (msgspec.ValidationError, ValueError) as error:
            raise ConfigError(_explain(error, tree)) from error


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


def _explain(error: Exception, tree: Mapping[str, Any]) -> str:
    """Name the key, what was expected, and what came."""
    text, _, path = str(error).partition(" - at `$")
    key = path.rstrip("`").lstrip(".")
    if not key:
        return f"config: {text}"
    value: Any = tree
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    problem = f"setting {key}: {text[0].lower()}{text[1:]}"
    if isinstance(value, Mapping):
        return problem
    shown = "(hidden)" if key.rpartition(".")[2] in ("password", "token") else repr(value)
    return f"{problem.partition(', got ')[0]}, got {shown}"
