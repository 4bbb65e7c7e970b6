"""The keys of the commands, as a person may have chosen them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from textual.keys import REPLACED_KEYS, _character_to_key, key_to_character
from textual.keys import Keys as Known

from naq_runtime.errors import ConfigError
from naq_tui.commands import COMMANDS, Command, Scope

__all__ = ["Keys", "keys_in", "label_of"]

_SHOWN = {
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "escape": "Esc",
    "backspace": "Backspace",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}
_MODIFIED = re.compile(r"(?:(?:ctrl|shift|alt|super|meta)\+)+")


class Keys:
    """Commands with the keys that were chosen for them.

    Args:
        chosen: keys by the name of a command (``{"pause": "P", "next-pane": "tab,n"}``).

    Raises:
        ConfigError: a command or key does not exist, or a key would do two things in one place.
    """

    def __init__(self, chosen: Mapping[str, str] | None = None) -> None:
        self.keymap: dict[str, str] = {name: _normal(name, keys) for name, keys in (chosen or {}).items()}
        """Keys as Textual calls them, by the name of the command."""
        names = {command.name for command in COMMANDS if command.name}
        for name in self.keymap:
            if name not in names:
                raise ConfigError(f"setting top.keys.{name}: expected a command such as {_similar(name, names)}")
        for name in self.keymap:
            self._check(name)

    def of(self, command: Command) -> Command:
        """The command with its keys."""
        keys = self.keymap.get(command.name) if command.name else None
        return msgspec.structs.replace(command, keys=keys, label=label_of(keys)) if keys else command

    def all_of(self, commands: Iterable[Command]) -> list[Command]:
        """The commands with their keys."""
        return [self.of(command) for command in commands]

    def _check(self, name: str) -> None:
        for mine in (command for command in COMMANDS if command.name == name):
            for other in self._beside(mine):
                if both := _keys(self.of(mine)) & _keys(self.of(other)):
                    key = label_of(min(both))
                    raise ConfigError(
                        f"setting top.keys.{name}: {key} is the key of {other.name or other.title} in the same place; "
                        "choose another, or give that one another, too"
                    )

    def _beside(self, mine: Command) -> Iterator[Command]:
        """Other commands that may work at the same time."""
        for other in COMMANDS:
            is_same = bool(other.name) and other.name == mine.name
            if not is_same and not _apart(mine.scope, other.scope):
                yield other


def _apart(one: Scope, other: Scope) -> bool:
    """Whether two places are never open at the same time: both have a meaning of their own for some key."""
    if one is other:
        return False
    return bool(_all_keys(one) & _all_keys(other))


def _all_keys(scope: Scope) -> set[str]:
    return {key for command in COMMANDS if command.scope is scope for key in _keys(command)}


def _keys(command: Command) -> set[str]:
    return set(command.keys.split(","))


def _normal(name: str, keys: str) -> str:
    """Keys as Textual calls them: ``/`` is ``slash``."""
    return ",".join(_normal_key(name, key.strip()) for key in keys.split(","))


def _normal_key(name: str, key: str) -> str:
    modifiers = _MODIFIED.match(key)
    head = modifiers.group() if modifiers else ""
    plain = key[len(head) :]
    if len(plain) == 1 and plain.isprintable() and plain != " ":
        return head + _character_to_key(plain)
    known = {str(one.value) for one in Known}
    if plain in known or _character(plain):
        return key
    raise ConfigError(f"setting top.keys.{name}: expected a key such as x, ctrl+x, f5 or space, got {key!r}")


def _character(name: str) -> str:
    """The character that Textual calls so; empty when there is none."""
    return key_to_character(REPLACED_KEYS.get(name, name)) or ""


_FIRST = Keys()


def keys_in(app: object) -> Keys:
    """The keys of an application."""
    keys: Keys = getattr(app, "command_keys", _FIRST)
    return keys


def label_of(keys: str) -> str:
    """Keys as people read them: ``Ctrl-X PgUp /``."""
    return " ".join(_shown(key) for key in keys.split(","))


def _shown(key: str) -> str:
    *modifiers, plain = key.split("+")
    shown = _SHOWN.get(plain) or (plain if len(plain) == 1 else _character(plain).strip() or plain.capitalize())
    if modifiers and len(shown) == 1:
        shown = shown.upper()
    return "-".join((*(modifier.capitalize() for modifier in modifiers), shown))


def _similar(name: str, names: set[str]) -> str:
    import difflib

    return ", ".join(difflib.get_close_matches(name, sorted(names), 3, 0.3) or sorted(names)[:5])
