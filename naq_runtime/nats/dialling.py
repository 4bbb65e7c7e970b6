"""Connecting for the first time: patient with a server that hangs up, and clear about what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import nats.errors
from nats.aio.client import Client

from naq_runtime.config import NatsConfig, redacted_url, split_urls
from naq_runtime.errors import NotAuthorised, ServerError, ServerUnreachable
from naq_runtime.nats import prepare_web_sockets
from naq_runtime.nats.identity import identity_of
from naq_runtime.nats.lean import LeanClient
from naq_runtime.nats.translating import reason_of

__all__ = ["Watcher", "dialled"]

_REDIAL_S = 0.1
_DIALS = 10
"""On a busy machine a server has often hung up before it could be read why."""


class Watcher(NamedTuple):
    """Who is told what becomes of a connection."""

    failed: Callable[[Exception], None]
    lost: Callable[[], Awaitable[None]]
    restored: Callable[[], Awaitable[None]]
    closed: Callable[[], Awaitable[None]]


async def dialled(config: NatsConfig, name: str, watcher: Watcher) -> LeanClient:
    """A client that is connected, and reconnects for ever.

    A server that refuses us may hang up before we have read why: it is asked again, by a client of its own.

    Raises:
        ServerUnreachable, NotAuthorised, ConfigError.
    """
    identity = identity_of(config)
    if any(url.startswith(("ws://", "wss://")) for url in split_urls(config.url)):
        prepare_web_sockets()
    for attempt in range(_DIALS):
        client = LeanClient()
        try:
            await _dial(client, config, name, watcher, identity)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            if attempt == _DIALS - 1 or not isinstance(error, ConnectionResetError):
                raise _refusal(config, error) from error
            await asyncio.sleep(_REDIAL_S)
        else:
            break
    return client


async def _dial(client: Client, config: NatsConfig, name: str, watcher: Watcher, identity: Mapping[str, Any]) -> None:
    servers = split_urls(config.url)
    all_failed = asyncio.Event()
    failed = 0
    last: Exception | None = None

    async def note(error: Exception) -> None:
        nonlocal failed, last
        watcher.failed(error)
        if client.is_connected:
            return
        last, failed = error, failed + 1
        if failed >= len(servers):
            all_failed.set()

    dialling = asyncio.ensure_future(_connect(client, config, name, watcher, note, identity))
    failing = asyncio.ensure_future(all_failed.wait())
    try:
        done, _ = await asyncio.wait(
            {dialling, failing}, timeout=config.connect_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if dialling in done and dialling.exception() is None:
            return
        raise (dialling.exception() if dialling in done else last) or TimeoutError
    except BaseException:
        dialling.cancel()
        await asyncio.gather(dialling, return_exceptions=True)
        with contextlib.suppress(nats.errors.Error, OSError, AssertionError):
            await client.close()
        raise
    finally:
        failing.cancel()


async def _connect(
    client: Client,
    config: NatsConfig,
    name: str,
    watcher: Watcher,
    note: Callable[[Exception], Awaitable[None]],
    identity: Mapping[str, Any],
) -> None:
    await client.connect(
        servers=split_urls(config.url),
        name=name,
        **identity,
        error_cb=note,
        disconnected_cb=watcher.lost,
        reconnected_cb=watcher.restored,
        closed_cb=watcher.closed,
        connect_timeout=max(1, int(config.connect_timeout)),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,  # type: ignore[arg-type]  # a fraction works; the annotation says int
        ping_interval=10,
        pending_size=config.pending_bytes,
        inbox_prefix=config.inbox_prefix,
        skip_subject_validation=True,  # every name on the wire comes from naming.py
    )


def _refusal(config: NatsConfig, error: BaseException | None) -> ServerError:
    where = redacted_url(config.url)
    reason = reason_of(error)
    if isinstance(error, nats.errors.AuthorizationError) or "authorization" in reason.lower():
        return NotAuthorised(f"the server at {where} refused the credentials: check the user, password or token")
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or reason
        return ServerUnreachable(
            f"the certificate of the server at {where} is not trusted: {why}. "
            "Name who vouches for it with nats.tls_ca, and the server as its certificate does"
        )
    if isinstance(error, ssl.SSLError):
        return ServerUnreachable(
            f"no encrypted connection to the server at {where}: {reason}. "
            "Check nats.tls_cert and nats.tls_key, and whether the server speaks TLS"
        )
    return ServerUnreachable(
        f"cannot reach a NATS server at {where}: {reason}. Start one with 'naq server', or set NAQ_NATS_URL"
    )
