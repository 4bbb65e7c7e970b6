"""Heartbeats and metrics are many, and soon of no use: they leave the log before everything else.

The server removes them by their subjects up to a sequence, which costs emitters nothing. Nobody else removes events
from the middle of the log, so readers know what is missing there: see `StreamTail`.
"""

from __future__ import annotations

import logging
import time
from collections import deque

from naq_runtime.errors import ServerError
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import stream_bounds

__all__ = ["Retiring"]

log = logging.getLogger(__name__)

_STEPS = 12
"""In so many steps, what is kept grows old: each of them holds up a large log for a moment, however few there are."""
_PAUSE_AFTER_FAILURE_S = 900.0
"""Whoever may not do so need not ask each minute."""


class Retiring:
    """Removes what has grown old since this was made, five minutes apart for an hour's age.

    It remembers how far the log went at earlier times. To ask for the sequence of a time holds up a large log for a
    tenth of a second, and who may do so can read all events.

    Args:
        max_age_s: how long heartbeats and metrics are kept.
    """

    def __init__(self, connection: Connection, names: Names, max_age_s: float) -> None:
        self._connection = connection
        self._stream = names.events_stream
        self._subjects = tuple(
            names.entity_event(category, "*", event_type, "*")
            for category, event_type in (("worker", "heartbeat"), ("system", "metrics"))
        )
        self._max_age_ns = int(max_age_s * 1e9)
        self._pause_s = max_age_s / _STEPS
        self._not_before = 0.0
        self._marks: deque[tuple[int, int]] = deque()
        """When the log went how far."""
        self._log = ""
        """Which one that was: in another one, sequences have begun again."""

    async def sweep(self) -> int:
        """Remove them, if that was not done lately; always 0, as nobody need hear of what is as it should be."""
        if time.monotonic() < self._not_before:
            return 0
        try:
            count = await self.purge()
        except ServerError as error:
            self._not_before = time.monotonic() + _PAUSE_AFTER_FAILURE_S
            log.warning(
                "old heartbeats and metrics cannot be removed, and stay for events.max_age: %s",
                error,
                extra={"action": "retiring_failed"},
            )
            return 0
        self._not_before = time.monotonic() + self._pause_s
        log.debug("%d old heartbeats and metrics removed", count, extra={"action": "events_retired"})
        return 0

    async def purge(self) -> int:
        """Remove them now; how many there were.

        Raises:
            ServerError: a part of them may be removed.
        """
        before = await self._oldest_kept()
        return await self.remove(before) if before > 1 else 0

    async def remove(self, before: int) -> int:
        """Remove those before a sequence; how many there were.

        Raises:
            ServerError: a part of them may be removed.
        """
        count = 0
        for subject in self._subjects:
            answer = await self._connection.api(f"STREAM.PURGE.{self._stream}", {"filter": subject, "seq": before})
            count += int(answer.get("purged", 0))
        return count

    async def _oldest_kept(self) -> int:
        bounds = await stream_bounds(self._connection, self._stream)
        if bounds.created != self._log:
            self._log = bounds.created
            self._marks.clear()
        now_ns = self._connection.server_clock.now_ns()
        limit_ns = now_ns - self._max_age_ns
        self._marks.append((now_ns, bounds.last + 1))
        while len(self._marks) > 1 and self._marks[1][0] <= limit_ns:
            self._marks.popleft()
        return self._marks[0][1] if self._marks[0][0] <= limit_ns else 1
