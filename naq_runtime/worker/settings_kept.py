"""By which settings a worker of a name went before: one that begins with others says which."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from naq_runtime.config import NAQConfig, settings_of, shown_setting
from naq_runtime.errors import ServerError
from naq_runtime.events.models import SystemEventType
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager

__all__ = ["KeptSettings"]

log = logging.getLogger(__name__)

_KEPT_S = 30 * 86_400.0
"""A worker that comes later has no predecessor."""


class KeptSettings:
    """Keeps the settings of a worker as others may see them, without secrets, for the next one of its name."""

    def __init__(self, services: ServiceManager, events: EventService, worker_id: str) -> None:
        self._bucket = LeaseBucket(services.connection, services.names, services.names.workers_bucket)
        self._events = events
        self._key = f"settings.{worker_id}"
        self._keeping: asyncio.Task[None] | None = None

    async def compare(self, config: NAQConfig) -> None:
        """Tell of what is not as it was, and keep what is now; where the server cannot be asked, nothing is told."""
        now = _shown(settings_of(config))
        try:
            before = await self._before()
            await self._keep(now)
        except ServerError as error:
            log.debug("settings not compared: %s", error, extra={"action": "settings_not_compared"})
            return
        for key, new in now.items():
            old = before.get(key, new)  # of a version that did not have it
            if old != new:
                log.info("%s: %s, was %s before", key, new, old, extra={"action": "config_changed"})
                self._events.system(SystemEventType.CONFIG_CHANGED, key=key, old=old, new=new)

    def changed(self, settings: Mapping[str, Any]) -> None:
        """Keep other settings, that were told of; does not wait."""
        self._keeping = asyncio.create_task(self._keep_later(_shown(settings)), name="keep settings")

    async def close(self) -> None:
        """Wait until what was changed is kept."""
        if self._keeping is not None:
            await self._keeping

    async def _keep_later(self, shown: dict[str, str]) -> None:
        try:
            await self._keep(shown)
        except ServerError as error:
            log.debug("settings not kept: %s", error, extra={"action": "settings_not_kept"})

    async def _keep(self, shown: dict[str, str]) -> None:
        await self._bucket.put(self._key, msgspec.json.encode(shown), _KEPT_S)

    async def _before(self) -> dict[str, str]:
        message = await self._bucket.get(self._key)
        try:
            return {} if message is None else msgspec.json.decode(message.data, type=dict[str, str])
        except (msgspec.MsgspecError, UnicodeError):
            return {}


def _shown(settings: Mapping[str, Any]) -> dict[str, str]:
    """Without the tables by name, which are no matter of workers."""
    return {key: shown_setting(key, value) for key, value in settings.items() if not isinstance(value, dict)}
