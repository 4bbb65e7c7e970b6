"""Where settings come from, from the lowest to the highest: what lies above takes the place of what lies below.

The file, the environment, the command line; and in each of the latter two a profile of the file, above it a context of
the ``nats`` tool, and above that single settings. So what somebody has said last, and nearest, counts.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from naq_runtime.config_mistakes import SettingMistake, variable_of
from naq_runtime.errors import ConfigError

__all__ = [
    "PROFILES",
    "Layer",
    "Merged",
    "Origin",
    "Source",
    "config_file",
    "file_layer",
    "layers_of",
    "merged",
    "section_layers",
    "user_file",
]

PROFILES = "profiles"
"""The section with a table for each profile, which may hold what the whole file may."""


class Source(NamedTuple):
    """What somebody asks settings to be read from; all may be left out."""

    file: Path | None = None
    context: str | None = None
    """A context of the ``nats`` tool."""
    profile: str | None = None
    """A table ``[profiles.NAME]`` of the file."""


class Origin(NamedTuple):
    """Where a setting comes from."""

    kind: str
    """``default``, ``file``, ``profile``, ``context``, ``variable`` or ``option``."""
    name: str = ""
    """The file, the profile, the context or the variable."""
    file: str = ""
    """Where a profile or a context is written down."""

    def __str__(self) -> str:
        """For somebody who has to mend it; empty for an argument of the program."""
        match self.kind:
            case "profile":
                return f"{self.file} [{PROFILES}.{self.name}]"
            case "context":
                return f"context {self.name} ({self.file})"
        return self.name


DEFAULT = Origin("default")


class Layer(NamedTuple):
    """Settings of one origin, as tables."""

    origin: Origin
    tree: Mapping[str, Any]
    instead: frozenset[str] = frozenset()
    """Keys, with dots, of which nothing from below stays, whether the layer has them or not."""


class Merged(NamedTuple):
    """What several layers make together."""

    tree: dict[str, Any]
    origins: dict[str, Origin]
    """By key, of all that are set anywhere."""

    def origin(self, key: str) -> Origin:
        """Where a key comes from; of a table, where the highest of what is in it does."""
        inside = [origin for known, origin in self.origins.items() if known.startswith(f"{key}.")]
        return self.origins.get(key) or (inside[-1] if inside else DEFAULT)

    def to_mend(self, key: str) -> Origin:
        """Where a key is to be mended; of one that is missing, where the table is that lacks it."""
        origin = self.origin(key)
        return origin if origin is not DEFAULT or not key else self.to_mend(key.rpartition(".")[0])

    def drop(self, key: str) -> bool:
        """Take a key out, and what is below it; whether there was any."""
        *sections, name = key.split(".")
        tree: Any = self.tree
        for section in sections:
            tree = tree.get(section) if isinstance(tree, dict) else None
        if not isinstance(tree, dict) or name not in tree:
            return False
        del tree[name]
        for known in [known for known in self.origins if known == key or known.startswith(f"{key}.")]:
            del self.origins[known]
        return True


def merged(layers: Iterable[Layer]) -> Merged:
    """Put layers over each other, the lowest first.

    Raises:
        SettingMistake: what is a table in one is a value in another.
    """
    found = Merged({}, {})
    for layer in layers:
        for key in layer.instead:
            found.drop(key)
        _put_over(found, layer.tree, layer.origin)
    return found


def _put_over(found: Merged, table: Mapping[str, Any], origin: Origin) -> None:
    for keys, value in _leaves(table):
        tree = found.tree
        for depth, section in enumerate(keys[:-1], 1):
            inner = tree.setdefault(section, {})
            if not isinstance(inner, dict):
                key = ".".join(keys[:depth])
                raise SettingMistake(key, f"setting {key}: expected a table, got {inner!r}", str(found.to_mend(key)))
            tree = inner
        key = ".".join(keys)
        if isinstance(tree.get(keys[-1]), dict):
            if isinstance(value, Mapping):
                continue  # an empty table says nothing
            found.drop(key)
        tree[keys[-1]] = dict(value) if isinstance(value, Mapping) else value
        found.origins[key] = origin


def _leaves(table: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values that are no tables, and tables that are empty, by the names that lead to them."""
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def layers_of(
    kind: type[Struct], source: Source, environ: Mapping[str, str], arguments: Mapping[str, object]
) -> list[Layer]:
    """All layers there are, the lowest first.

    Args:
        kind: what the settings become, for the names of variables. arguments: values by dotted key.

    Raises:
        ConfigError: a file cannot be read, or there is no such profile or context.
    """
    path = config_file(source, environ)
    tree = _read_toml(path) if path else {}
    profiles = tree.pop(PROFILES, {})
    layers = [Layer(Origin("file", str(path)), tree)] if path else []
    around = Source(
        context=None if source.context else environ.get("NAQ_CONTEXT"),
        profile=None if source.profile else environ.get("NAQ_PROFILE"),
    )
    layers += _named(around, path, profiles, environ)
    layers += [
        Layer(Origin("variable", variable_of(key)), _tree_of({key: environ[variable_of(key)]}))
        for key in _keys(kind)
        if variable_of(key) in environ
    ]
    layers += _named(source, path, profiles, environ)
    return [*layers, Layer(Origin("option"), _tree_of(arguments))]


