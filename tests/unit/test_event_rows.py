"""The table of what works names tests and benchmarks that are there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.processes import ROOT

_PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
ROWS: dict[str, str] = dict(re.findall(r"^\| (R\d+b?) \|[^|]*\| (.*) \|$", _PAGE, re.MULTILINE))
WANTED = [*(f"R{number}" for number in range(1, 66) if number != 64), "R55b"]


def test_every_row_is_there_once() -> None:
    assert sorted(ROWS) == sorted(WANTED)
    assert _PAGE.count("| R") == len(ROWS)


@pytest.mark.parametrize("row", WANTED)
def test_a_row_names_tests_that_exist_or_says_that_it_does_not_work_yet(row: str) -> None:
    shown = ROWS[row]
    named = re.findall(r"`([a-z]+/test_\w+\.py)(?:::(test_\w+))?`", shown)
    measured = re.findall(r"`(benchmarks/\w+\.py)`", shown)

    assert bool(named or measured) != shown.startswith("*not yet*")
    assert all((ROOT / path).is_file() for path in measured)
    for file, test in named:
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not test or test in there, f"{file} has no {test}"
