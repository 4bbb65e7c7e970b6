"""The settings of everything, read once, from one place.

Priority, lowest first: the defaults below, the TOML file, the environment (``NAQ_NAMESPACE``, ``NAQ_NATS_URL``,
``NAQ_WORKER_CONCURRENCY``: section and key in capitals), arguments; and in the latter two a profile of the file, above
it a context of the ``nats`` tool, above it single settings. All durations are in seconds, all sizes in bytes.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import field

from naq_runtime.config_layers import Layer, Merged, Source, layers_of, merged, user_file
from naq_runtime.config_mistakes import SettingMistake, SettingMistakes, is_secret, mistake_of
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
    "ReadSettings",
    "ResultsConfig",
    "SchedulerConfig",
    "StatisticsConfig",
    "StreamsConfig",
    "TracingConfig",
    "WorkerConfig",
    "get_config",
    "read_processor",
    "read_section",
    "read_settings",
    "redacted_url",
    "section_in",
    "settings_in",
    "settings_of",
    "shown_setting",
    "split_urls",
    "user_file",
]

Kind = TypeVar("Kind", bound=Section)
Result = TypeVar("Result")

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
        *,
        context: str | None = None,
        profile: str | None = None,
    ) -> NAQConfig:
        """Merge file, environment and arguments over the defaults.

        Args:
            file: a TOML file; without one, ``NAQ_CONFIG``, ``./naq.toml`` and the user's ``naq/config.toml`` are
            looked for. environ: the environment, ``os.environ`` when left out. arguments: values by dotted key
            (``{"nats.url": …}``); ``None`` values are passed over. context: a context of the ``nats`` tool, and
            profile: a table ``[profiles.NAME]`` of the file, both above the environment; those that it names
            (``NAQ_CONTEXT``, ``NAQ_PROFILE``) are below its single settings.

        Raises:
            ConfigError: naming the file or the variable, the key, what was expected and what came.
        """
        return read_settings(Source(file, context, profile), environ, arguments).right()

    @classmethod
    def _of(cls, tree: dict[str, Any]) -> NAQConfig:
        tables = {section: _tables(tree, section) for section in _BY_NAME}
        tree["processors"] = {name: read_processor(name, table) for name, table in tables["processors"].items()}
        for section, kind in (("alerts", AlertConfig), ("webhooks", WebhookConfig)):
            tree[section] = {name: _read_table(section, name, table, kind) for name, table in tables[section].items()}
        config: NAQConfig = _converted(tree, cls)
        return config


class ReadSettings(NamedTuple):
    """Settings, where each comes from, and what was wrong with those that had to be left out."""

    config: NAQConfig
    merged: Merged
    """What was set anywhere."""
    mistakes: tuple[ConfigError, ...] = ()

    def right(self) -> NAQConfig:
        """The settings, when all of them are right.

        Raises:
            ConfigError: the first mistake.
        """
        for mistake in self.mistakes:
            raise ConfigError(str(mistake)) from mistake
        return self.config


def read_settings(
    source: Source = Source(),  # noqa: B008 - it cannot be changed
    environ: Mapping[str, str] | None = None,
    arguments: Mapping[str, object] | None = None,
) -> ReadSettings:
    """Read as `NAQConfig.load` does, past all mistakes: what is wrong is left out.

    Raises:
        ConfigError: a file cannot be read, or there is no such profile or context.
    """
    given = {key: value for key, value in (arguments or {}).items() if value is not None}
    return settings_in(layers_of(NAQConfig, source, os.environ if environ is None else environ, given))


def settings_in(layers: Iterable[Layer]) -> ReadSettings:
    """The settings in some layers, past all mistakes."""
    try:
        found = merged(layers)
    except SettingMistake as mistake:
        return ReadSettings(NAQConfig(), Merged({}, {}), (mistake,))
    for section in _OF_OTHERS:
        found.drop(section)
    config, mistakes = _past_mistakes(found, NAQConfig._of)
    return ReadSettings(config or NAQConfig(), found, mistakes)


def _past_mistakes(
    found: Merged, convert: Callable[[dict[str, Any]], Result]
) -> tuple[Result | None, tuple[ConfigError, ...]]:
    """What tables become without what is wrong in them, which is left out; and the mistakes."""
    mistakes: list[ConfigError] = []
    left_out: set[str] = set()
    while True:
        try:
            return convert(copy.deepcopy(found.tree)), tuple(mistakes)
        except ConfigError as error:
            keys = _keys_of(error)
            if not keys or not left_out.issuperset(keys):  # what must be given, and was wrong, is missing now
                mistakes.append(_placed(error, found))
            left_out.update(keys)
            dropped = [found.drop(key) or found.drop(key.rpartition(".")[0]) for key in keys]
            if not any(dropped):
                return None, tuple(mistakes)


def _placed(error: ConfigError, found: Merged) -> ConfigError:
    """The mistake, with where it has to be mended."""
    match error:
        case SettingMistake():
            return SettingMistake(error.key, error.problem, str(found.to_mend(error.key)))
        case SettingMistakes():
            return SettingMistakes(
                [SettingMistake(one.key, one.problem, str(found.to_mend(one.key))) for one in error.mistakes]
            )
    return error


def _keys_of(error: ConfigError) -> list[str]:
    """The settings that are wrong."""
    mistakes = error.mistakes if isinstance(error, SettingMistakes) else (error,)
    return [mistake.key for mistake in mistakes if isinstance(mistake, SettingMistake)]


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


def read_section(name: str, kind: type[Kind], layers: Sequence[Layer]) -> Kind:
    """The table ``[name]`` of some layers (`section_layers`).

    Args:
        kind: a `Section`, which says what is allowed.

    Raises:
        ConfigError: naming the file, the key, what was expected and what came.
    """
    section, _, mistakes = section_in(name, kind, layers)
    if mistakes:
        raise mistakes[0]
    return section


def section_in(name: str, kind: type[Kind], layers: Sequence[Layer]) -> tuple[Kind, Merged, tuple[ConfigError, ...]]:
    """The same past all mistakes: what is wrong is left out. With what was set anywhere, and the mistakes."""
    found = merged(layer._replace(tree={name: layer.tree[name]}) for layer in layers if name in layer.tree)
    section, mistakes = _past_mistakes(found, lambda tree: _section(tree.get(name, {}), kind, name))
    return section or kind(), found, mistakes


def _section(tree: Any, kind: type[Kind], name: str) -> Kind:
    section: Kind = _converted(tree, kind, name)
    return section


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
