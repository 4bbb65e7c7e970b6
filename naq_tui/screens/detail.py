"""One thing, of which everything is asked for, and again whenever something happens to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.content import Content

from naq_runtime.errors import NaqError, NotFound
from naq_tui.commands import Scope, bindings
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.code import plain_lines
from naq_tui.screens.view import View
from naq_tui.state import Dashboard
from naq_tui.text import inert
from naq_tui.widgets.document import Document, Layout
from naq_tui.widgets.footer import Footer
from naq_tui.widgets.line import EMPTY, Line
from naq_tui.widgets.status import Badge, Status

__all__ = ["DetailScreen"]

_FETCH_PAUSE_NS = SECOND_NS // 2
"""The least time between two questions to the server about the same thing."""

Detail = TypeVar("Detail")


class DetailScreen(View, Generic[Detail]):
    """The page of one thing.

    Args:
        thing_id: which.
        fetch: asks for all that is known of it.
    """

    BINDINGS = bindings(Scope.BACK)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.BACK,)
    NOUN: ClassVar[str] = ""
    """What it is, in lower case."""

    def __init__(self, thing_id: str, *, fetch: Callable[[str], Awaitable[Detail]], badge: Badge) -> None:
        super().__init__(classes=f"detail {self.NOUN}")
        self.thing_id = thing_id
        self._fetch = fetch
        self._status = Status(badge)
        self._page = self.make_page()
        self._page.set_layout(_message_page(f"asking for the {self.NOUN} …"))
        self._detail: Detail | None = None
        self._asked_version = -1
        self._asked_at_ns: int | None = None
        self._laid_out_s = -1

    def happened(self, dashboard: Dashboard) -> int:
        """A number that grows when something happens to it."""
        raise NotImplementedError

    def lines(self, detail: Detail, width: int, now_ns: int) -> Sequence[Line]:
        """The page."""
        raise NotImplementedError

    def make_page(self) -> Document:
        """What shows the page."""
        return Document(_message_page(""), classes="pane")

    def answered(self, detail: Detail) -> None:
        """All that is known of it has been told anew."""

    @property
    def detail(self) -> Detail | None:
        """What is known of it; ``None`` before the first answer."""
        return self._detail

    def compose(self) -> ComposeResult:
        """The strip, the page and the footer."""
        yield self._status
        yield self._page
        yield Footer()

    def on_mount(self) -> None:
        """Paint what there is, and ask."""
        name = self.NOUN.capitalize()
        self._page.set_border(Content.assemble(f"{name} ", (inert(self.thing_id, 64), "$foreground 75%")))
        self._page.focus()
        self.post_message(self.PaintWanted())

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """Ask again when something happened to it; let what time changes go on."""
        self._status.show(dashboard, now_ns, behind)
        self.set_class(dashboard.stale and dashboard.heard_at_ns is not None, "-stale")
        if behind is not None and self._detail is not None:
            return False
        version = self.happened(dashboard)
        if self._asked_version != version:
            return self._ask(version, now_ns)
        self._grow(dashboard.as_of(now_ns))
        return False

    def acted(self, done: tuple[str, ...] | None) -> None:
        """See `View.acted`: not all that is done to it leaves an event at once."""
        super().acted(done)
        if done:
            self._asked_version = -1
            self.post_message(self.PaintWanted())

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()

    def _ask(self, version: int, now_ns: int) -> bool:
        if self._asked_at_ns is not None and 0 <= now_ns - self._asked_at_ns < _FETCH_PAUSE_NS:
            return True
        self._asked_version, self._asked_at_ns = version, now_ns
        self.run_worker(self._answer(now_ns), group=self.NOUN, exclusive=True)
        return False

    async def _answer(self, now_ns: int) -> None:
        try:
            self._detail = await self._fetch(self.thing_id)
        except NotFound as error:
            self._page.set_layout(_message_page(f"nothing is known of this {self.NOUN}: {error}"))
        except NaqError as error:
            self._page.set_layout(_message_page(f"the server cannot be asked for it now: {error}"))
        else:
            self.lay_out(self._detail, now_ns)
            self.answered(self._detail)

    def lay_out(self, detail: Detail, now_ns: int) -> None:
        """Show it as it is now."""
        self._laid_out_s = now_ns // SECOND_NS
        self._page.set_layout(lambda width: self.lines(detail, width, now_ns))

    def _grow(self, now_ns: int) -> None:
        """Once a second."""
        if self._detail is not None and now_ns // SECOND_NS != self._laid_out_s:
            self.lay_out(self._detail, now_ns)


def _message_page(text: str) -> Layout:
    def layout(width: int) -> list[Line]:
        return [EMPTY, *plain_lines(text, width)]

    return layout
