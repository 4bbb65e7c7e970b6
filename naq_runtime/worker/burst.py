"""The end of a burst: a worker that was started for the jobs of now, and not for those to come."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from naq_runtime.errors import ServerError
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.control import Control
from naq_runtime.nats.state import queue_states
from naq_runtime.snapshot import QueueState

__all__ = ["burst_over"]

log = logging.getLogger(__name__)

_LOOK_S = 0.2


async def burst_over(connection: Connection, names: Names, queues: Collection[str], busy: Callable[[], bool]) -> None:
    """Return once no job of these queues is queued or runs anywhere; what waits in a paused queue does not count.

    While the server cannot be asked, the burst goes on.

    Args:
        busy: whether this worker itself has something left to do.
    """
    control = Control(connection, names)
    while True:
        await asyncio.sleep(_LOOK_S)
        if busy():
            continue
        try:
            states = [state for state in await queue_states(connection, names) if state.name in queues]
            if not any([await _has_jobs(state, control) for state in states]):
                return
        except ServerError as error:
            log.debug("queues not seen: %s", error, extra={"action": "queues_not_seen"})


async def _has_jobs(state: QueueState, control: Control) -> bool:
    """Whether something is left to run; of a paused queue the server cannot tell what runs from what was handed back."""
    if not state.paused:
        return state.waiting + state.running > 0
    return await control.find_jobs_of(state.name) != set()
