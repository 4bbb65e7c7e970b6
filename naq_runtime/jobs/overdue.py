"""Jobs whose time has come, and which the server has not moved: it gives up on one that it could not store.

What waits is read through once, a little at a time. Of each part that was read it is known when the first of its jobs
is due, and before that it is not read again: in a part that was read jobs only become fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from naq_runtime.errors import NaqError, ServerError
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, at_time, if_last_is, moved_at_ns

__all__ = ["Overdue"]

_LATE_NS = 15_000_000_000
_QUIET = 2
"""A look ends when so many parts had nothing overdue in them."""
_PARTS = 20
"""So many are read by one look at most."""


class _Part(NamedTuple):
    """Some of the stream, as it was read."""

    due_ns: int
    """When the first of its jobs is due, by the server's clock."""
    after: int
    upto: int


class Overdue:
    """Sets the time of overdue jobs anew."""

    def __init__(self, streams: Streams, names: Names, now_ns: Callable[[], int]) -> None:
        self._streams = streams
        self._names = names
        self._now_ns = now_ns
        self._parts: list[_Part] = []
        self._read = 0
        """The sequence up to which it was read, and of which stream."""
        self._created = ""

    def distrust(self) -> None:
        """Read everything again: the server may have forgotten what it wrote last, and others have its sequences."""
        self._created = ""

    async def sweep(self) -> int:
        """Look at some of the jobs that wait for their time; how many were overdue.

        Raises:
            ServerError: do it again.
        """
        bounds = await self._streams.bounds(self._names.jobs_stream)
        if bounds.created != self._created or bounds.last < self._read:
            self._parts, self._read, self._created = [], 0, bounds.created
        moved, quiet = 0, 0
        now_ns = self._now_ns() + self._streams.skew_ns
        for _ in range(_PARTS):
            known = min(self._parts, default=None)
            after = known.after if known is not None and known.due_ns < now_ns - _LATE_NS else self._read
            page = await self._page(after)
            late = [message for message in page if moved_at_ns(message.headers) < now_ns - _LATE_NS]
            moved += await self._move(late, now_ns)
            self._note(after, page, now_ns)
            quiet += not late
            if quiet == _QUIET or (not page and after == self._read):
                break
        return moved

    async def _page(self, after: int) -> Sequence[StoredMessage]:
        async for page in self._streams.scan(self._names.jobs_stream, self._names.later("*", "*"), after):
            return page
        return ()

    def _note(self, after: int, page: Sequence[StoredMessage], now_ns: int) -> None:
        """Behind a sequence there is this, and then what was known."""
        upto = page[-1].sequence if page else max(self._read, after)
        coming = [due_ns for due_ns in (moved_at_ns(one.headers) for one in page) if due_ns >= now_ns - _LATE_NS]
        before = [part for part in self._parts if part.upto <= after]
        behind = [part._replace(after=max(part.after, upto)) for part in self._parts if part.upto > upto]
        self._parts = [*before, *([_Part(min(coming), after, upto)] if coming else []), *behind]
        self._read = max(self._read, upto)

    async def _move(self, late: Sequence[StoredMessage], now_ns: int) -> int:
        answers = await self._streams.publish([self._anew(message, now_ns) for message in late])
        for answer in answers:
            if isinstance(answer, ServerError) and not is_conflict(answer):
                raise answer
        return sum(not isinstance(answer, NaqError) for answer in answers)

    def _anew(self, message: StoredMessage, now_ns: int) -> Outgoing:
        """The same, to be moved now."""
        queue, job_id = message.subject.split(".")[-2:]
        own = {name: value for name, value in message.headers.items() if name == TOMBSTONE}
        headers = if_last_is(message.sequence) | at_time(now_ns, self._names.job(queue, job_id))
        return Outgoing(message.subject, message.data, own | headers)
