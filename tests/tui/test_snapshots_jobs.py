"""Pictures of the jobs and of why they fail; what matters in them is asserted as text elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_runtime.events.models import JobEvent, StoredEvent
from naq_tui.app import NaqTop
from naq_tui.source import Batch
from naq_tui.sources.recorded import RecordedSource
from tests.tui.harness import make_app
from tests.tui.recording import END_NS, Recording, shop

Compare = Callable[..., bool]
SIZES = ((60, 20), (80, 24), (120, 40))


@cache
def recording() -> Recording:
    return shop(150)


@cache
def batches() -> tuple[Batch, ...]:
    """What was recorded, with the function in each event of a job that failed, as workers tell it."""
    functions = {
        one.event.job_id: one.event.function_name
        for one in recording().events
        if isinstance(one.event, JobEvent) and one.event.function_name
    }

    def told(stored: StoredEvent) -> StoredEvent:
        event = stored.event
        if not isinstance(event, JobEvent) or event.event_type != "failed":
            return stored
        return replace(stored, event=replace(event, function_name=functions.get(event.job_id)))

    return tuple(Batch(one.link, [*map(told, one.events)], snapshot=one.snapshot) for one in recording().batches())


def looking(*keys: Sequence[str]) -> tuple[NaqTop, Callable[[Pilot[None]], object]]:
    """The application, and what is pressed in it, bit by bit."""
    source = RecordedSource(batches())
    app = make_app(source, ManualClock(END_NS))

    async def settle(pilot: Pilot[None]) -> None:
        for _ in range(3):
            await pilot.pause()
            app.advance()
            await pilot.pause()

    async def press(pilot: Pilot[None]) -> None:
        await pilot.pause()
        await source.taken()
        await settle(pilot)
        for some in keys:
            await pilot.press(*some)
            await settle(pilot)

    return app, press


@pytest.mark.parametrize("size", SIZES)
def test_jobs(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, press = looking(["3"], ["j", "j", "space", "space"])

    assert snap_compare(app, terminal_size=size, run_before=press)


@pytest.mark.parametrize("size", SIZES)
def test_found(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, press = looking(["3"], ["slash", *"state:failed,scheduled", "enter"])

    assert snap_compare(app, terminal_size=size, run_before=press)


@pytest.mark.parametrize("size", SIZES)
def test_typing(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, press = looking(["3"], ["slash", *"state:"])

    assert snap_compare(app, terminal_size=size, run_before=press)


@pytest.mark.parametrize("size", SIZES)
def test_failures(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, press = looking(["3"], ["F"], ["less_than_sign"])

    assert snap_compare(app, terminal_size=size, run_before=press)


@pytest.mark.parametrize("size", SIZES)
def test_of_a_group(snap_compare: Compare, size: tuple[int, int]) -> None:
    app, press = looking(["3"], ["F"], ["enter"], ["asterisk"])

    assert snap_compare(app, terminal_size=size, run_before=press)
