"""The last line: the keys that work here."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from naq_tui.commands import Command, Scope, hints
from naq_tui.widgets.flow import Item, flow, width_of
from naq_tui.widgets.line import Line, LineWidget, Span

__all__ = ["Footer"]

_GAP = 2


class Footer(LineWidget):
    """As many of the keys as there is room for; a click does the same."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._commands: Sequence[Command] = ()

    def show(self, scopes: Sequence[Scope], here: str = "") -> None:
        """Name the keys of these places, but for the one that leads to where we are."""
        self._commands = hints(scopes, here)
        self.repaint()

    def line(self, y: int) -> Line:
        """The keys, each with its word."""
        spans: list[Span] = [(" ", "text")]
        for _, item in self._kept():
            spans += [*item.spans, (" " * _GAP, "text")]
        return Line(tuple(spans))

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the mouse does."""
        x = 1
        for command, item in self._kept():
            width = width_of(item.spans)
            if x <= event.x < x + width:
                self.app.simulate_key(command.keys.split(",")[0])
                return
            x += width + _GAP

    def _kept(self) -> list[tuple[Command, Item]]:
        items = {_item(command): command for command in self._commands}
        kept = flow(sorted(items, key=lambda item: item.rank), self.size.width - 2, _GAP)
        return [(items[item], item) for item in kept]


def _item(command: Command) -> Item:
    key = command.label.split(" ")[0]
    return Item(((key, "key"), (f" {command.hint}", "dim")), command.rank)
