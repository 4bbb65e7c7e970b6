"""The settings of everything, read once, from one place.

Priority, lowest first: the defaults below, the TOML file, the environment (``NAQ_NAMESPACE``, ``NAQ_NATS_URL``,
``NAQ_WORKER_CONCURRENCY``: section and key in capitals), arguments. All durations are in seconds, all sizes in bytes.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from naq_runtime.config_mistakes import SettingMistake, is_secret, mistake_of, variable_of, where_set
from naq_runtime.errors import ConfigError
from naq_runtime.naming import Names, check_name
from naq_runtime.processors.settings import KINDS, Settings, WebhookConfig
from naq_runtime.settings import (
    AlertConfig,
    DeadConfig,
    EventsConfig,
    JobsConfig,
    LogConfig,
    MetricsConfig,
    NatsConfig,
    ResultsConfig,
    SchedulerConfig,
    Section,
    StatisticsConfig,
    StreamsConfig,
    TracingConfig,
    WorkerConfig,
    redacted_url,
    split_urls,
)

__all__ = [
    "AlertConfig",
    "DeadConfig",
    "EventsConfig",
    "JobsConfig",
    "LogConfig",
    "MetricsConfig",
    "NAQConfig",
    "NatsConfig",
    "ResultsConfig",
    "SchedulerConfig",
    "StatisticsConfig",
    "StreamsConfig",
    "TracingConfig",
    "WorkerConfig",
    "config_files",
    "get_config",
    "read_processor",
    "read_section",
    "redacted_url",
    "settings_of",
    "shown_setting",
    "split_urls",
    "user_file",
]

Kind = TypeVar("Kind", bound=Section)

_BY_NAME = {"processors", "alerts", "webhooks"}
"""Sections with a table for each name."""
_OF_OTHERS = ("top",)
"""Sections that are read by whom they concern, with `read_section`."""


class NAQConfig(Section, frozen=True, kw_only=True):
    """All settings, validated."""

    namespace: str = "naq"
    nats: NatsConfig = field(default_factory=NatsConfig)
    log: LogConfig = field(default_factory=LogConfig)
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
            ConfigError: naming the file or the variable, the key, what was expected and what came.
        """
        environ = os.environ if environ is None else environ
        path = file or _default_file(environ)
        tree = _read_toml(path) if path else {}
        for section in _OF_OTHERS:
            tree.pop(section, None)
        variables = _from_environment(environ)
        given = {key: value for key, value in (arguments or {}).items() if value is not None}
        try:
            return cls._of(tree, {**variables, **given})
        except ConfigError as mistake:
            key = mistake.key if isinstance(mistake, SettingMistake) else ""
            raise ConfigError(f"{where_set(key, given, variables, path)}{mistake}") from mistake

    @classmethod
    def _of(cls, tree: dict[str, Any], above: Mapping[str, object]) -> NAQConfig:
        for key, value in above.items():
            _put(tree, key, value)
        tables = {section: _tables(tree, section) for section in _BY_NAME}
        tree["processors"] = {name: read_processor(name, table) for name, table in tables["processors"].items()}
        for section, kind in (("alerts", AlertConfig), ("webhooks", WebhookConfig)):
            tree[section] = {name: _read_table(section, name, table, kind) for name, table in tables[section].items()}
        config: NAQConfig = _converted(tree, cls)
        return config


def settings_of(config: NAQConfig) -> dict[str, Any]:
    """All settings by dotted key."""
    found: dict[str, Any] = {}
    for name in config.__struct_fields__:
        value = getattr(config, name)
        if isinstance(value, Section):
            found |= {f"{name}.{inner}": getattr(value, inner) for inner in value.__struct_fields__}
        else:
            found[name] = value
    return found


def shown_setting(key: str, value: object) -> str:
    """A value as others may see it: secrets are hidden."""
    if is_secret(key) and value is not None:
        return "(hidden)"
    return redacted_url(str(value)) if key == "nats.url" else str(value)


def get_config() -> NAQConfig:
    """The settings of this process: file and environment, without arguments."""
    return NAQConfig.load()


def user_file() -> Path:
    """The config file of the user, whether it is there or not."""
    import platformdirs

    return Path(platformdirs.user_config_dir("naq")) / "config.toml"


def config_files(file: Path | None = None, environ: Mapping[str, str] | None = None) -> list[Path]:
    """The file that the settings come from, and that of the user, which may be the same; only files that are there."""
    used = file or _default_file(os.environ if environ is None else environ)
    own = user_file()
    found = [used] if used else []
    return [*found, own] if own.is_file() and own not in found else found


def read_section(name: str, kind: type[Kind], files: Sequence[Path]) -> Kind:
    """The table ``[name]`` of some files; of two values the one in the later file holds.

    Args:
        kind: a `Section`, which says what is allowed.

    Raises:
        ConfigError: naming the key, what was expected and what came.
    """
    tree: dict[str, Any] = {}
    for file in files:
        table = _read_toml(file).get(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"setting {name}: expected a table, got {table!r}")
        _merge(tree, table)
    section: Kind = _converted(tree, kind, name)
    return section


def _merge(tree: dict[str, Any], table: Mapping[str, Any]) -> None:
    """Put the values of a table over those of a tree, table by table."""
    for key, value in table.items():
        below = tree.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            _merge(below, value)
        else:
            tree[key] = value


def _default_file(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("NAQ_CONFIG"):
        return Path(named)
    return next((file for file in (Path("naq.toml"), user_file()) if file.is_file()), None)


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
            if (variable := variable_of(key)) in environ:
                found[key] = environ[variable]
    return found


def _put(tree: dict[str, Any], key: str, value: object) -> None:
    *sections, name = key.split(".")
    for section in sections:
        inner = tree.setdefault(section, {})
        if not isinstance(inner, dict):
            raise SettingMistake(section, f"setting {section}: expected a table, got {inner!r}")
        tree = inner
    tree[name] = value


def _tables(tree: Mapping[str, Any], section: str) -> dict[str, Any]:
    """The tables of a section that has one for each name."""
    found = tree.get(section, {})
    if not isinstance(found, dict):
        raise SettingMistake(section, f"setting {section}: expected tables [{section}.NAME], got another value")
    return found


def read_processor(name: str, table: Any) -> Settings:
    """The settings of a table ``[processors.NAME]``.

    Raises:
        ConfigError: naming the key, what was expected and what came.
    """
    if isinstance(table, dict) and (kind := table.get("kind")) not in KINDS:
        key = f"processors.{name}.kind"
        raise SettingMistake(key, f"setting {key}: expected one of {', '.join(KINDS)}, got {kind!r}")
    settings: Settings = _read_table("processors", name, table, Settings)
    return settings


def _read_table(section: str, name: str, table: Any, kind: Any) -> Any:
    """The table ``[section.NAME]``: of all together, an error would not say in which it is."""
    try:
        check_name(section.removesuffix("s"), name)
    except ValueError as error:
        raise SettingMistake(section, f"setting {section}: {error}") from error
    return _converted(table, kind, f"{section}.{name}")


def _converted(tree: Any, kind: Any, section: str = "") -> Any:
    try:
        return msgspec.convert(tree, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise mistake_of(error, tree, kind, section) from error
