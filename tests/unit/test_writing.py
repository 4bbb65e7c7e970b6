"""Files of rows: whole or not at all, and harmless to whatever opens them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_tui.writing import CannotWrite, FileExists, Record, write_records

CONTROLS = set(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E)))


@given(text=st.text(max_size=40))
def test_no_cell_is_a_formula_or_has_a_second_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    write_records(path, [{"text": text}])

    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    (cell,) = rows[1] if rows[1] else [""]
    assert len(path.read_text().splitlines()) <= 2
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert not set(cell) & CONTROLS


@given(text=st.text(max_size=40))
def test_a_line_of_json_says_what_was_meant(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("json") / "rows.jsonl"
    write_records(path, [{"text": text}])

    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {"text": text}
    assert line.isascii()
    assert line.isprintable()


def test_numbers_stay_numbers_in_a_csv_and_columns_are_those_of_all_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"

    assert write_records(path, [{"a": -1.5}, {"b": ["x", "y"], "a": None}]) == 2
    assert path.read_text() == 'a,b\n-1.5,\n,"[""x"", ""y""]"\n'


def test_what_cannot_be_written_as_a_whole_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken() -> Iterator[Record]:
        yield {"a": 1}
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotWrite, match="No space left"):
        write_records(tmp_path / "rows.jsonl", broken())

    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_when_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("precious")

    with pytest.raises(FileExists):
        write_records(path, [{"a": 1}])
    assert path.read_text() == "precious"
    write_records(path, [{"a": 1}], replace=True)
    assert path.read_text() == '{"a": 1}\n'


def test_one_that_somebody_makes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"

    def racing() -> Iterator[Record]:
        path.write_text("theirs")
        yield {"a": 1}

    with pytest.raises(FileExists):
        write_records(path, racing())
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    plain, path = tmp_path / "plain", tmp_path / "rows.csv"
    plain.touch()
    write_records(path, [{"a": 1}])

    assert path.stat().st_mode == plain.stat().st_mode
