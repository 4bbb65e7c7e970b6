"""The alerts of rules that are gone, where the scheduler that leads has no rules at all: somebody has to end them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from naq_runtime.alerts.store import read_board
from naq_runtime.errors import ServerError

if TYPE_CHECKING:
    from naq_runtime.services.events import EventService
    from naq_runtime.services.manager import ServiceManager

__all__ = ["end_leftovers"]

log = logging.getLogger(__name__)

_LOOK_S = 1.0
_MOST_LOOKS = 60
"""After so many it may not be allowed to end them."""


async def end_leftovers(
    services: ServiceManager, events: EventService, *, instance_id: str, may_act: Callable[[], bool]
) -> None:
    """Look once in each lead, until cancelled. Where there are no alerts, that is one question to the server.

    Args:
        instance_id: who we are.
        may_act: whether it is on us.
    """
    has_looked = False
    while True:
        if not may_act():
            has_looked = False
        elif not has_looked and services.connection.is_connected:
            has_looked = True
            with _unread():
                if (await read_board(services.streams, services.names)).records():
                    await _end(services, events, instance_id, may_act)
        await asyncio.sleep(_LOOK_S)


async def _end(services: ServiceManager, events: EventService, instance_id: str, may_act: Callable[[], bool]) -> None:
    from naq_runtime.alerts.watch import AlertWatch  # takes a while to load

    watch = AlertWatch(services, events, instance_id=instance_id, may_act=may_act)  # it has no rules
    for _ in range(_MOST_LOOKS):
        if not may_act():
            return
        await watch.look()
        if not (await read_board(services.streams, services.names)).records():
            return
        await asyncio.sleep(_LOOK_S)


@contextmanager
def _unread() -> Iterator[None]:
    """Pass over what the server refuses: a scheduler without rules need not be allowed to read alerts."""
    try:
        yield
    except ServerError as error:
        log.debug("alerts cannot be read: %s", error, extra={"action": "alerts_not_read"})
