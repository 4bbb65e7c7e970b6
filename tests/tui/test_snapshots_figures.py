"""Pictures of the statistics and of the server, frozen in time and size; what matters is asserted as text elsewhere."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_runtime.statistics.trends import EventTrends
from naq_tui.app import NaqTop
from naq_tui.sources.recorded import RecordedSource
from tests.tui.builders import batch, snapshot
from tests.tui.figures import consumers, detail, trends
from tests.tui.harness import answered, make_app
from tests.tui.recording import END_NS
from tests.tui.test_snapshots import SIZES, Compare, recording, settle


def informed(told: EventTrends | None = None) -> RecordedSource:
    """The shop, with statistics and a server."""
    source = RecordedSource(recording().batches())
    source.questions.trends = told
    source.questions.server_detail = detail(END_NS)
    source.questions.consumers_of = {"NAQ_JOBS": consumers()}
    return source


async def look(pilot: Pilot[None], source: RecordedSource, *keys: str) -> None:
    await settle(pilot, source)
    for key in keys:
        await pilot.press(key)
        for _ in range(3):
            await settle(pilot, source)
            assert isinstance(pilot.app, NaqTop)
            await answered(pilot.app)
        await settle(pilot, source)


@pytest.mark.parametrize("size", SIZES)
def test_statistics(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = informed()
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look(pilot, source, "7"))


@pytest.mark.parametrize("size", SIZES)
def test_statistics_of_a_day(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = informed(trends(END_NS, 86_400, "function"))
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(
        app,
        terminal_size=size,
        run_before=lambda pilot: look(pilot, source, "7", "tab", "greater_than_sign", "greater_than_sign"),
    )


def test_histogram(snap_compare: Compare) -> None:
    source = informed(trends(END_NS, 3600))
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(
        app, terminal_size=(80, 24), run_before=lambda pilot: look(pilot, source, "7", "greater_than_sign", "h")
    )


@pytest.mark.parametrize("size", SIZES)
def test_no_statistics(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource([batch(snapshot=snapshot())])
    app = make_app(source)

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look(pilot, source, "7"))


@pytest.mark.parametrize("size", SIZES)
def test_server(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = informed()
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look(pilot, source, "8"))


@pytest.mark.parametrize("size", SIZES)
def test_consumers(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = informed()
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look(pilot, source, "8", "G", "tab"))
