"""What ``docs/schedules.md`` says of clocks that are moved is true, row by row."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from naq_runtime.timetable import Cron, check_cron, coming
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| (\w+/\w+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
ROWS = [(cron, zone, due.split(", ")) for cron, zone, due in ROW.findall(PAGE)]
SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(("cron", "zone", "due"), ROWS)
def test_a_row_of_the_table_of_clock_changes_is_true(cron: str, zone: str, due: list[str]) -> None:
    check_cron(cron)
    just_before_ns = int(datetime.fromisoformat(due[0]).timestamp()) * SECOND_NS - 1

    found = list(islice(coming(Cron(cron, zone), just_before_ns), len(due)))

    said = [datetime.fromtimestamp(moment // SECOND_NS, ZoneInfo(zone)).isoformat(" ", "minutes") for moment in found]
    assert said == due


def test_the_table_of_clock_changes_is_found() -> None:
    assert len(ROWS) >= 15
