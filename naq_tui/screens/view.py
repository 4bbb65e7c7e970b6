"""What every full screen of the monitor has in common."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from naq_tui.acts import Act, ActKind
from naq_tui.commands import ACTS, Scope
from naq_tui.past import Density
from naq_tui.questions import Questions
from naq_tui.state import Dashboard
from naq_tui.widgets.filter import FilterBar, FilterInput
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.line import LineWidget
from naq_tui.widgets.moment_bar import MomentBar
from naq_tui.widgets.scrubber import Scrubber
from naq_tui.widgets.status import Status
from naq_tui.widgets.table import Table

__all__ = ["FilteredView", "View"]


class View(Screen[None]):
    """A screen that shows the dashboard when it is told to."""

    SCOPES: ClassVar[tuple[Scope, ...]] = ()
    HERE: ClassVar[str] = ""
    """The name of the place, when a key leads here from anywhere."""
    in_past = False
    """Whether it shows a moment of the past."""
    _focused_before: Widget | None = None
    """What had the focus before a moment was typed."""
    IS_OVER: ClassVar[bool] = False
    """Whether it lies over whatever was on the screen, and its key leaves it again."""
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """As Textual has it, but that drew all of the screen anew; what gains or loses the focus draws itself."""

    class PaintWanted(Message):
        """Something is visible now that was not painted lately."""

    class SchedulesWanted(Message):
        """It is time to ask for schedules again."""

    @dataclass
    class AnswerWanted(Message):
        """Something is to be asked of the source that is on show."""

        topic: str
        """What was still being asked about it is given up."""
        ask: Callable[[Questions], Coroutine[Any, Any, None]]

    @dataclass
    class JobWanted(Message):
        """Somebody wants to see a job."""

        job_id: str

    @dataclass
    class ScheduleWanted(Message):
        """Somebody wants to see a schedule."""

        schedule_id: str

    @dataclass
    class WorkerWanted(Message):
        """Somebody wants to see a worker."""

        worker_id: str

    @dataclass
    class JobsWanted(Message):
        """Somebody wants to see the jobs that a filter lets through."""

        needle: str

    @dataclass
    class ActWanted(Message):
        """It was found what something is to be done to; see `View.seek`."""

        act: Act

    may_act = False
    """Whether things can be changed now where the view looks."""

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Paint what has changed; true when there is more to do soon. ``behind`` is not ``None`` while frozen."""
        raise NotImplementedError

    def hold(self, dashboard: Dashboard, now_ns: int) -> None:
        """Make sure that what is shown stays as it is now."""

    def turn(self, *, in_past: bool) -> None:
        """Be marked as what shows the past, with the time line below the strip; or as what shows the present."""
        if in_past == self.in_past:
            return
        self.in_past = in_past
        self.set_class(in_past, "-past")
        self.query(Scrubber).remove()
        for status in self.query(Status) if in_past else ():
            self.mount(Scrubber(), after=status)
        self._name_keys()

    def scrub(self, density: Density | None, moment_ns: int) -> int:
        """Show how much there was around the moment; returns how many bars there is room for, 0 without a time line."""
        for scrubber in self.query(Scrubber):
            scrubber.show(density, moment_ns)
            return scrubber.parts if scrubber.size.width else 0
        return 0

    def ask_moment(self) -> None:
        """Have a moment typed."""
        if not self.query(MomentBar):
            self.mount(MomentBar(), before=self.query_one(Footer))
        self.call_after_refresh(self._open_moment_bar)

    def refuse_moment(self, reason: str, text: str) -> bool:
        """Say why nobody can go there, where it was typed; false when it was not."""
        bar = next(iter(self.query(MomentBar)), None)
        if bar is None or not bar.has_class("-open"):
            return False
        bar.complain(reason, text)
        return True

    def close_moment(self) -> None:
        """Have nothing typed any more."""
        for bar in self.query(MomentBar):
            bar.remove_class("-open")
            if self._focused_before is not None:
                self.set_focus(self._focused_before)

    def _open_moment_bar(self) -> None:
        bar = self.query_one(MomentBar)
        if not bar.has_class("-open"):
            self._focused_before = self.focused
        bar.add_class("-open")
        bar.open()

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted here by an act of this kind; ``None`` when there is nothing to do it to."""
        return None

    def seek(self, kind: ActKind) -> bool:
        """Begin to look for what an act of this kind is wanted of, which `act` does not know; false where there is
        nothing. `ActWanted` follows, unless nothing is found."""
        return False

    def acted(self, done: tuple[str, ...] | None) -> None:
        """Something was done to these: they are marked no more."""
        for table in self.query(Table):
            table.unmark(done or ())

    def allow_acts(self, allowed: bool) -> None:
        """Name the keys that change something, or do not."""
        if allowed != self.may_act:
            self.may_act = allowed
            self._name_keys()

    def row_text(self) -> str:
        """What the cursor is on, as text to be copied; empty when it is on nothing."""
        return self._shown.row_text() if self._shown else ""

    def equivalent(self) -> str:
        """The ``naq`` command that tells the same as what the cursor is on; empty when there is none."""
        return self._shown.equivalent() if self._shown else ""

    def records(self) -> Iterable[Mapping[str, object]]:
        """What is shown, row by row, to be written to a file: plain values by the names of the columns.

        They are of now, even when they are read in a thread, and later.
        """
        return self._shown.records() if self._shown else ()

    @property
    def _shown(self) -> LineWidget | None:
        """The pane with the focus."""
        return self.focused if isinstance(self.focused, LineWidget) else None

    def scopes(self) -> tuple[Scope, ...]:
        """The places whose commands work now, the innermost first."""
        focused: tuple[Scope, ...] = getattr(self.focused, "SCOPES", ())
        if Scope.TYPING in focused or Scope.MOMENT in focused:
            return focused
        here = (*focused, *self.SCOPES, *((Scope.PAST,) if self.in_past else ()), Scope.APP)
        return here if self.may_act else tuple(scope for scope in here if scope not in ACTS)

    def on_screen_resume(self) -> None:
        """It is visible, for the first time or again."""
        self.post_message(self.PaintWanted())

    def on_descendant_focus(self) -> None:
        """Other keys work now."""
        self._name_keys()

    def on_descendant_blur(self) -> None:
        """Other keys work now."""
        self._name_keys()

    @on(Table.MarksChanged)
    def _marks_changed(self) -> None:
        self._name_keys()

    def _name_keys(self) -> None:
        marked = isinstance(self.focused, Table) and self.focused.has_marks
        for footer in self.query(Footer):
            footer.show(self.scopes(), f"view('{self.HERE}')", marked=marked)


class FilteredView(View):
    """A view with a line in which a filter can be typed."""

    @property
    def filtered(self) -> LineWidget:
        """What the filter is for; it has the focus when nobody types."""
        raise NotImplementedError

    @property
    def needle(self) -> str:
        """The text that is filtered by; empty for none."""
        raise NotImplementedError

    def filter_by(self, needle: str) -> None:
        """Show only what contains this; all when it is empty."""
        raise NotImplementedError

    def find(self, needle: str) -> None:
        """Show what contains this, whatever was shown before: somebody has come from elsewhere for it."""
        self.filter_by(needle)

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open(self.needle)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a filter is typed, its key is a character like any other."""
        return not (action == "filter" and self.query_one(FilterBar).is_open)

    @on(Input.Changed)
    def _filter_typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.query_one(FilterBar).is_open:
            self.filter_by(event.value)

    @on(FilterInput.Closed)
    def _filter_closed(self, event: FilterInput.Closed) -> None:
        event.stop()
        self.query_one(FilterBar).close()
        self.filter_by(event.text)
        self.set_focus(self.filtered)
