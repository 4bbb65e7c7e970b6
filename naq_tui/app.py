"""The application: it reads the source, applies batches to the model at once, and paints at most ten times a second."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import SystemCommand
from textual.message_pump import MessagePump
from textual.screen import ModalScreen, Screen
from textual.timer import Timer

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.events.models import AlertEvent, AlertEventType
from naq_tui import collecting, copying
from naq_tui.acting import refusal
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Command, Scope, act_bindings, bindings, commands_of
from naq_tui.customized import Customized
from naq_tui.leaving import leaving_on_signals
from naq_tui.logs import logs_aside
from naq_tui.look import Look
from naq_tui.opening import Opening
from naq_tui.preferences import Preferences
from naq_tui.screens.view import FilteredView, View
from naq_tui.source import Batch, EventSource
from naq_tui.stage import Stage
from naq_tui.text import inert
from naq_tui.widgets.status import Badge

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel


__all__ = ["NaqTop", "run_app"]

_MORE_S = 0.02
_FLOOD = 1_000
"""Events between two paints that are more than anybody can read: they are painted half as often."""
_TOASTS = 3
"""Alerts that are told of at a time, each by itself."""
_NEWS_NS = 60_000_000_000
"""An alert that began longer ago is no news."""
_WRITES_BEHIND = 8
"""Frames that may wait for a slow terminal before further ones are left out."""


class NaqTop(Opening, Customized):
    """A full-screen monitor of the queues behind one source of events."""

    TITLE = "naq-top"
    CSS_PATH = [*sorted(Path(__file__).with_name("styles").glob("*.tcss"))]  # noqa: RUF012  # Textual declares it so
    BINDINGS = [*bindings(Scope.APP, Scope.PAST), *act_bindings()]  # noqa: RUF012  # Textual declares it so

    def __init__(
        self,
        *,
        source: EventSource,
        clock: Clock = SYSTEM_CLOCK,
        title: str = "",
        version: str = "",
        begin_at: str = "",
        options: Sequence[str] = (),
        look: Look | None = None,
        preferences: Preferences | None = None,
    ) -> None:
        live = Stage(source, clock)
        super().__init__(live, clock, Badge(title, version), begin_at=begin_at, look=look, preferences=preferences)
        self._options = options
        """Those that lead ``naq`` to the server that is watched."""
        self._started_by = os.getppid()
        self.animation_level = "none"
        self._live = live
        self._paint_timer: Timer | None = None
        self._frozen_at: int | None = None
        self._painted = 0
        """Events that there were at the last paint."""
        self._flooded = False
        """Whether they were a flood."""

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every command that works where the palette was opened, and the choice of a theme."""
        seen = set()
        for command in commands_of(_scopes(screen)):
            if (command.action, command.scope) not in seen and command.action != "command_palette":
                seen.add((command.action, command.scope))
                yield SystemCommand(command.title, command.help, partial(self._run_command, command, screen))
        picture = "Write a picture of the screen to a file, as SVG."
        yield SystemCommand("Save screenshot", picture, lambda: self.call_after_refresh(copying.save_screenshot, self))
        if self.look.colours:
            yield SystemCommand("Theme", "Choose other colours.", self.action_change_theme)
        yield SystemCommand(
            "Filter at start", "Filter the events at every start as they are filtered now.", self.action_filter_at_start
        )

    def turned(self) -> None:
        """Another moment is on show: nothing of it is frozen."""
        self._frozen_at = None
        self.paint()

    def on_mount(self) -> None:
        """Paint first, connect then."""
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        collecting.take_up()
        self._filter_as_chosen("overview")
        self.paint()
        if self.travel.has_present:
            self.run_worker(self._live.read(self._taken), name="source", exit_on_error=True)
        else:
            self.play(self._live)
        self._arm_second()

    def action_view(self, name: str) -> None:
        """Go to a view; the events are filtered at first as those of the overview were."""
        is_new = name not in self._kept
        super().action_view(name)
        if is_new and name == "events":
            self._kept[name].call_later(self._filter_as_chosen, name)  # once it is laid out

    def _filter_as_chosen(self, name: str) -> None:
        view, needle = self._kept[name], self.preferences.settings.filter
        if needle and isinstance(view, FilteredView):
            view.filter_by(needle)

    @property
    def frozen(self) -> bool:
        """Whether the display stands still."""
        return self._frozen_at is not None

    @property
    def pace_s(self) -> float:
        """The time until the next paint of what comes by itself."""
        return self.paint_s * 2 if self._flooded else self.paint_s

    def paint(self) -> None:
        """Paint what has changed, now."""
        if self._paint_timer is not None:
            self._paint_timer.stop()
            self._paint_timer = None
        if self._terminal_is_behind():
            self._paint_soon()
            return
        end = self.dashboard.log.end
        self._flooded, self._painted = end - self._painted > _FLOOD, end
        now_ns = self._shown.now_ns()
        behind = None if self._frozen_at is None else end - self._frozen_at
        acting = refusal(self._shown, in_past=self.travel.in_past) is None
        unfinished = False
        for view in self._visible_views():
            self.turn(view, now_ns)
            view.allow_acts(acting)
            unfinished |= view.show(self.dashboard, now_ns, behind)
        if unfinished:
            self._paint_soon(_MORE_S)

    def advance(self) -> None:
        """Let time pass, and paint what that changes."""
        self.dashboard.advance(self._shown.now_ns())
        self.paint()

    def action_help(self) -> None:
        """Show all keys, or go back from them."""
        from naq_tui.screens.help import Help  # screens beside the first are loaded when they are wanted

        if isinstance(self.screen, Help):
            self.screen.dismiss()
        else:
            view = self.screen if isinstance(self.screen, View) else None
            here = tuple(dict.fromkeys((*view.SCOPES, *view.scopes()))) if view else ()
            self.push_screen(Help(here, acting=refusal(self._shown, in_past=self.travel.in_past) is None))

    def action_pause(self) -> None:
        """Freeze what is shown, or go on; in the past, have time stand still."""
        if self.travel.in_past:
            self.travel.toggle()
        elif self.frozen:
            self._frozen_at = None
        else:
            for view in self._views():
                view.hold(self.dashboard, self._shown.now_ns())
            self._frozen_at = self.dashboard.log.end
        self.paint()

    def action_act(self, kinds: str) -> None:
        """Ask whether to do what the view on top means by one of these kinds, and do it."""
        view, wanted = self.screen, [*map(ActKind, kinds.split())]
        if not isinstance(view, View):
            return
        refused = refusal(self._shown, in_past=self.travel.in_past)
        act = next((act for act in map(view.act, wanted) if act is not None), None)
        if act is not None or refused is not None:
            self._ask_whether(act)
        elif not any(map(view.seek, wanted)):
            self.notify(f"there is nothing here to {' or '.join(wanted)}", severity="warning", markup=False)

    def action_copy_row(self) -> None:
        """Copy what the cursor is on."""
        copying.copy_row(self, self.screen)

    def action_copy_command(self) -> None:
        """Copy the command that tells the same in a shell."""
        copying.copy_command(self, self.screen, self._options)

    def action_write(self) -> None:
        """Write what is shown to a file."""
        copying.write(self, self.screen, self._shown.now_ns())

    def action_filter_at_start(self) -> None:
        """Filter the events at every start as they are filtered now."""
        overview = self._kept["overview"]
        self.remember_filter(overview.needle if isinstance(overview, FilteredView) else "")

    async def action_quit(self) -> None:
        """Leave."""
        self.exit(return_code=0)

    @on(View.ActWanted)
    def _act_wanted(self, event: View.ActWanted) -> None:
        self._ask_whether(event.act)

    def _ask_whether(self, act: Act | None) -> None:
        """Ask whether to do it, unless nothing can be done now."""
        view, actions = self.screen, self._shown.source.actions
        refused = refusal(self._shown, in_past=self.travel.in_past)
        if actions is None or refused is not None:
            self.notify(refused or "", severity="warning", markup=False)
        elif act is not None and isinstance(view, View):
            from naq_tui.screens.confirm import Confirm

            self.push_screen(Confirm(act, partial(actions.perform, act.kind, act.noun)), view.acted)

    @on(View.PaintWanted)
    def _paint_wanted(self) -> None:
        self.paint()

    def _taken(self, batch: Batch) -> None:
        self.go_to_begin()
        if not self.travel.in_past:
            self._paint_soon()
        self._say_alerts(batch)

    def _say_alerts(self, batch: Batch) -> None:
        """Say of each alert that begins that it does, unless that was before we came."""
        since_ns = self._live.now_ns() - _NEWS_NS
        events = (stored.event for stored in batch.events if type(stored.event) is AlertEvent)
        begun = [one for one in events if one.event_type is AlertEventType.FIRING and one.moment_ns > since_ns]
        if not begun:
            return
        from naq_tui.widgets.alerts import news_text

        for event in begun[:_TOASTS]:
            severity: SeverityLevel = "error" if event.severity == "critical" else "warning"
            title = f"⚑ {inert(event.alert, 40)}{' now' if self.travel.in_past else ''}"
            self.notify(news_text(event), title=title, severity=severity, markup=False)
        if len(begun) > _TOASTS:
            self.notify(f"{len(begun) - _TOASTS:,} more alerts begin", severity="warning", markup=False)

    def _paint_soon(self, delay_s: float | None = None) -> None:
        """Paint what has changed, before long."""
        if self._paint_timer is None:
            self._paint_timer = self.set_timer(self.pace_s if delay_s is None else delay_s, self.paint)

    def _arm_second(self) -> None:
        """Wake up shortly after the clock shows another second."""
        self.set_timer(1.01 - self._shown.now_ns() % 1_000_000_000 / 1e9, self._second)

    def _second(self) -> None:
        if self.is_web and os.getppid() != self._started_by:
            self.exit(return_code=128 + signal.SIGHUP)  # the server of the page was killed
        if self.paint_s <= 1:
            self.advance()
        else:
            self.dashboard.advance(self._shown.now_ns())
            self._paint_soon()
        self._arm_second()

    def _visible_views(self) -> Iterator[View]:
        for screen in reversed(self.screen_stack):
            if isinstance(screen, View):
                yield screen
            if not isinstance(screen, ModalScreen):
                return

    def _terminal_is_behind(self) -> bool:
        # Textual blocks in its writer after 30 frames that the terminal has not read; a frame left out costs nothing.
        writer = getattr(self._driver, "_writer_thread", None)
        if writer is None:
            return False
        if not writer.is_alive():  # the terminal is gone, and with it whoever looked
            self.exit(return_code=128 + signal.SIGHUP)
            return True
        return bool(writer._queue.qsize() > _WRITES_BEHIND)

    async def _run_command(self, command: Command, screen: Screen[object]) -> None:
        places: list[MessagePump] = [*(screen.focused.ancestors_with_self if screen.focused else (screen,)), self]
        for place in places:
            if hasattr(place, command.method):
                await self.run_action(command.action, place)  # type: ignore[arg-type]
                return


