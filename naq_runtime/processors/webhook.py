"""Posting JSON to an address: signed, repeated when it is worth it, and clear about why it was refused."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import http.client
import os
import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from naq_runtime.errors import ConfigError, ProcessingError, Rejected, Unavailable
from naq_runtime.events.codec import encode_stored
from naq_runtime.events.models import StoredEvent
from naq_runtime.naming import new_id
from naq_runtime.processors.http import Answer, Target, post
from naq_runtime.processors.settings import WebhookConfig, WebhookSettings, shown_url, with_environment
from naq_runtime.processors.words import one_line
from naq_runtime.version import VERSION

__all__ = ["EventPoster", "Webhook"]

_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_AWAY = {401, 407, 408, 425, 429, 502, 503, 504}
"""The receiver, or a proxy, says that it is not the request's fault: also that it does not know us any more."""
_SHORTEST_SECRET = 6


class Webhook:
    """Posts to one address.

    Args:
        key: where the settings stand, for errors: ``processors.NAME``.
        environ: where the variables are that the settings name; the environment when left out.

    Raises:
        ConfigError: an address, a header or a secret that cannot be used, or a variable that is not set.

    ::

        webhook = Webhook(WebhookConfig(url="https://example.com/hook", secret="${HOOK_SECRET}"))
        await webhook.post({"text": "queue mail is late"})
    """

    def __init__(
        self, config: WebhookConfig, *, key: str = "webhook", environ: Mapping[str, str] | None = None
    ) -> None:
        variables = os.environ if environ is None else environ
        url = with_environment(config.url, variables, f"{key}.url")
        try:
            self._target = Target.of(url)
        except ValueError as error:
            raise ConfigError(f"setting {key}.url: {error}, got {shown_url(url)}") from error
        self.where = shown_url(url)
        """Its address, as it may be shown."""
        self._timeout_s = config.timeout
        self._retries = config.retries
        self._headers = {"Content-Type": "application/json", "User-Agent": f"naq/{VERSION}", "Connection": "close"}
        own = {name: _header(f"{key}.headers.{name}", name, text, variables) for name, text in config.headers.items()}
        replaced = {name.lower() for name in own}
        self._headers = {name: text for name, text in self._headers.items() if name.lower() not in replaced} | own
        secret = config.secret and with_environment(config.secret, variables, f"{key}.secret")
        self._hidden = _secrets_of(url, own.values(), secret or "")
        self._secret = _secret(secret, f"{key}.secret") if secret else None

    def __repr__(self) -> str:
        return f"<Webhook {self.where}>"

    async def post(self, body: Any, *, message_id: str | None = None) -> None:
        """Post a value as JSON (bytes as they are), and again after a while when it was not taken.

        Args:
            message_id: by which the receiver knows a repeat; the same for all tries, made up when left out.

        Raises:
            Rejected: the receiver will not take this one.
            Unavailable: nobody answered, or the receiver asked for a later try, all times.
            ProcessingError: the receiver failed with it, all times.
        """
        message_id = message_id or new_id()
        for tried in range(self._retries):
            try:
                await self.post_once(body, message_id=message_id)
                return
            except Rejected:
                raise
            except ProcessingError as error:
                asked_s = error.retry_after_s if isinstance(error, Unavailable) else None
            await asyncio.sleep(_wait_s(tried) if asked_s is None else max(_WAIT_S, asked_s))
        await self.post_once(body, message_id=message_id)

    async def post_once(self, body: Any, *, message_id: str | None = None) -> None:
        """Try it once; see `post`."""
        payload = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers = self._headers | self._signed(payload, message_id or new_id())
        try:
            answer = await post(self._target, payload, headers, self._timeout_s)
        except TimeoutError as error:
            raise Unavailable(f"{self.where} did not answer within {self._timeout_s:g} s") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(f"{self.where} cannot be reached: {error or type(error).__name__}") from error
        if not 200 <= answer.status < 300:
            raise self._refusal(answer)

    def _signed(self, payload: bytes, message_id: str) -> dict[str, str]:
        """The headers of Standard Webhooks."""
        moment = str(int(time.time()))
        headers = {"webhook-id": message_id, "webhook-timestamp": moment}
        if self._secret is not None:
            signed = f"{message_id}.{moment}.".encode() + payload
            digest = hmac.new(self._secret, signed, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers

    def _without_secrets(self, text: str) -> str:
        """What a receiver says, without secrets that it was told: many repeat addresses and headers in their errors."""
        for secret in self._hidden:
            text = text.replace(secret, "(hidden)")
        return text

    def _refusal(self, answer: Answer) -> ProcessingError:
        said, why = (
            one_line(self._without_secrets(text), size) for text, size in ((answer.text, 200), (answer.reason, 50))
        )
        message = f"{self.where} answered {answer.status} {why}{f': {said}' if said else ''}"
        if answer.status in _AWAY:
            return Unavailable(message, _retry_after_s(answer.headers.get("retry-after")))
        if answer.status >= 500:
            return ProcessingError(message)
        if 300 <= answer.status < 400:
            return Rejected(f"{message}; redirects are not followed: set the address that it leads to")
        return Rejected(message)


def _wait_s(tried: int) -> float:
    """Twice as long each time, with some chance in it, so that many senders do not come back together."""
    return min(_LONGEST_WAIT_S, _WAIT_S * 2.0 ** min(tried, 16)) * random.uniform(0.75, 1.25)


def _retry_after_s(text: str | None) -> float | None:
    """What a ``Retry-After`` asks for, within reason: seconds, or a date."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(min(int(text.strip()[:9]), _LONGEST_WAIT_S))
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(_LONGEST_WAIT_S, max(0.0, (when - datetime.now(UTC)).total_seconds()))


def _header(key: str, name: str, text: str, environ: Mapping[str, str]) -> str:
    value = with_environment(text, environ, key)
    if not (value.isascii() and value.isprintable()):
        raise ConfigError(f"setting {key}: a header has printable ASCII characters only")
    if not name or not all(character.isalnum() or character in "!#$%&'*+-.^_`|~" for character in name):
        raise ConfigError(f"setting {key}: {name!r} is no name of a header")
    return value


def _secret(text: str, key: str) -> bytes:
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ConfigError(f"setting {key}: what follows whsec_ must be base64") from error


def _secrets_of(url: str, headers: Iterable[str], secret: str) -> list[str]:
    """All that may be a secret, the longest first: the path as a whole and in parts, and the words of headers."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    words = [word for text in headers for word in (text, *text.split())]
    words += [
        path,
        parts.path,
        secret,
        *re.split(r"[/&=;]", path.replace("?", "/")),
        parts.username or "",
        parts.password or "",
    ]
    found = {form for word in words for form in (word, unquote(word)) if len(form) >= _SHORTEST_SECRET}
    return sorted(found, key=len, reverse=True)


class EventPoster:
    """Posts a batch of events: with a batch of 1 the event as an object, otherwise a list of them."""

    def __init__(self, settings: WebhookSettings, *, key: str) -> None:
        self._webhook = Webhook(settings.webhook, key=key)
        self._is_single = settings.batch == 1

    def __repr__(self) -> str:
        return f"<EventPoster {self._webhook!r}>"

    def __str__(self) -> str:
        return f"posts to {self._webhook.where}"

    async def __call__(self, events: Sequence[StoredEvent]) -> None:
        """Process a batch; the processor tries it again. Errors as `Webhook.post_once`."""
        encoded = [encode_stored(stored) for stored in events]
        body = encoded[0] if self._is_single else b"[" + b",".join(encoded) + b"]"
        await self._webhook.post_once(body, message_id=_message_id(events))

    async def close(self) -> None:
        """Nothing is left."""


def _message_id(events: Sequence[StoredEvent]) -> str:
    """The same whenever the same events are posted."""
    first, last = events[0], events[-1]
    made = str(first.event.timestamp_ns)
    return f"{first.sequence}-{made}" if first is last else f"{first.sequence}-{last.sequence}-{len(events)}-{made}"
