"""Everything that speaks to a NATS server; the only package that imports ``nats``.

Its errors end here: what leaves this package is a `naq_runtime.errors.NaqError`.
"""

from __future__ import annotations

import importlib
import sys

__all__ = ["prepare_web_sockets"]


def _import_client() -> None:
    """Import the client without aiohttp, which it loads when it is there: that would be most of the time that it takes.

    Only web sockets need it; see `prepare_web_sockets`.
    """
    if "aiohttp" in sys.modules or "nats.aio.transport" in sys.modules:
        return
    sys.modules["aiohttp"] = None  # type: ignore[assignment]  # as Python marks what cannot be imported
    try:
        importlib.import_module("nats.aio.transport")
    finally:
        del sys.modules["aiohttp"]


def prepare_web_sockets() -> None:
    """Give aiohttp to the client, when it is there; without it, the client says that it is needed."""
    transport = importlib.import_module("nats.aio.transport")
    try:
        transport.aiohttp = importlib.import_module("aiohttp")  # type: ignore[attr-defined]
    except ImportError:
        return


_import_client()
