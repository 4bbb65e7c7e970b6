"""The published pages of the events, and whether what is on the wire is as they say."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.processes import ROOT

__all__ = ["ASYNCAPI", "SCHEMA", "address_of", "mistakes"]

SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "events.schema.json").read_text(encoding="utf-8"))
ASYNCAPI: dict[str, Any] = json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))

_VALIDATOR = Draft202012Validator(SCHEMA)
_MODELS = {
    "job": "JobEvent",
    "worker": "WorkerEvent",
    "schedule": "ScheduleEvent",
    "system": "SystemEvent",
    "alert": "AlertEvent",
}


def mistakes(event: dict[str, Any]) -> list[str]:
    """What the schema has against an event, fields that it does not name included."""
    found = [error.message for error in _VALIDATOR.iter_errors(event)]
    known = SCHEMA["$defs"][_MODELS[event["category"]]]["properties"]
    return found + [f"unknown field {name}" for name in event if name not in known]


def address_of(subject: str) -> tuple[str, dict[str, str]]:
    """The channel that has a subject, and what stands for its parameters; the type is one that the page names."""
    for name, channel in ASYNCAPI["channels"].items():
        parts = re.split(r"\{(\w+)\}", channel["address"])
        pattern = "".join(f"(?P<{part}>[^.]+)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts))
        if found := re.fullmatch(pattern, subject):
            values = found.groupdict()
            assert values["event_type"] in channel["parameters"]["event_type"]["enum"], subject
            return name, values
    raise AssertionError(f"no channel has {subject}")
