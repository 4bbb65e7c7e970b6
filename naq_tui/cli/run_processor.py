"""``naq run-processor``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_USAGE, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from naq_runtime.config import NAQConfig
    from naq_runtime.processors.settings import Settings

__all__ = ["run_processor"]


async def run_processor(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            autocompletion=completing.configured_processors,
            help="Of a table [processors.NAME] of the config.",
        ),
    ],
    *,
    processor: Annotated[
        str | None,
        typer.Option("--processor", metavar="MODULE:FUNCTION", help="An async function instead of such a table."),
    ] = None,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="NAME=VALUE", help="With --processor: only events such as event_type=failed."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, max=1000, help="With --processor: so many at a time, at most.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", help="With --processor, the first time: new, beginning, or a moment with its zone."),
    ] = None,
    config: NAQConfig,
    reload: Callable[[], NAQConfig],
) -> None:
    """Have a processor process events until SIGTERM or Ctrl-C; what is in work ends.

    It goes on where it stopped. Several processes of one name share the work. A second Ctrl-C gives up what is in
    work. At SIGHUP a file of events is opened anew, and the settings are read again.

    Example: naq run-processor audit
    """
    from naq_runtime.processors.process import serve

    sys.path.insert(0, os.getcwd())
    if processor is not None:
        await serve(config, name, _of_function(name, processor, filter, batch, start), reload=reload)
        return
    if filter or batch or start:
        fail("--filter, --batch and --start go with --processor: a table of the config has its own", EXIT_USAGE)
    settings = config.processors.get(name)
    if settings is None:
        known = ", ".join(sorted(config.processors)) or "none"
        fail(f"there is no [processors.{name}] in the config (there is {known}); or use --processor", EXIT_USAGE)
    await serve(config, name, settings, reload=reload)


def _of_function(name: str, function: str, filters: list[str] | None, batch: int | None, start: str | None) -> Settings:
    from naq_runtime.config import read_processor

    table: dict[str, object] = {"kind": "function", "function": function}
    table["filter"] = dict(_pair(text) for text in filters or ())
    table |= {key: value for key, value in (("batch", batch), ("start", start)) if value is not None}
    return read_processor(name, table)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        fail(f"--filter {text}: expected NAME=VALUE", EXIT_USAGE)
    return name, value
