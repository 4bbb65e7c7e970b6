"""A server that can be killed and comes back with what it had."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from naq_runtime import EmbeddedServer
from tests.support.waiting import eventually

__all__ = ["RestartableServer", "restartable"]


class RestartableServer:
    """A server with a store that stays, on a port that stays.

    Args:
        config: what its configuration says besides.
    """

    def __init__(self, store: Path, config: str | None = None) -> None:
        self._store = store
        self._config = config
        self._server = EmbeddedServer(store=store, config=config)

    async def start(self) -> None:
        """Start it, with what it had."""
        port = int(self._server.url.rpartition(":")[2]) if self._server.url else 0
        self._server = EmbeddedServer(store=self._store, port=port, config=self._config)
        await self._server.__aenter__()

    async def kill(self) -> None:
        """As the kernel would, without any warning."""
        os.kill(self._server.pid, signal.SIGKILL)
        await eventually(lambda: not self._server.is_alive)
        await self._server.__aexit__(None, None, None)

    async def stop(self) -> None:
        """End it in good order."""
        await self._server.__aexit__(None, None, None)

    @property
    def url(self) -> str:
        """Where it listens; the same after a restart."""
        return self._server.url

    @property
    def log(self) -> Path:
        """What it has said since it was started last."""
        return self._server.log


@asynccontextmanager
async def restartable(folder: Path, config: str | None = None) -> AsyncIterator[RestartableServer]:
    """A running one, that keeps its data in the folder."""
    server = RestartableServer(folder / "store", config)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
