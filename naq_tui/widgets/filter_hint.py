"""The line under a filter of events that is typed: what is wrong with it, and what may come next."""

from __future__ import annotations

from naq_runtime.events.filters import Completion, FilterError
from naq_tui.text import clip, inert
from naq_tui.widgets.flow import Item, flow, width_of
from naq_tui.widgets.line import Line, LineWidget, Span

__all__ = ["FilterHint"]

_GAP = 2


class FilterHint(LineWidget):
    """The mistake, and as many of the completions as there is room for."""

    def __init__(self) -> None:
        super().__init__()
        self._mistake: FilterError | None = None
        self._text = ""
        self._options: tuple[str, ...] = ()

    def show(self, text: str, mistake: FilterError | None, completion: Completion) -> None:
        """Say how the text stands, and what Tab would take."""
        self._text, self._mistake, self._options = text, mistake, completion.options
        self.repaint()

    def line(self, y: int) -> Line:
        """The one line."""
        state = self._state()
        room = self.size.width - width_of(state)
        items = [Item(((inert(option, 40), "name"),), place) for place, option in enumerate(self._options)]
        if not items or room < 12:
            return Line(tuple(state))
        spans: list[Span] = [*state, ("Tab ", "key")]
        for item in flow(items, room - 5, _GAP):
            spans += [*item.spans, (" " * _GAP, "text")]
        return Line(tuple(spans[:-1]))

    def _state(self) -> list[Span]:
        mistake = self._mistake
        if not self._text.strip():
            return [("   ", "text")]
        if mistake is None:
            return [(" ✓ ", "good")]
        is_begun = mistake.position >= len(self._text.rstrip())  # more has to come: no mistake yet
        said = f"column {mistake.position + 1}: {inert(mistake.reason, 200)}"
        words = clip(said, self.size.width - (24 if self._options else 4))
        return [(" … ", "dim"), (f"{words}  ", "dim")] if is_begun else [(" ✗ ", "bad"), (f"{words}  ", "text")]
