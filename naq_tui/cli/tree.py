"""All commands, as their pages, their schema and their tests walk through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from typer import Context
from typer.main import get_command

from naq_tui.cli import main, top
from naq_tui.cli.context import SHARED_NAMES

__all__ = ["PROGRAMS", "Command", "commands", "groups", "option_help", "option_names"]

PROGRAMS = ("naq", "naq-top")
_EXAMPLE = "Example:"
_VALUES = {"int": "N", "int range": "N", "float range": "N", "path": "PATH"}
_OF_TYPER = {"install_completion", "show_completion", "help"}


class Command(NamedTuple):
    """A command that does something."""

    name: str
    """As it is called: ``naq queue list``."""
    node: Any
    """The command of Typer."""

    @property
    def usage(self) -> str:
        """What follows its name."""
        return " ".join(["[OPTIONS]", *(one.human_readable_name for one in self.arguments)])

    @property
    def summary(self) -> str:
        """What it does, in a sentence."""
        return self.paragraphs[0]

    @property
    def paragraphs(self) -> Sequence[str]:
        """What its help says, without the example."""
        return [part.replace("\n", " ") for part in self.node.help.split("\n\n") if not part.startswith(_EXAMPLE)]

    @property
    def example(self) -> str:
        """A command line, empty where there is none."""
        found = (part for part in self.node.help.split("\n\n") if part.startswith(_EXAMPLE))
        return next(found, "").removeprefix(_EXAMPLE).strip()

    @property
    def arguments(self) -> Sequence[Any]:
        """What is said by its place."""
        return [one for one in self.node.params if one.param_type_name == "argument" and not one.hidden]

    @property
    def options(self) -> Sequence[Any]:
        """Its own options."""
        return [one for one in self._all_options() if one.name not in SHARED_NAMES]

    @property
    def shared_options(self) -> Sequence[Any]:
        """Those that all commands have."""
        return [one for one in self._all_options() if one.name in SHARED_NAMES]

    def has(self, option: str) -> bool:
        """Whether it takes an option, such as ``--format``."""
        return any(option in one.opts for one in self.options)

    def _all_options(self) -> Sequence[Any]:
        options = [one for one in self.node.params if one.param_type_name == "option" and not one.hidden]
        return [one for one in options if one.name not in _OF_TYPER]


def commands(program: str = "") -> Iterator[Command]:
    """All commands, in the order of the help.

    Args:
        program: only those of ``naq``, or of ``naq-top``.
    """
    if program in ("", "naq"):
        for names in groups().values():
            for name in names:
                yield from _below(f"naq {name}", _naq().get_command(Context(_naq()), name))
    if program in ("", "naq-top"):
        yield Command("naq-top", get_command(top.app))


def groups() -> dict[str, Sequence[str]]:
    """The commands just below ``naq``, as the help groups them."""
    return {title: list(panel) for title, panel in main.COMMANDS.items()}


def _naq() -> Any:
    return get_command(main.app)


def _below(name: str, node: Any) -> Iterator[Command]:
    if not hasattr(node, "commands"):
        yield Command(name, node)
        return
    for child, below in node.commands.items():
        yield from _below(f"{name} {child}", below)


def option_names(option: Any) -> list[str]:
    """How an option is written, with what it takes: ``-f``, ``--format table|json|raw``."""
    names: list[str] = [*sorted(option.opts, key=len), *option.secondary_opts]
    *before, last = names
    value = "" if option.is_flag else f" {_value_of(option)}"
    return [*before, f"{last}{value}"]


def option_help(option: Any) -> str:
    """What it is for, and what it is when it is left out."""
    default = _default_of(option)
    notes = ("It must be given." if option.required else "", f"Default: {default}." if default else "")
    return " ".join(part for part in (option.help, *notes) if part)


def _value_of(option: Any) -> str:
    choices = getattr(option.type, "choices", None)
    if choices:
        return "|".join(str(getattr(choice, "value", choice)) for choice in choices)
    return option.metavar or _VALUES.get(option.type.name, "TEXT")


def _default_of(option: Any) -> str:
    default = option.default
    if option.secondary_opts and default is not None:
        return str((option.opts if default else option.secondary_opts)[0])
    return "" if default is None or default is False or default == "" else str(getattr(default, "value", default))
