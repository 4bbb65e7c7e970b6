"""Where the dashboard gets what it shows: batches of events, with the state that no event tells.

`EventSource` is all that the application knows of the world. What it is implemented by lies in `naq_tui.sources`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

import msgspec

from naq_runtime.events.models import StoredEvent
from naq_runtime.snapshot import Snapshot
from naq_tui.acts import Actions
from naq_tui.past import Recording
from naq_tui.questions import Questions

__all__ = ["Batch", "ConnectionState", "EventSource", "Link"]


class ConnectionState(StrEnum):
    """How the source stands to what it reads."""

    CONNECTING = "connecting"
    """The first connection is not there yet."""
    CATCHING_UP = "catching up"
    """Reading what was stored meanwhile."""
    LIVE = "live"
    RECONNECTING = "reconnecting"
    REPLAYING = "replaying"
    """A recording is played."""
    ENDED = "ended"
    """A recording is over."""
    FAILED = "failed"
    """The source has given up; the detail says why."""


class Link(msgspec.Struct, frozen=True):
    """The state of the connection, and what to say of it."""

    state: ConnectionState
    since_ns: int
    """When it came to be so, by the time of the source."""
    detail: str = ""
    """The server's address, or why there is no connection; one line."""
    speed: int | None = None
    """How many seconds of a recording pass in one; ``None`` for what is no recording."""

    @property
    def is_past(self) -> bool:
        """Whether what comes over it has happened before."""
        return self.state in (ConnectionState.REPLAYING, ConnectionState.ENDED)


class Batch(msgspec.Struct, frozen=True):
    """What came since the batch before."""

    link: Link
    events: Sequence[StoredEvent] = msgspec.field(default_factory=tuple)
    missed: int = 0
    """Events that were stored and gone before they could be read."""
    snapshot: Snapshot | None = None
    """A fresh one, about once a second; ``None`` in between."""
    earlier: Sequence[StoredEvent] = msgspec.field(default_factory=tuple)
    """What happened before all that came so far, oldest first; for lists and charts that look further back."""


class EventSource(Protocol):
    """An asynchronous context manager that yields batches until it is closed."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __aiter__(self) -> AsyncIterator[Batch]: ...

    def time_of(self, now_ns: int) -> int:
        """The time by which its events are to be seen, when the reader's clock shows this."""
        ...

    @property
    def questions(self) -> Questions:
        """What else it can be asked."""
        ...

    @property
    def actions(self) -> Actions | None:
        """What can be done there; ``None`` where nothing can or may be."""
        ...

    @property
    def past(self) -> Recording | None:
        """What can be played of what has happened; ``None`` where nothing was kept, or not yet."""
        ...
