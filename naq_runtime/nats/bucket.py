"""Records that vanish unless they are renewed: a key-value bucket with a time to live for each key."""

from __future__ import annotations

from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import StoredMessage, last_by_subject
from naq_runtime.nats.streams import living_for

__all__ = ["LeaseBucket"]


_LAST = "last"
_REMEMBERED_S = 86_400.0


class LeaseBucket:
    """One record a key; the last writer's stands until its time is over."""

    def __init__(self, connection: Connection, names: Names, bucket: str) -> None:
        self._connection = connection
        self._names = names
        self._bucket = bucket

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Write or renew a record; not acknowledged.

        Args:
            ttl_s: how long it stands at least, in seconds; the server counts whole ones.
        """
        subject = self._names.bucket_key(self._bucket, key)
        await self._connection.publish(subject, value, headers=living_for(ttl_s))

    async def remember(self, key: str, value: bytes) -> None:
        """Keep the last record of a key for a day, whatever becomes of its lease; not acknowledged."""
        await self.put(f"{_LAST}.{key}", value, _REMEMBERED_S)

    async def values(self) -> list[bytes]:
        """The records that stand now."""
        return [message.data for message in await self.leases() if message.data]

    async def leases(self) -> list[StoredMessage]:
        """The same as messages, with the marks of ends."""
        return await self._messages("*")

    async def remembered(self) -> list[StoredMessage]:
        """The last record of each key."""
        return await self._messages(f"{_LAST}.*")

    async def get(self, key: str) -> StoredMessage | None:
        """What lies there; the mark of an end has no data."""
        found = await self._messages(key)
        return found[-1] if found else None

    async def last(self, key: str) -> StoredMessage | None:
        """The last record of one."""
        return await self.get(f"{_LAST}.{key}")

    async def _messages(self, key: str) -> list[StoredMessage]:
        stream = self._names.bucket_stream(self._bucket)
        return await last_by_subject(self._connection, stream, [self._names.bucket_key(self._bucket, key)])
