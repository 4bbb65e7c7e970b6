"""Where a job lies among others of its function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail
from naq_runtime.statistics.sketch import Sketch, nanoseconds
from naq_runtime.surroundings import Neighbours
from naq_tui.pages.blocks import Block, Stop
from naq_tui.pages.history import History
from naq_tui.pages.neighbours import neighbours, strip
from naq_tui.pages.phases import phases
from naq_tui.widgets.flow import width_of
from tests.tui.builders import NOW_NS, SECOND, job_event, stored

OWN = JobDetail(
    job_id="job-1",
    status=JobStatus.COMPLETED,
    events=stored(
        [
            job_event("enqueued", ago_s=6),
            job_event("started", ago_s=5, worker_id="w-1", wait_ms=1000.0),
            job_event("completed", ago_s=3, worker_id="w-1", duration_ms=2000.0),
        ]
    ),
)


def sketch(*durations_ms: float) -> Sketch:
    made = Sketch()
    for one in durations_ms:
        made.add(nanoseconds(one))
    return made


def shown(known: Neighbours, width: int = 100) -> Block:
    block = neighbours(History(OWN), phases(OWN, NOW_NS), known, width)
    assert block is not None
    return block


def lines(block: Block) -> list[str]:
    return ["".join(piece for piece, _ in line.spans).rstrip() for line in block.lines]


HOUR = Neighbours(
    function_name="shop.mail.send",
    since_ns=NOW_NS - 3600 * SECOND,
    until_ns=NOW_NS,
    completed=97,
    failed=3,
    run=sketch(*(float(number * 100) for number in range(1, 101))),
    wait=sketch(*(float(number) for number in range(1, 101))),
)


def test_counts_and_the_share_that_failed() -> None:
    assert lines(shown(HOUR))[0] == "  runs    ✓ 97  ✗ 3  3.0 % failed"
    assert shown(HOUR).about == "send in the last 1 h 00 m"


def test_percentiles_and_where_this_one_lies() -> None:
    ran, waited = (line for line in lines(shown(HOUR)) if "p50" in line)

    assert ran.startswith("  ran     p50 ")
    assert ran.endswith("▲ 2.00 s  faster than 80 %")
    assert waited.endswith("▲ 1.00 s  longer than 100 %")


def test_of_few_runs_no_share_is_told() -> None:
    few = replace(HOUR, run=sketch(1000.0, 2000.0), wait=sketch(1.0))

    assert "than" not in "\n".join(lines(shown(few)))


def test_where_there_is_little_room_this_one_has_a_line_of_its_own() -> None:
    shown_lines = lines(shown(HOUR, 56))

    assert shown_lines[1].startswith("  ran     p50 ")
    assert shown_lines[1].endswith("max 10.00 s")
    assert shown_lines[2] == "          ▲ 2.00 s  faster than 80 %"


def test_the_mark_stands_below_its_bar() -> None:
    bars, mark = (line.spans for line in strip(sketch(*([10.0] * 9), 1000.0), 1000.0, (10.0, 10.0), 80))
    text, below = ("".join(piece for piece, _ in spans) for spans in (bars, mark))

    assert text[below.index("▲")] != "·"
    assert text.index("█") < below.index("▲")


def test_the_latest_runs_can_be_opened() -> None:
    runs = stored([job_event("failed", "other", ago_s=9, duration_ms=5.0, error_type="OSError", worker_id="w-2")])
    block = shown(Neighbours(function_name="shop.f", since_ns=0, until_ns=0, runs=runs))

    assert list(block.stops.values()) == [Stop("job", "other")]
    assert "✗ failed" in lines(block)[next(iter(block.stops))]


def test_without_any_there_is_no_section() -> None:
    known = Neighbours(function_name="shop.f", since_ns=NOW_NS - SECOND, until_ns=NOW_NS)

    assert neighbours(History(OWN), phases(OWN, NOW_NS), known, 100) is None


@given(
    st.lists(st.floats(0, 1e9), min_size=1, max_size=50),
    st.none() | st.floats(0, 1e12),
    st.integers(40, 200),
)
def test_whatever_durations_there_are_the_strip_fits(durations: list[float], own: float | None, width: int) -> None:
    for line in strip(sketch(*durations), own, (1.0, 2.0), width):
        assert width_of(line.spans) <= max(width, 60)


@pytest.mark.parametrize(("own", "share"), [(0.5, 0.0), (50.0, 0.495), (1e6, 1.0)])
def test_a_share_is_of_those_that_were_shorter(own: float, share: float) -> None:
    durations = sketch(*(float(number) for number in range(1, 101)))

    assert durations.share_below(own) == pytest.approx(share, abs=0.011)


def test_what_lies_between_edges_is_counted_once() -> None:
    assert sketch(1.0, 2.0, 3.0, 30.0, 400.0).counts_between([0.0, 10.0, 100.0]) == [3, 1]
