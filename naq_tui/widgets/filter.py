"""The line in which a filter is typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from naq_tui.commands import Scope, bindings, commands_of

__all__ = ["FilterBar", "FilterInput"]

_REMEMBERED = 50
_LONGEST = 200
_ACTIONS = {key: command.action for command in commands_of([Scope.TYPING]) for key in command.keys.split(",")}


class FilterInput(Input):
    """An input that remembers what was kept."""

    BINDINGS = bindings(Scope.TYPING)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.TYPING,)

    @dataclass
    class Closed(Message):
        """Typing is over; the text is what to filter by, empty for nothing."""

        text: str

    def __init__(self, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, compact=True, max_length=_LONGEST)
        self.cursor_blink = False
        self._kept: list[str] = []
        self._typing = False
        self._recalled = 0

    def begin(self, text: str) -> None:
        """Start to type, with this to begin with."""
        self.value = text
        self.cursor_position = len(text)
        self._recalled = len(self._kept)
        self._typing = True
        self.screen.set_focus(self)

    def on_key(self, event: events.Key) -> None:
        """Obey the keys in their order, even when they come faster than they are dealt with.

        A binding would be obeyed only after the keys that follow it; and keys that follow the end of typing are for
        whatever has the focus then.
        """
        action = _ACTIONS.get(event.key)
        if self._typing and action is None:
            return
        event.stop()
        event.prevent_default()
        if action is not None and self._typing:
            getattr(self, f"action_{action}")()
        else:
            self.app.post_message(events.Key(event.key, event.character))

    def action_keep(self) -> None:
        """Keep what is typed."""
        text = self.value
        if text:
            self._kept = [*(kept for kept in self._kept if kept != text), text][-_REMEMBERED:]
        self._close(text)

    def action_discard(self) -> None:
        """Filter by nothing."""
        self._close("")

    def action_earlier(self) -> None:
        """Recall the one before."""
        self._recall(-1)

    def action_later(self) -> None:
        """Recall the one after."""
        self._recall(1)

    def _close(self, text: str) -> None:
        self._typing = False
        self.post_message(self.Closed(text))

    def _recall(self, step: int) -> None:
        self._recalled = max(0, min(len(self._kept), self._recalled + step))
        self.value = self._kept[self._recalled] if self._recalled < len(self._kept) else ""
        self.cursor_position = len(self.value)


class FilterBar(Horizontal):
    """The input with its prompt; there only while somebody types."""

    def __init__(self, placeholder: str = "text to look for in the events") -> None:
        super().__init__()
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        """The prompt and the input."""
        yield Static("/", markup=False, id="prompt")
        yield FilterInput(self._placeholder)

    @property
    def input(self) -> FilterInput:
        """The input."""
        return self.query_one(FilterInput)

    @property
    def is_open(self) -> bool:
        """Whether somebody types."""
        return self.has_class("-open")

    def open(self, text: str) -> None:
        """Appear, ready to type."""
        self.add_class("-open")
        self.input.begin(text)

    def close(self) -> None:
        """Disappear."""
        self.remove_class("-open")
