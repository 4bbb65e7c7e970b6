"""The published schema of the events, and the published page of their subjects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from naq_runtime.events.codec import decode_event, encode_event, event_subject
from naq_runtime.events.models import Event, OtherEvent
from naq_runtime.events.schema import PAGES
from naq_runtime.naming import Names
from tests.support.processes import ROOT
from tests.support.published import ASYNCAPI, SCHEMA, address_of, mistakes
from tests.unit.samples import a_job_event, a_system_event, any_event


@pytest.mark.parametrize("name", PAGES)
def test_a_published_page_is_current(name: str) -> None:
    published = json.loads((ROOT / "docs" / name).read_text(encoding="utf-8"))

    assert published == PAGES[name](), "write them anew: make pages"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@given(any_event())
def test_whatever_is_written_is_as_the_schema_says(event: Event) -> None:
    assert mistakes(json.loads(encode_event(event))) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"event_type": "frozen"}, "'frozen' is not one of"),
        ({"job_id": 5}, "5 is not of type 'string'"),
        ({"attempt": None}, "None is not of type 'integer'"),
        ({"attempt": -1}, "-1 is less than the minimum of 0"),
        ({"mood": "good"}, "unknown field mood"),
    ],
    ids=str,
)
def test_what_is_written_otherwise_is_found(change: dict[str, Any], complaint: str) -> None:
    event = json.loads(encode_event(a_job_event())) | change

    assert complaint in " ".join(_all_complaints(event))


def _all_complaints(event: dict[str, Any]) -> Iterator[str]:
    yield from mistakes(event)
    one = SCHEMA["$defs"]["JobEvent"] | {"$defs": SCHEMA["$defs"]}
    yield from (error.message for error in Draft202012Validator(one).iter_errors(event))


@pytest.mark.parametrize("field", ["category", "event_id", "event_type", "timestamp_ns", "v", "job_id", "queue_name"])
def test_what_every_event_of_a_job_has_must_be_there(field: str) -> None:
    event = json.loads(encode_event(a_job_event()))
    del event[field]

    assert list(Draft202012Validator(SCHEMA).iter_errors(event))


def test_the_meaning_of_a_field_is_that_of_the_model() -> None:
    assert SCHEMA["$defs"]["JobEvent"]["properties"]["final"]["description"] == "True when no retry follows."
    assert SCHEMA["$defs"]["WorkerEvent"]["properties"]["timestamp_ns"]["description"].startswith("When it happened")


@given(any_event())
def test_every_event_is_stored_where_the_page_says(event: Event) -> None:
    subject = event_subject(Names("team"), event)

    channel, values = address_of(subject)
    assert values["namespace"] == "team"
    assert (values["event_type"], values["event_id"]) == (event.event_type, event.event_id)
    assert address_of(Names("team").live_of(subject)) == (f"{channel}Live", values)


def test_every_reference_of_the_page_leads_somewhere() -> None:
    for reference in _references(ASYNCAPI):
        file, _, path = reference.partition("#/")
        target: Any = SCHEMA if file == "./events.schema.json" else ASYNCAPI
        for step in path.split("/"):
            target = target[step]
        assert target


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
        for value in node.values():
            yield from _references(value)


@pytest.mark.parametrize("event", [a_job_event(), a_system_event()], ids=["job", "system"])
def test_an_old_reader_survives_a_writer_of_the_next_version(event: Event) -> None:
    """What it knows it reads; what it does not know it passes over, and says so."""
    newer = json.loads(encode_event(event)) | {"v": 2, "mood": {"deep": [1]}}

    assert decode_event(json.dumps(newer).encode()) == decode_event(json.dumps(newer | {"mood": None}).encode())
    unknown = decode_event(json.dumps(newer | {"event_type": "frozen"}).encode())
    assert isinstance(unknown, OtherEvent)
    assert "newer than this reader" in unknown.message
