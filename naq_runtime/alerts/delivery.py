"""Calling the webhooks of alerts, beside everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from naq_runtime.alerts.settings import WatchedRule, webhook_of
from naq_runtime.errors import NaqError, Rejected
from naq_runtime.events.models import AlertEvent, AlertEventType
from naq_runtime.processors.settings import WebhookConfig
from naq_runtime.processors.webhook import Webhook

__all__ = ["Deliveries", "body_of", "line_of"]

log = logging.getLogger(__name__)

_AT_A_TIME = 10
"""Calls of one webhook: one that is down holds up no other."""
_GIVE_UP_NS = 3600 * 1_000_000_000
"""What could not be delivered for so long is old news."""


class Deliveries:
    """Posts each transition until the receiver takes it, refuses it, or an hour is over.

    Raises:
        ConfigError: an address, a header or a secret cannot be used.
    """

    def __init__(self, rules: Iterable[WatchedRule], webhooks: Mapping[str, WebhookConfig]) -> None:
        self._webhooks: dict[str, Webhook] = {}
        self._rooms: dict[str, asyncio.Semaphore] = {}
        rooms: dict[str, asyncio.Semaphore] = {}
        for watched in rules:
            settings = webhook_of(watched, webhooks)
            if settings is not None:
                key, config = settings
                self._webhooks[watched.name] = Webhook(config, key=key)
                self._rooms[watched.name] = rooms.setdefault(key, asyncio.Semaphore(_AT_A_TIME))
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._done: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether a rule has a webhook."""
        return name in self._webhooks

    def offer(self, event: AlertEvent, now_ns: int) -> bool:
        """Begin to post a transition, unless that is under way; whether it is over with it."""
        token = _token(event)
        if token in self._done:
            return True
        if now_ns - event.timestamp_ns > _GIVE_UP_NS:
            log.warning("alert %s: its webhook was not reached for an hour", event.alert, extra=_FAILED)
            return True
        if token not in self._tasks:
            task = asyncio.create_task(self._post(event), name=f"webhook of alert {event.alert}")
            self._tasks[token] = task
            task.add_done_callback(lambda _: self._tasks.pop(token, None))
        return False

    def forget(self, but: Iterable[AlertEvent]) -> None:
        """Remember no transitions but these: of the others it is written down that they are over."""
        self._done &= {_token(event) for event in but}

    async def stop(self) -> None:
        """Give up what is under way: whoever leads next does it again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._done.clear()

    async def _post(self, event: AlertEvent) -> None:
        webhook = self._webhooks[event.alert]
        async with self._rooms[event.alert]:
            try:
                await webhook.post(body_of(event), message_id=_token(event))
            except Rejected as error:
                log.warning("alert %s: %s", event.alert, error, extra=_FAILED)
            except NaqError as error:  # it is offered again with the next evaluation
                log.warning("alert %s, to be tried again: %s", event.alert, error, extra=_FAILED)
                return
        self._done.add(_token(event))


_FAILED = {"action": "alert_webhook_failed"}


def body_of(event: AlertEvent) -> dict[str, Any]:
    """What is posted: a line for people, and the event."""
    return {"text": line_of(event), "event": msgspec.to_builtins(event)}


def line_of(event: AlertEvent) -> str:
    """A transition in one line: ``FIRING (critical) mail-failures queue=mail: 12, failures > 3``."""
    word = "FIRING" if event.event_type is AlertEventType.FIRING else "RESOLVED"
    return f"{word} ({event.severity}) {event.message}"


def _token(event: AlertEvent) -> str:
    """By which a receiver knows a transition that it gets twice."""
    return f"{event.alert}-{event.event_id}"
