"""What is found in the log: ranges of it, pages of events, and messages as events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from naq_runtime.errors import SerializationError
from naq_runtime.events.codec import decode_event
from naq_runtime.events.models import StoredEvent
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.tail import RawMessage

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter

__all__ = ["FoundEvents", "FoundMessages", "SequenceRange", "causal_order", "decode_all", "decode_stored", "matching"]


class SequenceRange(NamedTuple):
    """A part of the log: from one sequence up to another, both included."""

    first: int
    last: int


class FoundEvents(NamedTuple):
    """A page of events that match."""

    events: list[StoredEvent]
    reached: int
    """The sequence up to which was looked."""


class FoundMessages(NamedTuple):
    """Messages of a part of the log, whether they are wanted or not."""

    messages: list[StoredMessage]
    reached: int
    """The sequence up to which was looked."""


def causal_order(events: list[StoredEvent]) -> list[StoredEvent]:
    """Sort the events of one job: by when they happened by the server's clock, and where that is the same, by place in
    the log."""
    return sorted(events, key=lambda stored: (stored.event.moment_ns, stored.sequence))


def decode_stored(messages: Sequence[StoredMessage]) -> list[StoredEvent]:
    """The events among the messages; what is no event is passed over."""
    return decode_all([(message.sequence, message.data, message.stored_at) for message in messages])


def decode_all(messages: Sequence[RawMessage]) -> list[StoredEvent]:
    """The events among the messages; what is no event is passed over."""
    events = []
    for sequence, data, stored_at in messages:
        try:
            events.append(StoredEvent(sequence, decode_event(data), stored_at))
        except SerializationError:
            continue
    return events


def matching(wanted: EventFilter, messages: Sequence[StoredMessage]) -> list[StoredEvent]:
    """The events among the messages that are wanted."""
    matches = wanted.matches
    return [stored for stored in decode_stored(messages) if matches(stored.event)]
