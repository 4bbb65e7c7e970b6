"""The bucket of alerts: a record for each rule, which only the leader writes, and what people say of alerts.

A record is written on the condition that it is as it was read. So of two that take themselves for the leader, one
finds that the other was faster, and what it has decided is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from naq_runtime.alerts.evaluation import alert_key
from naq_runtime.alerts.record import Alert, AlertRecord, decode_alerts, encode_alerts
from naq_runtime.errors import SerializationError
from naq_runtime.events.models import Count
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, Stored
from naq_runtime.nats.streams import Streams, if_last_is, living_for

__all__ = ["Board", "Kept", "Note", "acknowledge", "read_board", "silence", "write_records"]

_KEPT_S = 86_400.0
"""A record that no leader has written for so long goes."""
_ACKNOWLEDGED_S = 7 * 86_400.0


class Note(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody says of an alert."""

    until_ns: Count = 0
    """By the server's clock."""
    since_ns: Count = 0
    """Which alert is meant: the one that fires since then."""
    by: str = ""
    at_ns: Count = 0
    """When they said so, by the server's clock."""
    reason: str = ""


class Kept(NamedTuple):
    """A record as it is stored."""

    record: AlertRecord
    sequence: int
    """0 while there is none."""
    written: AlertRecord | None = None
    """What is stored, where the record is newer than that."""


class Board(NamedTuple):
    """All that the bucket says."""

    kept: dict[str, Kept]
    """By the name of the rule."""
    silences: dict[str, Note]
    """By the name of the rule."""
    acknowledged: dict[tuple[str, str], Note]
    """By the name of the rule and the key of the alert."""

    def is_silenced(self, name: str, now_ns: int) -> bool:
        """Whether the webhook of a rule is not to be called now."""
        silence = self.silences.get(name)
        return silence is not None and silence.until_ns > now_ns

    def records(self) -> tuple[AlertRecord, ...]:
        """The records by name, with what people say of them."""
        return tuple(self._noted(kept.record) for _, kept in sorted(self.kept.items()) if kept.record.rule)

    def _noted(self, record: AlertRecord) -> AlertRecord:
        silence = self.silences.get(record.name)
        return replace(
            record,
            alerts=tuple(self._acknowledged(record.name, alert) for alert in record.alerts),
            silenced_until_ns=0 if silence is None else silence.until_ns,
            notices=(),
        )

    def _acknowledged(self, name: str, alert: Alert) -> Alert:
        note = self.acknowledged.get((name, alert_key(alert.labels)))
        if note is None or note.since_ns != alert.since_ns:
            return alert
        return replace(alert, acknowledged_by=note.by, acknowledged_ns=note.at_ns)


async def read_board(streams: Streams, names: Names) -> Board:
    """Read the bucket; what cannot be read is passed over, and an empty board is that of no bucket.

    Raises:
        ServerError: it cannot be read now.
    """
    bucket = names.alerts_bucket
    board = Board({}, {}, {})
    for message in await streams.last(names.bucket_stream(bucket), [names.bucket_key(bucket, ">")]):
        with suppress(SerializationError, msgspec.MsgspecError, UnicodeError):
            _put(board, message)
    return board


def _put(board: Board, message: StoredMessage) -> None:
    kind, *name = message.subject.split(".")[2:]
    if not message.data:
        return
    match kind, name:
        case "rule", [rule]:
            record = decode_alerts(message.data)
            board.kept[rule] = Kept(record, message.sequence, record)
        case "silence", [rule]:
            board.silences[rule] = _decode_note(message.data)
        case "ack", [rule, key]:
            board.acknowledged[rule, key] = _decode_note(message.data)


_decode_note = msgspec.json.Decoder(Note).decode


async def write_records(streams: Streams, names: Names, records: Sequence[Kept]) -> list[Stored]:
    """Write records in the place of those that were read; the sequences, or why not, in order.

    One without a rule stands for none: it is gone in a moment.
    """
    messages = []
    for record, sequence, _ in records:
        headers = if_last_is(sequence) | living_for(_KEPT_S if record.rule else 1)
        messages.append(Outgoing(_key(names, "rule", record.name), encode_alerts(record), headers))
    return await streams.publish(messages)


async def silence(streams: Streams, names: Names, name: str, note: Note, for_s: float) -> None:
    """Let a rule's webhook not be called for a while; at once again when that is 0.

    Raises:
        ServerError: it is uncertain.
    """
    headers = living_for(for_s)
    _check(await streams.publish([Outgoing(_key(names, "silence", name), msgspec.json.encode(note), headers)]))


async def acknowledge(streams: Streams, names: Names, name: str, alert: Alert, by: str, at_ns: int) -> None:
    """Say that somebody cares for an alert, until it is over.

    Raises:
        ServerError: it is uncertain.
    """
    note = msgspec.json.encode(Note(since_ns=alert.since_ns, by=by, at_ns=at_ns))
    subject = _key(names, f"ack.{name}", alert_key(alert.labels))
    _check(await streams.publish([Outgoing(subject, note, living_for(_ACKNOWLEDGED_S))]))


def _check(answers: Sequence[Stored]) -> None:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


def _key(names: Names, kind: str, name: str) -> str:
    return names.bucket_key(names.alerts_bucket, f"{kind}.{name}")
