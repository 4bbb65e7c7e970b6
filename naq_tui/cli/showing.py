"""The ways in which ``naq-top`` shows something: live, from a recording, to browsers, or once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from naq_runtime.config import NAQConfig, redacted_url
from naq_runtime.config_layers import Source
from naq_runtime.errors import ConfigError
from naq_runtime.version import VERSION
from naq_tui.cli.context import EXIT_USAGE, fail
from naq_tui.cli.format import Format
from naq_tui.cli.wishes import Wishes

__all__ = ["once", "options_for_pages", "replay", "serve", "watch"]

Begin = Callable[[int], int]
"""The moment from which on events are read first, when it is now so late; both in nanoseconds since 1970 UTC."""

_SAMPLE_S = 2.0
_DEMO_SAMPLE_S = 4.0
_DEMO_WARM_UP_S = 20.0


async def watch(
    config: NAQConfig, wishes: Wishes, *, demo: bool, read_only: bool, named: Source, since: Begin | None = None
) -> int:
    """Show what happens on a server."""
    from naq_tui.app import run_app
    from naq_tui.sources.live import LiveSource

    async with AsyncExitStack() as stack:
        if demo:
            config = await _demo(stack)
        title = f"{config.namespace} demo" if demo else config.namespace
        source = LiveSource(config, read_only=read_only, since=since)
        return await run_app(source, title=title, version=VERSION, options=_leading_to(config, named), **wishes)


def _leading_to(config: NAQConfig, named: Source) -> list[str]:
    """The options with which ``naq`` finds the server that is watched, where it would not without; no credentials."""
    try:
        usual = NAQConfig.load(named.file, context=named.context, profile=named.profile)
    except ConfigError:
        return []
    given = {"--config": named.file, "--profile": named.profile, "--context": named.context}
    options = [part for option, value in given.items() if value for part in (option, str(value))]
    if config.nats.url != usual.nats.url and redacted_url(config.nats.url) == config.nats.url:
        options += ["--server", config.nats.url]
    if config.namespace != usual.namespace:
        options += ["--namespace", config.namespace]
    return options


async def replay(path: Path, wishes: Wishes) -> int:
    """Play a recording."""
    from naq_tui.app import run_app
    from naq_tui.sources.replay import ReplaySource

    with _file_of(path) as file:
        return await run_app(ReplaySource(file), title=path.name, version=VERSION, **wishes)


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


def serve(where: str, config: NAQConfig, *, demo: bool, read_only: bool) -> None:
    """Show it to browsers, with a process for each page."""
    try:
        from naq_tui.serving import address_of
        from naq_tui.serving import serve as serve_pages
    except ImportError:
        fail("--serve needs the extra web: pip install 'naq-top[web]'", EXIT_USAGE)

    async def run() -> None:
        async with AsyncExitStack() as stack:
            options = options_for_pages(sys.argv[1:], read_only=read_only)
            if demo:  # one for all pages
                shown = await _demo(stack)
                options += ["--server", shown.nats.url, "--namespace", shown.namespace]
            title = f"naq-top · {'demo' if demo else config.namespace}"
            await serve_pages([sys.executable, "-m", "naq_tui.cli.top", *options], address_of(where), title=title)

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


async def once(config: NAQConfig, demo: bool, form: Format) -> None:
    """Print one snapshot of everything."""
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
