"""Pictures of the question before something is done, of the report after it, and of one alert."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_runtime.errors import NotFound
from naq_tui.acts import Act, ActKind
from naq_tui.app import NaqTop
from naq_tui.screens.view import View
from naq_tui.sources.recorded import RecordedSource
from tests.tui.deeds import Deeds
from tests.tui.harness import make_app
from tests.tui.recording import END_NS
from tests.tui.test_snapshots import SIZES, Compare, alarmed, recording, settle

Look = Callable[[Pilot[None]], Awaitable[None]]

IDS = tuple(f"{number:04d}k9x2abq0e7d5c1m8t4" for number in range(1_204))
JOBS = Act(
    ActKind.RETRY, "job", IDS, of="queue:mail error:Timeout", about=dict.fromkeys(IDS, "shop.mail.send_receipt in mail")
)


def acting(source: RecordedSource) -> tuple[NaqTop, Deeds]:
    source.actions = deeds = Deeds()
    return make_app(source, ManualClock(END_NS)), deeds


async def press(pilot: Pilot[None], source: RecordedSource, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot, source)


def asking_for(act: Act, app: NaqTop) -> None:
    """Have the view on top ask for this."""
    view = app.screen
    assert isinstance(view, View)
    view.act = lambda kind: act if kind is act.kind else None  # type: ignore[method-assign]


@pytest.mark.parametrize("size", SIZES)
def test_question(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches())
    app, _ = acting(source)

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await press(pilot, source, "tab", "space", "space", "P")

    assert snap_compare(app, terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_question_before_what_is_final(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches())
    app, _ = acting(source)

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await press(pilot, source, "tab", "D")

    assert snap_compare(app, terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_many(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches())
    app, _ = acting(source)

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        asking_for(JOBS, app)
        await press(pilot, source, "R")

    assert snap_compare(app, terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_report(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches())
    app, deeds = acting(source)
    deeds.failing = {job: NotFound(f"there is no dead letter of job {job}") for job in IDS[3:12]}

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        asking_for(JOBS, app)
        await press(pilot, source, "R", "y")

    assert snap_compare(app, terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_one_alert(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = alarmed()
    app, _ = acting(source)

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await press(pilot, source, "a", "j", "enter")

    assert snap_compare(app, terminal_size=size, run_before=look)
