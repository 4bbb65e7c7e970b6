"""Pictures of the whole screen, frozen in time and size; what matters in them is asserted as text elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_runtime.snapshot import Snapshot
from naq_tui.app import NaqTop
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.sources.recorded import RecordedSource
from tests.tui.builders import SECOND, alerts, batch, snapshot
from tests.tui.harness import make_app
from tests.tui.recording import END_NS, IMPORT_JOB, TROUBLED_JOB, Recording, shop

Compare = Callable[..., bool]
SIZES = ((60, 20), (80, 24), (120, 40))


@cache
def recording() -> Recording:
    return shop(150)


async def settle(pilot: Pilot[None], source: RecordedSource) -> None:
    app = pilot.app
    assert isinstance(app, NaqTop)
    await pilot.pause()
    await source.taken()
    app.advance()
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
def test_busy(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches())
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: settle(pilot, source))


@pytest.mark.parametrize("size", SIZES)
def test_filter(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches())
    clock = ManualClock(END_NS)

    async def type_it(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await pilot.press("slash", *"type:failed queue:")
        await settle(pilot, source)

    assert snap_compare(make_app(source, clock), terminal_size=size, run_before=type_it)


@pytest.mark.parametrize("size", SIZES)
def test_empty(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource([batch(snapshot=snapshot())])
    app = make_app(source)

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: settle(pilot, source))


@pytest.mark.parametrize("size", SIZES)
def test_disconnected(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches())
    clock = ManualClock(END_NS)

    async def lose(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        clock.advance(12)
        lost = Link(ConnectionState.RECONNECTING, END_NS + SECOND, "connection refused")
        source.feed(Batch(lost))
        await settle(pilot, source)

    assert snap_compare(make_app(source, clock), terminal_size=size, run_before=lose)


def alarmed() -> RecordedSource:
    """A source in which alerts fire."""
    *batches, last = recording().batches()
    assert last.snapshot is not None
    return RecordedSource([*batches, Batch(last.link, last.events, snapshot=with_alerts(last.snapshot))])


def with_alerts(known: Snapshot) -> Snapshot:
    return msgspec.structs.replace(known, alerts=alerts(END_NS))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [(), ("a",)], ids=["strip", "page"])
def test_alerts(snap_compare: Compare, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    source = alarmed()

    async def look(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        for key in keys:
            await pilot.press(key)
            await settle(pilot, source)

    assert snap_compare(make_app(source, ManualClock(END_NS)), terminal_size=size, run_before=look)


def scheduled(**instead: Any) -> RecordedSource:
    """A source with the schedules of the shop."""
    known = recording().schedules
    given: dict[str, Any] = {"schedules": known.schedules, "leader": known.leader, "details": known.details()}
    return RecordedSource(recording().batches(), **(given | instead))


async def look_at_schedules(pilot: Pilot[None], source: RecordedSource, *keys: str) -> None:
    await settle(pilot, source)
    for key in ("6", *keys):
        await pilot.press(key)
        await settle(pilot, source)
        await settle(pilot, source)


@pytest.mark.parametrize("size", SIZES)
def test_schedules(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = scheduled()
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look_at_schedules(pilot, source))


@pytest.mark.parametrize("size", SIZES)
def test_no_schedules(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = scheduled(schedules=())
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look_at_schedules(pilot, source))


@pytest.mark.parametrize("size", SIZES)
def test_schedules_without_a_leader(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = scheduled(leader=msgspec.structs.replace(recording().schedules.leader, silent_s=41.0))
    clock = ManualClock(END_NS)

    async def wait(pilot: Pilot[None]) -> None:
        await look_at_schedules(pilot, source)
        clock.advance(41)
        await settle(pilot, source)

    assert snap_compare(make_app(source, clock), terminal_size=size, run_before=wait)


@pytest.mark.parametrize("size", SIZES)
def test_schedules_disconnected(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = scheduled()
    clock = ManualClock(END_NS)

    async def lose(pilot: Pilot[None]) -> None:
        await look_at_schedules(pilot, source)
        clock.advance(12)
        source.feed(Batch(Link(ConnectionState.RECONNECTING, END_NS + SECOND, "connection refused")))
        await settle(pilot, source)

    assert snap_compare(make_app(source, clock), terminal_size=size, run_before=lose)


@pytest.mark.parametrize("size", SIZES)
def test_schedule(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = scheduled()
    app = make_app(source, ManualClock(END_NS))

    async def drill_down(pilot: Pilot[None]) -> None:
        await look_at_schedules(pilot, source, "j", "enter")

    assert snap_compare(app, terminal_size=size, run_before=drill_down)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("job_id", [TROUBLED_JOB, IMPORT_JOB], ids=["failed", "running"])
def test_job(snap_compare: Compare, job_id: str, size: tuple[int, int]) -> None:
    source = RecordedSource(recording().batches(), jobs=recording().jobs)

    async def drill_down(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await pilot.press("slash", *job_id[:4], "enter", "enter")
        await settle(pilot, source)

    assert snap_compare(make_app(source, ManualClock(END_NS)), terminal_size=size, run_before=drill_down)


@pytest.mark.parametrize("size", SIZES)
def test_job_below(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The log, what it depends on, and the events."""
    source = RecordedSource(recording().batches(), jobs=recording().jobs)

    async def scroll(pilot: Pilot[None]) -> None:
        await settle(pilot, source)
        await pilot.press("slash", *IMPORT_JOB[:4], "enter", "enter")
        await settle(pilot, source)
        await pilot.press("pagedown")
        await settle(pilot, source)

    assert snap_compare(make_app(source, ManualClock(END_NS)), terminal_size=size, run_before=scroll)
