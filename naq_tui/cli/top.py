"""``naq-top``: the monitor, or one snapshot of everything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naq_runtime.version import VERSION
from naq_tui.cli.context import EXIT_USAGE, command, fail
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from naq_runtime.config import NAQConfig

__all__ = ["app", "run"]

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
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only look: what could change something is refused.")
    ] = False,
    at: Annotated[
        str, typer.Option("--at", metavar="MOMENT", help="Begin in the past: -10m, 14:02, 2026-11-27T14:02.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Print one snapshot of everything, and end.")] = False,
    format: Annotated[Format, typer.Option("--format", "-f", help="How --once prints.")] = Format.TABLE,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
    config: NAQConfig,
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
    if at:
        _check_moment(at, once)
    if not once and not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("there is no terminal to draw on: start it in one, or print a snapshot with naq-top --once", EXIT_USAGE)
    if once:
        asyncio.run(_once(config, demo, format))
    else:
        code = asyncio.run(_replay(replay, at) if replay is not None else _watch(config, demo, at, read_only))
        sys.exit(code)


def _check_moment(at: str, once: bool) -> None:
    from naq_runtime.events.filters.values import moment_of

    if once:
        fail("--at goes where the monitor can be played on: --once shows the present", EXIT_USAGE)
    try:
        moment_of(at)
    except ValueError as error:
        fail(f"--at {at!r}: {error}", EXIT_USAGE)


async def _replay(path: Path, at: str) -> int:
    from naq_tui.app import run_app
    from naq_tui.sources.replay import ReplaySource

    with _file_of(path) as file:
        return await run_app(ReplaySource(file), title=path.name, version=VERSION, begin_at=at)


@contextmanager
def _file_of(path: Path) -> Iterator[Path]:
    """A file with all that comes out of a pipe: a replay goes back in it."""
    if not path.is_fifo():
        yield path
        return
    import shutil
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="naq-top-") as directory:
        file = Path(directory, path.name)
        try:
            with path.open("rb") as pipe, file.open("wb") as copy:
                shutil.copyfileobj(pipe, copy)
        except OSError as error:
            fail(f"cannot keep what comes from {path}: {error.strerror}", EXIT_USAGE)
        yield file


async def _watch(config: NAQConfig, demo: bool, at: str, read_only: bool) -> int:
    from contextlib import AsyncExitStack

    from naq_tui.app import run_app
    from naq_tui.sources.live import LiveSource

    async with AsyncExitStack() as stack:
        if demo:
            config = await _demo(stack)
        title = "demo" if demo else config.namespace
        source = LiveSource(config, read_only=read_only)
        return await run_app(source, title=title, version=VERSION, begin_at=at, options=_leading_to(config))


def _leading_to(config: NAQConfig) -> list[str]:
    """The options with which ``naq`` finds the server that is watched, where it would not without; no credentials."""
    from naq_runtime.config import NAQConfig, redacted_url
    from naq_runtime.errors import ConfigError

    try:
        usual = NAQConfig.load()
    except ConfigError:
        return []
    options = []
    if config.nats.url != usual.nats.url and redacted_url(config.nats.url) == config.nats.url:
        options += ["--server", config.nats.url]
    if config.namespace != usual.namespace:
        options += ["--namespace", config.namespace]
    return options


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
