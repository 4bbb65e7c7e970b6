"""Pictures of each view and page in each state: large, empty, without the server, in the past, in other looks.

How they look on small screens is in the modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_tui.app import NaqTop
from naq_tui.look import LOOKS, Look
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.sources.recorded import RecordedSource
from tests.support.waiting import eventually
from tests.tui.builders import batch, snapshot
from tests.tui.harness import answered, make_app
from tests.tui.recording import END_NS, TROUBLED_JOB
from tests.tui.showroom import showroom

Compare = Callable[..., bool]
VIEWS = {
    "overview": (),
    "events": ("2",),
    "jobs": ("3",),
    "failures": ("3", "F"),
    "queues": ("4",),
    "workers": ("5",),
    "schedules": ("6",),
    "statistics": ("7",),
    "server": ("8",),
    "alerts": ("a",),
}
JOB = ("slash", *TROUBLED_JOB[:5], "enter", "enter")
OF_THE_PAST = VIEWS | {"job": JOB, "queue": ("4", "j", "tab"), "worker": ("5", "enter"), "schedule": ("6", "enter")}
PLACES = OF_THE_PAST | {
    "alert": ("a", "j", "enter"),
    "help": ("question_mark",),
    "question": ("4", "D"),
    "columns": ("4", "o"),
}
SMALL = {"queue": ("4", "j", "d", "tab"), "help": PLACES["help"]}
each_view = pytest.mark.parametrize("keys", VIEWS.values(), ids=VIEWS)
each = pytest.mark.parametrize("keys", PLACES.values(), ids=PLACES)
USUAL, LARGE = (120, 40), (200, 60)
_SECONDS = 150


async def look(pilot: Pilot[None], source: RecordedSource, *keys: str) -> None:
    """Press keys; after each, what has changed is painted."""
    app = pilot.app
    assert isinstance(app, NaqTop)
    for key in ("", *keys):
        if key:
            await pilot.press(key)
        for _ in range(4):
            await answered(app)
            await pilot.pause()
            await source.taken()
            app.advance()
            await pilot.pause()


@each
def test_full_on_a_large_screen(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    source = showroom(_SECONDS, alarmed=True)
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(app, terminal_size=LARGE, run_before=lambda pilot: look(pilot, source, *keys))


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
@pytest.mark.parametrize("keys", SMALL.values(), ids=SMALL)
def test_on_a_small_screen(snap_compare: Compare, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    source = showroom(_SECONDS, alarmed=True)
    app = make_app(source, ManualClock(END_NS))

    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: look(pilot, source, *keys))


@each_view
def test_empty(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    source = RecordedSource([batch(snapshot=snapshot())])
    app = make_app(source)

    assert snap_compare(app, terminal_size=USUAL, run_before=lambda pilot: look(pilot, source, *keys))


@each
def test_without_the_server(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    source, clock = showroom(_SECONDS, alarmed=True), ManualClock(END_NS)

    async def lose(pilot: Pilot[None]) -> None:
        await look(pilot, source, *keys)
        source.feed(Batch(Link(ConnectionState.RECONNECTING, END_NS, "connection refused")))
        clock.advance(12)
        await look(pilot, source)

    assert snap_compare(make_app(source, clock), terminal_size=USUAL, run_before=lose)


@each_view
def test_before_there_ever_was_a_server(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    source = RecordedSource([Batch(Link(ConnectionState.RECONNECTING, END_NS, "connection refused"))])

    app = make_app(source, ManualClock(END_NS))
    assert snap_compare(app, terminal_size=USUAL, run_before=lambda pilot: look(pilot, source, *keys))


@pytest.mark.parametrize("keys", OF_THE_PAST.values(), ids=OF_THE_PAST)
def test_in_the_past(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    source = showroom(_SECONDS)
    app = make_app(source, ManualClock(END_NS))

    async def go_back(pilot: Pilot[None]) -> None:
        await look(pilot, source, "t", *"-1m", "enter")
        await eventually(lambda: app.travel.in_past)
        await pilot.press("p")
        playback = app.travel.playback
        assert playback is not None
        app.advance()
        await eventually(lambda: playback._is_filled and not app.travel.lacks_density)
        await look(pilot, source, *keys)

    assert snap_compare(app, terminal_size=USUAL, run_before=go_back)


@each
@pytest.mark.parametrize("shown_as", [Look(LOOKS["day"]), Look(ascii=True)], ids=["day", "ascii"])
def test_in_another_look(snap_compare: Compare, shown_as: Look, keys: tuple[str, ...]) -> None:
    source = showroom(_SECONDS, alarmed=True)
    app = make_app(source, ManualClock(END_NS), look=shown_as)

    assert snap_compare(app, terminal_size=USUAL, run_before=lambda pilot: look(pilot, source, *keys))
