"""``naq``: workers, jobs and events from the shell."""

from __future__ import annotations

import typer

from naq_runtime.version import VERSION
from naq_tui.cli import enqueue, events, server, worker
from naq_tui.cli.context import command

__all__ = ["app", "run"]

app = typer.Typer(
    name="naq",
    help="A job queue on NATS JetStream that records everything. The monitor is a command of its own: naq-top.",
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
    """A job queue on NATS JetStream that records everything. The monitor is a command of its own: naq-top."""


app.command("server")(command(server.server))
app.command("run-worker")(command(worker.run_worker))
app.command("enqueue")(command(enqueue.enqueue))
app.add_typer(events.app, name="events")


def run() -> None:
    """The entry point of ``naq``."""
    app()


if __name__ == "__main__":
    run()
