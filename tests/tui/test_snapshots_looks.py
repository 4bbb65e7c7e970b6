"""Pictures of the overview in every look, and of the columns while they are chosen."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_tui.look import LOOKS, Look
from naq_tui.sources.recorded import RecordedSource
from tests.tui.harness import make_app
from tests.tui.recording import END_NS
from tests.tui.test_snapshots import SIZES, Compare, recording, settle

SEEN = {
    "day": Look(LOOKS["day"]),
    "distinct": Look(LOOKS["distinct"]),
    "ansi": Look(LOOKS["ansi"]),
    "no-color": Look(LOOKS["plain"], colours=False),
    "ascii": Look(ascii=True),
}


@pytest.mark.parametrize("look", SEEN.values(), ids=SEEN)
def test_looks(snap_compare: Compare, look: Look) -> None:
    source = RecordedSource(recording().batches())

    async def go_to_the_queues(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await pilot.press("tab", "down")
        await settle(pilot, source)

    app = make_app(source, ManualClock(END_NS), look=look)

    assert snap_compare(app, terminal_size=(80, 24), run_before=go_to_the_queues)


@pytest.mark.parametrize("size", SIZES)
def test_columns(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches())

    async def choose(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await pilot.press("tab", "o", "down", "space", "down", "K")
        await settle(pilot, source)

    assert snap_compare(make_app(source, ManualClock(END_NS)), terminal_size=size, run_before=choose)
