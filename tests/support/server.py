"""One real nats-server for all tests of a process; each test has a namespace of its own on it."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from naq_runtime.config import NAQConfig
from naq_runtime.embedded import EmbeddedServer
from naq_runtime.naming import new_id

__all__ = ["SharedServer", "config_for"]


class SharedServer:
    """A server that outlives the event loops of the tests: it is started and watched on a loop in a thread."""

    def __init__(self, config: str | None = None) -> None:
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats-server", daemon=True)
        self._server = EmbeddedServer(config=config)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.__aenter__(), self._loop).result(30)
        self.url = self._server.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._server.__aexit__(None, None, None), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def config_for(url: str, **settings: Any) -> NAQConfig:
    """The settings of a test: a namespace that no other test has, short intervals, and what is given.

    Settings are named by section and key with two underscores: ``jobs__ack_wait=1``.
    """
    arguments = {
        "nats.url": url,
        "namespace": f"t{new_id(8)}",
        "events.flush_interval": 0.02,
        "events.max_bytes": -1,  # the server would set them aside, for each of thousands of tests
        "dead.max_bytes": -1,
        "worker.heartbeat_interval": 0.2,
        "worker.shutdown_grace": 2.0,
    }
    arguments |= {name.replace("__", "."): value for name, value in settings.items()}
    return NAQConfig.load(arguments=arguments, environ={})
