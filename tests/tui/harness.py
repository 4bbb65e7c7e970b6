"""The application in a terminal of a fixed size, on a clock that stands still, fed by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_runtime.schedule import Schedule
from naq_runtime.snapshot import JobDetail, LeaderState
from naq_tui.app import NaqTop
from naq_tui.look import Look
from naq_tui.preferences import Preferences
from naq_tui.screens.search import JobSearch
from naq_tui.source import Batch
from naq_tui.sources.recorded import RecordedSource
from tests.support.waiting import eventually
from tests.tui import builders

__all__ = ["Watched", "make_app", "watching"]

SIZES = ((60, 20), (80, 24), (120, 40), (200, 60))
"""Every size at which the application must look well."""


@dataclass
class Watched:
    """A running application, and what a test does to it."""

    app: NaqTop
    pilot: Pilot[None]
    source: RecordedSource
    clock: ManualClock

    async def feed(self, *batches: Batch) -> None:
        """Let batches arrive, and be painted."""
        self.source.feed(*batches)
        async with asyncio.timeout(30):
            await self.source.taken()
        await self.settle()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and paint what that changes."""
        self.clock.advance(seconds)
        await self.settle()

    async def go_to_schedules(self) -> None:
        """Open the view, and let what it asks for be answered and painted."""
        await self.press("6")
        await self.settle()
        await self.settle()

    async def settle(self) -> None:
        """Paint everything that there is to paint."""
        await self.pilot.pause()
        self.app.advance()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        """Type a text."""
        await self.press(*("slash" if character == "/" else character for character in text))

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.lines)

    def line_with(self, text: str) -> str:
        """The only line that contains this."""
        found = [line for line in self.lines if text in line]
        assert len(found) == 1, f"{len(found)} lines with {text!r}:\n{self.text}"
        return found[0]

    def pane(self, title: str) -> list[str]:
        """The inside of the pane whose border has this title, line by line; for panes as wide as the screen."""
        lines = self.lines
        top = next(index for index, line in enumerate(lines) if title in line and set("╭┏╔") & set(line))
        bottom = next(index for index in range(top + 1, len(lines)) if set("╰┗╚") & set(lines[index]))
        return [line.strip("│╏║ ").rstrip("│ ") for line in lines[top + 1 : bottom]]

    def events(self) -> list[str]:
        """The lines of the feed that say something."""
        return [line for line in self.pane("Events") if line]


def make_app(source: RecordedSource, clock: ManualClock | None = None, **instead: Any) -> NaqTop:
    """The application of all tests."""
    return NaqTop(source=source, clock=clock or builders.clock(), title="shop", version="0.1.0", **instead)


async def answered(app: NaqTop) -> None:
    """Wait until nothing is being asked any more; what reads on and on is not waited for."""

    def is_asking() -> bool:
        running = [one for one in app.workers if one.is_running]
        search: JobSearch | None = getattr(app.screen, "_search", None)
        is_searching = search is not None and not search.rests and any(one.group == "search" for one in running)
        return is_searching or any(not {one.name, one.group} & _LASTING for one in running)

    await eventually(lambda: not is_asking())


_LASTING = {"source", "past", "search"}


@asynccontextmanager
async def watching(
    *batches: Batch,
    size: tuple[int, int] = (120, 40),
    jobs: Mapping[str, JobDetail] | None = None,
    schedules: Iterable[Schedule] = (),
    leader: LeaderState | None = None,
    look: Look | None = None,
    preferences: Preferences | None = None,
) -> AsyncIterator[Watched]:
    """The application, after these batches have arrived."""
    source = RecordedSource(jobs=jobs, schedules=schedules, leader=leader)
    clock = builders.clock()
    app = make_app(source, clock, look=look, preferences=preferences)
    async with app.run_test(size=size) as pilot:
        watched = Watched(app, pilot, source, clock)
        await watched.feed(*batches)
        yield watched
