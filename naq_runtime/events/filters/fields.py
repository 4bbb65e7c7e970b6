"""What a filter can ask about an event: each field of the models once, under its name there and under a short one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, get_args

import msgspec

from naq_runtime.events.models import (
    AlertEvent,
    AlertEventType,
    Event,
    JobEvent,
    JobEventType,
    OtherEvent,
    ScheduleEvent,
    ScheduleEventType,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)

__all__ = ["CATEGORIES", "Field", "Kind", "Vocabulary", "category_of", "field_named", "fields", "near", "of_events"]

_MODELS: dict[str, type[msgspec.Struct]] = {
    "job": JobEvent,
    "worker": WorkerEvent,
    "schedule": ScheduleEvent,
    "system": SystemEvent,
    "alert": AlertEvent,
}
CATEGORIES = tuple(_MODELS)
"""The kinds of event that this version knows."""
_CATEGORY_OF: dict[type, str] = {model: category for category, model in _MODELS.items()}
EVENT_TYPES = tuple(
    dict.fromkeys(
        str(kind)
        for kinds in (JobEventType, WorkerEventType, ScheduleEventType, SystemEventType, AlertEventType)
        for kind in kinds
    )
)
"""The types of events that this version knows."""


class Kind(StrEnum):
    """What can be asked of a field, and how; the value says it to people."""

    NAME = "a name"
    """The whole of it is compared."""
    FUNCTION = "a function"
    """The same, or with what is behind one of its dots."""
    TEXT = "a text"
    """It is looked for in it."""
    NUMBER = "a number"
    PERCENT = "a percentage"
    SPAN = "a duration"
    SIZE = "a size"
    TIME = "a time"
    FLAG = "true or false"

    @property
    def is_text(self) -> bool:
        """Whether it is compared as text, with wildcards."""
        return self in (Kind.NAME, Kind.FUNCTION, Kind.TEXT)


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that can be asked about."""

    name: str
    """The short one."""
    kind: Kind
    attributes: tuple[str, ...]
    """Of the models; it is enough that one of them is as it should be."""
    categories: frozenset[str]
    """The kinds of event that have it; empty when even those have it that this version does not know."""
    unit_ms: float = 1
    """What one is worth, of a span."""
    known: tuple[str, ...] = ()
    """The values that there are, where that is known."""
    closed: bool = False
    """Whether another value is taken for a slip, unless it is quoted."""
    get: Callable[[Event], Any] = field(init=False, compare=False, repr=False)
    """The value of an event's only attribute; ``None`` for none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "get", _getter(self))


class Vocabulary:
    """The fields that filters of one kind of thing can ask for.

    Args:
        fields: those that are offered, by their names, in the order in which they are.
        others: further names of fields.
    """

    def __init__(self, fields: Mapping[str, Field], others: Mapping[str, Field]) -> None:
        self.fields = fields
        self._by_any_name = {**others, **fields}
        self.names = tuple(self._by_any_name)
        """All of them."""

    def named(self, name: str) -> Field | None:
        """The field of a name."""
        return self._by_any_name.get(name)


_SHORT = {
    "timestamp_ns": "time",
    "clock_offset_ns": "clock_offset",
    "clock_skew_ms": "clock_skew",
    "event_type": "type",
    "event_id": "event",
    "v": "schema",
    "job_id": "job",
    "queue_name": "queue",
    "function_name": "function",
    "worker_id": "worker",
    "schedule_id": "schedule",
    "dependency_id": "dependency",
    "wait_ms": "wait",
    "duration_ms": "duration",
    "result_size": "size",
    "retry_delay": "delay",
    "retry_count": "retries",
    "run_at_ns": "run_at",
    "hostname": "host",
    "queue_names": "queues",
    "concurrency_limit": "limit",
    "active_jobs": "active",
    "running_job_ids": "running",
    "stuck_job_ids": "stuck",
    "jobs_completed": "jobs_done",
    "cpu_percent": "cpu",
    "rss_bytes": "rss",
    "loop_lag_ms": "loop_lag",
    "events_buffered_bytes": "buffered",
    "next_ns": "next",
    "scheduled_ns": "due",
    "actual_ns": "actual",
    "lag_ms": "lag",
    "since_ns": "since",
    "outage_ms": "outage",
    "first_dropped_ns": "first_dropped",
    "last_dropped_ns": "last_dropped",
}
_FIRST = ("queue", "type", "job", "worker", "function", "error", "duration", "wait", "attempt", "time", "category")
_TEXTS = {"error_message", "traceback", "reason", "text", "changes", "dropped", "labels"}
_SIZES = {"result_size", "rss_bytes", "events_buffered_bytes"}
_UNITS_MS = {"retry_delay": 1_000, "interval": 1_000, "clock_offset_ns": 1e-6}
"""Spans that are not in milliseconds."""
_KNOWN = {
    "event_type": EVENT_TYPES,
    "level": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "state": ("queued", "scheduled", "waiting", "running"),
    "role": ("worker", "scheduler", "producer", "monitor"),
    "part": ("events", "outcomes", "config"),
    "severity": ("info", "warning", "critical"),
}

_CLOSED = ("event_type", "level", "state", "severity")


def category_of(event: Event) -> str:
    """The kind of an event."""
    return event.category if isinstance(event, OtherEvent) else _CATEGORY_OF[type(event)]


def _getter(asked: Field) -> Callable[[Event], Any]:
    name = asked.attributes[0]
    if name == "category":
        return category_of
    if asked.name in ("job", "tick_job"):  # a job's events are not those of the schedule that made it
        model = _MODELS[next(iter(asked.categories))]
        return lambda event: event.job_id if type(event) is model else None  # type: ignore[union-attr]
    if name == "timestamp_ns":
        return lambda event: event.moment_ns
    return lambda event: getattr(event, name, None)


def _kind(name: str, kind: Any) -> Kind:
    plain = {getattr(part, "__origin__", part) for part in (*get_args(kind), kind)}
    if name in _TEXTS:
        return Kind.TEXT
    if name == "function_name":
        return Kind.FUNCTION
    if bool in plain:
        return Kind.FLAG
    if not {int, float} & plain:
        return Kind.NAME
    if name.endswith("_ns") and name not in _UNITS_MS:
        return Kind.TIME
    if name.endswith("_ms") or name in _UNITS_MS:
        return Kind.SPAN
    if name.endswith("_percent"):
        return Kind.PERCENT
    return Kind.SIZE if name in _SIZES else Kind.NUMBER


@cache
def fields() -> dict[str, Field]:
    """All of them, by their short names; those that are asked about most come first."""
    kinds: dict[str, Kind] = {}
    owners: dict[str, set[str]] = {}
    for category, model in _MODELS.items():
        for one in msgspec.structs.fields(model):
            kinds[one.name] = _kind(one.name, one.type)
            owners.setdefault(one.name, set()).add(category)
    shared = {one.name for one in msgspec.structs.fields(OtherEvent)}
    owners["job_id"] = {"job"}
    found = [
        Field(
            _SHORT.get(name, name),
            kind,
            (name,),
            frozenset() if name in shared else frozenset(owners[name]),
            unit_ms=_UNITS_MS.get(name, 1),
            known=_KNOWN.get(name, ()),
            closed=name in _CLOSED,
        )
        for name, kind in kinds.items()
    ]
    found += [
        Field("category", Kind.NAME, ("category",), frozenset(), known=CATEGORIES, closed=True),
        Field("error", Kind.TEXT, ("error_type", "error_message"), frozenset(owners["error_type"])),
        Field("tick_job", Kind.NAME, ("job_id",), frozenset({"schedule"})),
        Field("message", Kind.TEXT, ("message",), frozenset()),
    ]
    found.sort(key=lambda one: _FIRST.index(one.name) if one.name in _FIRST else len(_FIRST))
    return {one.name: one for one in found}


@cache
def of_events() -> Vocabulary:
    """What can be asked about events: the short names are offered, those of the models are known."""
    canonical = {one.attributes[0]: one for one in reversed(fields().values()) if len(one.attributes) == 1}
    canonical["job_id"] = fields()["job"]
    return Vocabulary(fields(), canonical)


def field_named(name: str) -> Field | None:
    """The field of a name: the short one, or that of the models."""
    return of_events().named(name)


def near(name: str, known: tuple[str, ...] | None = None) -> str:
    """What somebody may have meant, as the end of a sentence; empty when nothing is near."""
    candidates = {one.lower(): one for one in (known if known is not None else of_events().names)}
    found = difflib.get_close_matches(name.lower(), candidates, n=1, cutoff=0.6)
    return f", did you mean {candidates[found[0]]}?" if found else ""
