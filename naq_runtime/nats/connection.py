"""One connection to the server: opened with clear errors, reconnecting for ever, watched."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.config import NatsConfig, redacted_url
from naq_runtime.errors import JetStreamUnavailable, MessageTooLarge, NotAuthorised, ServerTooOld, ServerUnreachable
from naq_runtime.nats.dialling import Watcher, dialled
from naq_runtime.nats.lean import LeanClient
from naq_runtime.nats.server_clock import ServerClock
from naq_runtime.nats.translating import jetstream_error, reason_of, translated

__all__ = [
    "Connection",
    "Msg",
    "Subscription",
    "listening",
    "subscribed",
]

log = logging.getLogger(__name__)

MINIMUM_SERVER = (2, 12)
FAST_INGEST_SERVER = (2, 14)
_LATEST_PONG_S = 300
"""A connection that leaves a ping unanswered for so long has been given up by the client itself."""

Listener = Callable[[], Awaitable[None]]


class Connection:
    """A connection with JetStream behind it.

    It reconnects by itself for as long as it takes; ``on_lost`` and ``on_restored`` hold what is to be called then.
    ``closed`` is set when the server ended the connection for good, or `close` was called.
    """

    def __init__(self, config: NatsConfig, client: LeanClient, clock: Clock = SYSTEM_CLOCK) -> None:
        self.config = config
        self.client = client
        self.on_lost: list[Listener] = []
        self.on_restored: list[Listener] = []
        self.closed = asyncio.Event()
        self.last_error: str | None = None
        self.server_clock = ServerClock(clock)
        """What the server's clock shows, as far as its answers told."""
        self._closing = False
        self._stands_since: float | None = None

    def __repr__(self) -> str:
        state = "connected" if self.is_connected else "closed" if self.client.is_closed else "reconnecting"
        return f"<Connection {redacted_url(self.config.url)} {state}>"

    @classmethod
    async def open(
        cls, config: NatsConfig, *, name: str, clock: Clock = SYSTEM_CLOCK, checked: bool = True
    ) -> Connection:
        """Connect, and check that the server is one that naq can work with.

        Args:
            config: where, and as whom.
            name: shown in the server's own lists of connections.
            clock: against which that of the server is measured.
            checked: whether it is checked what kind of server that is.

        Raises:
            ServerUnreachable, NotAuthorised, ServerTooOld, JetStreamUnavailable, ConfigError.
        """
        connection = cls(config, LeanClient(), clock)
        watcher = Watcher(connection._note_error, connection._lost, connection._restored, connection._ended)
        connection.client = await dialled(config, name, watcher)
        connection.closed.clear()  # a client that was refused has been closed
        connection._stands_since = time.monotonic()
        try:
            if checked:
                connection.check_version()
                await connection.check_jetstream()
        except BaseException:
            await connection.close()
            raise
        return connection

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Flush what is pending and close. May be called twice."""
        self._closing = True
        if not self.client.is_closed:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await self.client.close()
        self.closed.set()

    # What the server is

    @property
    def is_connected(self) -> bool:
        """False while reconnecting, and once closed."""
        return bool(self.client.is_connected)

    @property
    def steady_s(self) -> float:
        """For how long it has stood without a break; 0 while it does not."""
        if self._stands_since is None or not self.is_connected:
            return 0.0
        return time.monotonic() - self._stands_since

    @property
    def server_version(self) -> str:
        """As the server says, ``2.15.1``."""
        return str(self.client._server_info.get("version", ""))

    @property
    def server_name(self) -> str:
        """The server's own name."""
        return str(self.client._server_info.get("server_name", ""))

    @property
    def cluster(self) -> str | None:
        """The name of its cluster, if it is in one."""
        return self.client._server_info.get("cluster") or None

    @property
    def skew_ns(self) -> int:
        """How far the server's clock is ahead of our wall clock now, as far as is known, also when that was set."""
        return self.server_clock.skew_ns

    @property
    def max_payload(self) -> int:
        """The size of the largest message, in bytes."""
        return int(self.client.max_payload)

    @property
    def has_fast_ingest(self) -> bool:
        """Whether the server knows batched publishing without a header a message."""
        return self._version() >= FAST_INGEST_SERVER

    async def rtt_ms(self) -> float:
        """The time of one round trip."""
        begun = time.perf_counter()
        await self.flush()
        return (time.perf_counter() - begun) * 1000

    # Messages

    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Hand a message to the socket; nothing is acknowledged."""
        with translated():
            await self.client.publish(subject, payload, reply, headers)

    async def publish_many(self, messages: Sequence[tuple[str, bytes, str]]) -> None:
        """Hand messages, as ``(subject, payload, reply)``, to the socket in one piece; nothing is acknowledged.

        The client has no call for this: one message at a time costs it four times the work. While it is not
        connected, or when a later version no longer has what is used here, the messages go one by one.
        """
        client = self.client
        if messages and max([len(payload) for _, payload, _ in messages]) > client.max_payload:
            raise MessageTooLarge("the message is larger than the server accepts")
        send: Callable[[bytes], Awaitable[None]] | None = getattr(client, "_send_command", None)
        if send is None or not client.is_connected:
            for subject, payload, reply in messages:
                await self.publish(subject, payload, reply)
            return
        pieces: list[bytes] = []
        for subject, payload, reply in messages:
            pieces += (f"PUB {subject} {reply} {len(payload)}\r\n".encode(), payload, b"\r\n")
        with translated():
            await send(b"".join(pieces))
            await client._flush_pending()

    async def request(
        self, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None, timeout: float | None = None
    ) -> Msg:
        """Publish a message and wait for its answer."""
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task else 0
        with translated():
            answer = await self.client.request(
                subject, payload, timeout or self.config.request_timeout, headers=headers
            )
        if task and task.cancelling() > cancelled_before:
            raise asyncio.CancelledError  # the client swallows it when the answer comes at the same moment
        return answer

    def js_api(self, subject: str) -> str:
        """The whole of a subject of the JetStream API.

        Args:
            subject: what follows ``$JS.API.``.
        """
        domain = self.config.jetstream_domain
        return f"$JS.{domain}.API.{subject}" if domain else f"$JS.API.{subject}"

    async def api(self, subject: str, body: object = None) -> dict[str, Any]:
        """Call the JetStream API.

        Args:
            subject: what follows ``$JS.API.``.

        Raises:
            JetStreamError: with the server's code, when it refuses.
        """
        payload = b"" if body is None else msgspec.json.encode(body)
        asked_ns = self.server_clock.monotonic_ns()
        answer = msgspec.json.decode((await self.request(self.js_api(subject), payload)).data, type=dict[str, Any])
        if moment := answer.get("ts"):
            self.server_clock.told(moment, asked_ns)
        if error := answer.get("error"):
            raise jetstream_error(error)
        return answer

    async def subscribe(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Call back for every message, in order, with no limit on what waits."""
        with translated():
            return await self.client.subscribe(subject, cb=callback, pending_msgs_limit=0, pending_bytes_limit=0)

    async def drain(self, subscription: Subscription) -> None:
        """End a subscription once everything that is on its way has been called back."""
        if not self.is_connected:
            await self.unsubscribe(subscription)
            return
        # It pings, and a ping must not be cancelled: see `flush`. So it is waited for, and never cancelled itself.
        draining = asyncio.ensure_future(subscription.drain())  # type: ignore[no-untyped-call]
        draining.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait({draining}, timeout=self.config.request_timeout)

    async def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; no matter when, nothing is raised."""
        with contextlib.suppress(nats.errors.Error, OSError):
            await subscription.unsubscribe()

    def new_inbox(self) -> str:
        """A subject of our own for answers."""
        return str(self.client.new_inbox())

    async def flush(self) -> None:
        """Wait until the server has seen everything published so far.

        The client takes the answer to a ping that was cancelled, or that it has given up, for a fault, and hears
        nothing more; so the ping goes on when the caller is cancelled, or out of patience.
        """
        ping = asyncio.ensure_future(self.client.flush(timeout=_LATEST_PONG_S))
        ping.add_done_callback(lambda done: done.cancelled() or done.exception())
        with translated():
            async with asyncio.timeout(max(1, self.config.request_timeout)):
                await asyncio.shield(ping)

    def check_version(self) -> None:
        """Make sure that the server is no older than naq needs it.

        Raises:
            ServerTooOld.
        """
        if self._version() < MINIMUM_SERVER:
            raise ServerTooOld(
                f"the server at {redacted_url(self.config.url)} is nats-server {self.server_version}; "
                "naq needs 2.12 or newer: upgrade it"
            )

    async def check_jetstream(self) -> dict[str, Any]:
        """Make sure that there is JetStream for us; what the server says of our account.

        Raises:
            JetStreamUnavailable, NotAuthorised.
        """
        where = redacted_url(self.config.url)
        try:
            return await self.api("INFO")
        except (JetStreamUnavailable, ServerUnreachable) as error:
            if "permissions violation" in (self.last_error or "").lower():
                raise NotAuthorised(
                    f"the server at {where} does not let us publish to {self.js_api('INFO')}: "
                    "SECURITY.md lists what each role needs"
                ) from error
            raise JetStreamUnavailable(
                f"the server at {where} has no JetStream for this account: start it with -js"
            ) from error

    def _version(self) -> tuple[int, int]:
        version = self.client.connected_server_version
        return (version.major, version.minor)

    # Watching

    async def _lost(self) -> None:
        self._give_up_answers()
        if not self._closing:
            await self._tell(self.on_lost)

    def _give_up_answers(self) -> None:
        """The answers to requests do not come any more; the client would wait for them until their time is over."""
        answers: dict[str, asyncio.Future[Msg]] = getattr(self.client, "_resp_map", {})
        for answer in tuple(answers.values()):
            if not answer.done():
                answer.set_exception(nats.errors.ConnectionReconnectingError())

    async def _restored(self) -> None:
        self.last_error = None
        self._stands_since = time.monotonic()
        self.server_clock.doubt()
        await self._tell(self.on_restored)

    async def _tell(self, listeners: Sequence[Listener]) -> None:
        """Call all of them: an error in one would end the client's own reconnecting."""
        for listener in tuple(listeners):
            try:
                await listener()
            except Exception as error:  # supervision: a listener may be anything
                log.error("a listener failed", exc_info=error, extra={"action": "listener_failed"})

    async def _ended(self) -> None:
        self.closed.set()

    def _note_error(self, error: Exception) -> None:
        """What the client says: of the connection, or that one of our own callbacks has failed."""
        if self.is_connected and not isinstance(error, nats.errors.Error | OSError | EOFError):
            log.error("a message could not be handled", exc_info=error, extra={"action": "callback_failed"})
            return
        reason = reason_of(error)
        if reason != self.last_error:
            log.debug("connection error", extra={"action": "connection_error", "reason": reason})
        self.last_error = reason


@contextlib.contextmanager
def listening(listeners: list[Listener], listener: Listener) -> Iterator[None]:
    """A listener for as long as the block lasts."""
    listeners.append(listener)
    try:
        yield
    finally:
        listeners.remove(listener)


@contextlib.asynccontextmanager
async def subscribed(
    connection: Connection, subject: str, callback: Callable[[Msg], Awaitable[None]]
) -> AsyncIterator[Subscription]:
    """A subscription that ends with the block."""
    subscription = await connection.subscribe(subject, callback)
    try:
        yield subscription
    finally:
        await connection.unsubscribe(subscription)
