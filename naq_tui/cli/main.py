"""``naq``: workers, jobs, queues and events from the shell.

A command is loaded when it is called for: the help of all of them costs no more than that of one.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand
from typer.main import get_command, get_group

from naq_runtime.version import VERSION
from naq_tui.cli.calling import ProgramGroup, shared_behind
from naq_tui.cli.context import EXIT_INTERRUPTED, command
from naq_tui.cli.watching import WatchedCommand

__all__ = ["app", "run"]


class Entry(NamedTuple):
    """A command, before it is loaded."""

    where: str
    """The module in this package, and in it the function, or the application of a group."""
    help: str
    """In one line."""


COMMANDS: dict[str, dict[str, Entry]] = {
    "Jobs": {
        "enqueue": Entry("enqueue:enqueue", "Put a job into a queue, for now or for later."),
        "job": Entry("job:app", "Find, show, await, cancel and retry jobs."),
        "dead": Entry("dead:app", "List, retry and delete jobs that failed for good."),
        "schedule": Entry("schedule:app", "Have jobs come again and again."),
    },
    "Queues and workers": {
        "queue": Entry("queue:app", "List, pause, limit and purge queues."),
        "worker": Entry("workers:app", "List and stop the workers that run."),
        "run-worker": Entry("worker:run_worker", "Run the jobs of some queues."),
        "run-scheduler": Entry("scheduler:run_scheduler", "Have the jobs of schedules come in time."),
    },
    "Log and server": {
        "stats": Entry("stats:stats", "See how the queues do; fail when that is not as it should be."),
        "alerts": Entry("alerts:app", "See which alerts fire; check and try their rules."),
        "events": Entry("events:app", "Follow the log of events, or read what happened to a job."),
        "run-processor": Entry("run_processor:run_processor", "Have a processor of the config process events."),
        "processor": Entry("processor:app", "List processors, and what they could not process."),
        "metrics": Entry("metrics:metrics", "Serve metrics to Prometheus."),
        "stream": Entry("stream:app", "See how full the streams are, and who reads them."),
        "server": Entry("server:server", "Run a nats-server, for development."),
    },
    "Settings and health": {
        "config": Entry("config:app", "Show the settings, and check them."),
        "doctor": Entry("doctor:doctor", "Say what is wrong, and how to mend it."),
    },
}
"""All commands, as the help groups them."""


class Commands(ProgramGroup):
    """The commands of `COMMANDS`, each loaded with its first use."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._entries = {name: entry for panel in COMMANDS.values() for name, entry in panel.items()}
        for name, entry in self._entries.items():
            self.commands[name] = TyperCommand(name, short_help=entry.help, help=entry.help)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take shared options before the command, too."""
        return super().parse_args(ctx, shared_behind(self, ctx, args))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself, no longer what stands for it."""
        entry = self._entries.pop(cmd_name, None)
        if entry is not None:
            try:
                self.commands[cmd_name] = _loaded(cmd_name, entry)
            except KeyboardInterrupt:
                raise typer.Exit(EXIT_INTERRUPTED) from None
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The help: a line for each, by what they are for."""
        width = max(map(len, self.commands))
        for title, panel in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.help) for name, entry in panel.items()])


def _loaded(name: str, entry: Entry) -> Any:
    module, _, attribute = entry.where.partition(":")
    found = getattr(import_module(f"naq_tui.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    alone.command(name, cls=WatchedCommand)(command(found))
    return get_command(alone)


app = typer.Typer(
    name="naq",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"naq {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", is_eager=True, callback=_version, help="Print the version."),
) -> None:
    """A job queue on NATS JetStream that records everything. The monitor is a command of its own: naq-top.

    All commands take --server, --context, --namespace, --timeout, --config, --profile and --debug, behind their names
    or before them.

    Example: naq --server nats://10.0.0.5:4222 queue list
    """


def run() -> None:
    """The entry point of ``naq``."""
    app()


if __name__ == "__main__":
    run()
