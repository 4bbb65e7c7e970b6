"""What a process that serves says when its connection is lost, and when it is back."""

from __future__ import annotations

import logging

from naq_runtime.nats.connection import Connection

__all__ = ["log_outages"]

log = logging.getLogger(__name__)


def log_outages(connection: Connection) -> None:
    """Have the log of the process say so."""
    connection.on_lost.append(_say_lost)
    connection.on_restored.append(_say_restored)


async def _say_lost() -> None:
    log.warning("connection lost, reconnecting", extra={"action": "connection_lost"})


async def _say_restored() -> None:
    log.warning("connected again", extra={"action": "connection_restored"})
