"""One process, one manager: it opens the connection, makes each service once, and takes all down again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import NAQConfig
from naq_runtime.hooks import Middleware
from naq_runtime.naming import Names, new_id
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.control import Control
from naq_runtime.nats.streams import NatsStreams, Streams
from naq_runtime.nats.topology import Topology
from naq_runtime.serializer import Serializer, load_serializer
from naq_runtime.tracing import Tracing, tracing_of

if TYPE_CHECKING:
    from naq_runtime.jobs.cancelling import AskWorkers

__all__ = ["Ground", "OpenGround", "Service", "ServiceManager", "stand_on"]


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


class Ground(NamedTuple):
    """What services stand on: a server, or what a test puts in its place (`naq_runtime.testing`)."""

    connection: Connection
    topology: Topology
    streams: Streams
    ask: AskWorkers
    """Asks all workers whether they run some jobs, and if they do, to end them."""
    makers: Mapping[type[Service], Callable[[ServiceManager], Awaitable[Any]]] = {}
    """What makes services of some kinds in another way than their own."""


OpenGround = Callable[["ServiceManager", AsyncExitStack], Awaitable[Ground]]
"""Opens it for a manager; what is to be closed with the manager goes into the stack."""


async def _on_server(services: ServiceManager, stack: AsyncExitStack) -> Ground:
    name = f"naq {services.role} {services.instance}"
    connection = await Connection.open(services.config.nats, name=name, clock=services.clock)
    stack.push_async_callback(connection.close)
    topology = Topology(connection, services.config)
    if not services.may_found:
        await topology.look_for_jobs()
    streams = NatsStreams(connection, topology)
    stack.push_async_callback(streams.close)
    return Ground(connection, topology, streams, Control(connection, services.names).end_jobs)


_open_ground: OpenGround = _on_server


def stand_on(opened: OpenGround) -> OpenGround:
    """Let all managers that are entered from now on stand on something else; returns what they stood on before."""
    global _open_ground
    before, _open_ground = _open_ground, opened
    return before


class ServiceManager:
    """The services of one process.

    Args:
        config: the settings of all.
        role: what the process is, as its events say: ``worker``, ``producer``, ``monitor`` …
        serializer: the form of jobs and results on the wire, instead of the configured one.
        may_found: whether it may make the streams of a namespace that has none.

    Raises:
        ConfigError: the configured serializer cannot be made.

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
        may_found: bool = True,
    ) -> None:
        self.config = config
        self.role = role
        self.may_found = may_found
        self.clock = clock
        self.serializer: Serializer = serializer or load_serializer(config.jobs.serializer)
        self.instance = new_id(8)
        """One a manager: the emitter of its events."""
        self.reason = "closed"
        """Why it ends, as the event of its end says; whoever knows more may set it."""
        self.tracing: Tracing | None = None
        """Makes spans, where ``tracing.enabled`` is set."""
        self._ground: Ground | None = None
        self._services: dict[type[Service], Service] = {}
        self._stack = AsyncExitStack()

    def __repr__(self) -> str:
        running = ", ".join(kind.__name__ for kind in self._services)
        return f"<ServiceManager {self.role} {self.instance}: {running or 'nothing yet'}>"

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            ConfigError: tracing is wanted, and cannot be had.
            ServerError: the server cannot be reached or used.
            StreamMissing: it has nothing of the namespace, and nothing may be made.
        """
        try:
            if self.config.tracing.enabled:
                self.tracing = tracing_of(self.role)
                self._stack.push_async_callback(self.tracing.close)
            self._ground = await _open_ground(self, self._stack)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._services.clear()
        if error is not None:
            self.reason = type(error).__name__  # its text is the program's business, and may hold secrets
        await self._stack.aclose()

    @property
    def names(self) -> Names:
        """The names on the wire."""
        return self.config.names

    @property
    def connection(self) -> Connection:
        """The one connection of this process."""
        return self._standing.connection

    @property
    def topology(self) -> Topology:
        """The streams and consumers."""
        return self._standing.topology

    @property
    def streams(self) -> Streams:
        """What the rules of jobs need of the server."""
        return self._standing.streams

    @property
    def ask(self) -> AskWorkers:
        """Asks all workers whether they run some jobs, and if they do, to end them."""
        return self._standing.ask

    @property
    def middleware(self) -> Sequence[Middleware]:
        """What is called around each attempt, before that of the modules of tasks."""
        return () if self.tracing is None else (self.tracing.middleware,)

    @property
    def _standing(self) -> Ground:
        if self._ground is None:
            raise RuntimeError("use the manager as 'async with ServiceManager(config) as services'")
        return self._ground

    async def get_service(self, kind: type[S]) -> S:
        """The service of this kind, made and started if it is the first time."""
        existing = self._services.get(kind)
        if existing is None:
            made = await self._standing.makers.get(kind, kind.create)(self)
            existing = self._services.setdefault(kind, made)
            self._stack.push_async_callback(made.stop)
        assert isinstance(existing, kind)
        return existing
