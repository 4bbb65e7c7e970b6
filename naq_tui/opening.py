"""The part of the application that opens views and pages, and asks for them what they want to know."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from textual import on
from textual.screen import Screen

from naq_runtime.clock import Clock
from naq_runtime.snapshot import ScheduleDetail
from naq_tui.questions import Questions
from naq_tui.screens.places import make_view
from naq_tui.screens.view import FilteredView, View
from naq_tui.stage import Stage
from naq_tui.travelling import Travelling
from naq_tui.widgets.status import Badge

__all__ = ["Opening"]


class Opening(Travelling):
    """Leads to views by their keys, and to the page of a thing.

    Args:
        live: the present.
        badge: what every view shows of where we are.
        others: what other parts of the application take.
    """

    def __init__(self, live: Stage, clock: Clock, badge: Badge, **others: Any) -> None:
        super().__init__(live, clock, **others)
        self._badge = badge
        self._kept: dict[str, View] = {}
        """The views that a key leads to; they stay, with their order, their filter and their cursor."""

    def get_default_screen(self) -> Screen[None]:
        """The overview."""
        view = self._kept["overview"] = make_view("overview", self._badge)
        return view

    def action_view(self, name: str) -> None:
        """Go to a view, or back from one that lies over others."""
        view = self._kept.get(name)
        if view is None:
            view = self._kept[name] = make_view(name, self._badge)
            self.install_screen(view, name)
        if view in self.screen_stack:
            self._go_down_to(view)
            if view.IS_OVER:
                view.dismiss()
        else:
            if not view.IS_OVER:
                self._go_down_to(self.screen_stack[0])
            self.push_screen(view)

    def _views(self) -> list[View]:
        """Those that lie over each other."""
        return [screen for screen in self.screen_stack if isinstance(screen, View)]

    @on(View.JobWanted)
    def _job_wanted(self, event: View.JobWanted) -> None:
        from naq_tui.screens.job import JobScreen

        for screen in self.screen_stack:
            if isinstance(screen, JobScreen) and screen.thing_id == event.job_id:
                self._go_down_to(screen)
                return
        self.push_screen(JobScreen(event.job_id, questions=self._questions, badge=self._badge))

    @on(View.ScheduleWanted)
    def _schedule_wanted(self, event: View.ScheduleWanted) -> None:
        from naq_tui.screens.schedule import ScheduleScreen

        self.dashboard.watch_schedule(event.schedule_id)
        self.push_screen(ScheduleScreen(event.schedule_id, fetch=self._schedule, badge=self._badge))

    @on(View.WorkerWanted)
    def _worker_wanted(self, event: View.WorkerWanted) -> None:
        from naq_tui.screens.worker import WorkerScreen

        self.push_screen(WorkerScreen(event.worker_id, questions=self._questions, badge=self._badge))

    @on(View.JobsWanted)
    def _jobs_wanted(self, event: View.JobsWanted) -> None:
        self.action_view("jobs")
        view = self._kept["jobs"]
        if isinstance(view, FilteredView):
            view.call_later(view.find, event.needle)  # once it is laid out

    @on(View.SchedulesWanted)
    def _schedules_wanted(self) -> None:
        self.run_worker(self._shown.ask_for_schedules(self._paint_soon), name="schedules")

    @on(View.AnswerWanted)
    def _answer_wanted(self, event: View.AnswerWanted) -> None:
        self.run_worker(event.ask(self._shown.source.questions), group=event.topic, exclusive=True)

    def _go_down_to(self, screen: Screen[Any]) -> None:
        """Leave everything that lies over a screen."""
        while self.screen is not screen:
            self.pop_screen()

    def _questions(self) -> Questions:
        """What can be asked of what is on show when it is asked."""
        return self._shown.source.questions

    def _schedule(self, schedule_id: str) -> Awaitable[ScheduleDetail]:
        return self._shown.source.questions.schedule(schedule_id)
