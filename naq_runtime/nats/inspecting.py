"""Reads what JetStream tells of itself; changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import JetStreamError, ServerUnreachable
from naq_runtime.jetstream import Account, Consumer, Peer, ServerDetail, Stream, Usage
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND
from naq_runtime.nats.state import paged, server_state

__all__ = ["Inspector", "account_of", "consumer_of", "purposes", "read_consumers", "stream_of"]

_SECOND_NS = 1_000_000_000
_PAUSE_NS = 30 * _SECOND_NS
_NO_TIME = "0001-"
"""How the moment begins that means none."""


class Inspector:
    """Asks again and again; what is not there, or not allowed, only now and then, since each such call is an error."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._pausing: dict[str, tuple[int, str]] = {}
        """Until when something is not asked for, and why; empty when it is not there."""

    async def server(self, now_ns: int) -> ServerDetail:
        """The server, the account, and the streams of the namespace that are there.

        Args:
            now_ns: by the clock of the server.

        Raises:
            ServerError: the server cannot be asked; what only the permissions deny is told in the answer.
        """
        self._pausing = {name: paused for name, paused in self._pausing.items() if paused[0] > now_ns}
        wanted = [(name, purpose) for name, purpose in purposes(self._names) if name not in self._pausing]
        server, account, streams = await asyncio.gather(
            server_state(self._connection),
            self._asked("INFO", "the account", now_ns),
            asyncio.gather(*(self._asked(f"STREAM.INFO.{name}", name, now_ns) for name, _ in wanted)),
        )
        found = zip(wanted, streams, strict=True)
        return ServerDetail(
            taken_at_ns=now_ns,
            server=server,
            account=account_of(account) if account is not None else None,
            streams=tuple(stream_of(info, purpose) for (_, purpose), info in found if info is not None),
            missing=tuple(why for _, why in self._pausing.values() if why),
        )

    async def _asked(self, subject: str, what: str, now_ns: int) -> Mapping[str, Any] | None:
        if what in self._pausing:
            return None
        why = ""
        try:
            return await self._connection.api(subject)
        except JetStreamError as error:
            if error.code != STREAM_NOT_FOUND:
                why = f"{what} cannot be looked at: {error}"
        except ServerUnreachable as error:
            if not self._connection.is_connected:
                raise
            why = str(_denied(self._connection, error, what, subject))
        self._pausing[what] = (now_ns + _PAUSE_NS, why)
        return None


async def read_consumers(connection: Connection, names: Names, stream: str) -> tuple[Consumer, ...]:
    """The consumers of a stream, by name; none when it is not there.

    Raises:
        ServerError: the server cannot be asked, or the permissions do not allow it.
    """
    try:
        state = (await connection.api(f"STREAM.INFO.{stream}"))["state"]
    except JetStreamError as error:
        if error.code == STREAM_NOT_FOUND:
            return ()
        raise
    if not state.get("consumer_count"):
        return ()  # it may not be allowed to list those of every stream
    try:
        found = await paged(connection, f"CONSUMER.LIST.{stream}", "consumers")
    except ServerUnreachable as error:
        raise _denied(connection, error, f"the consumers of {stream}", f"CONSUMER.LIST.{stream}") from error
    consumers = (consumer_of(one, names, int(state["last_seq"])) for one in found)
    return tuple(sorted(consumers, key=lambda one: one.name))


def purposes(names: Names) -> Iterator[tuple[str, str]]:
    """The streams of a namespace, and what each is for."""
    yield names.jobs_stream, "waiting jobs, schedules"
    yield names.results_stream, "outcomes of jobs"
    yield names.objects_stream, "large outcomes"
    yield names.dead_stream, "dead letters"
    yield names.events_stream, "the log of all events"
    yield names.stats_stream, "roll-ups of the events"
    yield names.processors_stream, "events given up"
    for bucket, purpose in (
        (names.workers_bucket, "leases of workers"),
        (names.leader_bucket, "who leads"),
        (names.queues_bucket, "limits of queues"),
        (names.unique_bucket, "unique keys"),
        (names.rates_bucket, "rates of queues"),
        (names.alerts_bucket, "alerts, silences"),
    ):
        yield names.bucket_stream(bucket), purpose


