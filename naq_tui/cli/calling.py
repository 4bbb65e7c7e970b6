"""How a command line is taken: where shared options may stand, and what is said of one that is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from naq_tui.cli.context import SHARED_FLAGS, SHARED_VALUED
from naq_tui.text import inert

__all__ = ["Program", "ProgramGroup", "shared_behind"]

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What is wrong with a command line; typer has no name of its own for it."""
_MESSAGE_LIMIT = 2_000


class Program(TyperCommand):
    """A program that is one command."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run it, and end the process with its exit code."""
        return _run(super().main, *args, **settings)


class ProgramGroup(TyperGroup):
    """A program of many commands."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run it, and end the process with its exit code."""
        return _run(super().main, *args, **settings)


def _run(main: Callable[..., Any], *args: Any, standalone_mode: bool = True, **settings: Any) -> Any:
    """What typer does, but for what it says of a command line that is wrong."""
    if not standalone_mode:
        return main(*args, standalone_mode=False, **settings)
    try:
        code = main(*args, standalone_mode=False, **settings)
    except _UsageError as error:
        _tell(error)
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: Any) -> NoReturn:
    if type(error).show is not _UsageError.show:  # type: ignore[attr-defined]
        error.show()  # the help, for whoever has said nothing at all
        sys.exit(error.exit_code)
    message = error.format_message().rstrip(".")
    name = Path(sys.argv[0]).stem or "naq"
    print(f"{name}: {inert(message[:1].lower() + message[1:], _MESSAGE_LIMIT)}", file=sys.stderr)
    if error.ctx is not None:
        usage = " ".join(error.ctx.get_usage().split()).translate({ord("{"): None, ord("}"): None})
        print(f"{usage}; --help says more", file=sys.stderr)
    sys.exit(error.exit_code)


def shared_behind(root: Any, ctx: Any, args: Sequence[str]) -> list[str]:
    """A command line with the shared options that stand before the command behind it, where it takes them."""
    words, moved, place, node = list(args), [], 0, root
    while place < len(words) and hasattr(node, "commands"):
        name, given, _ = words[place].partition("=")
        if name in SHARED_FLAGS or (given and name in SHARED_VALUED):
            moved.append(words.pop(place))
        elif name in SHARED_VALUED:
            moved += words[place : place + 2]
            del words[place : place + 2]
        else:
            node, place = node.get_command(ctx, words[place]), place + 1
    if node is None or hasattr(node, "commands"):
        return words
    return [*words[:place], *moved, *words[place:]]
