"""``naq-top``: the monitor, or one snapshot of everything."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from naq_runtime.version import VERSION
from naq_tui.cli.context import EXIT_USAGE, command, fail
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from naq_runtime.config import NAQConfig
    from naq_tui.look import Look
    from naq_tui.preferences import Preferences

__all__ = ["app", "options_for_pages", "run"]

app = typer.Typer(
    name="naq-top",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SAMPLE_S = 2.0
_DEMO_SAMPLE_S = 4.0
_DEMO_WARM_UP_S = 20.0


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"naq-top {VERSION}")
        raise typer.Exit


def top(
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Bring a server, workers, schedules and traffic; all end with naq-top.")
    ] = False,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", metavar="FILE", help="Play a file of 'naq events export'; no server is needed."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Print one snapshot of everything, and end.")] = False,
    format: Annotated[Format, typer.Option("--format", "-f", help="How --once prints.")] = Format.TABLE,
    read_only: Annotated[bool, typer.Option("--read-only", help="Change nothing: only look.")] = False,
    theme: Annotated[
        str, typer.Option("--theme", metavar="NAME", help="night, day, distinct (colour-blind), ansi (16) or plain.")
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
    config_files: Sequence[Path],
) -> None:
    """Watch jobs, queues, workers and events as they happen.

    Press ? inside for the keys.

    Example: naq-top --server nats://127.0.0.1:4222
    """
    import asyncio

    if not once and format is not Format.TABLE:
        fail("--format is for --once: a screen has no other form", EXIT_USAGE)
    if replay is not None and (once or demo):
        fail("--replay plays a recording: it goes neither with --once nor with --demo", EXIT_USAGE)
    if writable and (not serve or read_only):
        fail("--writable is for --serve, and not with --read-only", EXIT_USAGE)
    if serve and once:
        fail("--serve serves a screen: it does not go with --once", EXIT_USAGE)
    if once:
        asyncio.run(_once(config, demo, format))
        return
    wishes = _wishes(config_files, theme, only_ascii, read_only=read_only, log_file=log_file)
    if serve:
        _serve(serve, config, demo=demo, read_only=not writable)
        return
    if not _in_browser() and not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("there is no terminal to draw on: start it in one, or print a snapshot with naq-top --once", EXIT_USAGE)
    sys.exit(asyncio.run(_replay(replay, wishes) if replay is not None else _watch(config, demo, wishes)))


class Wishes(TypedDict):
    """What is wanted of the application."""

    look: Look
    preferences: Preferences
    read_only: bool
    log_file: Path | None


def _wishes(
    files: Sequence[Path], theme: str, only_ascii: bool | None, *, read_only: bool, log_file: Path | None
) -> Wishes:
    """The wishes in the config, and above them those on the command line."""
    from naq_runtime.config import read_section, user_file
    from naq_tui.look import look_for
    from naq_tui.preferences import Preferences
    from naq_tui.settings import TopSettings

    settings = read_section("top", TopSettings, files)
    _check_filter(settings.filter)
    only_ascii = settings.ascii if only_ascii is None else only_ascii
    look = look_for(os.environ, theme=theme or settings.theme, ascii=only_ascii)
    # Who looks at a page that is read-only changes nothing here, and not what it looks like for others.
    preferences = Preferences(settings, None if read_only and _in_browser() else user_file())
    return {"look": look, "preferences": preferences, "read_only": read_only, "log_file": log_file}


def _check_filter(text: str) -> None:
    if not text:
        return
    from naq_runtime.errors import ConfigError
    from naq_runtime.events.filters import EventFilter, FilterError

    try:
        EventFilter(text)
    except FilterError as error:
        raise ConfigError(f"setting top.filter: {error}") from error


def _in_browser() -> bool:
    """Whether we draw for a page, to which a process of `--serve` takes it."""
    return bool(os.environ.get("TEXTUAL_DRIVER"))


def _serve(where: str, config: NAQConfig, *, demo: bool, read_only: bool) -> None:
    import asyncio

    try:
        from naq_tui.serving import address_of, serve
    except ImportError:
        fail("--serve needs the extra web: pip install 'naq-top[web]'", EXIT_USAGE)

    async def run() -> None:
        from contextlib import AsyncExitStack

        async with AsyncExitStack() as stack:
            options = options_for_pages(sys.argv[1:], read_only=read_only)
            if demo:  # one for all pages
                shown = await _demo(stack)
                options += ["--server", shown.nats.url, "--namespace", shown.namespace]
            title = f"naq-top · {'demo' if demo else config.namespace}"
            await serve([sys.executable, "-m", "naq_tui.cli.top", *options], address_of(where), title=title)

    asyncio.run(run())


def options_for_pages(given: Sequence[str], *, read_only: bool) -> list[str]:
    """Our own options, without those that are about serving."""
    left = list(given)
    kept = []
    while left:
        option = left.pop(0)
        if option == "--serve":
            left.pop(0)
        elif option not in ("--writable", "--demo", "--read-only") and not option.startswith("--serve="):
            kept.append(option)
    return [*kept, "--read-only"] if read_only else kept


async def _replay(path: Path, wishes: Wishes) -> int:
    from naq_tui.app import run_app
    from naq_tui.sources.replay import ReplaySource

    return await run_app(ReplaySource(path), title=path.name, version=VERSION, **wishes)


async def _watch(config: NAQConfig, demo: bool, wishes: Wishes) -> int:
    from contextlib import AsyncExitStack

    from naq_tui.app import run_app
    from naq_tui.sources.live import LiveSource

    async with AsyncExitStack() as stack:
        if demo:
            config = await _demo(stack)
        title = "demo" if demo else config.namespace
        return await run_app(LiveSource(config), title=title, version=VERSION, **wishes)


async def _once(config: NAQConfig, demo: bool, form: Format) -> None:
    from contextlib import AsyncExitStack

    from naq_runtime.clock import SYSTEM_CLOCK
    from naq_tui.once import print_once, sample
    from naq_tui.sources.live import LiveSource

    async with AsyncExitStack() as stack:
        if demo:
            config = await _demo(stack)
        seconds, warm_up_s = (_DEMO_SAMPLE_S, _DEMO_WARM_UP_S) if demo else (_SAMPLE_S, 0.0)
        source = LiveSource(config, patient=False)
        dashboard = await sample(source, seconds, warm_up_s=warm_up_s)
        print_once(dashboard, form, source.time_of(SYSTEM_CLOCK.time_ns()))


async def _demo(stack: AsyncExitStack) -> NAQConfig:
    from naq_tui.demo.fleet import DemoFleet

    fleet = await stack.enter_async_context(DemoFleet())
    return fleet.config


app.command()(command(top))


def run() -> None:
    """The entry point of ``naq-top``."""
    app()


if __name__ == "__main__":
    run()
