"""What a shell completes besides options: the names of what there is, asked of the server for 300 ms at most.

Whatever goes wrong, nothing is completed, and nothing is said: somebody is typing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import typer

__all__ = [
    "alerts",
    "configured_processors",
    "contexts",
    "dead_jobs",
    "event_types",
    "jobs",
    "processors",
    "profiles",
    "queues",
    "schedules",
    "streams",
    "themes",
    "workers",
]

_PATIENCE_S = 0.3

Completer = Callable[[typer.Context, str], Sequence[str]]


def _on_server(kind: str) -> Completer:
    """Completes the names of one kind of things."""

    def complete(ctx: typer.Context, incomplete: str) -> Sequence[str]:
        with suppress(Exception):
            return _matching(_asked(kind, ctx.params), incomplete)
        return []

    return complete


queues, workers, schedules = _on_server("queues"), _on_server("workers"), _on_server("schedules")
jobs, dead_jobs = _on_server("jobs"), _on_server("dead")
alerts, processors, streams = _on_server("alerts"), _on_server("processors"), _on_server("streams")


def configured_processors(ctx: typer.Context, incomplete: str) -> Sequence[str]:
    """The processors of the config."""
    with suppress(Exception):
        from naq_tui.cli.context import config_of

        return _matching(sorted(config_of(ctx.params).processors), incomplete)
    return []


def contexts(incomplete: str) -> Sequence[str]:
    """The contexts of the nats tool."""
    with suppress(Exception):
        import os

        from naq_runtime.nats_context import context_names

        return _matching(context_names(os.environ), incomplete)
    return []


def profiles(ctx: typer.Context, incomplete: str) -> Sequence[str]:
    """The profiles of the config file."""
    with suppress(Exception):
        from naq_runtime.config_layers import PROFILES, Source, config_file, file_layer

        if file := config_file(Source(ctx.params.get("config_file"))):
            return _matching(sorted(file_layer(file).tree.get(PROFILES, {})), incomplete)
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
    """The names that the server tells; what is loaded for that is not part of its time."""
    import asyncio
    import logging

    from naq_runtime.nats.connection import Connection
    from naq_runtime.nats.present import NAMES_OF
    from naq_tui.cli.context import config_of

    config = config_of(params)

    async def ask() -> list[str]:
        async with await Connection.open(config.nats, name="naq completion") as connection:
            return await NAMES_OF[kind](connection, config.names)

    logging.disable()
    with _ending_after(_PATIENCE_S):
        return asyncio.run(ask())


@contextmanager
def _ending_after(seconds: float) -> Iterator[None]:
    """End the process when the block takes longer, whatever it waits for.

    Nothing milder will do: a name that is being resolved, say, is waited for by the event loop and by Python's own end.
    """
    import os
    from threading import Timer

    timer = Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
