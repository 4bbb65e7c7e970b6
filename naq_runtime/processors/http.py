"""One POST by HTTP, within a time, of which nothing is left when it is over.

The standard library's client in a thread: a request is a new connection, no redirect is followed, and of an answer no
more is read than what a log can use. At the end of its time, or when it is cancelled, the connection is shut down, so
that no receiver can hold the thread by answering slowly. Proxies are those of the environment (``HTTPS_PROXY``,
``NO_PROXY`` …), as with other programs.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from naq_runtime.threads import in_own_thread

__all__ = ["Answer", "Target", "post"]

_READ = 2_048
"""Bytes of an answer that are looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """By lower-case name."""
    text: str
    """The beginning of its body."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, by which way."""

    secure: bool
    host: str
    port: int
    path: str
    proxy: SplitResult | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Who we are, where the address says so."""

    @classmethod
    def of(cls, url: str) -> Target:
        """Read an address.

        Raises:
            ValueError: it is none of HTTP.
        """
        if not all("!" <= character <= "~" for character in url):
            raise ValueError("an address has no spaces and printable ASCII characters only: encode others as %XX")
        parts, port = _parted(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address that begins with https:// or http://")
        secure = parts.scheme == "https"
        port = port or (443 if secure else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        through = None if proxy_bypass(parts.hostname) else getproxies().get(parts.scheme)
        own = _basic("Authorization", parts)
        return cls(secure, parts.hostname, port, path, urlsplit(through) if through else None, own)

    def connection(self, timeout_s: float) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
        """An unopened connection, what to ask it for, and further headers."""
        if self.proxy is None:
            return _connection(self.secure, self.host, self.port, timeout_s), self.path, {}
        host, port = self.proxy.hostname or "", self.proxy.port or 3128
        more = _basic("Proxy-Authorization", self.proxy)
        connection = _connection(self.secure, host, port, timeout_s)
        if not self.secure:
            return connection, f"http://{_authority(self.host)}:{self.port}{self.path}", more
        connection.set_tunnel(self.host, self.port, more)
        return connection, self.path, {}


async def post(target: Target, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Answer:
    """Post some bytes; what was answered, whatever its status.

    Raises:
        OSError, http.client.HTTPException: no answer, or none of HTTP.
        TimeoutError: the time was over.
    """
    connection, path, more = target.connection(timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            return await in_own_thread(_exchange, connection, path, body, {**target.headers, **headers, **more})
    finally:
        _shut_down(connection)


def _connection(secure: bool, host: str, port: int, timeout_s: float) -> http.client.HTTPConnection:
    if secure:
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=_trusted())
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def _exchange(connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    try:
        connection.request("POST", path, body, headers)
        with connection.getresponse() as response:
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.reason, told, response.read(_READ).decode("utf-8", "replace"))
    finally:
        connection.close()


def _shut_down(connection: http.client.HTTPConnection) -> None:
    """Wake the thread that waits for it, if there still is one."""
    opened: socket.socket | None = connection.sock
    if opened is not None:
        with suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)


def _authority(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _parted(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:  # its text would show what may be a part of a password
        raise ValueError("the host or the port of this address is none") from None


def _basic(header: str, parts: SplitResult) -> dict[str, str]:
    """The header that says who we are, where an address has a user."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {header: f"Basic {base64.b64encode(pair.encode()).decode()}"}


@cache
def _trusted() -> ssl.SSLContext:
    """Whom we trust: to read that takes milliseconds."""
    return ssl.create_default_context()
