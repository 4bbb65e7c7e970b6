"""Events to and from JSON, and the subjects they are stored under."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from naq_runtime.errors import SerializationError
from naq_runtime.events.models import (
    AlertEvent,
    Event,
    JobEvent,
    Offset,
    OtherEvent,
    ScheduleEvent,
    StoredEvent,
    SystemEvent,
    WorkerEvent,
)
from naq_runtime.naming import Names, checked

__all__ = ["decode_event", "encode_event", "encode_stored", "event_key", "event_subject"]

encode_event = msgspec.json.Encoder().encode

_decode_known: Callable[[bytes], JobEvent | WorkerEvent | ScheduleEvent | SystemEvent | AlertEvent] = (
    msgspec.json.Decoder(JobEvent | WorkerEvent | ScheduleEvent | SystemEvent | AlertEvent).decode
)


def encode_stored(stored: StoredEvent) -> bytes:
    """The JSON of an event, with its ``sequence`` in the log as the first member."""
    return b'{"sequence":%d,' % stored.sequence + encode_event(stored.event)[1:]


class _Header(Struct):
    """What every event of every version has."""

    timestamp_ns: Annotated[int, Meta(le=2**63 - 1)]
    event_type: str
    category: str
    event_id: str = ""
    v: int = 0
    clock_offset_ns: Offset = 0


_decode_header = msgspec.json.Decoder(_Header).decode
_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)


def decode_event(data: bytes) -> Event:
    """The event of its JSON; an `OtherEvent` when its kind is newer than this reader.

    Raises:
        SerializationError: the bytes are no event at all.
    """
    try:
        return _decode_known(data)
    except _ERRORS:
        return _decode_other(data)


def _decode_other(data: bytes) -> OtherEvent:
    try:
        header = _decode_header(data)
    except _ERRORS as error:
        raise SerializationError(f"the message is not an event: {error}") from error
    return OtherEvent(
        timestamp_ns=max(0, header.timestamp_ns),
        event_type=header.event_type,
        category=header.category,
        event_id=header.event_id,
        v=header.v,
        clock_offset_ns=header.clock_offset_ns,
    )


def event_key(event: Event) -> str:
    """``category.type``, by which events are counted."""
    match event:
        case JobEvent():
            return f"job.{event.event_type}"
        case WorkerEvent():
            return f"worker.{event.event_type}"
        case ScheduleEvent():
            return f"schedule.{event.event_type}"
        case SystemEvent():
            return f"system.{event.event_type}"
        case AlertEvent():
            return f"alert.{event.event_type}"
        case OtherEvent():
            return f"{event.category}.{event.event_type}"


def event_subject(names: Names, event: Event) -> str:
    """Where an event is stored.

    Raises:
        InvalidName: what it is about, or its id, cannot be named on the wire.
        SerializationError: it is of an unknown kind.
    """
    match event:
        case JobEvent():
            return checked(names.job_event(event.job_id, event.queue_name, event.event_type, event.event_id), tokens=7)
        case WorkerEvent():
            return checked(names.entity_event("worker", event.worker_id, event.event_type, event.event_id), tokens=6)
        case ScheduleEvent():
            return checked(
                names.entity_event("schedule", event.schedule_id, event.event_type, event.event_id), tokens=6
            )
        case SystemEvent():
            return checked(names.entity_event("system", event.instance, event.event_type, event.event_id), tokens=6)
        case AlertEvent():
            return checked(names.entity_event("alert", event.alert, event.event_type, event.event_id), tokens=6)
        case OtherEvent():
            raise SerializationError("an event of an unknown kind can be read, but not written")
