"""``naq run-worker``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig

__all__ = ["run_worker"]


def run_worker(
    queues: Annotated[
        list[str] | None, typer.Argument(metavar="[QUEUE]...", help="Queues; 'default' when none is named.")
    ] = None,
    *,
    module: Annotated[list[str], typer.Option("--module", "-m", help="Module with @task functions; may be repeated.")],
    concurrency: Annotated[int | None, typer.Option("--concurrency", "-c", min=1, help="Jobs at a time.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of this worker; made up when left out.")] = None,
    config: NAQConfig,
) -> None:
    """Run jobs of some queues until SIGTERM or Ctrl-C, then let the running ones end.

    A second Ctrl-C hands them back at once; they will run elsewhere.

    Example: naq run-worker default mail -m shop.tasks -c 20
    """
    from naq_runtime.worker.process import run_loop, serve

    sys.path.insert(0, os.getcwd())
    run_loop(serve(config, queues or ["default"], module, name=name, concurrency=concurrency))
