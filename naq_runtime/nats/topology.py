"""The streams, buckets and consumers: created by whoever comes first, adopted by the rest.

A stream that exists is left as it is. When it differs in a way that would lose or repeat something, that is an
error which names the field; other limits, replicas or descriptions are its owner's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from naq_runtime.config import NAQConfig
from naq_runtime.errors import JetStreamError, TopologyMismatch
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND

__all__ = ["StreamHandle", "Topology"]

_STREAM_NAME_IN_USE = 10058
_SUBJECTS_OVERLAP = 10065
_NO_STORAGE = 10047
_CONSUMER_NOT_FOUND = 10014
_CONSUMER_EXISTS = {10105, 10148, 10013}

_MATTERS = (
    "subjects",
    "retention",
    "discard",
    "discard_new_per_subject",
    "max_msgs_per_subject",
    "allow_direct",
    "allow_msg_ttl",
    "allow_msg_schedules",
    "allow_atomic",
    "republish",
)
"""The fields in which a stream of ours must not differ."""

_CONSUMER_MATTERS = ("filter_subject", "ack_policy", "max_batch")

_SERVER_DEFAULTS: Mapping[str, Any] = {
    "retention": "limits",
    "discard": "old",
    "discard_new_per_subject": False,
    "max_msgs_per_subject": -1,
    "allow_direct": False,
    "allow_msg_ttl": False,
    "allow_msg_schedules": False,
    "allow_atomic": False,
    "republish": None,
}

_NANOSECONDS = 1_000_000_000
_MOST_DEAD_EVENTS = 100_000
"""Of all processors; above it, the oldest go."""


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

    async def jobs(self) -> StreamHandle:
        """The jobs that have not ended, one message each: a message moves as its job does, and leaves with it.

        And the schedules that make jobs: a tick's job and its record are stored together or not at all.
        """
        return await self._stream(
            self._names.jobs_stream,
            subjects=list(self._names.job_states),
            retention="workqueue",
            max_msgs_per_subject=1,
            allow_direct=True,
            allow_msg_ttl=True,
            allow_msg_schedules=True,
            allow_atomic=True,
        )

    @property
    def names(self) -> Names:
        """The names on the wire."""
        return self._names

    async def dead(self) -> StreamHandle:
        """The dead letters, until somebody deals with them, or their time is over."""
        config = self._config.dead
        return await self._stream(
            self._names.dead_stream,
            subjects=[self._names.dead_letters],
            max_msgs_per_subject=1,
            max_age=int(config.max_age * _NANOSECONDS),
            max_bytes=config.max_bytes,
            allow_direct=True,
        )

    async def results(self) -> StreamHandle:
        """The last outcome of each job, until its time is over."""
        config = self._config.results
        return await self._stream(
            self._names.results_stream,
            subjects=[self._names.results],
            max_msgs_per_subject=1,
            max_age=int(config.ttl * _NANOSECONDS),
            max_bytes=config.max_bytes,
            allow_direct=True,
            allow_msg_ttl=True,
        )

    async def objects(self) -> StreamHandle:
        """The outcomes that are too large for one message, until their time is over."""
        config = self._config.results
        return await self._stream(
            self._names.objects_stream,
            subjects=list(self._names.objects),
            max_age=int(config.ttl * _NANOSECONDS),
            max_bytes=config.max_bytes,
            allow_direct=True,
            allow_msg_ttl=True,
            allow_rollup_hdrs=True,
        )

    async def events(self) -> StreamHandle:
        """The log; each event has a subject of its own, so that storing one twice leaves one."""
        config = self._config.events
        names = self._names
        return await self._stream(
            names.events_stream,
            subjects=[names.events],
            max_msgs_per_subject=1,
            max_age=int(config.max_age * _NANOSECONDS),
            max_bytes=config.max_bytes,
            max_msgs=config.max_count,
            allow_direct=True,
            republish={"src": names.events, "dest": names.live},
        )

    async def stats(self) -> StreamHandle:
        """The roll-ups of the events, each with a time to live of its own; they outlive the events."""
        config = self._config.statistics
        return await self._stream(
            self._names.stats_stream,
            subjects=[self._names.stats],
            max_msgs_per_subject=1,
            max_age=int(max(config.minutes_for, config.hours_for, config.days_for) * _NANOSECONDS),
            max_bytes=config.max_bytes,
            allow_direct=True,
            allow_msg_ttl=True,
            allow_atomic=True,
        )

    async def processors(self) -> StreamHandle:
        """The events that processors have given up, for as long as dead letters, and those that are to come again.

        Their number is bounded, and not their bytes: the server would set all of those aside, for what may never be.
        """
        return await self._stream(
            self._names.processors_stream,
            subjects=[self._names.processor_records],
            retention="workqueue",
            max_msgs_per_subject=1,
            max_age=int(self._config.dead.max_age * _NANOSECONDS),
            max_msgs=_MOST_DEAD_EVENTS,
            allow_direct=True,
        )

    async def bucket(self, bucket: str) -> StreamHandle:
        """A bucket of records, each with a time to live of its own."""
        return await self._stream(
            self._names.bucket_stream(bucket),
            subjects=[self._names.bucket_key(bucket, ">")],
            max_msgs_per_subject=1,
            discard="new",
            allow_direct=True,
            allow_msg_ttl=True,
            allow_rollup_hdrs=True,
        )

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

    async def _stream(self, name: str, **settings: Any) -> StreamHandle:
        wanted = {
            "name": name,
            "storage": "file",
            "num_replicas": self._config.streams.replicas,
            "max_consumers": -1,
            **{key: value for key, value in settings.items() if value is not None},
        }
        if self._connection.has_fast_ingest:
            wanted["allow_batched"] = True
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
        for field in _MATTERS:
            want = wanted.get(field, _SERVER_DEFAULTS.get(field))
            have = existing.get(field, _SERVER_DEFAULTS.get(field))
            if have != want:
                raise TopologyMismatch(
                    f"stream {name} has {field}={_shown(have)}, naq needs {_shown(want)}: "
                    "change or delete the stream, or use another namespace (--namespace)"
                )


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {inner}" for key, inner in sorted(value.items())) + "}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return repr(value)
