"""All workers: who is busy, late, stuck or lost; and what one of them has in its hands."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.content import Content

from naq_runtime.errors import NaqError, NotFound
from naq_runtime.snapshot import WorkerDetail
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.model.workers import former_view
from naq_tui.pages.worker import held_and_beats
from naq_tui.questions import Questions
from naq_tui.screens.pacing import Pacing
from naq_tui.screens.paned import Paned
from naq_tui.state import Dashboard
from naq_tui.text import inert
from naq_tui.widgets.filter import FilterBar
from naq_tui.widgets.line import EMPTY, Line
from naq_tui.widgets.status import Badge
from naq_tui.widgets.workers import AllWorkers

__all__ = ["Workers"]

_PAUSE_S = 2.0
_FORMER_PAUSE_S = 10.0
_ASKING = (EMPTY, Line((("  asking for the worker …", "dim"),)))


class Workers(Paned):
    """The table of the workers, over the jobs and the heartbeats of the one with the cursor."""

    BINDINGS = bindings(Scope.WORKERS)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.WORKERS, Scope.PANED)
    HERE: ClassVar[str] = "workers"
    asks_of_row: ClassVar[bool] = True

    def __init__(self, badge: Badge) -> None:
        self._table = AllWorkers(id="table", classes="pane")
        hint = "text to look for in names, hosts, queues and states of workers"
        super().__init__(badge, self._table, name="workers", bar=FilterBar(hint))
        self._pacing = Pacing(_PAUSE_S)
        self._former_pacing = Pacing(_FORMER_PAUSE_S)
        self._with_former = False
        self._detail: WorkerDetail | None = None
        self._wanted: str | None = None

    def version(self, dashboard: Dashboard) -> int:
        """Leases, beats, jobs."""
        return dashboard.versions.workers

    def act(self, kind: ActKind) -> Act | None:
        """See `AllWorkers.act`."""
        return self._table.act(kind)

    def ask(self, dashboard: Dashboard, now_ns: int) -> None:
        """Ask for the worker with the cursor, while its details are on show, and for those that have ended."""
        name = self._table.cursor_key if self._table.rows else None
        if name != self._wanted:
            self._wanted = name
            self._pacing.hurry()
        if name is not None and self._details.display and self._pacing.claim(now_ns):
            ask = partial(self._take_detail, name, dashboard)
            self.post_message(self.AnswerWanted("worker", ask))
        if self._with_former and self._former_pacing.claim(now_ns):
            self.post_message(
                self.AnswerWanted("former workers", lambda questions: self._take_former(questions, now_ns))
            )

    def detail_of(self) -> Hashable:
        """The worker's id."""
        return self._table.cursor_key if self._table.rows else None

    def detail_title(self) -> Content:
        """The worker's id."""
        return Content.assemble("Worker ", (inert(self._table.cursor_key or "", 64), "$foreground 75%"))

    def detail_lines(self, dashboard: Dashboard, width: int, now_ns: int) -> Sequence[Line]:
        """What it has in its hands, and what it costs."""
        detail = self._detail
        if detail is None or detail.status.worker_id != self._table.cursor_key:
            return _ASKING
        return held_and_beats(detail, width, now_ns)[1:]

    def action_former(self) -> None:
        """Show those that have stopped or were lost within a day, too, or no more."""
        self._with_former = not self._with_former
        self._former_pacing.hurry()
        self._table.set_former(())
        self.repaint()

    @on(AllWorkers.Opened)
    def _row_opened(self, event: AllWorkers.Opened) -> None:
        event.stop()
        self.post_message(self.WorkerWanted(event.name))

    async def _take_detail(self, name: str, dashboard: Dashboard, questions: Questions) -> None:
        with self._pacing.asking():
            try:
                self._detail = await questions.worker(name)
                dashboard.take_worker(self._detail)
            except NotFound:
                self.set_trouble("")
            except NaqError as error:
                self.set_trouble(str(error))
            else:
                self.set_trouble("")
        self.renew_details()
        if name != self._table.cursor_key:
            self.post_message(self.PaintWanted())  # the cursor has gone on meanwhile

    async def _take_former(self, questions: Questions, now_ns: int) -> None:
        with self._former_pacing.asking():
            try:
                former = await questions.former_workers()
            except NaqError as error:
                self.set_trouble(str(error))
            else:
                self._table.set_former([former_view(status, now_ns) for status in former if self._with_former])
        self.repaint()
