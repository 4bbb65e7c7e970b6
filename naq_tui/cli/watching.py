"""``--watch``: what a command prints, again and again.

In a terminal the table is drawn anew in its place. Elsewhere each look follows the one before it: JSON in a line of its
own, other forms behind an empty line.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TextIO, TypeVar

import typer
from typer.core import TyperCommand

from naq_runtime.errors import ServerError
from naq_tui.cli.format import Format, a_span, span_s

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["Watch", "WatchedCommand", "watched"]

T = TypeVar("T")

_USUAL = "2s"
_LEAST_S = 0.1
_SAID_FOR_S = 10.0
"""How long something that was said stays below the table."""


def _a_pause(text: str) -> float:
    seconds = a_span(text)
    if seconds < _LEAST_S:
        raise typer.BadParameter(f"expected {_LEAST_S} s or more, got {text!r}")
    return seconds


Watch = Annotated[
    float | None,
    typer.Option(
        "--watch", metavar="[SPAN]", parser=_a_pause, help=f"Print it anew every so often, {_USUAL} when left out."
    ),
]


class WatchedCommand(TyperCommand):
    """A command that takes ``--watch`` with a span, and without."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual span in where ``--watch`` has none behind it."""
        if any("--watch" in parameter.opts for parameter in self.params):
            args = _with_span(args)
        return super().parse_args(ctx, args)


def _with_span(args: Sequence[str]) -> list[str]:
    given = list(args)
    end = given.index("--") if "--" in given else len(given)
    for place in range(end):
        if given[place] == "--watch" and not _is_span(given[place + 1 : min(place + 2, end)]):
            given[place] = f"--watch={_USUAL}"
    return given


def _is_span(following: Sequence[str]) -> bool:
    try:
        return bool(following) and span_s(following[0]) >= 0
    except ValueError:
        return False


async def watched(
    services: ServiceManager,
    every_s: float | None,
    read: Callable[[], Awaitable[T]],
    show: Callable[[T], None],
    form: Format,
) -> None:
    """Print something that is read; with ``--watch`` again and again, also when the server was away meanwhile.

    Args:
        every_s: how long to wait between two looks; ``None`` prints it once.
        show: prints, and may end the command by `typer.Exit`.

    Raises:
        ServerError: it cannot be read the first time.
    """
    found = await read()
    if every_s is None:
        show(found)
        return
    from naq_tui.cli.outages import telling_outages
    from naq_tui.cli.reader import while_read

    in_place = form is Format.TABLE and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    screen = _Screen(every_s) if in_place else _Sequel(form)
    async with while_read():
        with telling_outages(services.connection, screen.say):
            try:
                while True:
                    screen.draw(_look(show, found))
                    found = await _next(read, every_s)
            finally:
                screen.end()


async def _next(read: Callable[[], Awaitable[T]], every_s: float) -> T:
    """The next look that succeeds."""
    import asyncio

    while True:
        await asyncio.sleep(every_s)
        try:
            return await read()
        except ServerError:
            continue  # that the connection is lost is said by itself


class _Look(NamedTuple):
    """What was printed once."""

    out: str
    err: str
    ended: typer.Exit | None


class _Caught(io.StringIO):
    """What is printed to a stream, which it looks like."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def isatty(self) -> bool:
        return self._stream.isatty()


def _look(show: Callable[[T], None], found: T) -> _Look:
    from naq_tui.cli.output import json_in_a_line

    out, err, ended = _Caught(sys.stdout), _Caught(sys.stderr), None
    with redirect_stdout(out), redirect_stderr(err), json_in_a_line():
        try:
            show(found)
        except typer.Exit as exit:
            ended = exit
    return _Look(out.getvalue(), err.getvalue(), ended)


class _Sequel:
    """One look after the other; what is said beside them is only said when it is something new."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._noted = ""
        self._begun = False

    def say(self, message: str) -> None:
        """Say something on stderr."""
        from naq_tui.cli.output import note

        note(message)

    def draw(self, look: _Look) -> None:
        """Print a look."""
        if look.out:
            parted = self._begun and self._form is not Format.JSON
            print("\n" if parted else "", look.out, sep="", end="", flush=True)
            self._begun = True
        if look.err != self._noted:
            print(look.err, end="", file=sys.stderr, flush=True)
            self._noted = look.err
        if look.ended is not None:
            raise look.ended

    def end(self) -> None:
        """Nothing is left to be done."""


class _Screen:
    """A table that is drawn over the one before it, in one piece, so that nothing flickers."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._lines: list[str] = []
        self._clock = ""
        self._drawn = 0
        """Lines above the cursor."""
        self._size = (0, 0)
        self._said: list[tuple[float, str]] = []
        self._sequel = _Sequel(Format.TABLE)

    def say(self, message: str) -> None:
        """Say something on stderr; where that is the same terminal, below the table for a while."""
        if not sys.stderr.isatty():
            self._sequel.say(message)
            return
        self._said.append((time.monotonic() + _SAID_FOR_S, f"naq: {message}"))
        self._paint()

    def draw(self, look: _Look) -> None:
        """Draw a look in the place of the one before it."""
        beside = look.err.splitlines()
        if beside and not sys.stderr.isatty():
            self._sequel.draw(look._replace(out="", ended=None))
            beside = []
        clock = time.strftime("%H:%M:%S")
        self._lines = [*look.out.splitlines(), *beside]
        self._clock = f"{clock}  every {self._every_s:g} s, until Ctrl-C"
        self._paint()
        if look.ended is not None:
            raise look.ended

    def end(self) -> None:
        """Leave the line on which the terminal has shown the key that ended it."""
        print(flush=True)

    def _paint(self) -> None:
        size = shutil.get_terminal_size()
        now = time.monotonic()
        self._said = [(until, message) for until, message in self._said if until > now]
        below = [self._clock, *(message for _, message in self._said)]
        lines = [*_cut(self._lines, size.lines - 1 - len(below)), *below]
        begin = f"\x1b[{self._drawn}F" if self._drawn else ""
        if self._drawn and size != self._size:  # what was drawn may take other lines by now
            begin = "\x1b[H\x1b[2J"
        # In one piece where the terminal knows how, and with no line longer than one of the screen.
        body = "".join(f"{line}\x1b[K\n" for line in lines)
        sys.stdout.write(f"\x1b[?2026h\x1b[?7l{begin}{body}\x1b[J\x1b[?7h\x1b[?2026l")
        sys.stdout.flush()
        self._drawn, self._size = len(lines), size


def _cut(lines: list[str], room: int) -> list[str]:
    """The lines that there is room for; a note takes the place of the rest."""
    if len(lines) <= room:
        return lines
    kept = lines[: max(0, room - 1)]
    return [*kept, f"… {len(lines) - len(kept)} more lines: a higher terminal shows them"]