def _named(source: Source, path: Path | None, profiles: Any, environ: Mapping[str, str]) -> Iterator[Layer]:
    """The profile and the context that somebody names."""
    if source.profile:
        tree = _profile(source.profile, path, profiles)
        yield Layer(Origin("profile", source.profile, str(path)), tree)
    if source.context:
        from naq_runtime.nats_context import REPLACED, read_context  # few use one

        context = read_context(source.context, environ)
        yield Layer(Origin("context", context.name, str(context.file)), {"nats": context.settings}, REPLACED)


def _profile(name: str, path: Path | None, profiles: Any) -> Mapping[str, Any]:
    if path is None:
        raise ConfigError(f"profile {name!r}: there is no config file that could have it; name one with --config")
    if not isinstance(profiles, dict) or not all(isinstance(one, dict) for one in profiles.values()):
        raise ConfigError(f"{path}: setting {PROFILES}: expected tables [{PROFILES}.NAME], got another value")
    if name not in profiles:
        known = f"there is {', '.join(sorted(profiles))}" if profiles else f"there is no table [{PROFILES}.NAME]"
        raise ConfigError(f"{path}: no profile {name!r} ({known})")
    table: Mapping[str, Any] = profiles[name]
    return table


def _tree_of(values: Mapping[str, object]) -> dict[str, Any]:
    """Tables of values by dotted key."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    return tree


@cache
def _keys(kind: type[Struct]) -> tuple[str, ...]:
    """The dotted keys that a variable can set: a table for each name is no matter of the environment."""
    return tuple(_keys_in(kind))


def _keys_in(kind: type[Struct]) -> Iterator[str]:
    for option in msgspec.structs.fields(kind):
        if isinstance(option.type, type) and issubclass(option.type, Struct):
            yield from (f"{option.name}.{inner.name}" for inner in msgspec.structs.fields(option.type))
        elif option.type is str:
            yield option.name


def config_file(source: Source, environ: Mapping[str, str] | None = None) -> Path | None:
    """The file that settings are read from; ``None`` when there is none."""
    return source.file or _default_file(os.environ if environ is None else environ)


def _default_file(environ: Mapping[str, str]) -> Path | None:
    """The config file that is used when none is named; ``None`` when there is none."""
    if named := environ.get("NAQ_CONFIG"):
        return Path(named)
    return next((file for file in (Path("naq.toml"), user_file()) if file.is_file()), None)


def user_file() -> Path:
    """The config file of the user, whether it is there or not."""
    import platformdirs

    return Path(platformdirs.user_config_dir("naq")) / "config.toml"


def _read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the config file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the config file {path} is not valid TOML: {error}") from error


def file_layer(path: Path) -> Layer:
    """What one file says, with its profiles.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    return Layer(Origin("file", str(path)), _read_toml(path))


def section_layers(source: Source, environ: Mapping[str, str] | None = None) -> Sequence[Layer]:
    """The layers of a section that is each person's own (`naq_runtime.config.read_section`).

    The user's file lies above the one that is used, since that may belong to a project; and a profile above both.

    Raises:
        ConfigError: a file cannot be read, or there is no such profile.
    """
    environ = os.environ if environ is None else environ
    path, own = config_file(source, environ), user_file()
    found = []
    for file in dict.fromkeys(file for file in (path, own if own.is_file() else None) if file):
        found.append(file_layer(file))
    if profile := source.profile or environ.get("NAQ_PROFILE"):
        profiles = found[0].tree.get(PROFILES, {}) if path else {}
        found += _named(Source(profile=profile), path, profiles, environ)
    return found
