"""The monitor in a browser: a page with a terminal in it, and a process of naq-top for each that has it open."""

from __future__ import annotations

import asyncio
import html
import ipaddress
import logging
import shlex
import signal
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from naq_runtime.errors import ConfigError

__all__ = ["Address", "address_of", "serve"]

_LOOPBACK = "127.0.0.1"
_FONT_SIZES = range(6, 65)
_FONT_SIZE = 15
_CLOSING_S = 5.0
"""How long processes may take to end."""


class Address(NamedTuple):
    """Where the page is."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    @property
    def url(self) -> str:
        """For the browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def address_of(text: str) -> Address:
    """The address of ``8000``, ``0.0.0.0:8000`` or ``[::1]:8000``; of this machine alone when there is no host.

    Raises:
        ConfigError: it is no address.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or _LOOPBACK
    try:
        if host != "localhost":
            ipaddress.ip_address(host)
        number = int(port)
    except ValueError:
        number = -1
    if not 0 <= number < 65_536:
        raise ConfigError(f"--serve: expected PORT or ADDRESS:PORT, such as 8000 or 0.0.0.0:8000, got {text!r}")
    return Address(host, number)


async def serve(command: Sequence[str], address: Address, *, title: str) -> None:
    """Serve the page until a signal ends it.

    Args:
        command: runs naq-top; once for each page that is open.

    Raises:
        ConfigError: nothing can listen there.
    """
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    runner = web.AppRunner(await _Page(command, address, title)._make_app(), handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, address.host, address.port, shutdown_timeout=_CLOSING_S).start()
        host, port, *_ = runner.addresses[0]
        print(f"{title} at {Address(host, port).url}  (Ctrl-C ends it)", flush=True)  # noqa: T201  # for who started it
        await _signalled()
    except OSError as error:
        raise ConfigError(f"--serve: cannot listen on {address.host}:{address.port}: {error.strerror}") from error
    finally:
        await runner.cleanup()


async def _signalled() -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, ended.set)
    try:
        await ended.wait()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


class _Page(Server):
    """The page, which nobody else's page may use."""

    def __init__(self, command: Sequence[str], address: Address, title: str) -> None:
        super().__init__(f"exec {shlex.join(command)}", host=address.host, port=address.port, title=title)
        self._address = address
        self._page = Template(files("naq_tui").joinpath("web/index.html").read_text(encoding="utf-8"))

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guarded)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the one line is ours."""

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page itself; its addresses are those by which the browser has come, also through a proxy."""
        scheme = "wss" if request.headers.get("X-Forwarded-Proto", request.scheme) == "https" else "ws"
        size = request.query.get("fontsize", "")
        page = self._page.substitute(
            title=html.escape(self.title),
            socket=html.escape(f"{scheme}://{request.host}/ws"),
            size=size if size.isdecimal() and int(size) in _FONT_SIZES else _FONT_SIZE,
        )
        return web.Response(text=page, content_type="text/html")

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Keep other pages out: a browser lets any of them open a socket to here, and says which it was."""
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            raise web.HTTPForbidden(text="this page is not for other pages")
        if self._address.is_loopback and not _is_local(request.host):
            raise web.HTTPForbidden(text="this page is for this machine: ask for it as localhost")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        return response


def _is_local(host: str) -> bool:
    """Whether a browser asks for this machine, and not for a name that somebody had point to it."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
