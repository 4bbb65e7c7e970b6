"""``naq run-worker``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from naq_tui.cli import completing

if TYPE_CHECKING:
    from collections.abc import Callable

    from naq_runtime.config import NAQConfig

__all__ = ["run_worker"]

_OF_THE_PARENT = {"processes", "name", "lifeline"}


def run_worker(
    context: typer.Context,
    queues: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[QUEUE]...", autocompletion=completing.queues, help="Queues; 'default' when none is named."
        ),
    ] = None,
    *,
    module: Annotated[list[str], typer.Option("--module", "-m", help="Module with @task functions; may be repeated.")],
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "-c", min=1, help="Jobs at a time, in each process.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of this worker; made up when left out.")] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", "-p", min=1, help="So many workers, NAME-1 and on; one that dies is replaced."),
    ] = None,
    burst: Annotated[bool, typer.Option("--burst", help="End once the queues are empty.")] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="PATTERN", help="Functions that may run without @task, as 'shop.tasks.*'."),
    ] = None,
    lifeline: Annotated[int | None, typer.Option("--lifeline", hidden=True)] = None,
    config: NAQConfig,
    reload: Callable[[], NAQConfig],
) -> None:
    """Run jobs of some queues until SIGTERM or Ctrl-C, then let the running ones end.

    A second Ctrl-C hands them back at once; they will run elsewhere. SIGHUP reads the settings again.

    Example: naq run-worker default mail -m shop.tasks -c 20
    """
    if processes is not None:
        raise typer.Exit(_supervise(context, config, name, processes, burst))
    from naq_runtime.worker.loop import run_loop
    from naq_runtime.worker.process import serve
    from naq_runtime.worker.supervisor import SENT_HOME, end_with_supervisor

    if lifeline is not None:
        end_with_supervisor(lifeline, config.worker.shutdown_grace)
    sys.path.insert(0, os.getcwd())
    queues = queues or ["default"]
    code = run_loop(
        serve(
            config,
            queues,
            module,
            name=name,
            concurrency=concurrency,
            burst=burst,
            allow=tuple(allow or ()),
            sent_home=0 if lifeline is None else SENT_HOME,
            reload=reload,
        )
    )
    raise typer.Exit(code)


def _supervise(context: typer.Context, config: NAQConfig, name: str | None, processes: int, burst: bool) -> int:
    """Run this command in processes of their own; returns the exit code."""
    import asyncio

    from naq_runtime.worker.portrait import default_worker_name
    from naq_runtime.worker.supervisor import Supervisor

    # As a script, naq does not look for modules in the current folder at first; with -m, Python would.
    python = [sys.executable, "-m"] if os.getcwd() in sys.path else [sys.executable, "-P", "-m"]
    again = _command_line(context)

    def command(worker: str, lifeline: int) -> list[str]:
        return [*python, "naq_tui.cli.main", "run-worker", f"--name={worker}", f"--lifeline={lifeline}", *again]

    async def called_off(worker: str) -> None:
        from naq_runtime.worker.absence import asked_to_stop

        await asked_to_stop(config, [worker, crew])

    crew = name or default_worker_name()
    names = [f"{crew}-{number}" for number in range(1, processes + 1)]
    return asyncio.run(Supervisor(command, names, burst=burst, called_off=called_off).run())


def _command_line(context: typer.Context) -> list[str]:
    """The options and arguments that were given, but for those that are the parent's own."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in context.command.params:
        given = context.params[parameter.name or ""]
        if parameter.name in _OF_THE_PARENT or given is None or given is False:
            continue
        values = given if isinstance(given, list | tuple) else [given]
        if parameter.param_type_name == "argument":
            arguments += map(str, values)
        else:
            options += (parameter.opts[0] if value is True else f"{parameter.opts[0]}={value}" for value in values)
    return [*options, "--", *arguments]
