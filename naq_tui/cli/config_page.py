"""How settings, and mistakes in them, are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naq_runtime.config_layers import Origin
from naq_runtime.config_mistakes import SettingMistake
from naq_tui.cli import documents
from naq_tui.cli.format import Format
from naq_tui.cli.output import Column, Span, json_text, note, print_json, print_raw, print_table
from naq_tui.cli.settings_known import Setting
from naq_tui.text import inert

__all__ = ["print_mistakes", "print_settings"]

_OPTIONS = {
    "nats.url": "--server",
    "namespace": "--namespace",
    "nats.request_timeout": "--timeout",
    "nats.connect_timeout": "--timeout",
    "log.level": "--debug",
}
_LONGEST = 1_000


def print_settings(settings: Sequence[Setting], form: Format) -> None:
    """Print settings with their values, and where those come from."""
    match form:
        case Format.JSON:
            print_json([_document(one) for one in settings])
        case Format.RAW:
            for one in settings:
                print_raw(one.key, one.origin.kind, _text(one.value))
        case Format.TABLE:
            columns = (Column("Setting"), Column("Value", least=16), Column("From", least=10))
            print_table(columns, [_row(one) for one in settings])


def _document(one: Setting) -> documents.Setting:
    return documents.Setting(
        key=one.key,
        value=one.value,
        from_=one.origin.kind,
        name=_name(one) or None,
        file=one.origin.file or (one.origin.name if one.origin.kind == "file" else "") or None,
    )


def _row(one: Setting) -> list[Span]:
    is_default = one.origin.kind == "default"
    value = inert(_text(one.value), _LONGEST)
    return [
        (inert(one.key), "" if is_default else "bold"),
        (value, "dim" if is_default else ""),
        (inert(_from(one)), "dim" if is_default else "cyan"),
    ]


def _text(value: Any) -> str:
    return "-" if value is None or value == "" else value if isinstance(value, str) else json_text(value)


def _name(one: Setting) -> str:
    return _OPTIONS.get(one.key, "") if one.origin.kind == "option" else one.origin.name


def _from(one: Setting) -> str:
    """In a few words."""
    match one.origin:
        case Origin("default"):
            return "default"
        case Origin("profile" | "context"):
            return f"{one.origin.kind} {one.origin.name}, {one.origin.file}"
    return _name(one)


def print_mistakes(mistakes: Sequence[SettingMistake], file: str, form: Format) -> None:
    """Print what is wrong; on stderr, when nothing is.

    Args:
        file: that was looked at; empty when there is none.
    """
    match form:
        case Format.JSON:
            print_json(
                [
                    documents.SettingMistake(key=one.key or None, where=one.where or None, mistake=one.problem)
                    for one in mistakes
                ]
            )
        case Format.RAW:
            for one in mistakes:
                print_raw(one.key or "-", str(one))
        case Format.TABLE:
            for one in mistakes:
                print(inert(str(one), _LONGEST))
    if not mistakes:
        note(f"no mistake in {file}" if file else "no mistake in the settings; there is no config file")
