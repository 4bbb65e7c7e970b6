"""The jobs: found by a filter, wherever they stand; and why jobs fail."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar

from msgspec import to_builtins
from textual import on
from textual.app import ComposeResult
from textual.timer import Timer

from naq_runtime.errors import FilterError, NaqError
from naq_runtime.events.filters import EventFilter
from naq_runtime.finding.query import JobQuery, of_jobs
from naq_tui.acts import JOB_ACTS, Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.model.failures import FailureBook, FailureView
from naq_tui.model.jobs import JobList
from naq_tui.model.known import known_values
from naq_tui.model.seconds import SECOND_NS
from naq_tui.model.standing import STANDINGS
from naq_tui.questions import Questions
from naq_tui.screens.job_acts import act_on_jobs, jobs_as_they_stand
from naq_tui.screens.search import JobSearch
from naq_tui.screens.view import FilteredView
from naq_tui.state import Dashboard
from naq_tui.text import inert
from naq_tui.widgets.failures import Failures
from naq_tui.widgets.filter import FilterBar, Known
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.jobs import Jobs as Table
from naq_tui.widgets.line import Line
from naq_tui.widgets.status import Badge, Status
from naq_tui.widgets.waiting import waiting_lines

__all__ = ["Jobs"]

_TYPING_S = 0.25
"""Nothing is looked for before nobody has typed for so long."""
_RENEW_NS = 2 * SECOND_NS
"""The least time between two looks for what is new."""
_GROUP = 5_000
"""Jobs of a group that are shown; those that failed last."""
_EXAMPLE = "an id, words, state:failed queue:email args:ada error:Timeout time>-1h duration>2s"

_NO_MATCH = (Line(((" nothing matches", "dim"),)),)
_NO_JOBS = (
    Line(((" no jobs yet", "text"),)),
    Line(),
    Line(((" naq enqueue …", "key"), ("  makes one", "dim"))),
)


class Jobs(FilteredView):
    """A table of jobs, or of the reasons for which they fail."""

    BINDINGS = bindings(Scope.JOBS)
    AUTO_FOCUS = "#found"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.JOBS,)
    HERE: ClassVar[str] = "jobs"

    def __init__(self, badge: Badge) -> None:
        super().__init__(id="jobs")
        self._status = Status(badge)
        self._table = Table(id="found", classes="pane")
        self._reasons = Failures(id="reasons", classes="pane")
        self._search = JobSearch(JobList(JobQuery()))
        self._asked: FailureBook | None = None
        """The failures that were asked for."""
        self._dashboard: Dashboard | None = None
        self._typed: Timer | None = None
        self._now_ns = 0
        self._begun_ns: int | None = None
        """When the jobs were looked for; ``None`` before the first time."""
        self._heard = 0
        """The position of the first event that was not heard yet."""
        self._was_stale = False
        self._painted: tuple[object, ...] = ()

    @property
    def filtered(self) -> Table | Failures:
        """The table that is shown."""
        return self._reasons if self._shows_failures else self._table

    @property
    def needle(self) -> str:
        """The filter by which jobs are looked for."""
        return self._search.jobs.query.text

    @property
    def _shows_failures(self) -> bool:
        return self.has_class("-failures")

    @property
    def _jobs(self) -> JobList:
        return self._search.jobs

    def filter_by(self, needle: str) -> None:
        """Look for other jobs, once nobody types any more."""
        if self._typed is not None:
            self._typed.stop()
        if self.query_one(FilterBar).is_open:
            self._typed = self.set_timer(_TYPING_S, lambda: self._look_for(needle))
        else:
            self._look_for(needle)

    def find(self, needle: str) -> None:
        """See `FilteredView.find`: of all jobs, neither the reasons for which they fail nor those of one reason."""
        if self._shows_failures:
            self.action_failures()
        self._begin(needle)
        self._table.narrow(self._jobs)

    def compose(self) -> ComposeResult:
        """The strip, the two tables, the filter's line and the footer."""
        yield self._status
        yield self._table
        yield self._reasons
        yield FilterBar(_EXAMPLE, self._known, of_jobs())
        yield Footer()

    def on_screen_resume(self) -> None:
        """It is visible, for the first time or again."""
        self._painted = ()
        super().on_screen_resume()

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Let what is shown go on with the events, and paint what has changed."""
        if dashboard is not self._dashboard:
            self._dashboard, self._heard, self._begun_ns, self._asked = dashboard, dashboard.log.end, None, None
            self._reasons.book = FailureBook(self._reasons.book.window_s)  # what failed at one time is not of another
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        self._now_ns = dashboard.as_of(now_ns)
        if behind is None or self._begun_ns is None:
            self._hear(dashboard)
            self._look_when_due(dashboard)
            self._paint()
        return False

    def act(self, kind: ActKind) -> Act | None:
        """The jobs that are marked, or that with the cursor: those of them to which it can be done."""
        if self._shows_failures:
            return None
        of_all = self._table.marks_all
        of = self.needle or self._jobs.name
        more = of_all and not self._jobs.has_all
        return act_on_jobs(kind, self._table.chosen, of=of if of_all else "", more=more)

    def seek(self, kind: ActKind) -> bool:
        """Of failures, how their jobs stand now has to be looked for: many were tried again since."""
        groups = self._reasons.chosen if self._shows_failures and kind in JOB_ACTS else ()
        ids = self._reasons.book.job_ids(*(group.key for group in groups))
        if ids:
            name = _named(groups[0]) if len(groups) == 1 else f"failures for {len(groups):,} reasons"
            self.post_message(self.AnswerWanted("act", partial(self._find_act, kind, ids, name)))
        return bool(ids)

    def acted(self, done: tuple[str, ...] | None) -> None:
        """See `View.acted`: the reasons are marked no more, either."""
        super().acted(done)
        if done:
            self._reasons.action_unmark()

    def row_text(self) -> str:
        """The line with the cursor, as words."""
        if self._shows_failures:
            group = self._reasons.group
            return (
                inert(f"{group.failures} times {group.function} {group.error_type}: {group.example}") if group else ""
            )
        job = self._table.job
        if job is None:
            return ""
        parts = (job.job_id, STANDINGS[job.state[-1]][0], job.function_name, job.queue_name, job.why or job.arguments)
        return inert("  ".join(part for part in parts if part), 2_000)

    def equivalent(self) -> str:
        """The command that shows the job, or the failures of the group."""
        if not self._shows_failures:
            return f"naq job show {self._table.job.job_id}" if self._table.job else ""
        group = self._reasons.group
        if group is None:
            return ""
        wanted = {"type": ["failed", "timed_out"], "error_type": group.error_type}
        wanted |= {"function": group.function} if group.function else {}
        since = f"{self._reasons.book.window_s}s"
        return f"naq events stream --since {since} --filter {shlex.quote(str(EventFilter(wanted)))}"

    def records(self) -> Iterable[Mapping[str, object]]:
        """The rows of the table that is shown, in their order."""
        if self._shows_failures:
            return [view._asdict() for view in self._reasons.rows]
        return [{**to_builtins(job), "state": job.state[-1]} for job in self._table.rows]

    # What is looked for

    def action_open(self) -> None:
        """Open the job with the cursor, or the jobs of the group."""
        self.filtered.action_open()

    def action_failures(self) -> None:
        """Show why jobs fail, or the jobs."""
        self.set_class(not self._shows_failures, "-failures")
        self._reasons.is_filter_aside = bool(self.needle)
        self.set_focus(self.filtered)
        self._painted = ()
        self.post_message(self.PaintWanted())

    def action_renew(self) -> None:
        """Look again."""
        if self._shows_failures:
            self._reasons.book = FailureBook(self._reasons.book.window_s)
            self.post_message(self.PaintWanted())
        else:
            self._begin_again()

    def action_back(self) -> None:
        """Clear the filter, or else leave the group for the reasons, or else the view."""
        if self._shows_failures:
            self.action_failures()
        elif self.needle:
            self._look_for("")
        elif self._jobs.name:
            self._begin("")
            self.action_failures()
        else:
            self.dismiss()

    def action_filter(self) -> None:
        """Type a filter for the jobs."""
        if self._shows_failures:
            self.action_failures()
        super().action_filter()

    @on(Table.Opened)
    def _row_opened(self, event: Table.Opened) -> None:
        event.stop()
        if not self._shows_failures:
            self.post_message(self.JobWanted(event.name))
            return
        group = self._reasons.group
        ids = self._reasons.book.job_ids(event.name)[:_GROUP]
        if group is not None and ids:
            self.action_failures()
            self._begin("", ids, _named(group))

    @on(Table.MoreWanted)
    def _more_wanted(self, event: Table.MoreWanted) -> None:
        event.stop()
        self._search.go_on(everything=event.everything)

    @on(Table.NotAllWanted)
    def _not_all_wanted(self, event: Table.NotAllWanted) -> None:
        event.stop()
        self._search.be_content()

    @on(Failures.WindowChanged)
    def _window_changed(self, event: Failures.WindowChanged) -> None:
        event.stop()
        self.post_message(self.PaintWanted())

    async def _find_act(self, kind: ActKind, ids: tuple[str, ...], name: str, questions: Questions) -> None:
        try:
            found = await jobs_as_they_stand(questions, ids)
        except NaqError as error:
            self.notify(inert(str(error), 200), severity="warning", markup=False)
            return
        act = act_on_jobs(kind, found, of=name, more=self._reasons.book.is_cut)
        if act is None:
            text = f"none of these {len(ids):,} jobs stands so that one could {kind.value} it"
            self.notify(text, severity="warning", markup=False)
        elif self.app.screen is self:
            self.post_message(self.ActWanted(act))

    def _look_for(self, needle: str) -> None:
        if needle == self.needle:
            return
        with suppress(FilterError):  # the line of the filter says what is wrong
            self._begin(needle, self._jobs.query.given, self._jobs.name)
            self._table.narrow(self._jobs)

    def _begin(self, text: str, ids: tuple[str, ...] = (), name: str = "") -> None:
        """Look for jobs; what was found before stays on the screen until something else is."""
        query = JobQuery(text, ids=ids, now_ns=self._now_ns)
        search = self._search = JobSearch(JobList(query, name))
        self._begun_ns = self._now_ns

        self.post_message(self.AnswerWanted("search", lambda questions: search.run(questions, self._changed)))

    def _begin_again(self) -> None:
        query = self._jobs.query
        self._begin(query.text, query.given, self._jobs.name)

    def _read_failures(self) -> None:
        """Ask for the failures of the window, unless they were asked for."""
        book = self._reasons.book
        if book is self._asked:
            return
        self._asked = book

        async def read(questions: Questions) -> None:
            try:
                book.take(await questions.failures(book.since_ns(self._now_ns)))
            except NaqError as error:
                book.fail(str(error))
            self._changed()

        self.post_message(self.AnswerWanted("failures", read))

    def _hear(self, dashboard: Dashboard) -> None:
        """What has happened since the last time moves the jobs on."""
        if self._heard < dashboard.log.first:  # it was hidden for long: what is gone was not heard
            self._begun_ns = self._asked = None
        events = dashboard.log.between(self._heard, dashboard.log.end)
        self._heard = dashboard.log.end
        self._jobs.hear(events)
        if self._asked is not None:
            self._asked.hear(events)

    def _look_when_due(self, dashboard: Dashboard) -> None:
        """Look for the first time, after an outage, and for what is new while somebody looks at the top."""
        came_back, self._was_stale = self._was_stale and not dashboard.stale, dashboard.stale
        if dashboard.stale:
            return
        if self._begun_ns is None or came_back or self._may_renew():
            self._begin_again()
        if self._shows_failures:
            self._asked = None if came_back else self._asked
            self._read_failures()

    def _may_renew(self) -> bool:
        if not self._search.rests or 0 <= self._now_ns - (self._begun_ns or 0) < _RENEW_NS:
            return False
        return bool(self._jobs.trouble or (self._jobs.new and self._search.is_short and self._table.on_top))

    # Painting

    def _changed(self) -> None:
        """There is something new to show."""
        self.post_message(self.PaintWanted())

    def _paint(self) -> None:
        second = self._now_ns // SECOND_NS
        if self._shows_failures:
            self._reasons.book.advance(second * SECOND_NS)
            now: tuple[object, ...] = (self._reasons.book, self._reasons.book.version, second)
        else:
            now = (self._jobs, self._jobs.version, second)
        if now == self._painted:
            return
        is_same = now[:-1] == self._painted[:-1]
        self._painted = now
        if is_same:
            self.filtered.tick(self._now_ns)
        elif self._shows_failures:
            self._reasons.show(self._now_ns, self._hint(self._reasons.book.trouble))
        else:
            self._show_jobs()

    def _show_jobs(self) -> None:
        jobs = self._jobs
        self._table.trouble = jobs.trouble
        if jobs.jobs or jobs.is_over or not self._table.rows:
            self._table.show(jobs, self._now_ns, self._hint(jobs.trouble))
        else:
            self._table.tick(self._now_ns)
        if self._table.marks_all:
            self._table.mark_found()

    def _hint(self, trouble: str) -> Sequence[Line]:
        """What stands in place of rows where there are none."""
        if self._dashboard is not None and self._dashboard.stale:
            return waiting_lines(self._dashboard.link)
        if trouble:
            return (Line(((f" cannot be looked for now: {inert(trouble, 200)}", "warn"),)),)
        if self._shows_failures or not self._jobs.is_over:
            return ()
        return _NO_MATCH if self.needle or self._jobs.name else _NO_JOBS

    def _known(self) -> Known:
        return known_values(self._dashboard) if self._dashboard is not None else {}


def _named(group: FailureView) -> str:
    """What the jobs of a group have in common."""
    parts = (group.function.rpartition(".")[2], group.error_type, group.message)
    return "  ".join(part for part in parts if part)
