"""``naq events workers``: who works, who has stopped and why, and who is lost with which jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from naq_tui.cli.context import command
from naq_tui.cli.format import Format, a_span

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig

__all__ = ["workers"]


async def _workers(
    *,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.TABLE,
    show_inactive: Annotated[
        bool, typer.Option("--show-inactive", help="Those of the last day, too, that have stopped or are lost.")
    ] = False,
    since: Annotated[
        float | None,
        typer.Option(metavar="SPAN", parser=a_span, help="Of those, the ones seen within this span, such as 1h."),
    ] = None,
    config: NAQConfig,
) -> None:
    """Print the workers, what they do, and what became of those that are gone.

    Example: naq events workers --show-inactive --since 1h
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.workers_table import print_workers

    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        found = await monitor.worker_status(include_inactive=show_inactive or since is not None)
        now_ns = monitor.now_ns()
    if since is not None:
        found = tuple(one for one in found if one.is_active or now_ns - one.seen_ns <= since * 1e9)
    print_workers(found, format, now_ns)


workers = command(_workers)
