"""What ``docs/filters.md`` says of filters is so."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from naq_runtime.events.codec import decode_event
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.filters.fields import field_named, fields
from naq_runtime.events.models import Event, OtherEvent
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "filters.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| `([^|]*)` \| ([\d ]+) \|", PAGE, re.MULTILINE)
FIELDS = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`)? \| ([a-z ]+) \| ([a-z, ]+) \|$", PAGE, re.MULTILINE)


def the_events() -> dict[str, Event]:
    """The events of the page, by number."""
    found = {}
    for line in re.findall(r"^\{.*\}$", PAGE, re.MULTILINE):
        said = json.loads(line)
        number = str(said.pop("n"))
        found[number] = decode_event(msgspec.json.encode({"timestamp_ns": 1_700_000_000_000_000_000, **said}))
        assert not isinstance(found[number], OtherEvent)
    return found


@pytest.mark.parametrize(("text", "found"), EXAMPLES, ids=[text for text, _ in EXAMPLES])
def test_an_example_finds_what_the_page_says(text: str, found: str) -> None:
    wanted = EventFilter(text)
    assert " ".join(number for number, event in the_events().items() if wanted.matches(event)) == found.strip()


def test_the_examples_are_found() -> None:
    assert len(EXAMPLES) > 20


def test_the_table_of_fields_is_that_of_the_code() -> None:
    assert {(name, one.kind.value, ", ".join(sorted(one.categories)) or "all") for name, one in fields().items()} == {
        (name, kind, of) for name, _, kind, of in FIELDS
    }


@pytest.mark.parametrize(("name", "also"), [(name, also) for name, also, _, _ in FIELDS if also])
def test_a_field_has_both_names(name: str, also: str) -> None:
    assert field_named(also) is field_named(name) is fields()[name]
