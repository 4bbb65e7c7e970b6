"""A worker between its death and its next start: it can be asked to stop all the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from naq_runtime.config import NAQConfig
from naq_runtime.errors import ServerError
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.control import heard_stop

__all__ = ["asked_to_stop"]

log = logging.getLogger(__name__)


async def asked_to_stop(config: NAQConfig, worker_ids: Sequence[str]) -> None:
    """Return once somebody asks one of these workers to stop, which is answered in its place.

    While there is no server, nobody can ask, and this does not return.
    """
    try:
        async with await Connection.open(config.nats, name=f"naq absent {worker_ids[0]}") as connection:
            await heard_stop(connection, config.names, worker_ids)
    except ServerError as error:
        log.debug("nobody can ask %s to stop: %s", worker_ids[0], error, extra={"action": "absence_unheard"})
        await asyncio.Event().wait()
