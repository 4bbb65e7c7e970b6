"""One schedule: what it makes, when, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from naq_runtime.snapshot import ScheduleDetail
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.equivalents import schedule_command
from naq_tui.model.timing import schedule_act
from naq_tui.pages.schedule import schedule_page
from naq_tui.screens.detail import DetailScreen
from naq_tui.state import Dashboard
from naq_tui.widgets.line import Line

__all__ = ["ScheduleScreen"]


class ScheduleScreen(DetailScreen[ScheduleDetail]):
    """The page of a schedule; its countdowns go on."""

    BINDINGS = bindings(Scope.SCHEDULE)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.SCHEDULE, Scope.SCHEDULE_ACTS, Scope.BACK)
    NOUN: ClassVar[str] = "schedule"

    def happened(self, dashboard: Dashboard) -> int:
        """Events of the schedule."""
        return dashboard.versions.schedule

    def lines(self, detail: ScheduleDetail, width: int, now_ns: int) -> Sequence[Line]:
        """See `schedule_page`."""
        return schedule_page(detail, width, now_ns)

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the schedule."""
        return None if self.detail is None else schedule_act(kind, [self.detail.schedule], 0)

    def row_text(self) -> str:
        """Its id."""
        return self.thing_id

    def equivalent(self) -> str:
        """What shows the schedule in a shell."""
        return schedule_command(self.thing_id)

    def action_open(self) -> None:
        """Open the job that it made last."""
        last = self.detail.schedule.latest_job_id if self.detail is not None else None
        if last:
            self.post_message(self.JobWanted(last))
        else:
            self.app.bell()
