"""Pictures of the views of events, queues and workers, frozen in time and size."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_tui.app import NaqTop
from naq_tui.sources.recorded import RecordedSource
from tests.support.waiting import eventually
from tests.tui.harness import make_app
from tests.tui.recording import BACKLOGS, END_NS, Recording, shop

Compare = Callable[..., bool]
SIZES = ((60, 20), (80, 24), (120, 40))


@cache
def recording() -> Recording:
    return shop(150)


async def look(pilot: Pilot[None], source: RecordedSource, keys: tuple[str, ...]) -> None:
    app = pilot.app
    assert isinstance(app, NaqTop)
    for key in ("", *keys):
        if key:
            await pilot.press(key)
        for _ in range(2):
            await pilot.pause()
            await source.taken()
            app.advance()
            await pilot.pause()
    await eventually(lambda: not any(worker.name == "rows" and worker.is_running for worker in app.workers))
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "keys",
    [("2", "k"), ("4", "j", "j"), ("5", "j"), ("5", "enter"), ("4", "w")],
    ids=["events", "queues", "workers", "worker", "write"],
)
def test_view(snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    source = RecordedSource(recording().batches(), jobs=recording().jobs)
    source.questions.backlog = BACKLOGS

    app = make_app(source, ManualClock(END_NS))
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look(pilot, source, keys))


@pytest.mark.parametrize("keys", [("2", "k"), ("4", "d")], ids=["events", "queues"])
@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_view_with_details_turned(snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    source = RecordedSource(recording().batches())
    source.questions.backlog = BACKLOGS
    keys = (*keys, "d") if size[0] < 100 and "d" not in keys else keys

    app = make_app(source, ManualClock(END_NS))
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look(pilot, source, keys))
