"""The last line: the keys that work here, and the views by their numbers."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from naq_tui.commands import Command, Scope, hints, places
from naq_tui.keys import keys_in
from naq_tui.widgets.flow import Item, flow, width_of
from naq_tui.widgets.line import Line, LineWidget, Span

__all__ = ["Footer"]

_GAP = 2
_ROOM_FOR_KEYS = 34
"""What is left for keys at least when views are named one by one."""

_Entry = tuple[Command, tuple[Span, ...]]


class Footer(LineWidget):
    """As many of the keys as there is room for, and the views at the right; a click does the same as the key."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._commands: Sequence[Command] = ()
        self._places: Sequence[Command] = ()
        self._here = ""

    def show(self, scopes: Sequence[Scope], here: str = "", *, marked: bool = False) -> None:
        """Name the keys of these places.

        Args:
            here: the action that leads to where we are.
            marked: whether rows are marked.
        """
        keys = keys_in(self.app)
        named = hints(scopes, marked=marked)
        self._commands, self._places, self._here = keys.all_of(named), keys.all_of(places()), here
        self.repaint()

    def line(self, y: int) -> Line:
        """The keys, each with its word."""
        spans: list[Span] = []
        x = 0
        for start, _, entry in self._arranged():
            spans += [(" " * (start - x), "text"), *entry]
            x = start + width_of(entry)
        return Line(tuple(spans))

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the mouse does."""
        for start, command, entry in self._arranged():
            if start <= event.x < start + width_of(entry):
                self.app.simulate_key(command.keys.split(",")[0])
                return

    def _arranged(self) -> list[tuple[int, Command, tuple[Span, ...]]]:
        """What is shown, with the column in which it begins."""
        width = self.size.width - 2
        views, gap = self._views(width)
        place = 1 + width - _width(views, gap)
        keys = self._keys(place - 1 - (_GAP if views else 0))
        return [*_side_by_side(keys, 1, _GAP), *_side_by_side(views, place, gap)]

    def _keys(self, room: int) -> list[_Entry]:
        items = {_item(command): command for command in self._commands}
        kept = flow(sorted(items, key=lambda item: item.rank), room, _GAP)
        return [(items[item], item.spans) for item in kept]

    def _views(self, width: int) -> tuple[list[_Entry], int]:
        """The views, and the gap between them: all by name, or by number but for where we are, or none."""
        if Scope.TYPING in {command.scope for command in self._commands}:
            return [], 0
        named = [self._view(command, named=True) for command in self._places]
        short = [self._view(command, named=command.action == self._here) for command in self._places]
        keys = _width([(command, _item(command).spans) for command in self._commands], _GAP)
        if keys + _GAP + _width(named, _GAP) <= width:
            return named, _GAP
        return (short, 1) if width - _width(short, 1) - _GAP >= _ROOM_FOR_KEYS else ([], 0)

    def _view(self, command: Command, *, named: bool) -> _Entry:
        if command.action == self._here:
            return command, ((f"{command.label} {command.title}", "strong"),)
        return command, ((command.label, "key"), (f" {command.title}" if named else "", "dim"))


def _side_by_side(entries: Sequence[_Entry], start: int, gap: int) -> list[tuple[int, Command, tuple[Span, ...]]]:
    found = []
    for command, spans in entries:
        found.append((start, command, spans))
        start += width_of(spans) + gap
    return found


def _width(entries: Sequence[_Entry], gap: int) -> int:
    return sum(width_of(spans) for _, spans in entries) + gap * max(0, len(entries) - 1)


def _item(command: Command) -> Item:
    key = command.label.split(" ")[0]
    return Item(((key, "key"), (f" {command.hint}", "dim")), command.rank)
