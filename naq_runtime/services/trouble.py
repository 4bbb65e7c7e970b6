"""Parts of a process that cannot do their work for now: said when it begins, and when it is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from naq_runtime.errors import NaqError
from naq_runtime.events.models import SystemEventType
from naq_runtime.events.storage import EventStore
from naq_runtime.nats.publish import Outgoing

__all__ = ["Troubles", "WatchedStorage"]

_TROUBLE = 2
"""So many failures in a row are trouble; one is common, such as at a reconnect."""


class Troubles:
    """Tells of each trouble once, and once of its end.

    Args:
        tell: logs an event of this process.
        monotonic_ns: measures how long it lasts.
    """

    def __init__(self, tell: Callable[..., None], monotonic_ns: Callable[[], int]) -> None:
        self._tell = tell
        self._monotonic_ns = monotonic_ns
        self._since_ns: dict[str, int] = {}

    def begin(self, part: str, error: Exception) -> None:
        """The part fails; only the first time counts."""
        if part not in self._since_ns:
            self._since_ns[part] = self._monotonic_ns()
            self._tell(
                SystemEventType.ERROR, part=part, error_type=type(error).__name__, error_message=str(error)[:1_000]
            )

    def end(self, part: str) -> None:
        """It works; that counts only after it had failed."""
        since_ns = self._since_ns.pop(part, None)
        if since_ns is not None:
            self._tell(SystemEventType.RECOVERED, part=part, outage_ms=(self._monotonic_ns() - since_ns) / 1e6)


class WatchedStorage:
    """A log that says when it takes no events although its server is there.

    Args:
        is_away: whether the connection is known to be lost, which is said in another way.
    """

    def __init__(
        self,
        storage: EventStore,
        troubled: Callable[[str, Exception], None],
        recovered: Callable[[str], None],
        *,
        is_away: Callable[[], bool],
    ) -> None:
        self._storage = storage
        self._troubled = troubled
        self._recovered = recovered
        self._is_away = is_away
        self._failures = 0

    @property
    def largest(self) -> int:
        """See `EventStore.largest`."""
        return self._storage.largest

    async def store(self, entries: Sequence[Outgoing]) -> None:
        """See `EventStore.store`."""
        try:
            await self._storage.store(entries)
        except NaqError as error:
            if not self._is_away():
                self._failures += 1
                if self._failures >= _TROUBLE:
                    self._troubled("events", error)
            raise
        if self._failures:
            self._failures = 0
            self._recovered("events")

    async def missing(self, entries: Sequence[Outgoing]) -> list[Outgoing]:
        """See `EventStore.missing`."""
        return await self._storage.missing(entries)

    async def close(self) -> None:
        """See `EventStore.close`."""
        await self._storage.close()
