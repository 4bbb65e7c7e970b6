"""What is too large for one message, in chunks: the layout of the object stores of NATS, which its tools can read."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from naq_runtime.errors import NotFound, ServerError
from naq_runtime.naming import Names, new_id
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import last_by_subject, messages_from
from naq_runtime.nats.publish import AckedPublish, Outgoing

__all__ = ["ObjectBucket"]

_CHUNK = 128 * 1024
_AT_A_TIME = 32
"""Chunks that are under way together."""


class _Options(Struct):
    max_chunk_size: int = _CHUNK


class _Info(Struct):
    name: str
    bucket: str
    nuid: str
    size: int
    chunks: int
    mtime: str
    digest: str
    options: _Options


class ObjectBucket:
    """Objects by name, each in one message that describes it and as many as it needs for its bytes."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._publisher = AckedPublish(connection)

    async def close(self) -> None:
        """Give back what it holds; it can be used again."""
        await self._publisher.close()

    async def put(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        """Store an object, in place of what had its name.

        Args:
            headers: go with each of its messages.

        Raises:
            ServerError: it may be stored in part, which nobody sees; to store it again does no harm.
        """
        names, nuid = self._names, new_id(22)
        chunks = [
            Outgoing(names.object_chunk(nuid), data[start : start + _CHUNK], headers)
            for start in range(0, len(data), _CHUNK)
        ]
        for start in range(0, len(chunks), _AT_A_TIME):
            await self._stored(chunks[start : start + _AT_A_TIME])
        info = _Info(
            name=name,
            bucket=names.objects_bucket,
            nuid=nuid,
            size=len(data),
            chunks=len(chunks),
            mtime=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            digest=_digest(data),
            options=_Options(),
        )
        about = {**headers, "Nats-Rollup": "sub"}
        await self._stored([Outgoing(names.object_info(name), msgspec.json.encode(info), about)])

    async def get(self, name: str) -> bytes:
        """An object's bytes.

        Raises:
            NotFound: it is not there any more, whole.
            ServerError: it cannot be read now.
        """
        names, stream = self._names, self._names.objects_stream
        found = await last_by_subject(self._connection, stream, [names.object_info(name)])
        if not found:
            raise NotFound(f"the object of {name} is not there any more")
        info = msgspec.json.decode(found[-1].data, type=_Info)
        pages = messages_from(self._connection, stream, 1, subject=names.object_chunk(info.nuid))
        data = b"".join([message.data async for page in pages for message in page])
        if len(data) != info.size or _digest(data) != info.digest:
            raise NotFound(f"the object of {name} is not whole any more")
        return data

    async def _stored(self, messages: list[Outgoing]) -> None:
        await self._publisher.open()
        for answer in await self._publisher.publish_all(messages):
            if isinstance(answer, ServerError):
                raise answer
            if isinstance(answer, Exception):
                raise ServerError(f"an object cannot be stored: {answer}") from answer


def _digest(data: bytes) -> str:
    return "SHA-256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
