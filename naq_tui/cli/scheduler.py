"""``naq run-scheduler``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from naq_runtime.config import NAQConfig

__all__ = ["run_scheduler"]


async def run_scheduler(
    *,
    instance_id: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Its name, unlike that of any other scheduler; made up when left out."),
    ] = None,
    config: NAQConfig,
    reload: Callable[[], NAQConfig],
) -> None:
    """Have the jobs of schedules come when they are due, until SIGTERM or Ctrl-C.

    Of several, one leads and the others stand by. It resigns when it is ended, and the next one takes over at once;
    when it dies, within seconds. SIGHUP reads the settings again.

    Example: naq run-scheduler --instance-id build-7
    """
    from naq_runtime.scheduler.process import serve

    await serve(config, instance_id=instance_id, reload=reload)
