"""What a shell completes besides options: the names of what there is, asked of the server for 300 ms at most.

Whatever goes wrong, nothing is completed, and nothing is said: somebody is typing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig

__all__ = [
    "alerts",
    "configured_processors",
    "dead_jobs",
    "event_types",
    "jobs",
    "processors",
    "queues",
    "schedules",
    "themes",
    "workers",
]

_PATIENCE_S = 0.3

Completer = Callable[[typer.Context, str], Sequence[str]]


def _on_server(kind: str) -> Completer:
    """Completes the names of one kind of things."""

    def complete(ctx: typer.Context, incomplete: str) -> Sequence[str]:
        with _bounded():
            return _matching(_asked(kind, ctx.params), incomplete)
        return []

    return complete


queues, workers, schedules = _on_server("queues"), _on_server("workers"), _on_server("schedules")
jobs, dead_jobs = _on_server("jobs"), _on_server("dead")
alerts, processors = _on_server("alerts"), _on_server("processors")


def configured_processors(ctx: typer.Context, incomplete: str) -> Sequence[str]:
    """The processors of the config."""
    with _bounded():
        from naq_tui.cli.context import config_of

        return _matching(sorted(config_of(ctx.params).processors), incomplete)
    return []


def event_types(incomplete: str) -> Sequence[str]:
    """The types of events."""
    from naq_runtime.events.filters.fields import EVENT_TYPES

    return _matching(sorted(EVENT_TYPES), incomplete)


def themes(incomplete: str) -> Sequence[str]:
    """The themes of the monitor."""
    from naq_tui.look import LOOKS

    return [name for name in LOOKS if name.startswith(incomplete)]


def _matching(found: Sequence[str], incomplete: str) -> list[str]:
    """The names that go on as begun, behind those before a comma.

    A shell may run what it is told, so that what is no name of ours is left out.
    """
    from naq_runtime.naming import is_name

    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in found if name.startswith(begun) and is_name(name)]


def _asked(kind: str, params: dict[str, Any]) -> list[str]:
    import asyncio

    from naq_tui.cli.context import config_of

    return asyncio.run(_names(kind, config_of(params)))


async def _names(kind: str, config: NAQConfig) -> list[str]:
    from naq_runtime.nats.connection import Connection
    from naq_runtime.nats.present import NAMES_OF

    async with await Connection.open(config.nats, name="naq completion") as connection:
        return await NAMES_OF[kind](connection, config.names)


class _bounded(suppress):
    """Lets errors pass for nothing found; ends the process when its time is over, whatever it waits for."""

    def __init__(self) -> None:
        super().__init__(Exception)

    def __enter__(self) -> None:
        import logging
        from threading import Timer

        logging.disable()
        self._timer = Timer(_PATIENCE_S, _give_up)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *error: Any) -> bool:
        self._timer.cancel()
        return super().__exit__(*error)


def _give_up() -> NoReturn:
    """At once: a name that is being resolved, say, would be waited for at the end of the process."""
    import os

    os._exit(1)
