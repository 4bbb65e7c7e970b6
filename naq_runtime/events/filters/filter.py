"""Which events are wanted, as a value."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Self

from naq_runtime.errors import FilterError
from naq_runtime.events.filters.fields import field_named, near
from naq_runtime.events.filters.grammar import parse, value_of
from naq_runtime.events.filters.matching import Predicate, compiled
from naq_runtime.events.filters.narrowing import subjects_of
from naq_runtime.events.filters.nodes import EVERYTHING, All, Matched, Node, Text
from naq_runtime.naming import Names

__all__ = ["EventFilter", "Filters", "finding"]


class EventFilter:
    """Which events are wanted: by the text of a filter, by values of fields, or by both, and then both must hold.

    ::

        EventFilter("queue:email type:failed,timed_out duration>500ms")
        EventFilter({"queue_name": "email", "worker_id": "w-1*"})
        EventFilter(queue_name="email", event_type=["failed", "timed_out"])

    It does not change; two that say the same in the same order are equal, and ``str`` gives a text from which an equal
    one can be made. Ages such as ``time>-10m`` are counted from when it is made, or from another moment.

    Args:
        wanted: a text of the grammar (docs/filters.md), values by field, or a filter.
        fields: more values by field; ``None`` for any. A text may have the wildcards ``*`` and ``?``, and
            of several values in a list one must be there.
        now_ns: what ages are counted from, in nanoseconds since 1970; ``None`` for now.

    Attributes:
        matches: whether an event is wanted; a function of the event.

    Raises:
        FilterError: the text is no filter, a field is unknown, or a value does not fit its field.
    """

    __slots__ = ("matches", "node")

    matches: Predicate
    node: Node

    def __init__(self, wanted: Filters = "", /, *, now_ns: int | None = None, **fields: Any) -> None:
        node = _node(wanted)
        if fields:
            node = All.of([node, _of_fields(fields)])
        object.__setattr__(self, "node", node)
        object.__setattr__(self, "matches", compiled(node, time.time_ns() if now_ns is None else now_ns))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a filter does not change")

    def __str__(self) -> str:
        return str(self.node)

    def __repr__(self) -> str:
        return f"EventFilter({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EventFilter) and self.node == other.node

    def __hash__(self) -> int:
        return hash(self.node)

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (str(self),)

    @property
    def is_empty(self) -> bool:
        """Whether every event matches."""
        return self.node == EVERYTHING

    def subjects(self, names: Names) -> tuple[str, ...]:
        """Subjects under which all matching events are stored, none of them under two; none when nothing can match."""
        return subjects_of(self.node, names)


Filters = EventFilter | Mapping[str, Any] | str | None
"""Which events are wanted, however it is said; ``None`` for all."""


def finding(text: str) -> str:
    """A filter, as text, that finds a text as it is, whatever signs are in it."""
    return str(Text(text)) if text else ""


def _node(wanted: Filters) -> Node:
    match wanted:
        case None:
            return EVERYTHING
        case EventFilter():
            return wanted.node
        case str():
            return parse(wanted)
        case Mapping():
            return _of_fields(wanted)
    raise FilterError(f"a filter is a text, or values by field, got {wanted!r}")


def _of_fields(values: Mapping[str, Any]) -> Node:
    return All.of(_of_field(name, value) for name, value in values.items() if value is not None)


def _of_field(name: str, value: Any) -> Node:
    asked = field_named(name)
    if asked is None:
        raise FilterError(f"unknown field {name!r}{near(name)}")
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    try:
        found = tuple(dict.fromkeys(value_of(asked, name, one) for one in several))
    except ValueError as error:
        raise FilterError(f"{name}: {error}") from error
    if not found:
        raise FilterError(f"{name}: expected at least one value")
    return Matched(asked, found)
