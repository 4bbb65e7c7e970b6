"""The streams as naq wants them, and how one that exists differs. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from naq_runtime.config import NAQConfig

__all__ = ["Difference", "WantedStreams", "differences"]

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


class Difference(NamedTuple):
    """A field of a stream that is not as naq needs it."""

    field: str
    have: str
    want: str


class WantedStreams:
    """What each stream of a namespace is made with, in the words of the JetStream API.

    Args:
        fast_ingest: whether the server knows batched publishing.
    """

    def __init__(self, config: NAQConfig, *, fast_ingest: bool) -> None:
        self._config = config
        self._names = config.names
        self._fast_ingest = fast_ingest

    def all(self) -> Iterator[Mapping[str, Any]]:
        """All of them."""
        yield from (self.jobs(), self.results(), self.objects(), self.dead())
        yield from (self.events(), self.stats(), self.processors())
        names = self._names
        for bucket in (names.workers_bucket, names.leader_bucket, names.queues_bucket, names.unique_bucket):
            yield self.bucket(bucket)
        for bucket in (names.rates_bucket, names.alerts_bucket):
            yield self.bucket(bucket)

    def jobs(self) -> dict[str, Any]:
        """The jobs that have not ended, one message each: a message moves as its job does, and leaves with it.

        And the schedules that make jobs: a tick's job and its record are stored together or not at all.
        """
        return self._stream(
            self._names.jobs_stream,
            subjects=list(self._names.job_states),
            retention="workqueue",
            max_msgs_per_subject=1,
            allow_direct=True,
            allow_msg_ttl=True,
            allow_msg_schedules=True,
            allow_atomic=True,
        )

    def dead(self) -> dict[str, Any]:
        """The dead letters, until somebody deals with them, or their time is over."""
        config = self._config.dead
        return self._stream(
            self._names.dead_stream,
            subjects=[self._names.dead_letters],
            max_msgs_per_subject=1,
            max_age=int(config.max_age * _NANOSECONDS),
            max_bytes=config.max_bytes,
            allow_direct=True,
        )

    def results(self) -> dict[str, Any]:
        """The last outcome of each job, until its time is over."""
        config = self._config.results
        return self._stream(
            self._names.results_stream,
            subjects=[self._names.results],
            max_msgs_per_subject=1,
            max_age=int(config.ttl * _NANOSECONDS),
            max_bytes=config.max_bytes,
            allow_direct=True,
            allow_msg_ttl=True,
        )

    def objects(self) -> dict[str, Any]:
        """The outcomes that are too large for one message, until their time is over."""
        config = self._config.results
        return self._stream(
            self._names.objects_stream,
            subjects=list(self._names.objects),
            max_age=int(config.ttl * _NANOSECONDS),
            max_bytes=config.max_bytes,
            allow_direct=True,
            allow_msg_ttl=True,
            allow_rollup_hdrs=True,
        )

    def events(self) -> dict[str, Any]:
        """The log; each event has a subject of its own, so that storing one twice leaves one."""
        config = self._config.events
        names = self._names
        return self._stream(
            names.events_stream,
            subjects=[names.events],
            max_msgs_per_subject=1,
            max_age=int(config.max_age * _NANOSECONDS),
            max_bytes=config.max_bytes,
            max_msgs=config.max_count,
            allow_direct=True,
            republish={"src": names.events, "dest": names.live},
        )

    def stats(self) -> dict[str, Any]:
        """The roll-ups of the events, each with a time to live of its own; they outlive the events."""
        config = self._config.statistics
        return self._stream(
            self._names.stats_stream,
            subjects=[self._names.stats],
            max_msgs_per_subject=1,
            max_age=int(max(config.minutes_for, config.hours_for, config.days_for) * _NANOSECONDS),
            max_bytes=config.max_bytes,
            allow_direct=True,
            allow_msg_ttl=True,
            allow_atomic=True,
        )

    def processors(self) -> dict[str, Any]:
        """The events that processors have given up, for as long as dead letters, and those that are to come again.

        Their number is bounded, and not their bytes: the server would set all of those aside, for what may never be.
        """
        return self._stream(
            self._names.processors_stream,
            subjects=[self._names.processor_records],
            retention="workqueue",
            max_msgs_per_subject=1,
            max_age=int(self._config.dead.max_age * _NANOSECONDS),
            max_msgs=_MOST_DEAD_EVENTS,
            allow_direct=True,
        )

    def bucket(self, bucket: str) -> dict[str, Any]:
        """A bucket of records, each with a time to live of its own."""
        return self._stream(
            self._names.bucket_stream(bucket),
            subjects=[self._names.bucket_key(bucket, ">")],
            max_msgs_per_subject=1,
            discard="new",
            allow_direct=True,
            allow_msg_ttl=True,
            allow_rollup_hdrs=True,
        )

    def _stream(self, name: str, **settings: Any) -> dict[str, Any]:
        wanted = {
            "name": name,
            "storage": "file",
            "num_replicas": self._config.streams.replicas,
            "max_consumers": -1,
            **settings,
        }
        return wanted | {"allow_batched": True} if self._fast_ingest else wanted


def differences(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """The fields in which a stream would lose or repeat something."""
    for field in _MATTERS:
        want = wanted.get(field, _SERVER_DEFAULTS.get(field))
        have = existing.get(field, _SERVER_DEFAULTS.get(field))
        if have != want:
            yield Difference(field, _shown(have), _shown(want))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {inner}" for key, inner in sorted(value.items())) + "}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return repr(value)
