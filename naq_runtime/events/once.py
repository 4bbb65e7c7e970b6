"""Storing events on the condition that they are not in the log: each once, whoever tells the same at the same moment.

What a process says of itself needs no condition, as nobody else says it. What is told for others does: stored again, an
event would take the place of the first, behind what roll-ups and readers have counted already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from naq_runtime.errors import NaqError
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import Event
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing, is_conflict, is_too_large
from naq_runtime.nats.streams import Streams, if_last_is

__all__ = ["store_once"]


async def store_once(streams: Streams, names: Names, events: Sequence[Event]) -> list[Event]:
    """Store those events that are not in the log, in order; these are returned. What no log can hold is left out.

    Raises:
        ServerError: a part of them may be stored; do it again.
    """
    wanted = list(_with_messages(names, events))
    stored = []
    for (event, _), answer in zip(wanted, await streams.publish([message for _, message in wanted]), strict=True):
        if isinstance(answer, int):
            stored.append(event)
        elif not is_conflict(answer) and not is_too_large(answer):
            raise answer
    return stored


def _with_messages(names: Names, events: Sequence[Event]) -> Iterable[tuple[Event, Outgoing]]:
    for event in events:
        try:
            yield event, Outgoing(event_subject(names, event), encode_event(event), if_last_is(0))
        except (NaqError, TypeError, ValueError):
            continue  # it names something that cannot be named on the wire, or cannot be written as JSON
