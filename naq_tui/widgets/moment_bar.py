"""The line in which somebody types where in time to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from naq_tui.commands import Scope, bindings
from naq_tui.text import inert
from naq_tui.widgets.filter import FilterInput
from naq_tui.widgets.line import Line, LineWidget

__all__ = ["MomentBar", "MomentInput"]

_EXAMPLES = "-10m, 14:02, 2026-11-27T14:02"


class MomentInput(FilterInput):
    """An input that remembers where somebody went."""

    BINDINGS = bindings(Scope.MOMENT)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.MOMENT,)


class Complaint(LineWidget):
    """Why nobody can go there."""

    text = ""

    def line(self, y: int) -> Line:
        return Line(((f" ✗ {self.text}", "bad"),)) if self.text else Line()


class MomentBar(Horizontal):
    """The input with its prompt; there only while somebody types."""

    @dataclass
    class Chosen(Message):
        """Somebody wants to go there."""

        text: str

    class Left(Message):
        """Nobody wants to go anywhere."""

    def compose(self) -> ComposeResult:
        """The prompt, the input, and room for a complaint."""
        yield Static("◂◂ go to", markup=False, id="prompt")
        yield MomentInput(_EXAMPLES)
        yield Complaint()

    def open(self) -> None:
        """Ready to type."""
        self.complain("")
        self.query_one(MomentInput).begin("")

    def complain(self, reason: str, text: str = "") -> None:
        """Say why nobody can go there, and let it be typed anew."""
        complaint = self.query_one(Complaint)
        complaint.text = inert(reason, 200)
        complaint.repaint()
        if reason:
            self.query_one(MomentInput).begin(text)

    @on(FilterInput.Closed)
    def _typed(self, event: FilterInput.Closed) -> None:
        event.stop()
        self.post_message(self.Chosen(event.text) if event.text.strip() else self.Left())
