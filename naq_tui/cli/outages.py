"""What a command that goes on says on stderr of its connection: that it is lost, and for how long it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from naq_runtime.events.messages import duration_text
from naq_runtime.nats.connection import Connection, listening
from naq_tui.cli.output import note

__all__ = ["telling_outages"]


@contextmanager
def telling_outages(connection: Connection, say: Callable[[str], None] = note) -> Iterator[None]:
    """Say so when the connection is lost, and when it is back, for as long as the block lasts."""
    lost_at: float | None = None

    async def lost() -> None:
        nonlocal lost_at
        lost_at = time.monotonic()
        say("connection lost, reconnecting")

    async def restored() -> None:
        nonlocal lost_at
        if lost_at is not None:
            say(f"connected again after {duration_text((time.monotonic() - lost_at) * 1000)}")
        lost_at = None

    with listening(connection.on_lost, lost), listening(connection.on_restored, restored):
        yield
