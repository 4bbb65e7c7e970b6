"""One process, one manager: it opens the connection, makes each service once, and takes all down again."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self, TypeVar

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import NAQConfig
from naq_runtime.naming import Names, new_id
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.streams import NatsStreams
from naq_runtime.nats.topology import Topology
from naq_runtime.serializer import JsonSerializer, Serializer

__all__ = ["Service", "ServiceManager"]


class Service(Protocol):
    """Something with a lifetime."""

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Make and start it, taking what it needs from the manager."""
        ...

    async def stop(self) -> None:
        """End it; may be called twice."""
        ...


S = TypeVar("S", bound=Service)


class ServiceManager:
    """The services of one process.

    Args:
        config: the settings of all.
        role: what the process is, as its events say: ``worker``, ``producer``, ``monitor`` …
        serializer: the form of jobs and results on the wire.

    ::

        async with ServiceManager(get_config()) as services:
            events = await services.get_service(EventService)
    """

    def __init__(
        self,
        config: NAQConfig,
        *,
        role: str = "client",
        serializer: Serializer | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.config = config
        self.role = role
        self.clock = clock
        self.serializer: Serializer = serializer or JsonSerializer()
        self.instance = new_id(8)
        """One a manager: the emitter of its events."""
        self._connection: Connection | None = None
        self._topology: Topology | None = None
        self._streams: NatsStreams | None = None
        self._services: dict[type[Service], Service] = {}
        self._stack = AsyncExitStack()

    def __repr__(self) -> str:
        running = ", ".join(kind.__name__ for kind in self._services)
        return f"<ServiceManager {self.role} {self.instance}: {running or 'nothing yet'}>"

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            ServerError: the server cannot be reached or used.
        """
        self._connection = await Connection.open(self.config.nats, name=f"naq {self.role} {self.instance}")
        self._stack.push_async_callback(self._connection.close)
        self._topology = Topology(self._connection, self.config)
        self._streams = NatsStreams(self._connection, self._topology)
        self._stack.push_async_callback(self._streams.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._services.clear()
        await self._stack.aclose()

    @property
    def names(self) -> Names:
        """The names on the wire."""
        return self.config.names

    @property
    def connection(self) -> Connection:
        """The one connection of this process."""
        if self._connection is None:
            raise RuntimeError("use the manager as 'async with ServiceManager(config) as services'")
        return self._connection

    @property
    def topology(self) -> Topology:
        """The streams and consumers."""
        if self._topology is None:
            raise RuntimeError("use the manager as 'async with ServiceManager(config) as services'")
        return self._topology

    @property
    def streams(self) -> NatsStreams:
        """What the rules of jobs need of the server."""
        if self._streams is None:
            raise RuntimeError("use the manager as 'async with ServiceManager(config) as services'")
        return self._streams

    async def get_service(self, kind: type[S]) -> S:
        """The service of this kind, made and started if it is the first time."""
        existing = self._services.get(kind)
        if existing is None:
            made = await kind.create(self)
            existing = self._services.setdefault(kind, made)
            self._stack.push_async_callback(made.stop)
        assert isinstance(existing, kind)
        return existing
