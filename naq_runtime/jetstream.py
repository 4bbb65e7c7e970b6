"""What JetStream tells of itself: the account and its limits, the streams of a namespace, and their consumers.

Values only; a limit that is 0 is none.
"""

from __future__ import annotations

from msgspec import Struct

from naq_runtime.snapshot import ServerState

__all__ = ["FULL", "NEARLY_FULL", "Account", "Consumer", "Peer", "ServerDetail", "Stream", "Usage"]

NEARLY_FULL = 0.8
"""A share of a limit from which on it is pointed out."""
FULL = 0.95
"""From here on it is nearly reached."""
SILENT_S = 5.0
"""A follower of which nothing is heard for so long is in trouble; they answer once a second."""
FAR_BEHIND = 100
"""Operations."""


class Usage(Struct, frozen=True):
    """How far a limit is used."""

    what: str
    """In one word: ``bytes``, ``messages`` …"""
    used: int
    limit: int = 0

    @property
    def share(self) -> float:
        """0 to 1; 0 when there is no limit."""
        return min(1.0, self.used / self.limit) if self.limit > 0 else 0.0


class Peer(Struct, frozen=True, kw_only=True):
    """A server that holds a replica, and does not lead."""

    name: str
    current: bool = True
    """Whether it has all that the leader has."""
    offline: bool = False
    lag: int = 0
    """Operations that it is behind."""
    silent_s: float = 0.0
    """Since the leader heard from it."""

    @property
    def trouble(self) -> str:
        """What is wrong with it; empty when nothing is.

        A server that was killed is still called current, and not offline, but the leader hears no more from it; and
        while much is written, each follower is a little behind.
        """
        if self.offline:
            return "offline"
        if self.silent_s > SILENT_S:
            return f"silent for {self.silent_s:.0f} s"
        return f"behind by {self.lag:,}" if not self.current and self.lag >= FAR_BEHIND else ""


class Stream(Struct, frozen=True, kw_only=True):
    """A stream of ours."""

    name: str
    purpose: str
    """What is in it, in plain words."""
    subjects: tuple[str, ...] = ()
    messages: int = 0
    bytes: int = 0
    max_messages: int = 0
    max_bytes: int = 0
    max_age_s: float = 0.0
    first_sequence: int = 0
    last_sequence: int = 0
    first_ns: int = 0
    """When the first message was stored that is still there, by the server's clock; 0 for none."""
    last_ns: int = 0
    deleted: int = 0
    """Messages between the first and the last that are no longer there."""
    consumers: int = 0
    retention: str = "limits"
    discards_new: bool = False
    """Whether a full stream refuses what is new; else the oldest goes."""
    storage: str = "file"
    replicas: int = 1
    """That are wanted."""
    leader: str = ""
    """Empty when there is none, or when the server is in no cluster."""
    is_clustered: bool = False
    peers: tuple[Peer, ...] = ()

    @property
    def usages(self) -> tuple[Usage, ...]:
        """How far its limits are used, the one that is nearest first."""
        both = (Usage("bytes", self.bytes, self.max_bytes), Usage("messages", self.messages, self.max_messages))
        return tuple(sorted(both, key=lambda usage: -usage.share))

    @property
    def share(self) -> float:
        """Of the limit that is nearest to be reached."""
        return self.usages[0].share

    @property
    def sound_replicas(self) -> int:
        """The leader, and those that follow it without trouble."""
        return sum(not peer.trouble for peer in self.peers) + bool(self.leader)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong with its replicas."""
        if not self.is_clustered:
            return ()
        found = [] if self.leader else ["no leader"]
        return (*found, *(f"{peer.name} is {peer.trouble}" for peer in self.peers if peer.trouble))


class Consumer(Struct, frozen=True, kw_only=True):
    """Somebody who is given the messages of a stream."""

    name: str
    purpose: str = ""
    pending: int = 0
    """Messages that were not delivered yet."""
    unacknowledged: int = 0
    """Delivered, and not acknowledged."""
    max_unacknowledged: int = 0
    """Above it nothing more is delivered."""
    redelivered: int = 0
    """Of those that are not acknowledged, delivered more than once."""
    delivered: int = 0
    """The sequence of the stream up to which was delivered."""
    lag: int = 0
    """Sequences of the stream behind that; not all of them need be for it."""
    acknowledged: int = 0
    """The sequence up to which all is acknowledged."""
    pulls: int = 0
    """Requests that wait for messages."""
    paused: bool = False
    leader: str = ""
    subjects: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """How far what may be unacknowledged is used, 0 to 1."""
        return Usage("unacknowledged", self.unacknowledged, self.max_unacknowledged).share


class Account(Struct, frozen=True, kw_only=True):
    """What all streams of the account use together, those of others among them."""

    usages: tuple[Usage, ...] = ()
    """Storage, and how much of it is set aside for streams; memory, streams and consumers."""
    api_calls: int = 0
    api_errors: int = 0
    """Calls that were refused, since the server started."""
    domain: str = ""


class ServerDetail(Struct, frozen=True, kw_only=True):
    """All that JetStream tells of one namespace."""

    taken_at_ns: int
    """By the clock of the server."""
    server: ServerState
    account: Account | None = None
    streams: tuple[Stream, ...] = ()
    """Those that are there, in the order in which jobs pass them."""
    missing: tuple[str, ...] = ()
    """What could not be asked for, and why; in words."""
