"""Jobs whose time has come, and which the server has not moved: it gives up on one that it could not store."""

from __future__ import annotations

from collections.abc import Callable

from naq_runtime.errors import NaqError, SerializationError, ServerError
from naq_runtime.jobs.store import TOMBSTONE
from naq_runtime.naming import Names
from naq_runtime.nats.connection import nanoseconds_of
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, is_conflict
from naq_runtime.nats.streams import Streams, at_time, if_last_is
from naq_runtime.serializer import Serializer

__all__ = ["Overdue"]

_LATE_NS = 15_000_000_000
_AT_A_TIME = 5_000
"""Jobs that one look goes through; the next goes on behind them."""


class Overdue:
    """Sets the time of overdue jobs anew."""

    def __init__(self, streams: Streams, names: Names, serializer: Serializer, now_ns: Callable[[], int]) -> None:
        self._streams = streams
        self._names = names
        self._serializer = serializer
        self._now_ns = now_ns
        self._reached = 0

    async def sweep(self) -> int:
        """Look through some of the jobs that wait for their time; how many were overdue.

        Raises:
            ServerError: do it again.
        """
        late: list[Outgoing] = []
        seen, now_ns = 0, self._now_ns()
        async for page in self._streams.scan(self._names.jobs_stream, self._names.later("*", "*"), self._reached):
            for message in page:
                queue, job_id = message.subject.split(".")[-2:]
                if self._due_ns(message) + _LATE_NS < now_ns:
                    own = {name: value for name, value in message.headers.items() if name == TOMBSTONE}
                    headers = if_last_is(message.sequence) | at_time(
                        now_ns + self._streams.skew_ns, self._names.job(queue, job_id)
                    )
                    late.append(Outgoing(message.subject, message.data, own | headers))
            seen, self._reached = seen + len(page), page[-1].sequence
            if seen >= _AT_A_TIME:
                break
        else:
            self._reached = 0
        answers = await self._streams.publish(late)
        for answer in answers:
            if isinstance(answer, ServerError) and not is_conflict(answer):
                raise answer
        return sum(not isinstance(answer, NaqError) for answer in answers)

    def _due_ns(self, message: StoredMessage) -> int:
        if TOMBSTONE in message.headers:
            return nanoseconds_of(message.stored_at)
        try:
            return self._serializer.decode_job(message.data).run_at_ns
        except SerializationError:
            return 0
