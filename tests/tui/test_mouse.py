"""The mouse in every table: headings sort, rows are chosen and opened, the wheel scrolls, the footer presses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_tui.app import NaqTop
from naq_tui.screens.help import Help
from naq_tui.screens.jobs import Jobs
from naq_tui.widgets.moves import WHEEL_LINES, Scrolling
from naq_tui.widgets.table import Table
from tests.tui.builders import batch, queue, snapshot
from tests.tui.harness import Watched, make_app, watching
from tests.tui.recording import END_NS
from tests.tui.showroom import showroom
from tests.tui.test_jobs import settled
from tests.tui.test_snapshots_states import look

TABLES = {
    "queues pane": ((), "#queues"),
    "workers pane": ((), "#workers"),
    "jobs": (("3",), "#found"),
    "failures": (("3", "F"), "#reasons"),
    "queues": (("4",), "#table"),
    "workers": (("5",), "#table"),
    "schedules": (("6",), "#table"),
    "statistics": (("7",), "#table"),
    "streams": (("8",), "#streams"),
    "consumers": (("8", "end", "tab"), "#consumers"),
    "alerts": (("a",), "#table"),
}
each = pytest.mark.parametrize(("keys", "selector"), TABLES.values(), ids=TABLES)


class Shown:
    """A table on the screen, and a hand on the mouse."""

    def __init__(self, app: NaqTop, pilot: Pilot[None], selector: str) -> None:
        self.app, self.pilot, self.selector = app, pilot, selector
        self.screen = app.screen

    @property
    def table(self) -> Table[Any]:
        return self.screen.query_one(self.selector, Table)

    async def click_row(self, position: int, times: int = 1) -> None:
        """On the row at this place of the window."""
        await self.pilot.click(self.table, offset=(5, 2 + position), times=times)
        await self.pilot.pause()

    async def click_heading(self, title: str) -> None:
        heading = "".join(text for text, _ in self.table.line(0).spans)
        await self.pilot.click(self.table, offset=(heading.index(title) + 2, 1))
        await self.pilot.pause()

    async def turn(self, kind: type[events.MouseScrollDown | events.MouseScrollUp]) -> None:
        """Turn the wheel once over the first row."""
        await self.pilot._post_mouse_events([kind], self.table, (5, 2))
        await self.pilot.pause()

    def is_elsewhere(self) -> bool:
        """Whether something else is on the screen, or has the keys."""
        return self.app.screen is not self.screen or self.screen.focused is not self.table


@asynccontextmanager
async def showing(keys: tuple[str, ...], selector: str, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Shown]:
    source = showroom(150, alarmed=True)
    app = make_app(source, ManualClock(END_NS))
    async with app.run_test(size=size) as pilot:
        await look(pilot, source, *keys)
        yield Shown(app, pilot, selector)


@each
async def test_a_click_on_a_heading_sorts_by_it_and_another_one_turns_the_order_round(
    keys: tuple[str, ...], selector: str
) -> None:
    async with showing(keys, selector) as shown:
        table = shown.table
        title = next(
            column.title
            for column, _ in table._arrangement()
            if column.order is not None and column is not table._sorted_by
        )
        await shown.click_heading(title)
        assert table._sorted_by.title == title
        first = table._descending
        await shown.click_heading(title)

        assert (table._sorted_by.title, table._descending) == (title, not first)


@each
async def test_a_click_chooses_a_row_and_takes_the_keys(keys: tuple[str, ...], selector: str) -> None:
    async with showing(keys, selector) as shown:
        assert len(shown.table.rows) > 1
        wanted = shown.table.key(shown.table.rows[1])
        await shown.click_row(1)

        assert shown.table.cursor_key == wanted
        assert shown.table.has_focus


@each
async def test_a_second_click_opens_the_row(keys: tuple[str, ...], selector: str) -> None:
    async with showing(keys, selector) as shown:
        opened: list[str] = []
        shown.table.action_open = lambda: opened.append(shown.table.cursor_key or "")  # type: ignore[method-assign]
        wanted = shown.table.key(shown.table.rows[1])
        await shown.click_row(1, times=2)

        assert opened == [wanted]


@pytest.mark.parametrize(
    ("keys", "selector"), [TABLES[name] for name in ("jobs", "failures", "queues", "workers", "schedules", "alerts")]
)
async def test_what_is_opened_by_two_clicks_is_what_enter_opens(keys: tuple[str, ...], selector: str) -> None:
    async with showing(keys, selector) as shown:
        await shown.click_row(0, times=2)
        await shown.pilot.pause()

        assert shown.is_elsewhere()


@each
async def test_the_wheel_scrolls_and_goes_back(keys: tuple[str, ...], selector: str) -> None:
    async with showing(keys, selector) as shown:
        table = shown.table
        table.viewport.resize(1)
        table.viewport.to_start()
        most = min(WHEEL_LINES, len(table.rows) - 1)
        await shown.turn(events.MouseScrollDown)
        assert table.viewport.top == most > 0
        await shown.turn(events.MouseScrollUp)

        assert table.viewport.top == 0


@pytest.mark.parametrize("keys", [(), ("2",), ("3",), ("4",), ("5",), ("6",), ("7",), ("8",), ("a",)])
async def test_a_click_on_a_key_in_the_footer_presses_it(keys: tuple[str, ...]) -> None:
    async with showing(keys, "*") as shown:
        line = shown.app.screen._compositor.render_strips()[-1].text
        await shown.pilot.click(offset=(line.index("? help"), 39))
        await shown.pilot.pause()

        assert isinstance(shown.app.screen, Help)


async def test_the_wheel_scrolls_the_details_over_which_it_is_turned() -> None:
    async with showing(("4", "down", "down"), "#table", (120, 24)) as shown:
        details = shown.screen.query_one("#details", Scrolling)
        await shown.pilot._post_mouse_events([events.MouseScrollDown], details, (5, 2))
        await shown.pilot.pause()

        assert details.viewport.top > 0
        assert shown.table.viewport.cursor == 2


async def test_two_clicks_on_an_event_open_its_job() -> None:
    async with showing(("2",), "#table") as shown:
        pane = shown.screen.query_one(".pane", Scrolling)
        await shown.pilot.click(pane, offset=(8, 3), times=2)
        await shown.pilot.pause()

        assert shown.app.screen is not shown.screen


async def click_again(watched: Watched, widget: Scrolling, x: int, y: int) -> None:
    """The second of two clicks at a place of a widget."""
    left, top = widget.region.offset
    widget.post_message(events.Click(widget, x, y, 0, 0, 1, False, False, False, left + x, top + y, chain=2))
    await settled(watched)


async def test_the_second_click_opens_the_row_of_the_first_although_another_one_came_in_its_place() -> None:
    async with watching(batch(snapshot=snapshot([queue("imports", 1), queue("mail", 2)]))) as watched:
        await watched.press("4")
        await watched.settle()
        await watched.pilot.click("#table", offset=(5, 3))
        more = [queue("aaa"), queue("bbb"), queue("imports", 1), queue("mail", 2)]
        await watched.feed(batch(snapshot=snapshot(more)))
        await click_again(watched, watched.app.screen.query_one("#table", Table), 5, 3)

        assert isinstance(watched.app.screen, Jobs)
        assert watched.app.screen.needle == "queue:mail"
