"""All queues: how deep, how fast, how reliable; and one of them in detail."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual import on
from textual.content import Content

from naq_runtime.errors import NaqError
from naq_runtime.events.filters import EventFilter
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.pages.queue import QueueFacts, queue_page
from naq_tui.questions import Questions
from naq_tui.screens.pacing import Pacing
from naq_tui.screens.paned import Paned
from naq_tui.state import Dashboard
from naq_tui.text import inert
from naq_tui.widgets.filter import FilterBar
from naq_tui.widgets.line import EMPTY, Line
from naq_tui.widgets.queues import AllQueues
from naq_tui.widgets.status import Badge

__all__ = ["Queues"]

_PAUSE_S = 3.0


class Queues(Paned):
    """The table of the queues, over the details of the one with the cursor."""

    BINDINGS = bindings(Scope.QUEUES)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.QUEUES, Scope.PANED)
    HERE: ClassVar[str] = "queues"

    def __init__(self, badge: Badge) -> None:
        self._table = AllQueues(id="table", classes="pane")
        super().__init__(badge, self._table, name="queues", bar=FilterBar("text to look for in the names of queues"))
        self._pacing = Pacing(_PAUSE_S)

    def version(self, dashboard: Dashboard) -> int:
        """Depths, figures, backlogs."""
        return dashboard.versions.queues

    def act(self, kind: ActKind) -> Act | None:
        """See `AllQueues.act`."""
        return self._table.act(kind)

    def ask(self, dashboard: Dashboard, now_ns: int) -> None:
        """Ask for the backlogs of all queues."""
        if (names := dashboard.queue_names()) and self._pacing.claim(now_ns):
            self.post_message(
                self.AnswerWanted("backlogs", lambda questions: self._take_backlogs(questions, dashboard, names))
            )

    def detail_of(self) -> Hashable:
        """The queue's name."""
        return self._table.cursor_key if self._table.rows else None

    def detail_title(self) -> Content:
        """The queue's name."""
        return Content.assemble("Queue ", (inert(self._table.cursor_key or "", 64), "$foreground 75%"))

    def detail_lines(self, dashboard: Dashboard, width: int, now_ns: int) -> Sequence[Line]:
        """See `queue_page`."""
        queue = self._table.cursor_row
        if queue is None:
            return [EMPTY]
        workers = [one for one in dashboard.workers(now_ns) if queue.name in one.record.queue_names and not one.lost]
        throughput = dashboard.queue_throughput(queue.name, now_ns)
        return queue_page(QueueFacts(queue, throughput, workers, dashboard.queue_failures(queue.name)), width)

    @on(AllQueues.Opened)
    def _row_opened(self, event: AllQueues.Opened) -> None:
        event.stop()
        self.post_message(self.JobsWanted(str(EventFilter(queue_name=event.name))))

    async def _take_backlogs(self, questions: Questions, dashboard: Dashboard, names: Sequence[str]) -> None:
        with self._pacing.asking():
            try:
                dashboard.take_backlogs(await questions.backlogs(names))
            except NaqError as error:
                self.set_trouble(str(error))
            else:
                self.set_trouble("")
        self.post_message(self.PaintWanted())
