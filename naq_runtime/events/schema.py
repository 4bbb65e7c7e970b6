"""What is in the log, in the languages of others: a JSON Schema of the events, and an AsyncAPI page of their subjects.

Both are made of the models and of the names on the wire; ``python -m naq_runtime.events.schema docs`` writes them down.
They say what this version writes. Readers should let more pass: later versions write new fields and new types.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import msgspec

from naq_runtime.events.models import (
    SCHEMA_VERSION,
    AlertEvent,
    AlertEventType,
    EventBase,
    JobEvent,
    JobEventType,
    ScheduleEvent,
    ScheduleEventType,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
    WorkerEventType,
)
from naq_runtime.naming import Names

__all__ = ["PAGES", "asyncapi", "field_meanings", "json_schema", "write"]

SCHEMA_FILE = "events.schema.json"
ASYNCAPI_FILE = "asyncapi.json"

_NAMES = Names("namespace")


class _Channel(NamedTuple):
    """The events of one category, and where they are."""

    model: type[EventBase]
    types: type[StrEnum]
    subject: str
    about: str


_CHANNELS = {
    "job": _Channel(
        JobEvent,
        JobEventType,
        _NAMES.job_event("{job_id}", "{queue_name}", "{event_type}", "{event_id}"),
        "What happens to a job.",
    )
} | {
    category: _Channel(model, types, _NAMES.entity_event(category, entity, "{event_type}", "{event_id}"), about)
    for category, model, types, entity, about in (
        ("worker", WorkerEvent, WorkerEventType, "{worker_id}", "What happens to a worker."),
        ("schedule", ScheduleEvent, ScheduleEventType, "{schedule_id}", "What happens to a schedule."),
        ("system", SystemEvent, SystemEventType, "{instance}", "What happens to a process or to its connection."),
        ("alert", AlertEvent, AlertEventType, "{alert}", "What happens to an alert."),
    )
}

_PARAMETERS = {
    "namespace": "Parts teams that share a server; `naq` unless configured.",
    "job_id": "The job.",
    "queue_name": "The queue of the job.",
    "worker_id": "The worker.",
    "schedule_id": "The schedule.",
    "alert": "The alert, by the name of its rule.",
    "instance": "The process: one id an emitter.",
    "event_id": "Unique. The stream keeps one event a subject, so that one that is stored twice is there once.",
}


def json_schema() -> dict[str, Any]:
    """The schema of one event, as it is written: draft 2020-12, one definition a category."""
    schema = msgspec.json.schema(JobEvent | WorkerEvent | ScheduleEvent | SystemEvent | AlertEvent)
    for channel in _CHANNELS.values():
        _describe(schema["$defs"][channel.model.__name__], channel.model)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of naq",
        "description": f"Version {SCHEMA_VERSION}. Readers ignore fields and pass over types that they do not know.",
    } | schema


def _describe(definition: dict[str, Any], model: type[EventBase]) -> None:
    """Say of an event what is always written, that nothing is null, and what each field means."""
    definition["required"] = sorted({*definition["required"], "event_id", "v"})
    meanings = field_meanings(EventBase) | field_meanings(model)
    for name, field in definition["properties"].items():
        written = [form for form in field.pop("anyOf", ()) if form != {"type": "null"}]
        field.pop("default", None)
        if written:
            field |= written[0]
        if name in meanings:
            field["description"] = meanings[name]


def field_meanings(model: type) -> dict[str, str]:
    """The line that stands under each field, where there is one."""
    body = ast.parse(dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def asyncapi() -> dict[str, Any]:
    """The subjects of the events, as an AsyncAPI 3 document; its messages refer to the schema beside it."""
    channels: dict[str, Any] = {}
    for category, channel in _CHANNELS.items():
        stored = _at_any_namespace(channel.subject)
        live = _at_any_namespace(_NAMES.live_of(channel.subject))
        channels[f"{category}Events"] = _channel(category, channel, stored, "", channel.about)
        repeated = f"{channel.about} The server repeats each event here once it is stored."
        channels[f"{category}EventsLive"] = _channel(category, channel, live, "Live", repeated)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of naq",
            "version": str(SCHEMA_VERSION),
            "description": "Everything that happens to jobs, workers, schedules, processes and alerts, as JSON "
            "on NATS. "
            "Stored in the JetStream stream `<NAMESPACE>_EVENTS`.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": _operations(channels),
        "components": {"messages": _messages()},
    }


def _at_any_namespace(subject: str) -> str:
    return "{namespace}" + subject.removeprefix(_NAMES.namespace)


def _channel(category: str, channel: _Channel, address: str, suffix: str, about: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for name in re.findall(r"\{(\w+)\}", address):
        if name == "event_type":
            parameters[name] = {"description": "What happened.", "enum": sorted(channel.types)}
        else:
            parameters[name] = {"description": _PARAMETERS[name]}
    message = f"{category}Event{suffix}"
    return {
        "address": address,
        "description": about,
        "parameters": parameters,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
    }


def _operations(channels: dict[str, Any]) -> dict[str, Any]:
    """We send what is stored; whoever follows receives what is repeated."""
    operations = {}
    for name in channels:
        live = name.endswith("Live")
        action = "receive" if live else "send"
        operations[f"{action}{name[0].upper()}{name[1:]}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
        }
    return operations


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    sequence = {"type": "string", "pattern": "^[0-9]+$", "description": "Its place in the stream of events."}
    for category, channel in _CHANNELS.items():
        payload = {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{SCHEMA_FILE}#/$defs/{channel.model.__name__}"},
        }
        messages[f"{category}Event"] = {"summary": channel.about, "payload": payload}
        messages[f"{category}EventLive"] = {
            "summary": channel.about,
            "headers": {"type": "object", "properties": {"Nats-Sequence": sequence}, "required": ["Nats-Sequence"]},
            "payload": payload,
        }
    return messages


PAGES: dict[str, Callable[[], dict[str, Any]]] = {SCHEMA_FILE: json_schema, ASYNCAPI_FILE: asyncapi}
"""What is published, by the name of its file."""


def write(folder: Path) -> None:
    """Write the pages into a folder."""
    for name, page in PAGES.items():
        (folder / name).write_text(json.dumps(page(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
