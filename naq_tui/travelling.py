"""The part of the application that goes to other moments, and plays what happened there."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from textual import on
from textual.app import App

from naq_runtime.clock import Clock
from naq_runtime.errors import NaqError
from naq_tui.commands import Scope, commands_of
from naq_tui.past import Place
from naq_tui.screens.view import View
from naq_tui.source import Batch, ConnectionState
from naq_tui.stage import Stage
from naq_tui.state import Dashboard
from naq_tui.travel import Travel, TravelError
from naq_tui.widgets.moment_bar import MomentBar
from naq_tui.widgets.scrubber import Scrubber

__all__ = ["Travelling"]

_ASK_AGAIN_S = 2.0
_OF_THE_PAST = {command.method for command in commands_of([Scope.PAST])}


class Travelling(App[None]):
    """Shows the present, or a moment of the past.

    Args:
        live: the present.
        begin_at: the moment to begin with, as somebody types it.
        others: what other parts of the application take.
    """

    def __init__(self, live: Stage, clock: Clock, *, begin_at: str = "", **others: Any) -> None:
        super().__init__(**others)
        self.travel = Travel(live, clock, begin=self.play)
        """What is on show, and the way to other moments."""
        self._begin_at = begin_at
        """Where to go as soon as anything is known of the past; empty for nowhere."""
        self._counting = False
        """Whether it is being counted how much there was around the moment."""

    @property
    def _shown(self) -> Stage:
        """What is on show."""
        return self.travel.shown

    @property
    def dashboard(self) -> Dashboard:
        """The model of what is on show."""
        return self._shown.dashboard

    def _views(self) -> list[View]:
        """Those that lie over each other, the one that is seen last."""
        raise NotImplementedError

    def paint(self) -> None:
        """Paint what has changed, now."""
        raise NotImplementedError

    def _paint_soon(self) -> None:
        """Paint what has changed, before long."""
        raise NotImplementedError

    def turned(self) -> None:
        """Another moment is on show."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the past do nothing in the present."""
        return self.travel.in_past or f"action_{action}" not in _OF_THE_PAST

    def action_travel(self) -> None:
        """Have a moment typed."""
        if isinstance(self.screen, View):
            self.screen.ask_moment()

    def action_live(self) -> None:
        """Go back to the present."""
        if not self.travel.has_present:
            self.bell()
            return
        self.workers.cancel_group(self, "past")
        self.travel.go_home()
        self.turned()

    def action_step(self, steps: int) -> None:
        """One event on, or back."""
        if not self.travel.step(steps):
            self.bell()

    def action_shift(self, seconds: int) -> None:
        """Some seconds on, or back."""
        self.travel.shift(seconds * 1_000_000_000, still=True)

    def action_scrub(self, bars: int) -> None:
        """Some bars of the time line on, or back."""
        density = self.travel.density
        if density is not None:
            self.travel.shift(bars * density.bucket_ns, still=False)

    def action_peak(self) -> None:
        """To the highest bar of the time line; from there to the next highest, and from the last to the first."""
        density, now_ns = self.travel.density, self._shown.now_ns()
        peaks = density.peaks() if density is not None else []
        if density is None or not peaks:
            self.bell()
            return
        here = next((place for place, peak in enumerate(peaks) if 0 <= now_ns - peak < density.bucket_ns), -1)
        self.travel.go(Place(peaks[(here + 1) % len(peaks)]))

    def action_speed(self, step: int) -> None:
        """Slower, or faster."""
        self.travel.change_speed(step)

    def action_zoom_time(self, step: int) -> None:
        """A shorter time line, or a longer one."""
        self.travel.zoom(step)
        self.paint()

    @on(MomentBar.Chosen)
    async def _moment_chosen(self, event: MomentBar.Chosen) -> None:
        self.run_worker(self._go_to(event.text), group="travel", exclusive=True)

    @on(MomentBar.Left)
    def _moment_left(self) -> None:
        for view in self._views():
            view.close_moment()

    @on(Scrubber.Chosen)
    def _bar_chosen(self, event: Scrubber.Chosen) -> None:
        self.travel.go(Place(event.moment_ns))

    async def _go_to(self, text: str) -> None:
        try:
            note = await self.travel.go_to(text)
        except (NaqError, TravelError) as error:
            if not any(view.refuse_moment(str(error), text) for view in self._views()):
                self.notify(f"{text}: {error}", severity="error", markup=False)
            return
        self._moment_left()
        if note:
            self.notify(note, markup=False)

    def go_to_begin(self) -> None:
        """Go where it is to begin, once there is a way."""
        if self._begin_at and self.travel.has_past:
            text, self._begin_at = self._begin_at, ""
            self.run_worker(self._go_to(text), group="travel", exclusive=True)

    def play(self, stage: Stage) -> None:
        """Have a moment of the past read, in place of the one before."""
        self.run_worker(stage.read(partial(self._played, stage)), name="past", group="past", exclusive=True)

    def _played(self, stage: Stage, batch: Batch) -> None:
        self.go_to_begin()
        if self.travel.arrived(stage):
            self.turned()
        elif batch.link.state is ConnectionState.ENDED and self.travel.has_present:
            self.action_live()
            self.notify("The past has caught up with the present.", title="● live", markup=False)
        else:
            self._paint_soon()

    def turn(self, view: View, now_ns: int) -> None:
        """Mark a view as what shows the past, or the present; with the time around the moment."""
        view.turn(in_past=self.travel.in_past)
        if self.travel.in_past:
            self._scrub(view, now_ns)

    def _scrub(self, view: View, now_ns: int) -> None:
        """Show the time around the moment, and ask for what is not known of it."""
        parts = view.scrub(self.travel.density, now_ns)
        if parts and self.travel.lacks_density and not self._counting:
            self._counting = True
            self.run_worker(self._count(now_ns, parts), name="density")

    async def _count(self, moment_ns: int, parts: int) -> None:
        try:
            await self.travel.ask_density(moment_ns, parts)
        except NaqError:
            await asyncio.sleep(_ASK_AGAIN_S)
        finally:
            self._counting = False
        self._paint_soon()
