"""What every full screen of the monitor has in common."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope
from naq_tui.questions import Questions
from naq_tui.state import Dashboard
from naq_tui.widgets.filter import FilterBar, FilterInput
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.line import LineWidget

__all__ = ["FilteredView", "View"]


class View(Screen[None]):
    """A screen that shows the dashboard when it is told to."""

    SCOPES: ClassVar[tuple[Scope, ...]] = ()
    HERE: ClassVar[str] = ""
    """The name of the place, when a key leads here from anywhere."""
    IS_OVER: ClassVar[bool] = False
    """Whether it lies over whatever was on the screen, and its key leaves it again."""

    class PaintWanted(Message):
        """Something is visible now that was not painted lately."""

    class SchedulesWanted(Message):
        """It is time to ask for schedules again."""

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
    class QueueWanted(Message):
        """Somebody wants to see what is in a queue."""

        name: str

    @dataclass
    class Asking(Message):
        """There is something to ask of the source that is on show."""

        ask: Callable[[Questions], Coroutine[None, None, None]]
        """It takes in the answer, and any `NaqError`."""

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Paint what has changed; true when there is more to do soon. ``behind`` is not ``None`` while frozen."""
        raise NotImplementedError

    def hold(self, dashboard: Dashboard, now_ns: int) -> None:
        """Make sure that what is shown stays as it is now."""

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted here by an act of this kind; ``None`` when there is nothing to do it to."""
        return None

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
        if Scope.TYPING in focused:
            return focused
        return (*focused, *self.SCOPES, Scope.APP)

    def on_screen_resume(self) -> None:
        """It is visible, for the first time or again."""
        self.post_message(self.PaintWanted())

    def on_descendant_focus(self) -> None:
        """Other keys work now."""
        self._name_keys()

    def on_descendant_blur(self) -> None:
        """Other keys work now."""
        self._name_keys()

    def _name_keys(self) -> None:
        for footer in self.query(Footer):
            footer.show(self.scopes(), f"view('{self.HERE}')")


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
