"""How commands ask before they destroy something, do it to many things, and tell what they could not do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import typer

from naq_runtime.errors import JobCancelled, JobFailed, NaqError, ServerUnreachable
from naq_runtime.job import JobResult
from naq_tui.cli.context import EXIT_CONDITION, EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_USAGE, exit_code, fail
from naq_tui.cli.format import Format
from naq_tui.cli.output import json_text, note, print_json, print_raw
from naq_tui.cli.progress import progress
from naq_tui.text import inert

__all__ = ["Unmet", "ask", "check_can_ask", "do_all", "print_result"]

T = TypeVar("T")

_AT_A_TIME = 16


def print_result(result: JobResult, form: Format = Format.JSON) -> None:
    """Print what a job returned as JSON, a text raw as it is; end the command when it failed or was cancelled."""
    try:
        value = result.unwrap()
    except (JobFailed, JobCancelled) as error:
        fail(str(error), EXIT_CONDITION)
    if form is Format.RAW:
        print_raw(value if isinstance(value, str) else json_text(value))
    else:
        print(json_text(value))


def check_can_ask(*, yes: bool, dry_run: bool) -> None:
    """End the command when it needs a yes, and there is nobody to say it."""
    if not (yes or dry_run or (sys.stdin.isatty() and sys.stderr.isatty())):
        fail("there is no terminal to ask on: say --yes, or look at what would go with --dry-run", EXIT_USAGE)


async def ask(question: str, *, yes: bool) -> None:
    """Go on after a yes; end the command after anything else."""
    if yes:
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    loop, typed, answer = asyncio.get_running_loop(), asyncio.Event(), ""
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
        answer = sys.stdin.readline()
    finally:
        loop.remove_reader(sys.stdin)
        if not answer:
            print(file=sys.stderr)  # a key that ends the question leaves the cursor behind it
    if answer.strip().lower() not in ("y", "yes"):
        fail("nothing was done", EXIT_INTERRUPTED)


class Unmet(NaqError):
    """A condition did not hold, such as that a job has not ended yet."""


async def do_all(things: Sequence[T], do: Callable[[T], Awaitable[str | None]], form: Format = Format.RAW) -> None:
    """Do something to each of many things, some at a time; what it returns is printed.

    That is a line for each at once, or one array as JSON when it ends, however it does. For each that fails stderr has
    a line. Then the command ends: with the exit code of their errors when all things failed in the same way, with 1
    otherwise.

    Raises:
        ServerUnreachable: the rest was not tried.
    """
    with _told(form) as tell_done:
        await _do_all(things, do, tell_done)


async def _do_all(
    things: Sequence[T], do: Callable[[T], Awaitable[str | None]], tell_done: Callable[[str], None]
) -> None:
    codes: list[int] = []
    fatal: list[BaseException] = []
    with progress("working", while_printing=True) as tell:
        for start in range(0, len(things), _AT_A_TIME):
            some = things[start : start + _AT_A_TIME]
            for done in await asyncio.gather(*map(do, some), return_exceptions=True):
                if isinstance(done, NaqError) and not isinstance(done, ServerUnreachable):
                    note(str(done))
                    codes.append(EXIT_CONDITION if isinstance(done, Unmet) else exit_code(done))
                elif isinstance(done, BaseException):
                    fatal.append(done)
                elif done is not None:
                    tell_done(done)
            if fatal:
                raise fatal[0]
            tell(start + len(some), len(things))
    if codes:
        alike = len(codes) == len(things) and len(set(codes)) == 1
        raise typer.Exit(codes[0] if alike else EXIT_FAILURE)


@contextmanager
def _told(form: Format) -> Iterator[Callable[[str], None]]:
    """What tells of each thing that is done."""
    if form is not Format.JSON:
        yield lambda done: print(inert(done), flush=True)
        return
    all_done: list[str] = []
    try:
        yield all_done.append
    finally:
        print_json(all_done)
