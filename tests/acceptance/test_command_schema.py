"""What commands print as JSON is as the published schema says, of all that there can be in a namespace."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from naq_runtime import NAQConfig
from naq_tui.cli.schema import PRINTED, json_schema
from naq_tui.cli.tree import commands
from tests.support.filled import ALERT, DEAD, DONE, LATER, PROCESSOR, QUEUE, SCHEDULE, WORKER, filled
from tests.support.in_process import called
from tests.support.processes import ROOT, naq_top

LINES = {
    "naq job find": "",
    "naq job show": LATER,
    "naq job result": DONE,
    "naq job events": DONE,
    "naq dead show": DEAD,
    "naq dead retry": "--all --dry-run",
    "naq dead delete": "--all --dry-run",
    "naq schedule show": SCHEDULE,
    "naq schedule next": SCHEDULE,
    "naq schedule pause": "--all --dry-run",
    "naq schedule resume": "--all --state active --dry-run",
    "naq schedule cancel": "--all --dry-run",
    "naq schedule trigger": "--all --dry-run",
    "naq queue show": QUEUE,
    "naq queue purge": f"{QUEUE} --scheduled --waiting --dry-run",
    "naq worker show": WORKER,
    "naq worker events": f"{WORKER} --no-follow",
    "naq alerts test": "'queue_depth > 1'",
    "naq events stream": "--no-follow --tail 1000",
    "naq events history": DONE,
    "naq events workers": "--show-inactive",
    "naq events stats": "--by-queue --by-worker",
    "naq processor dead": PROCESSOR,
    "naq processor delete": f"{PROCESSOR} --all --dry-run",
    "naq processor remove": f"{PROCESSOR} --dry-run",
    "naq stream show": "{jobs}",
    "naq config check": "wrong.toml",
}
"""What a command is called with besides the format, where that is anything."""
DONE_TO = {
    "naq schedule trigger": SCHEDULE,
    "naq schedule pause": SCHEDULE,
    "naq schedule resume": SCHEDULE,
    "naq schedule cancel": f"{SCHEDULE} --yes",
    "naq queue purge": f"{QUEUE} --scheduled --yes",
    "naq dead retry": DEAD,
    "naq dead delete": "--queue nosuch --yes",
    "naq processor delete": f"{PROCESSOR} --all --yes",
    "naq processor remove": f"{PROCESSOR} --yes",
}
"""What is done, one after the other."""
CODES = {"naq config check": 2, "naq doctor": 5}
"""How those end that report what is wrong."""
SCHEMA = json.loads((ROOT / "docs" / "cli.schema.json").read_text(encoding="utf-8"))
RULES = '[alerts.depth]\nrule = "queue_depth > 3"\n'


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, which lets no other member pass: what is printed is to be described."""
    found = deepcopy(schema)
    for definition in found["$defs"].values():
        if "properties" in definition:
            definition["additionalProperties"] = False
    return found


STRICT = strict(SCHEMA)


def mistakes(name: str, document: object) -> list[str]:
    """What is not as the schema says of a command."""
    one = {"$ref": f"#/$defs/{name.replace(' ', '_')}", "$defs": STRICT["$defs"]}
    return [f"{name} {error.json_path}: {error.message}" for error in Draft202012Validator(one).iter_errors(document)]


def documents(name: str, text: str) -> Iterator[object]:
    """What was printed."""
    if PRINTED[name].form == "lines":
        yield from map(json.loads, text.splitlines())
    else:
        yield json.loads(text)


def test_the_published_schema_is_current() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    assert json_schema() == SCHEMA, "write it anew: make pages"


def test_no_command_that_prints_json_is_left_out() -> None:
    printing = {command.name for command in commands("naq") if command.has("--format")}

    assert printing | {"naq-top --once"} == set(PRINTED)


async def test_what_is_printed_is_as_the_schema_says(config: NAQConfig, tmp_path: Path) -> None:
    (tmp_path / "naq.toml").write_text(RULES, encoding="utf-8")
    (tmp_path / "wrong.toml").write_text("namespace = 5", encoding="utf-8")
    wrong: list[str] = []
    async with filled(config):
        for name in PRINTED:
            if name == "naq-top --once":
                continue
            arguments = [
                *name.split()[1:],
                *shlex.split(LINES.get(name, "").format(jobs=config.names.jobs_stream)),
                "--format",
                "json",
            ]
            finished = await called(*arguments, config=config, cwd=tmp_path)
            assert finished.code == CODES.get(name, 0), f"{name}: {finished.err}"
            found = list(documents(name, finished.out))
            assert found not in ([], [[]]), f"{name}: nothing is there, so nothing is checked"
            wrong += [mistake for one in found for mistake in mistakes(name, one)]
        snapshot = await naq_top("--once", "--format", "json", config=config)
    wrong += mistakes("naq-top --once", json.loads(snapshot.out))
    assert json.loads(snapshot.out)["alerts"][0]["alert"] == ALERT
    assert wrong == []


async def test_what_was_done_is_printed_as_the_schema_says(config: NAQConfig, tmp_path: Path) -> None:
    printed: dict[str, object] = {}
    async with filled(config):
        for name, arguments in DONE_TO.items():
            line = [*name.split()[1:], *arguments.split(), "--format", "json"]
            finished = await called(*line, config=config, cwd=tmp_path)
            assert finished.code == 0, f"{name}: {finished.err}"
            printed[name] = json.loads(finished.out)
    assert [mistake for name, document in printed.items() for mistake in mistakes(name, document)] == []
    assert printed["naq schedule pause"] == printed["naq schedule cancel"] == [SCHEDULE]
    assert (printed["naq dead retry"], printed["naq dead delete"]) == ([DEAD], [])
    assert (printed["naq queue purge"], printed["naq processor remove"]) == ({"jobs": 1}, [PROCESSOR])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"waiting": "1"}, "'1' is not of type 'integer'"),
        ({"mood": "good"}, "Additional properties are not allowed ('mood' was unexpected)"),
        ({"paused": ...}, "'paused' is a required property"),
    ],
    ids=str,
)
def test_what_is_printed_otherwise_is_found(change: dict[str, Any], complaint: str) -> None:
    queue = {
        **{"name": "mail", "paused": False, "waiting": 1, "running": 0, "redelivered": 0, "scheduled": 0},
        **{"depending": 0, "workers": ["anna"], "concurrency_limit": 0, "rate_limit": ""},
    }
    assert mistakes("naq queue list", [queue]) == []

    changed = {name: value for name, value in (queue | change).items() if value is not ...}

    assert complaint in " ".join(mistakes("naq queue list", [changed]))
