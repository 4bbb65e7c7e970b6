"""A JSON Schema of what commands print with ``--format json``, made of the documents that they print.

It says what this version prints. Readers should let more pass: later versions print new members.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import msgspec

from naq_runtime.events.schema import field_meanings
from naq_runtime.events.schema import json_schema as event_schema
from naq_runtime.statistics.answer import EventStatistics, GroupStatistics, Latency
from naq_runtime.worker.record import WorkerRecord
from naq_tui.cli import documents
from naq_tui.cli.snapshot_document import Snapshot

__all__ = ["PRINTED", "Printed", "json_schema"]


class Printed(NamedTuple):
    """What a command prints."""

    what: str
    """The name of a definition in the schema."""
    form: str = "one"
    """``one`` document, an ``array`` of such, ``lines``: one a line, or any ``value``."""
    done: str = ""
    """What is printed of what was done, where all this is only what would be: ``ids``, or another document."""


PRINTED: Mapping[str, Printed] = {
    "naq job find": Printed("FoundJob", "array"),
    "naq job list": Printed("FoundJob", "array"),
    "naq job show": Printed("Job"),
    "naq job result": Printed("Result", "value"),
    "naq job events": Printed("Event", "array"),
    "naq dead list": Printed("DeadJob", "array"),
    "naq dead show": Printed("DeadLetter"),
    "naq dead retry": Printed("DeadJob", "array", done="ids"),
    "naq dead delete": Printed("DeadJob", "array", done="ids"),
    "naq schedule list": Printed("Schedule", "array"),
    "naq schedule show": Printed("ScheduleDetail"),
    "naq schedule next": Printed("Tick", "array"),
    "naq schedule pause": Printed("Schedule", "array", done="ids"),
    "naq schedule resume": Printed("Schedule", "array", done="ids"),
    "naq schedule cancel": Printed("Schedule", "array", done="ids"),
    "naq schedule trigger": Printed("Schedule", "array", done="ids"),
    "naq queue list": Printed("Queue", "array"),
    "naq queue show": Printed("Queue"),
    "naq queue purge": Printed("Purgeable", "array", done="Purged"),
    "naq worker list": Printed("WorkerStatus", "array"),
    "naq worker show": Printed("Worker"),
    "naq worker events": Printed("Event", "lines"),
    "naq alerts list": Printed("WatchedAlert", "array"),
    "naq alerts check": Printed("AlertRule", "array"),
    "naq alerts test": Printed("MeasuredRule", "array"),
    "naq events stream": Printed("Event", "lines"),
    "naq events history": Printed("Event", "array"),
    "naq events workers": Printed("WorkerStatus", "array"),
    "naq events stats": Printed("Statistics"),
    "naq stats": Printed("Statistics"),
    "naq stream list": Printed("Stream", "array"),
    "naq stream show": Printed("StreamDetail"),
    "naq processor list": Printed("Processor", "array"),
    "naq processor dead": Printed("DeadEvent", "array"),
    "naq processor delete": Printed("DeadEvent", "array", done="ids"),
    "naq processor remove": Printed("Processor", "array", done="ids"),
    "naq doctor": Printed("Check", "array"),
    "naq config show": Printed("Setting", "array"),
    "naq config check": Printed("SettingMistake", "array"),
    "naq-top --once": Printed("Snapshot"),
}
"""What each command prints with ``--format json``."""

_TEXT_OR_NULL = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
_COUNT_OR_NULL = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
_REF = "#/$defs/{name}"


def json_schema() -> dict[str, Any]:
    """The schema of all documents, draft 2020-12; that of a command is under ``$defs``, named after it."""
    shapes = [getattr(documents, name) for name in documents.__all__]
    models = [*shapes, Snapshot, EventStatistics, WorkerRecord]
    _, definitions = msgspec.json.schema_components(models, ref_template=_REF)
    for shape in (*shapes, EventStatistics, GroupStatistics, Latency, WorkerRecord):
        _describe(definitions[shape.__name__], shape)
    definitions |= _events()
    definitions |= _workers(definitions)
    definitions["Result"] = {"description": "What a job returned, whatever that is."}
    definitions["Statistics"] = _statistics(definitions.pop("EventStatistics"), definitions["GroupStatistics"])
    for definition in definitions.values():
        for field in definition.get("properties", {}).values():
            field.pop("default", None)  # of who makes it: readers find it there
    _refer_to_events(definitions)
    commands = {name.replace(" ", "_"): _of_command(name, printed) for name, printed in PRINTED.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the commands of naq print as JSON",
        "description": "The document of a command is under $defs, by its name with _ between its words. "
        "Readers ignore members that they do not know.",
        "$defs": dict(sorted(definitions.items())) | commands,
    }


def _describe(definition: dict[str, Any], shape: type) -> None:
    """Say what each member means, where the document says so, or the one that it goes on from."""
    meanings: dict[str, str] = {}
    for one in shape.__mro__:
        if one.__module__ == shape.__module__:
            meanings = field_meanings(one) | meanings
    for name, field in definition["properties"].items():
        if name in meanings:
            field["description"] = meanings[name]


def _of_command(name: str, printed: Printed) -> dict[str, Any]:
    one = {"$ref": _REF.format(name=printed.what)}
    if printed.form == "array":
        array = {"type": "array", "items": one}
        if printed.done:
            would = {"description": "With --dry-run.", **array}
            return {"description": f"Of {name}.", "anyOf": [would, _done(printed.done)]}
        return {"description": f"Of {name}.", **array}
    return {"description": f"Of {name}{': each line' if printed.form == 'lines' else ''}.", **one}


def _done(what: str) -> dict[str, Any]:
    if what == "ids":
        return {"description": "The ids of what it was done to.", "type": "array", "items": {"type": "string"}}
    return {"$ref": _REF.format(name=what)}


def _events() -> dict[str, Any]:
    """The events of the log, each with its sequence and its time in words."""
    published = event_schema()
    found = {}
    for name, definition in published.pop("$defs").items():
        if "event_type" in definition.get("properties", {}):
            definition["properties"] = {
                "sequence": {"type": "integer", "description": "Its place in the log."},
                "time": {"type": "string", "description": "When it happened, in ISO 8601, UTC."},
            } | definition["properties"]
            definition["required"] = sorted({*definition["required"], "sequence", "time"})
        found[name] = definition
    union = {name: part for name, part in published.items() if name in ("anyOf", "discriminator")}
    return found | {"Event": {"description": "An event of the log.", **union}}


def _workers(definitions: dict[str, Any]) -> dict[str, Any]:
    """A worker by its lease; how it stands; and as the snapshot has it, without what is as it is by default."""
    record = definitions.pop("WorkerRecord")
    worker = _with_moments(record, "started_at", "beat_at")
    worker["required"] = sorted(worker["properties"])
    status = deepcopy(worker)
    status["description"] = "A worker, as it is, or as it was when it was heard of last."
    status["properties"] |= {
        "state": {"enum": ["busy", "idle", "lost", "starting", "stopped", "stopping"]},
        "active": {"type": "boolean", "description": "Whether it runs."},
        "held_job_ids": {"type": "array", "items": {"type": "string"}, "description": "Of one that is lost."},
        "reason": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "Why it has stopped."},
        "seen_at": _TEXT_OR_NULL,
        "seen_at_ns": _COUNT_OR_NULL,
    }
    status["required"] = sorted(status["properties"])
    now = deepcopy(record)
    now["properties"] |= {"state": status["properties"]["state"], "jobs_per_s": {"type": "number"}}
    now["required"] = sorted({*now["required"], "jobs_per_s"})
    return {"Worker": worker, "WorkerStatus": status, "WorkerNow": now}


def _statistics(answer: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
    """What is counted; a group has the names by which it was asked for, and what a queue holds where that was asked."""
    group["required"] = sorted({*group["properties"]} - {"queue", "function", "worker"})
    group["properties"] |= {
        "waiting": {"type": "integer", "description": "Jobs that the queue holds now; of naq stats."},
        "running": {"type": "integer", "description": "Jobs of the queue that run now; of naq stats."},
    }
    found = _with_moments(answer, "since", "until", "asked_since", "asked_until")
    found["required"] = sorted(found["properties"])
    return found


def _with_moments(definition: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same with each of these moments in ISO 8601, too."""
    found = deepcopy(definition)
    for name in names:
        found["properties"] |= {name: _TEXT_OR_NULL, f"{name}_ns": _COUNT_OR_NULL}
    return found


def _refer_to_events(definitions: dict[str, Any]) -> None:
    """Say of lists of events and workers, which documents hold as plain values, what is in them."""
    for definition in definitions.values():
        members = definition.get("properties", {})
        for name, kind in (("events", "Event"), ("workers", "WorkerNow")):
            if members.get(name, {}).get("items") == {"type": "object"}:
                members[name]["items"] = {"$ref": _REF.format(name=kind)}
