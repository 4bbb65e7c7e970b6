"""The part of ``docs/cli.md`` that is made of the commands themselves: all of them, with their options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naq_tui.cli.schema import PRINTED
from naq_tui.cli.tree import Command, commands, groups, option_help, option_names

__all__ = ["BEGIN", "END", "reference", "woven"]

BEGIN = "<!-- All commands: made by 'make pages' from what the commands say of themselves. -->"
END = "<!-- The end of all commands. -->"
_FORMS = {"value": "a value", "one": "an object", "array": "an array", "lines": "an object a line"}


def woven(page: str) -> str:
    """A page with the reference between its two marks, whatever stood there.

    Raises:
        ValueError: the marks are not there.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has to have {BEGIN} and, below it, {END}")
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def reference() -> str:
    """All commands in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    known = {command.name: command for command in commands()}
    yield "Each command also takes the shared options:"
    yield from _table("option", [_option_row(option) for option in known["naq-top"].shared_options])
    for title, names in groups().items():
        yield f"\n### {title}"
        for name, command in known.items():
            if name.split()[1:2] and name.split()[1] in names:
                yield from _section(command)
    yield "\n### The monitor"
    yield from _section(known["naq-top"])


def _section(command: Command) -> Iterator[str]:
    yield f"\n#### `{command.name}`\n"
    yield f"```text\n{command.name} {command.usage}\n```\n"
    yield "\n\n".join(_plain(part) for part in command.paragraphs)
    if printed := PRINTED.get(command.name):
        link = f"[{printed.what}](cli.schema.json)"
        yield f"\nWith `--format json` it prints {_FORMS[printed.form]}: {link}."
    rows = [(f"`{_plain(one.human_readable_name)}`", _plain(one.help or "")) for one in command.arguments]
    rows += [_option_row(option) for option in command.options]
    if rows:
        yield from _table("argument, option" if command.arguments else "option", rows)
    if command.example:
        yield f"\n```sh\n{command.example}\n```"


def _option_row(option: object) -> tuple[str, str]:
    return ", ".join(f"`{_plain(name)}`" for name in option_names(option)), _plain(option_help(option))


def _table(title: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"\n| {title} | |\n|---|---|"
    for names, meaning in rows:
        yield f"| {names} | {meaning} |"


def _plain(text: str) -> str:
    """What Markdown leaves as it is."""
    return text.replace("|", "\\|").replace("*", "\\*") if "`" not in text else text