def _denied(connection: Connection, error: ServerUnreachable, what: str, subject: str) -> ServerUnreachable:
    """The error; while the connection stands, it is taken for a lack of permission, which the server does not tell."""
    if not connection.is_connected:
        return error
    return ServerUnreachable(f"{what}: no answer, so it may not be allowed; the role needs $JS.API.{subject}")


def account_of(info: Mapping[str, Any]) -> Account:
    """What the server says of an account."""
    limits, api = info.get("limits") or {}, info.get("api") or {}
    usages = tuple(
        Usage(name, int(info.get(field, 0)), _limit(limits.get(limit)))
        for name, field, limit in (
            ("storage", "storage", "max_storage"),
            ("set aside", "reserved_storage", "max_storage"),
            ("memory", "memory", "max_memory"),
            ("streams", "streams", "max_streams"),
            ("consumers", "consumers", "max_consumers"),
        )
    )
    return Account(
        usages=usages,
        api_calls=int(api.get("total", 0)),
        api_errors=int(api.get("errors", 0)),
        domain=str(info.get("domain", "")),
    )


def stream_of(info: Mapping[str, Any], purpose: str) -> Stream:
    """What the server says of a stream."""
    config, state, cluster = info["config"], info["state"], info.get("cluster") or {}
    return Stream(
        name=config["name"],
        purpose=purpose,
        subjects=tuple(config.get("subjects") or ()),
        messages=state["messages"],
        bytes=state["bytes"],
        max_messages=_limit(config.get("max_msgs")),
        max_bytes=_limit(config.get("max_bytes")),
        max_age_s=config.get("max_age", 0) / _SECOND_NS,
        first_sequence=state["first_seq"],
        last_sequence=state["last_seq"],
        first_ns=_moment(state.get("first_ts")) if state["messages"] else 0,
        last_ns=_moment(state.get("last_ts")),
        deleted=state.get("num_deleted", 0),
        consumers=state.get("consumer_count", 0),
        retention=config.get("retention", "limits"),
        discards_new=config.get("discard") == "new",
        storage=config.get("storage", "file"),
        replicas=config.get("num_replicas", 1),
        leader=cluster.get("leader") or "",
        is_clustered=bool(cluster.get("name")),
        peers=tuple(_peer(one) for one in cluster.get("replicas") or ()),
    )


def consumer_of(info: Mapping[str, Any], names: Names, last: int) -> Consumer:
    """What the server says of a consumer.

    Args:
        last: the last sequence of its stream.
    """
    config, delivered = info["config"], info["delivered"]["stream_seq"]
    subjects = config.get("filter_subjects") or [config.get("filter_subject") or ""]
    return Consumer(
        name=info["name"],
        purpose=_purpose_of(info["name"], names, is_durable=bool(config.get("durable_name"))),
        pending=info.get("num_pending", 0),
        unacknowledged=info.get("num_ack_pending", 0),
        max_unacknowledged=_limit(config.get("max_ack_pending")),
        redelivered=info.get("num_redelivered", 0),
        delivered=delivered,
        lag=max(0, last - delivered),
        acknowledged=info["ack_floor"]["stream_seq"],
        pulls=info.get("num_waiting", 0),
        paused=bool(info.get("paused")),
        leader=(info.get("cluster") or {}).get("leader") or "",
        subjects=tuple(subject for subject in subjects if subject),
    )


def _purpose_of(consumer: str, names: Names, *, is_durable: bool) -> str:
    known = ((names.queue_consumer(""), "workers of queue "), (names.processor_consumer(""), "processor "))
    for prefix, whose in known:
        if consumer.startswith(prefix):
            return whose + consumer.removeprefix(prefix)
    return "" if is_durable else "a reader that goes with its connection"


def _peer(replica: Mapping[str, Any]) -> Peer:
    return Peer(
        name=str(replica.get("name", "")),
        current=bool(replica.get("current")),
        offline=bool(replica.get("offline")),
        lag=int(replica.get("lag", 0)),
        silent_s=replica.get("active", 0) / _SECOND_NS,
    )


def _limit(value: int | None) -> int:
    return value if value is not None and value > 0 else 0


def _moment(text: str | None) -> int:
    return nanoseconds_of(text) if text and not text.startswith(_NO_TIME) else 0
