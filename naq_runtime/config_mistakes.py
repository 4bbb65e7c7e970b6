"""What is wrong with a setting, in words: where it was set, its key, what was expected, and what came."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import inspect

from naq_runtime.errors import ConfigError

__all__ = ["SettingMistake", "SettingMistakes", "is_secret", "mistake_of", "variable_of"]

_SECRETS = {"password", "token", "secret", "webhook", "headers", "headers[...]"}
"""Keys whose values are not shown."""
_WORDS = {
    "int": "a whole number",
    "float": "a number of seconds",  # all that are no whole numbers are durations
    "str": "a text",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
    "null": "nothing",
}
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_MISSING = re.compile(r"Object missing required field `(.+)`")


class SettingMistake(ConfigError):
    """One setting is wrong.

    Args:
        key: of the setting, with dots; empty when the mistake is none of a single one.
        problem: in words.
        where: it has to be mended; empty for an argument of the program, or where that is not known.
    """

    def __init__(self, key: str, problem: str, where: str = "") -> None:
        super().__init__(f"{where}: {problem}" if where else problem)
        self.key = key
        self.problem = problem
        self.where = where


class SettingMistakes(ConfigError):
    """Several settings are wrong."""

    def __init__(self, mistakes: Sequence[SettingMistake]) -> None:
        where = f"{mistakes[0].where}: " if mistakes[0].where else ""
        super().__init__(where + "; ".join(mistake.problem for mistake in mistakes))
        self.mistakes = tuple(mistakes)


def variable_of(key: str) -> str:
    """The variable of the environment that sets a key."""
    return "NAQ_" + key.replace(".", "_").upper()


def is_secret(key: str) -> bool:
    """Whether the value of a setting is not to be shown: the address of a webhook has its secret in it."""
    names = key.split(".")
    section, name = names[0], names[-1]
    is_address = name == "url" and section in ("processors", "webhooks")
    is_address |= section == "webhooks" and len(names) < 3  # somebody may put it where a table belongs
    return is_address or not _SECRETS.isdisjoint(names)


def mistake_of(error: Exception, tree: Any, kind: Any, section: str) -> SettingMistake:
    """What was wrong with a table that could not be read.

    Args:
        error: of msgspec.
        tree: the table.
        kind: what it was to become.
        section: its key; empty for the whole of the settings.
    """
    text, _, path = str(error).partition(" - at `$")
    inner = path.rstrip("`").lstrip(".")
    key = ".".join(part for part in (section, inner) if part)
    if found := _UNKNOWN.fullmatch(text):
        return _unknown(key, found[1], _keys(_type_at(kind, tree, inner)))
    if found := _MISSING.fullmatch(text):
        missing = f"{key}.{found[1]}"
        return SettingMistake(missing, f"setting {missing}: it must be given")
    if not key:
        name = "namespace" if text.startswith("namespace ") else ""
        return SettingMistake(name, text)
    problem = f"setting {key}: {_expected(text, _type_at(kind, tree, inner))}"
    value = _value_at(tree, inner) if inner else tree
    if isinstance(value, Mapping) or (section and value is None):
        return SettingMistake(key, problem)
    shown = "(hidden)" if is_secret(key) else repr(value)
    return SettingMistake(key, f"{problem.partition(', got ')[0]}, got {shown}")


def _unknown(table: str, name: str, known: list[str]) -> SettingMistake:
    import difflib  # most settings are right

    key = f"{table}.{name}" if table else name
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    meant = f", did you mean {near[0]}?" if near else f" (there is {', '.join(known)})" if known else ""
    return SettingMistake(key, f"setting {key}: not known{meant}")


def _expected(text: str, wanted: Any) -> str:
    """The words of msgspec for somebody who knows no Python."""
    choices = _choices(wanted)
    if choices and text.startswith("Invalid enum value"):
        return f"expected {' or '.join(', '.join(choices).rsplit(', ', 1))}"
    if "matching regex" in text and (described := _description(wanted)):
        return f"expected {described}"
    plain = re.sub(r"`([^`]+)`", lambda found: _in_words(found[1]), text)
    return plain[0].lower() + plain[1:]


def _description(wanted: Any) -> str:
    """What is to be there, where that was put into words; else empty."""
    schemas = (getattr(one, "extra_json_schema", None) or {} for one in getattr(wanted, "types", (wanted,)))
    return next((str(schema["description"]) for schema in schemas if "description" in schema), "")


def _in_words(name: str) -> str:
    parts = [part for part in name.split(" | ") if part != "null"]
    return " or ".join(_WORDS.get(part, part) for part in parts)


def _value_at(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def _type_at(kind: Any, tree: Any, path: str) -> Any:
    """What is wanted at a place within a table; ``None`` where that cannot be told."""
    wanted: Any = inspect.type_info(kind)
    for part in path.split(".") if path else ():
        wanted, tree = _narrowed(wanted, tree), tree.get(part) if isinstance(tree, Mapping) else None
        wanted = next((one.type for one in getattr(wanted, "fields", ()) if one.encode_name == part), None)
    return _narrowed(wanted, tree)


def _narrowed(wanted: Any, value: Any) -> Any:
    """Of several kinds of tables, the one that the table says."""
    if isinstance(wanted, inspect.UnionType) and isinstance(value, Mapping):
        tables = [one for one in wanted.types if isinstance(one, inspect.StructType)]
        return next((one for one in tables if value.get(one.tag_field or "") == one.tag), None)
    return wanted


def _keys(wanted: Any) -> list[str]:
    return [one.encode_name for one in getattr(wanted, "fields", ())]


def _choices(wanted: Any) -> list[str]:
    return [str(one) for one in getattr(wanted, "values", ())]
