"""The streams, buckets and consumers: created by whoever comes first, adopted by the rest.

A stream that exists is left as it is. When it differs in a way that would lose or repeat something, that is an
error which names the field; other limits, replicas or descriptions are its owner's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from naq_runtime.config import NAQConfig
from naq_runtime.errors import JetStreamError, StreamMissing, TopologyMismatch
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND
from naq_runtime.nats.wanted import WantedStreams, differences

__all__ = ["StreamHandle", "Topology"]

_STREAM_NAME_IN_USE = 10058
_SUBJECTS_OVERLAP = 10065
_NO_STORAGE = 10047
_CONSUMER_NOT_FOUND = 10014
_CONSUMER_EXISTS = {10105, 10148, 10013}

_CONSUMER_MATTERS = ("filter_subject", "ack_policy", "max_batch")

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StreamHandle:
    """A stream that is there and fits."""

    name: str
    fast_ingest: bool
    """Whether it takes batched publishing."""
    largest: int
    """Bytes that one message may have."""


class Topology:
    """Brings what a namespace needs into being."""

    def __init__(self, connection: Connection, config: NAQConfig) -> None:
        self._connection = connection
        self._config = config
        self._names = config.names
        self._consumers: set[str] = set()

    @property
    def names(self) -> Names:
        """The names on the wire."""
        return self._names

    @property
    def _wanted(self) -> WantedStreams:
        return WantedStreams(self._config, fast_ingest=self._connection.has_fast_ingest)

    async def look_for_jobs(self) -> None:
        """See whether the namespace has its stream of jobs, which nobody is without.

        Raises:
            StreamMissing: it has not.
        """
        if await self._existing_stream(self._names.jobs_stream) is None:
            raise StreamMissing(
                f"nothing of the namespace {self._names.namespace} is on this server yet: the first worker or job "
                "makes it, or is it another --namespace?"
            )

    async def jobs(self) -> StreamHandle:
        """The jobs that have not ended, and the schedules."""
        return await self._stream(self._wanted.jobs())

    async def dead(self) -> StreamHandle:
        """The dead letters."""
        return await self._stream(self._wanted.dead())

    async def results(self) -> StreamHandle:
        """The last outcome of each job."""
        return await self._stream(self._wanted.results())

    async def objects(self) -> StreamHandle:
        """The outcomes that are too large for one message."""
        return await self._stream(self._wanted.objects())

    async def events(self) -> StreamHandle:
        """The log."""
        return await self._stream(self._wanted.events())

    async def stats(self) -> StreamHandle:
        """The roll-ups of the events."""
        return await self._stream(self._wanted.stats())

    async def processors(self) -> StreamHandle:
        """The events that processors have given up, and those that are to come again."""
        return await self._stream(self._wanted.processors())

    async def bucket(self, bucket: str) -> StreamHandle:
        """A bucket of records."""
        return await self._stream(self._wanted.bucket(bucket))

    async def workers(self) -> StreamHandle:
        """The bucket in which each worker renews its record."""
        return await self.bucket(self._names.workers_bucket)

    async def queue(self, queue: str) -> str:
        """The durable consumer of a queue, and the stream of jobs, if it is not there; returns its name.

        Raises:
            TopologyMismatch: one of that name exists with other settings.
        """
        name = self._names.queue_consumer(queue)
        if name in self._consumers:
            return name
        stream, jobs = self._names.jobs_stream, self._config.jobs
        wanted = {
            "durable_name": name,
            "name": name,
            "filter_subject": self._names.job(queue, "*"),
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "ack_wait": int(jobs.ack_wait * _NANOSECONDS),
            "max_ack_pending": jobs.max_ack_pending,
            "max_waiting": 8192,
            "max_deliver": -1,
        }
        try:
            existing = await self._existing_consumer(stream, name)
        except JetStreamError as error:
            if error.code != STREAM_NOT_FOUND:
                raise
            await self.jobs()
            existing = None
        if existing is None:
            existing = await self._create_consumer(stream, name, wanted)
        for field, want in {**wanted, "max_batch": None}.items():
            if field in _CONSUMER_MATTERS and (existing.get(field) or None) != want:
                raise TopologyMismatch(
                    f"consumer {name} of stream {stream} has {field}={existing.get(field)!r}, "
                    f"naq needs {want!r}: delete it, or use another namespace"
                )
        self._consumers.add(name)
        return name

    def forget(self, queue: str) -> None:
        """Look for the consumer of a queue anew the next time."""
        self._consumers.discard(self._names.queue_consumer(queue))

    async def _existing_consumer(self, stream: str, name: str) -> dict[str, Any] | None:
        try:
            return dict((await self._connection.api(f"CONSUMER.INFO.{stream}.{name}"))["config"])
        except JetStreamError as error:
            if error.code == _CONSUMER_NOT_FOUND:
                return None
            raise

    async def _create_consumer(self, stream: str, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        request = {"stream_name": stream, "config": wanted, "action": "create"}
        try:
            answer = await self._connection.api(f"CONSUMER.DURABLE.CREATE.{stream}.{name}", request)
            return dict(answer["config"])
        except JetStreamError as error:
            existing = await self._existing_consumer(stream, name) if error.code in _CONSUMER_EXISTS else None
            if existing is None:
                raise
            return existing

    async def _stream(self, wanted: dict[str, Any]) -> StreamHandle:
        name = str(wanted["name"])
        existing = await self._existing_stream(name)
        if existing is None:
            existing = await self._create_stream(name, wanted)
        self._compare(name, existing, wanted)
        most = existing.get("max_msg_size", -1)
        largest = min(most, self._connection.max_payload) if most > 0 else self._connection.max_payload
        return StreamHandle(name, fast_ingest=bool(existing.get("allow_batched")), largest=largest)

    async def _existing_stream(self, name: str) -> dict[str, Any] | None:
        try:
            return dict((await self._connection.api(f"STREAM.INFO.{name}"))["config"])
        except JetStreamError as error:
            if error.code == STREAM_NOT_FOUND:
                return None
            raise

    async def _create_stream(self, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict((await self._connection.api(f"STREAM.CREATE.{name}", wanted))["config"])
        except JetStreamError as error:
            if error.code == _STREAM_NAME_IN_USE and (existing := await self._existing_stream(name)):
                return existing
            if error.code == _NO_STORAGE:
                raise TopologyMismatch(
                    f"the server has no room for stream {name}, which sets {wanted.get('max_bytes'):,} bytes aside: "
                    "lower the max_bytes of its section in the config, or raise the server's max_file_store"
                ) from error
            if error.code == _SUBJECTS_OVERLAP:
                raise TopologyMismatch(
                    f"another stream already takes the subjects {', '.join(wanted['subjects'])} that {name} needs: "
                    "delete it, or use another namespace"
                ) from error
            raise

    def _compare(self, name: str, existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        for field, have, want in differences(existing, wanted):
            raise TopologyMismatch(
                f"stream {name} has {field}={have}, naq needs {want}: "
                "change or delete the stream, or use another namespace (--namespace)"
            )
