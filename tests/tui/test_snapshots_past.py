"""Pictures of the past."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_tui.app import NaqTop
from naq_tui.sources.recorded import RecordedSource
from naq_tui.sources.recorded_past import MemoryRecording
from tests.support.waiting import eventually
from tests.tui import builders
from tests.tui.harness import make_app
from tests.tui.recording import END_NS, Recording, shop
from tests.tui.test_snapshots import SIZES, settle

Compare = Callable[..., bool]


@cache
def recording() -> Recording:
    return shop(150)


def past_app() -> tuple[NaqTop, RecordedSource]:
    """The shop, whose log is kept."""
    batches = list(recording().batches())
    source = RecordedSource(batches)
    events = [stored for batch in batches for stored in batch.events]
    source.past = MemoryRecording(events, server=builders.server(), until_ns=END_NS)
    return make_app(source, ManualClock(END_NS)), source


async def go_back(pilot: Pilot[None], source: RecordedSource, app: NaqTop) -> None:
    await settle(pilot, source)
    await pilot.press("t", *"1m", "enter")
    await eventually(lambda: app.travel.in_past)
    await pilot.press("p")
    playback = app.travel.playback
    assert playback is not None
    app.advance()
    await eventually(lambda: playback._is_filled and not app.travel.lacks_density)
    await settle(pilot, source)


@pytest.mark.parametrize("size", SIZES)
def test_past(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, source = past_app()

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: go_back(pilot, source, app))


@pytest.mark.parametrize("size", SIZES)
def test_moment(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, source = past_app()

    async def type_it(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await pilot.press("t", *"yesterday", "enter")
        await eventually(lambda: "expected" in "".join(s.text for s in app.screen._compositor.render_strips()))
        await settle(pilot, source)

    assert snap_compare(app, terminal_size=size, run_before=type_it)
