"""Charts, sparklines, gauges and columns, as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_tui.model.sketch import STEP_S
from naq_tui.model.tally import Latency, Quantiles
from naq_tui.state import Throughput
from naq_tui.text import inert
from naq_tui.widgets.braille import area
from naq_tui.widgets.chart import axis, ceiling, latency_picture, picture
from naq_tui.widgets.columns import GAP, Column, arrange, cell_spans
from naq_tui.widgets.flow import Item, flow, justified, width_of
from naq_tui.widgets.line import Line
from naq_tui.widgets.marks import gauge, sparkline


def text(line: Line) -> str:
    return "".join(piece for piece, _ in line.spans)


def joined(spans: list[tuple[str, str]]) -> str:
    return "".join(piece for piece, _ in spans)


def throughput(completed: list[int], failed: list[int] | None = None) -> Throughput:
    return Throughput(1000, [0] * len(completed), completed, failed or [0] * len(completed))


def test_an_area_stands_on_its_lower_edge() -> None:
    assert area([1, 2, 3, 4], 1, 4) == ["⣠⣾"]


def test_an_area_hangs_from_its_upper_edge() -> None:
    assert area([1, 2, 3, 4], 1, 4, hanging=True) == ["⠙⢿"]


def test_a_large_area_fills_rows_from_below() -> None:
    assert area([8, 8, 4, 4], 2, 8) == ["⣿⠀", "⣿⣿"]


def test_the_smallest_value_is_visible_beside_the_largest() -> None:
    assert area([1, 1000], 1, 1000) == ["⣸"]


def test_the_chart_is_as_wide_as_asked_and_says_its_scale() -> None:
    lines = picture(throughput([30] * 600, [1] * 600), 60, 10)

    assert len(lines) == 10
    assert {len(text(line)) for line in lines} == {59}
    assert text(lines[0]).startswith("    30 ")
    assert text(lines[-1]).startswith("     1 ")
    assert text(lines[7]).endswith("now")


def test_a_short_history_leaves_the_past_blank() -> None:
    lines = picture(throughput([0] * 596 + [9, 9, 9, 9]), 60, 8)

    assert text(lines[1]).endswith("⠀⠀⣿⣿")


def latency(waits: list[float | None], runs: list[float | None]) -> Latency:
    """By steps of ten seconds up to second 1000; the p95 is twice the p50."""
    wait, run = ([None if one is None else Quantiles(one, 2 * one) for one in series] for series in (waits, runs))
    return Latency(1000 - STEP_S * len(waits), wait, run)


def test_waits_and_runs_stand_under_the_seconds_in_which_they_were() -> None:
    lines = latency_picture(latency([None, 20.0], [250.0, None]), 1000, 18, 4)

    assert [text(line) for line in lines] == [
        " 40 ms ⠀⠀⠀⠀⠀⢕⢕⢕⢕⢕",
        "  wait ⠀⠀⠀⠀⠀⣿⣿⣿⣿⣿",
        "500 ms ⢕⢕⢕⢕⢕⠀⠀⠀⠀⠀",
        "   run ⣿⣿⣿⣿⣿⠀⠀⠀⠀⠀",
    ]


@pytest.mark.parametrize(("height", "names"), [(1, []), (3, ["wait"]), (4, ["wait", "run"])])
def test_where_there_is_little_room_fewer_durations_are_shown(height: int, names: list[str]) -> None:
    lines = latency_picture(latency([20.0], [30.0]), 1000, 40, height)

    assert [text(line).split()[0] for line in lines[1::2]] == names


def test_without_durations_the_throughput_has_all_the_room() -> None:
    assert latency_picture(latency([None], [None]), 1000, 40, 20) == ()


def test_a_chart_wider_than_the_history_keeps_now_at_the_right() -> None:
    lines = picture(throughput([5] * 600), 400, 8)

    assert {len(text(line)) for line in lines} == {399}


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1, 1), (7, 8), (11, 20), (450, 500), (801, 1000)])
def test_scales_are_round(value: int, top: int) -> None:
    assert ceiling(value) == top


def test_the_axis_names_seconds_and_minutes() -> None:
    assert axis(32) == "──60 s───────────30 s────────now"
    assert "2 min" in axis(120)


def test_a_sparkline_keeps_its_width_and_shows_the_highest() -> None:
    spans = sparkline([0] * 30 + [5] * 30, 8)

    assert joined(list(spans)) == "▁▁▁▁▇▇▇▇"
    assert [tone for _, tone in spans] == ["faint", "bar"]


@pytest.mark.parametrize(("value", "lit"), [(0, 0), (1, 2), (4, 5), (8, 10), (99, 10)])
def test_a_gauge_is_lit_by_its_share(value: int, lit: int) -> None:
    assert len(gauge(value, 8, 10)[0][0]) == lit


def test_a_gauge_without_a_limit_is_dark() -> None:
    assert joined(list(gauge(3, 0, 4))) == "────"


def test_a_gauge_is_read_without_colours_too() -> None:
    assert joined(list(gauge(2, 4, 6))) == "━━━───"


COLUMNS: list[Column[str]] = [
    Column("name", 6, lambda row, _: [(row, "text")], align="left", rank=0, most=10),
    Column("vital", 5, lambda row, _: [("1,234", "text")], rank=1),
    Column("extra", 5, lambda row, _: [("9", "text")], rank=2),
]


def test_the_least_important_column_goes_first() -> None:
    titles = [[column.title for column, _ in arrange(COLUMNS, width)] for width in (30, 19, 12, 6)]

    assert titles == [["name", "vital", "extra"], ["name", "vital"], ["name"], ["name"]]


@given(st.integers(6, 200))
def test_the_columns_never_need_more_than_there_is(width: int) -> None:
    widths = [width for _, width in arrange(COLUMNS, width)]

    assert sum(widths) + GAP * (len(widths) - 1) <= width


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4), st.integers(1, 30))
def test_a_cell_is_exactly_as_wide_as_its_column(pieces: list[str], width: int) -> None:
    spans = cell_spans([(inert(piece), "text") for piece in pieces], width, "right")

    assert width_of(spans) == width


ITEMS = [Item((("important", "text"),), 1), Item((("nice", "text"),), 5), Item((("needed", "text"),), 0)]


def test_items_give_way_by_rank_and_never_in_part() -> None:
    shown = [[item.spans[0][0] for item in flow(ITEMS, width, 1)] for width in (21, 20, 10)]

    assert shown == [["important", "nice", "needed"], ["important", "needed"], ["needed"]]


@given(st.integers(10, 80))
def test_a_justified_line_is_exactly_as_wide_as_asked(width: int) -> None:
    assert width_of(justified(ITEMS[:2], ITEMS[2:], width)) == width
