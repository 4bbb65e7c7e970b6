"""Every setting with where it comes from, and every mistake in them: what ``naq config`` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from naq_runtime.config import ReadSettings, section_in, settings_in, settings_of
from naq_runtime.config_layers import PROFILES, Layer, Merged, Origin, Source, section_layers
from naq_runtime.config_mistakes import SettingMistake, SettingMistakes, is_secret
from naq_runtime.errors import ConfigError
from naq_runtime.settings import redacted_url
from naq_tui.cli.wishes import check_filter
from naq_tui.look import look_for
from naq_tui.settings import TopSettings

__all__ = ["Setting", "all_mistakes", "known_settings", "of_section", "single_mistakes", "top_settings"]

_HIDDEN = "(hidden)"


class Setting(NamedTuple):
    """One setting, as it may be shown."""

    key: str
    value: Any
    """Of what JSON has; secrets are hidden."""
    origin: Origin


class Top(NamedTuple):
    """What belongs to naq-top."""

    settings: TopSettings
    merged: Merged
    mistakes: tuple[ConfigError, ...]


def top_settings(source: Source) -> Top:
    """The table ``[top]``, past all mistakes.

    Raises:
        ConfigError: a file cannot be read, or there is no such profile.
    """
    return Top(*section_in("top", TopSettings, section_layers(source)))


def known_settings(read: ReadSettings, top: Top) -> list[Setting]:
    """All of them, in the order in which they are defined."""
    found = [one for key, value in settings_of(read.config).items() for one in _settings(key, value, read.merged)]
    return found + list(_settings("top", top.settings, top.merged))


def of_section(settings: Sequence[Setting], prefix: str) -> list[Setting]:
    """Those of one section, or the one of a key; all for an empty prefix."""
    return [one for one in settings if not prefix or one.key == prefix or one.key.startswith(f"{prefix}.")]


def _settings(key: str, value: Any, found: Merged) -> Iterator[Setting]:
    """A setting, or those of a table."""
    built = msgspec.to_builtins(value)
    is_table = key.count(".") < 2  # and not the headers of one
    if isinstance(built, dict) and built and (is_table or not is_secret(key)):
        for name, inner in built.items():
            yield from _settings(f"{key}.{name}", inner, found)
    else:
        yield Setting(key, _shown(key, built), found.origin(key))


def _shown(key: str, value: Any) -> Any:
    if is_secret(key) and value:
        return _HIDDEN
    return redacted_url(value) if key == "nats.url" else value


# Mistakes


def all_mistakes(layer: Layer | None, read: ReadSettings | None, source: Source) -> list[SettingMistake]:
    """What is wrong, each once.

    Args:
        layer: the file, with its profiles; ``None`` when there is none. read: what was read from everywhere; ``None``
        for the file alone. source: what was named to read from.
    """
    tree = {name: table for name, table in layer.tree.items() if name != PROFILES} if layer else {}
    base = [layer._replace(tree=tree)] if layer else []
    found = list(_of_layers(base) if read is None else _of_both(read, top_settings(source)))
    known = {mistake.problem for mistake in found}
    for profile in _profiles(layer):
        if isinstance(profile, SettingMistake):
            found.append(profile)
        else:
            found += [mistake for mistake in _of_layers([*base, profile]) if mistake.problem not in known]
    return found


def _profiles(layer: Layer | None) -> Iterator[Layer | SettingMistake]:
    profiles = layer.tree.get(PROFILES, {}) if layer else {}
    file = layer.origin.name if layer else ""
    if not isinstance(profiles, dict):
        yield SettingMistake(PROFILES, f"setting {PROFILES}: expected tables [{PROFILES}.NAME], got {profiles!r}", file)
        return
    for name, table in profiles.items():
        key = f"{PROFILES}.{name}"
        if isinstance(table, dict):
            yield Layer(Origin("profile", name, file), table)
        else:
            yield SettingMistake(key, f"setting {key}: expected a table, got {table!r}", file)


def _of_layers(layers: Sequence[Layer]) -> Iterator[SettingMistake]:
    yield from _of_both(settings_in(layers), Top(*section_in("top", TopSettings, layers)))


def _of_both(read: ReadSettings, top: Top) -> Iterator[SettingMistake]:
    for mistake in (*read.mistakes, *top.mistakes):
        yield from single_mistakes(mistake)
    for key, error in _deeper(read, top.settings):
        where = (read.merged if key.startswith("processors.") else top.merged).to_mend(key)
        yield SettingMistake(key, str(error), str(where))


def single_mistakes(error: ConfigError) -> Sequence[SettingMistake]:
    """One error, mistake by mistake."""
    match error:
        case SettingMistakes():
            return error.mistakes
        case SettingMistake():
            return (error,)
    return (SettingMistake("", str(error)),)


def _deeper(read: ReadSettings, top: TopSettings) -> Iterator[tuple[str, ConfigError]]:
    """What is wrong with the texts of settings that have a language of their own."""
    for key, check in _checks(read, top):
        try:
            check()
        except ConfigError as error:
            yield key, error


def _checks(read: ReadSettings, top: TopSettings) -> Iterator[tuple[str, Callable[[], object]]]:
    for name, settings in read.config.processors.items():
        from naq_runtime.processors.making import wanted_by

        yield f"processors.{name}.filter", partial(wanted_by, name, settings)
    yield "top.filter", partial(check_filter, top.filter)
    yield "top.theme", partial(look_for, {}, theme=top.theme)
    if top.keys:
        from naq_tui.keys import Keys  # it takes textual to know them

        yield "top.keys", partial(Keys, top.keys)
