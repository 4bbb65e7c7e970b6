"""The statistics: what happened over a time, counted by queue, by function or by worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from naq_runtime.events.filters import EventFilter
from naq_tui.commands import Scope, bindings
from naq_tui.model.seconds import SECOND_NS
from naq_tui.model.statistics import GROUPINGS, WINDOWS, course_of, rows_of
from naq_tui.questions import Questions
from naq_tui.screens.inquiry import Inquiry
from naq_tui.screens.view import FilteredView
from naq_tui.state import Dashboard
from naq_tui.text import count_text
from naq_tui.widgets.choices import Choices, Counted
from naq_tui.widgets.filter import FilterBar
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.histogram import Histogram
from naq_tui.widgets.line import Line
from naq_tui.widgets.pointing import PointingTable
from naq_tui.widgets.statistics import StatisticsTable, record_of
from naq_tui.widgets.status import Badge, Status
from naq_tui.widgets.trend import TrendChart
from naq_tui.widgets.waiting import waiting_lines

if TYPE_CHECKING:
    from naq_runtime.statistics.answer import EventStatistics
    from naq_runtime.statistics.trends import EventTrends

__all__ = ["Statistics"]

_TOPIC = "statistics"
_FIELDS = {"queue": "queue_name", "function": "function_name", "worker": "worker_id"}
"""What a filter calls that by which is counted."""
_MANY = 20_000
"""Events whose reading takes long enough to be shown."""
_COUNTING = (Line(((" counting …", "dim"),)),)
_NOTHING = (
    Line(((" nothing happened to any job in this time", "text"),)),
    Line(),
    Line(((" >", "key"), ("  looks further back", "dim"))),
    Line(((" naq enqueue your_module.your_task", "key"), ("  makes a job", "dim"))),
)


class Statistics(FilteredView):
    """A table, and below it a chart and a histogram of the row with the cursor."""

    BINDINGS = bindings(Scope.STATISTICS)
    AUTO_FOCUS = "#table"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.STATISTICS,)
    HERE: ClassVar[str] = "statistics"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # Textual declares them so
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high")]  # noqa: RUF012

    def __init__(self, badge: Badge) -> None:
        super().__init__(id="statistics")
        self._status = Status(badge)
        self._choices = Choices()
        self._table = StatisticsTable(id="table", classes="pane")
        self._chart = TrendChart(id="trend", classes="pane")
        self._histogram = Histogram(id="histogram", classes="pane")
        self._grouping = 0
        self._window = 0
        self._inquiry: Inquiry[EventTrends] = Inquiry()
        self._progress = (0, 0)
        self._dashboard: Dashboard | None = None
        self._painted: tuple[int, str] | None = None

    @property
    def filtered(self) -> StatisticsTable:
        """The table."""
        return self._table

    @property
    def needle(self) -> str:
        """The text that rows are filtered by."""
        return self._table.needle

    def filter_by(self, needle: str) -> None:
        """Show only rows whose name contains this."""
        self._table.filter_by(needle)
        self._write_border()

    def compose(self) -> ComposeResult:
        """The strip, what is chosen, the table, the pictures, the filter's line and the footer."""
        yield self._status
        yield self._choices
        yield self._table
        yield Container(self._chart, self._histogram, id="pictures")
        yield FilterBar("text to look for in the names")
        yield Footer()

    def on_mount(self) -> None:
        """Paint what there is."""
        self._write_border()

    def on_screen_suspend(self) -> None:
        """Nobody looks: what is being counted is given up; what was read of it is kept."""
        self.app.workers.cancel_group(self.app, _TOPIC)
        self._inquiry.give_up()
        self._progress = (0, 0)

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Ask again when it is time, and paint what has changed."""
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        if dashboard is not self._dashboard:
            if self._dashboard is not None:
                self._inquiry.forget()
            self._dashboard = dashboard
        if behind is None or self._inquiry.answer is None:
            self._ask(dashboard, now_ns)
        if behind is None or self._painted is None:
            self._show(dashboard, now_ns)
        return False

    def row_text(self) -> str:
        """The name of the row with the cursor."""
        view = self._table.current
        return "" if view is None else view.name

    def equivalent(self) -> str:
        """The command that counts the same."""
        return f"naq events stats --since {WINDOWS[self._window].since} --by-{GROUPINGS[self._grouping]}"

    def records(self) -> Iterable[Mapping[str, object]]:
        """The rows as they are shown."""
        return [record_of(view, GROUPINGS[self._grouping]) for view in self._table.rows]

    def action_open(self) -> None:
        """Show the jobs of the row."""
        self._table.action_open()

    def action_group(self, step: int) -> None:
        """Count by something else."""
        self._grouping = (self._grouping + step) % len(GROUPINGS)
        self._choose()

    def action_window(self, step: int) -> None:
        """Count over a longer or a shorter time."""
        wanted = max(0, min(self._window + step, len(WINDOWS) - 1))
        if wanted == self._window:
            self.app.bell()
            return
        self._window = wanted
        self._choose()

    def on_resize(self) -> None:
        """There may be room for pictures now."""
        self.call_after_refresh(self._show_pictures)

    def action_swap(self) -> None:
        """Show the histogram in place of the chart, or the other way round."""
        self.toggle_class("-histogram")
        self.call_after_refresh(self._show_pictures)

    def action_back(self) -> None:
        """Clear the filter, or else go back to the overview."""
        if self.needle:
            self.filter_by("")
        else:
            self.dismiss()

    def _choose(self) -> None:
        """Something else is to be counted: what was counted before stays until that is."""
        self._painted = None
        self._progress = (0, 0)
        self.post_message(self.PaintWanted())

    @property
    def _chosen(self) -> tuple[str, int]:
        return GROUPINGS[self._grouping], WINDOWS[self._window].seconds

    def _ask(self, dashboard: Dashboard, now_ns: int) -> None:
        every_ns = WINDOWS[self._window].every_s * SECOND_NS
        if dashboard.stale or not self._inquiry.is_due(self._chosen, now_ns, every_ns):
            return
        self._inquiry.begin(self._chosen, now_ns)
        self.post_message(self.AnswerWanted(_TOPIC, self._answer))

    async def _answer(self, questions: Questions) -> None:
        grouping, window_s = self._chosen
        await self._inquiry.take(questions.statistics(window_s, (grouping,), progress=self._read))
        self._progress = (0, 0)
        self.post_message(self.PaintWanted())

    def _read(self, done: int, total: int) -> None:
        """Show how far it is, in whole percent."""
        if total < _MANY:
            return
        before, self._progress = self._progress, (done, total)
        if before[1] != total or done * 100 // total != before[0] * 100 // total:
            self.post_message(self.PaintWanted())

    def _show(self, dashboard: Dashboard, now_ns: int) -> None:
        inquiry = self._inquiry
        now_ns = dashboard.as_of(now_ns)
        answer = inquiry.answer
        grouping, _ = inquiry.about if isinstance(inquiry.about, tuple) else self._chosen
        self._choices.show(
            GROUPINGS[self._grouping],
            WINDOWS[self._window],
            self._counted(answer.statistics if answer else None, now_ns),
        )
        what = (inquiry.version, dashboard.link.detail if dashboard.link and answer is None else "")
        if what != self._painted:
            self._painted = what
            rows = rows_of(answer, grouping) if answer else []
            self._table.show(rows, self._hint(dashboard))
            self._write_border()

    def _counted(self, statistics: EventStatistics | None, now_ns: int) -> Counted:
        age_s = max(0, now_ns - self._inquiry.answered_ns) / SECOND_NS
        done, total = self._progress
        notes = tuple(_notes(statistics)) if statistics else ()
        return Counted(statistics, age_s, self._inquiry.trouble, done, total, notes)

    def _hint(self, dashboard: Dashboard) -> Sequence[Line]:
        if self._inquiry.answer is not None:
            return _NOTHING
        return waiting_lines(dashboard.link) if dashboard.stale else _COUNTING

    @on(StatisticsTable.Opened)
    def _row_opened(self, event: StatisticsTable.Opened) -> None:
        event.stop()
        if event.name.startswith("("):  # stands for none, or for many
            self.app.bell()
            return
        of: dict[str, Any] = {_FIELDS[GROUPINGS[self._grouping]]: event.name}
        whose = EventFilter(**of)
        self.post_message(self.JobsWanted(f"{whose} time>-{WINDOWS[self._window].since}"))

    @on(PointingTable.Pointed)
    def _show_pictures(self) -> None:
        """Of the row with the cursor."""
        view, answer = self._table.current, self._inquiry.answer
        if self._chart.display:
            course = course_of(answer, view.trend) if view is not None and answer is not None else None
            self._chart.show(view.name if view is not None else "", course)
        if self._histogram.display:
            self._histogram.show(view)

    def _write_border(self) -> None:
        about = self._inquiry.about
        grouping = about[0] if isinstance(about, tuple) else GROUPINGS[self._grouping]
        self._table.set_border(self._table.title(grouping), self._table.subtitle())


def _notes(statistics: EventStatistics) -> Iterator[str]:
    """What is to be known of the figures."""
    lost = sum(gap.last - gap.first + 1 for gap in statistics.gaps)
    if lost:
        yield f"{count_text(lost)} events were gone before they were counted"
    if not statistics.is_exact:
        yield "of a longer time: what is older is kept by whole hours or days"
    if statistics.ended_logs_ns:
        yield "a log of events was deleted in this time"
    if statistics.has_others:
        yield "(others) were too many to be told apart"
