"""The server: its streams, their consumers, the cluster, and how far limits are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content

from naq_tui.commands import Scope, bindings
from naq_tui.equivalents import stream_command
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.code import plain_lines
from naq_tui.pages.stream import stream_page
from naq_tui.questions import Questions
from naq_tui.screens.inquiry import Inquiry
from naq_tui.screens.view import View
from naq_tui.state import Dashboard
from naq_tui.text import inert
from naq_tui.widgets.account import AccountLines
from naq_tui.widgets.document import Document
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.line import EMPTY, Line
from naq_tui.widgets.pointing import PointingTable
from naq_tui.widgets.status import Badge, Status
from naq_tui.widgets.streams import ConsumerTable, StreamTable
from naq_tui.widgets.table import Table
from naq_tui.widgets.waiting import waiting_lines

if TYPE_CHECKING:
    from naq_runtime.jetstream import Consumer, ServerDetail, Stream

__all__ = ["Server"]

_SERVER, _CONSUMERS = "server", "consumers"
_EVERY_NS = 2 * SECOND_NS
_ASKING = (Line(((" asking the server …", "dim"),)),)
_NO_STREAMS = (
    Line(((" no streams yet", "text"),)),
    Line(),
    Line(((" naq enqueue your_module.your_task", "key"), ("  makes the first", "dim"))),
)
_NO_CONSUMERS = (Line(((" nobody reads this stream by a consumer", "dim"),)),)


class Server(View):
    """Streams above; below the consumers of the one with the cursor, and what else there is to know of it."""

    BINDINGS = bindings(Scope.SERVER)
    AUTO_FOCUS = "#streams"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.SERVER,)
    HERE: ClassVar[str] = "server"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # Textual declares them so
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012

    def __init__(self, badge: Badge) -> None:
        super().__init__(id="server")
        self._status = Status(badge)
        self._account = AccountLines()
        self._streams = StreamTable(id="streams", classes="pane")
        self._consumers = ConsumerTable(id="consumers", classes="pane")
        self._facts = Document(lambda width: [EMPTY], id="facts", classes="pane")
        self._server: Inquiry[ServerDetail] = Inquiry()
        self._listed: Inquiry[Sequence[Consumer]] = Inquiry()
        self._dashboard: Dashboard | None = None
        self._painted: tuple[object, ...] | None = None
        self._painted_s = -1
        self._now_ns = 0

    def compose(self) -> ComposeResult:
        """The strip, the account, the tables, the facts and the footer."""
        yield self._status
        yield self._account
        yield self._streams
        yield Container(self._consumers, self._facts, id="below")
        yield Footer()

    def on_screen_suspend(self) -> None:
        """Nobody looks: what is being asked is given up."""
        for topic, inquiry in ((_SERVER, self._server), (_CONSUMERS, self._listed)):
            self.app.workers.cancel_group(self.app, topic)
            inquiry.give_up()

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Ask again when it is time, and paint what has changed."""
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        if dashboard is not self._dashboard:
            if self._dashboard is not None:
                self._server.forget()
                self._listed.forget()
            self._dashboard = dashboard
        self._now_ns = dashboard.as_of(now_ns)
        if not dashboard.stale and (behind is None or self._server.answer is None):
            self._ask(now_ns)
        if behind is None or self._painted is None:
            self._show(dashboard)
        return False

    def row_text(self) -> str:
        """The name of the row with the cursor."""
        table: Table[Stream] | Table[Consumer] = self._consumers if self._consumers.has_focus else self._streams
        return (table.cursor_key or "") if table.rows else ""

    def equivalent(self) -> str:
        """The command that shows the stream, and its consumers."""
        return stream_command(self._streams.current.name if self._streams.current else "")

    def records(self) -> Iterable[Mapping[str, object]]:
        """The rows of the table with the focus."""
        import msgspec

        rows: Sequence[Stream] | Sequence[Consumer] = (
            self._consumers.rows if self._consumers.has_focus else self._streams.rows
        )
        return [msgspec.to_builtins(row) for row in rows]

    def action_next_pane(self) -> None:
        """Go to the consumers, or back to the streams."""
        self.set_focus(self._consumers if self._streams.has_focus else self._streams)

    def action_back(self) -> None:
        """Go back to the streams, or else to the overview."""
        if self._streams.has_focus:
            self.dismiss()
        else:
            self.set_focus(self._streams)

    @on(Table.Opened)
    def _row_opened(self, event: Table.Opened) -> None:
        event.stop()
        self.set_focus(self._consumers)

    @on(PointingTable.Pointed)
    def _stream_pointed(self) -> None:
        self._painted = None
        self.post_message(self.PaintWanted())

    def _ask(self, now_ns: int) -> None:
        if self._server.is_due(_SERVER, now_ns, _EVERY_NS):
            self._server.begin(_SERVER, now_ns)
            self.post_message(self.AnswerWanted(_SERVER, self._ask_server))
        stream = self._streams.current
        if stream is not None and self._listed.is_due(stream.name, now_ns, _EVERY_NS):
            self._listed.begin(stream.name, now_ns)
            self.post_message(self.AnswerWanted(_CONSUMERS, partial(self._ask_consumers, stream.name)))

    async def _ask_server(self, questions: Questions) -> None:
        await self._server.take(questions.server())
        self.post_message(self.PaintWanted())

    async def _ask_consumers(self, stream: str, questions: Questions) -> None:
        await self._listed.take(questions.consumers(stream))
        self.post_message(self.PaintWanted())

    def _show(self, dashboard: Dashboard) -> None:
        detail, now_ns = self._server.answer, self._now_ns
        second = now_ns // SECOND_NS
        if second != self._painted_s or self._painted is None:
            self._painted_s = second
            self._streams.tick(now_ns)
        self._account.show(detail, max(0, now_ns - self._server.answered_ns) / SECOND_NS, self._server.trouble)
        what = (self._server.version, self._listed.version, dashboard.link)
        if what != self._painted:
            self._painted = what
            self._streams.show(detail.streams if detail else None, now_ns, self._hint(dashboard))
            self._show_below()

    def _hint(self, dashboard: Dashboard) -> Sequence[Line]:
        if self._server.answer is not None:
            return _NO_STREAMS
        if dashboard.stale:
            return waiting_lines(dashboard.link)
        trouble = self._server.trouble
        return [EMPTY, *plain_lines(trouble, max(20, self._streams.size.width))] if trouble else _ASKING

    def _show_below(self) -> None:
        stream, now_ns = self._streams.current, self._now_ns
        if stream is None:
            self._consumers.show("", (), ())
            self._facts.set_layout(lambda width: [EMPTY])
            self._facts.set_border(Content("Stream"))
            return
        known = self._listed.about == stream.name
        hint: Sequence[Line] = _NO_CONSUMERS if known else _ASKING
        if self._listed.trouble:
            hint = [EMPTY, *plain_lines(self._listed.trouble, max(20, self._consumers.size.width))]
        answer = self._listed.answer if known and not self._listed.trouble else None
        self._consumers.show(stream.name, answer or (), hint)
        self._facts.set_border(Content.assemble("Stream ", (inert(stream.name, 60), "$foreground 75%")))
        self._facts.set_layout(lambda width: stream_page(stream, width, now_ns))
