"""``naq-top``: the monitor, or one snapshot of everything."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naq_runtime.version import VERSION
from naq_tui import collecting
from naq_tui.cli import completing
from naq_tui.cli.calling import Program
from naq_tui.cli.context import EXIT_USAGE, command, fail
from naq_tui.cli.format import Format, PastMoment, a_past_moment, a_span

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.config_layers import Layer, Source

__all__ = ["app", "run"]

app = typer.Typer(
    name="naq-top",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"naq-top {VERSION}")
        raise typer.Exit


def _a_pace(text: str) -> float:
    from naq_tui.settings import REFRESH_S

    seconds = a_span(text)
    if not REFRESH_S[0] <= seconds <= REFRESH_S[-1]:
        raise typer.BadParameter(f"expected {REFRESH_S[0]:g}s to {REFRESH_S[-1]:g}s, got {text!r}")
    return seconds


def top(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Bring a server, workers, schedules and traffic; all end with naq-top.")
    ] = False,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", metavar="FILE", help="Play a file of 'naq events export'; no server is needed."),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only look: what could change something is refused.")
    ] = False,
    at: Annotated[
        str, typer.Option("--at", metavar="MOMENT", help="Begin in the past: -10m, 14:02, 2026-11-27T14:02.")
    ] = "",
    since: Annotated[
        PastMoment | None,
        typer.Option(
            "--since",
            metavar="MOMENT",
            parser=a_past_moment,
            help="Read events from then on first, such as 15m; the last 50,000 at most.",
        ),
    ] = None,
    filter: Annotated[
        str | None, typer.Option("--filter", metavar="FILTER", help="Show only such events: 'queue:mail type:failed'.")
    ] = None,
    refresh: Annotated[
        float | None,
        typer.Option("--refresh", metavar="SPAN", parser=_a_pace, help="Paint at most so often: 0.1s to 5s."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one snapshot of everything, and end.")] = False,
    format: Annotated[Format, typer.Option("--format", "-f", help="How --once prints.")] = Format.TABLE,
    theme: Annotated[
        str,
        typer.Option(
            "--theme",
            metavar="NAME",
            autocompletion=completing.themes,
            help="night, day, distinct (colour-blind), ansi (16) or plain.",
        ),
    ] = "",
    only_ascii: Annotated[
        bool | None, typer.Option("--ascii/--unicode", help="Draw with ASCII alone, or not; the locale decides.")
    ] = None,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", metavar="FILE", help="Where logs go while the screen is ours.")
    ] = None,
    serve: Annotated[
        str, typer.Option("--serve", metavar="[ADDRESS:]PORT", help="Serve it to browsers, read-only; of here alone.")
    ] = "",
    writable: Annotated[
        bool, typer.Option("--writable", help="Let browsers change things: whoever reaches --serve can.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
    config: NAQConfig,
    config_layers: Sequence[Layer],
    source: Source,
) -> None:
    """Watch jobs, queues, workers and events as they happen.

    Press ? inside for the keys.

    Example: naq-top --server nats://127.0.0.1:4222
    """
    import asyncio

    from naq_tui.cli import showing
    from naq_tui.cli.wishes import in_browser, wishes_of

    if not once and format is not Format.TABLE:
        fail("--format is for --once: a screen has no other form", EXIT_USAGE)
    if replay is not None and (once or demo):
        fail("--replay plays a recording: it goes neither with --once nor with --demo", EXIT_USAGE)
    if writable and (not serve or read_only):
        fail("--writable is for --serve, and not with --read-only", EXIT_USAGE)
    if serve and once:
        fail("--serve serves a screen: it does not go with --once", EXIT_USAGE)
    if since is not None and (once or replay is not None):
        fail("--since is for what goes on live: it goes neither with --once nor with --replay", EXIT_USAGE)
    if at:
        _check_moment(at, once)
    if filter:
        _check_filter(filter, once)
    if once or serve:
        collecting.take_up()
    if once:
        asyncio.run(showing.once(config, demo, format))
        return
    wishes = wishes_of(
        config_layers,
        theme,
        only_ascii,
        begin_at=at,
        filter=filter,
        refresh=refresh,
        read_only=read_only,
        log_file=log_file,
    )
    if serve:
        showing.serve(serve, config, demo=demo, read_only=not writable)
        return
    if not in_browser() and not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("there is no terminal to draw on: start it in one, or print a snapshot with naq-top --once", EXIT_USAGE)
    if replay is not None:
        code = asyncio.run(showing.replay(replay, wishes))
    else:
        begin = None if since is None else since.at_ns
        watching = showing.watch(config, wishes, demo=demo, read_only=read_only, named=source, since=begin)
        code = asyncio.run(watching)
    sys.exit(code)


def _check_moment(at: str, once: bool) -> None:
    from naq_runtime.events.filters.values import moment_of

    if once:
        fail("--at goes where the monitor can be played on: --once shows the present", EXIT_USAGE)
    try:
        moment_of(at)
    except ValueError as error:
        fail(f"--at {at!r}: {error}", EXIT_USAGE)


def _check_filter(text: str, once: bool) -> None:
    from naq_runtime.events.filters import EventFilter, FilterError

    if once:
        fail("--filter is for events on a screen: --once prints figures of all", EXIT_USAGE)
    try:
        EventFilter(text)
    except FilterError as error:
        fail(f"--filter {text!r}: {error}", EXIT_USAGE)


app.command(cls=Program)(command(top))


def run() -> None:
    """The entry point of ``naq-top``."""
    collecting.put_off()
    os.environ.setdefault("TEXTUAL_FPS", "120")  # how often at most an answer to a key is drawn; read with the import
    app()


if __name__ == "__main__":
    run()
