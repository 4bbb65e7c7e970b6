"""Settings that are read again while a process runs, at SIGHUP, and what becomes of those that have changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from naq_runtime.config import NAQConfig, settings_of, shown_setting
from naq_runtime.errors import ConfigError
from naq_runtime.events.models import SystemEventType
from naq_runtime.job_logging import change_log_level
from naq_runtime.services.events import EventService

__all__ = ["Reloading"]

log = logging.getLogger(__name__)


class Reloading:
    """Reads settings again, applies what can change while the process runs, and tells of it.

    Args:
        config: the settings by which the process runs.
        load: reads them again.
        appliers: what applies a new value, by key, as things stand, besides that of the log; other settings need a
            restart.
        applied: is told of all settings by which the process runs when some have changed.

    A reload that is asked for before `begin` happens then: a process that is starting has nothing yet to apply it to.
    """

    def __init__(
        self,
        events: EventService,
        config: NAQConfig,
        *,
        load: Callable[[], NAQConfig],
        appliers: Callable[[], Mapping[str, Callable[[Any], None]]] = dict,
        applied: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self._events = events
        self._running = settings_of(config)
        self._load = load
        self._appliers = appliers
        self._applied = applied
        self._has_begun = False
        self._is_owed = False

    def begin(self) -> None:
        """The process is up."""
        self._has_begun = True
        if self._is_owed:
            self._is_owed = False
            self.reload()

    def reload(self) -> None:
        """Do so; where a setting is wrong, all stay as they are."""
        if not self._has_begun:
            self._is_owed = True
            return
        try:
            wanted = settings_of(self._load())
        except ConfigError as error:
            log.warning("settings stay as they are: %s", error, extra={"action": "reload_failed"})
            self._events.system(
                SystemEventType.ERROR, part="config", error_type=type(error).__name__, error_message=str(error)[:1_000]
            )
            return
        appliers = {"log.level": _change_level, **self._appliers()}
        changed = [key for key, value in wanted.items() if value != self._running[key]]
        applied = [key for key in changed if key in appliers]
        for key in applied:
            self._apply(key, wanted[key], appliers[key])
        if applied and self._applied is not None:
            self._applied(self._running)
        if later := [key for key in changed if key not in appliers]:
            log.warning("changed, and needs a restart: %s", ", ".join(later), extra={"action": "restart_needed"})
        if not changed:
            log.info("no setting has changed", extra={"action": "reloaded"})

    def _apply(self, key: str, value: Any, apply: Callable[[Any], None]) -> None:
        old, new = (shown_setting(key, one) for one in (self._running[key], value))
        apply(value)
        self._running[key] = value
        log.info("%s: %s, was %s", key, new, old, extra={"action": "config_changed"})
        self._events.system(SystemEventType.CONFIG_CHANGED, key=key, old=old, new=new)


def _change_level(name: str) -> None:
    change_log_level(logging.getLevelNamesMapping()[name.upper()])