def _scopes(screen: Screen[object]) -> tuple[Scope, ...]:
    return screen.scopes() if isinstance(screen, View) else (*getattr(screen, "SCOPES", ()), Scope.APP)


async def run_app(
    source: EventSource,
    *,
    clock: Clock = SYSTEM_CLOCK,
    title: str = "",
    version: str = "",
    begin_at: str = "",
    options: Sequence[str] = (),
    look: Look | None = None,
    preferences: Preferences | None = None,
    log_file: Path | None = None,
) -> int:
    """Run the monitor in this terminal until somebody leaves; returns the exit code for the process.

    Args:
        begin_at: a moment of the past to begin with, as somebody types it; empty for the present.
        options: those that lead ``naq`` to the server that is watched.
        log_file: where logs go while it runs; without one they are dropped, since they would be drawn over the screen.

    Raises:
        ConfigError: a setting cannot be, or what was changed cannot be written down.
    """
    app = NaqTop(
        source=source,
        clock=clock,
        title=title,
        version=version,
        begin_at=begin_at,
        options=options,
        look=look,
        preferences=preferences,
    )
    with logs_aside(log_file), leaving_on_signals(app):
        await app.run_async(mouse=app.preferences.settings.mouse)
    app.preferences.write()
    return app.return_code or 0
