"""The event feed that goes back further than what is kept: the rest is asked for when one comes to its top."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.message import Message

from naq_runtime.events.answers import EarlierEvents
from naq_tui.model.deep_log import DeepLog
from naq_tui.state import Dashboard
from naq_tui.text import clip, inert
from naq_tui.widgets.feed import Feed

__all__ = ["DeepFeed"]

_FAINT = "$foreground 60%"


class DeepFeed(Feed):
    """A feed that wants earlier events while its oldest line is on the screen."""

    @dataclass
    class EarlierWanted(Message):
        """The events before a place in the log are wanted."""

        before: int
        needle: str

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._dashboard: Dashboard | None = None
        self._deep: DeepLog | None = None
        self._asked: int | None = None
        """Before which sequence events are being asked for."""
        self._note = ""
        """What there is to say of the beginning of the list."""

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show the log as it is now, and what was read of before it, until the newest line is followed again."""
        if dashboard is not self._dashboard:
            self._begin(dashboard)
        deep = self._deep
        keeps = not self.viewport.following
        if deep is not None and keeps and deep.catch_up(dashboard.log):
            self.watch_log(deep.log)
            self.catch_up()
            return
        self._forget()
        super().show(dashboard, now_ns)

    def hold(self) -> None:
        """Keep what is shown; what has been read of the server grows only when it is told to."""
        if self._deep is None:
            super().hold()

    def set_filter(self, needle: str) -> None:
        """Show only the events that a filter lets through: earlier ones are asked for anew."""
        before = self.needle
        super().set_filter(needle)
        if self.needle != before:
            self._forget()
            if self._dashboard is not None:
                self.watch_log(self._dashboard.log)
                self.catch_up()

    def moved(self) -> None:
        """The cursor has moved: at the top, more is wanted."""
        super().moved()
        at_top = self.viewport.top <= self.viewport.first and not self.viewport.following
        if at_top and self._asked is None and not self.searching:
            self._want()

    def take(self, asked: EarlierWanted, page: EarlierEvents) -> None:
        """Show what was asked for, above the oldest line."""
        if self._deep is None or self._asked != asked.before or self.needle != asked.needle:
            return
        self._asked = None
        taken = self._deep.take(page)
        if page.events and not taken and self._deep.more:
            self._want()  # all of them are kept here: it begins before them
            return
        if not self._deep.more:
            self._note = "the log begins here"
        elif not taken:
            self._note = "nothing found so far; go up to look further back"
        else:
            self._note = ""
        self.catch_up()

    def fail(self, reason: str) -> None:
        """What was asked for cannot be had now."""
        self._asked, self._note = None, reason
        self.catch_up()

    def subtitle(self) -> Content:
        """The filter, and how far back one can see."""
        note = "reading earlier events …" if self._asked is not None else self._note
        at_top = not self.viewport.following and self.viewport.top <= self.viewport.first
        filtered = super().subtitle()
        if not (note and at_top):
            return filtered
        return Content.assemble(filtered, "  " if filtered else "", (f"↑ {clip(inert(note, 80), 60)}", _FAINT))

    def _begin(self, dashboard: Dashboard) -> None:
        """Another log is on show: what was found in the one before has no place in it."""
        needle, self._needle, self._filtered = self._needle, "", None
        self._dashboard, self._log = dashboard, dashboard.log
        self._forget()
        self.viewport.following = True
        super().set_filter(needle)

    def _want(self) -> None:
        if self._deep is None:
            self._deep = DeepLog(self._log)
            self.watch_log(self._deep.log)
        if self._deep.more:
            self._asked = self._deep.before
            self.post_message(self.EarlierWanted(self._asked, self.needle))
            self._span()

    def _forget(self) -> None:
        self._deep, self._asked, self._note = None, None, ""
