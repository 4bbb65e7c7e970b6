"""A button of one line: a key, and what it does."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

__all__ = ["Choice"]


class Choice(Widget, can_focus=True):
    """Shows where the focus is by a mark, too; a click chooses it.

    Args:
        action: what is wanted when it is chosen, as the message says.
    """

    @dataclass
    class Chosen(Message):
        """Somebody has clicked on it."""

        action: str

    def __init__(self, action: str, key: str, text: str) -> None:
        super().__init__(id=action)
        self.action = action
        self._key = key
        self._text = text

    def say(self, key: str, text: str) -> None:
        """Show another key and another text."""
        self._key, self._text = key, text
        self.refresh(layout=True)

    def render(self) -> Content:
        """The mark, the key and the text."""
        return Content.assemble("▸ " if self.has_focus else "  ", (self._key, "bold"), f"  {self._text} ")

    def on_click(self) -> None:
        """A click chooses."""
        self.post_message(self.Chosen(self.action))
