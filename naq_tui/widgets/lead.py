"""The line that says who leads the schedulers, or that nobody does."""

from __future__ import annotations

from collections.abc import Iterator

from naq_runtime.snapshot import LeaderState
from naq_tui.model.schedules import ScheduleBook
from naq_tui.model.seconds import SECOND_NS
from naq_tui.text import age_text, clip, count_text, inert
from naq_tui.widgets.flow import Item, justified
from naq_tui.widgets.line import Line, LineWidget, Tone

__all__ = ["Lead"]

_STATES: tuple[tuple[str, str, Tone], ...] = (
    ("active", "●", "good"),
    ("paused", "‖", "warn"),
    ("failed", "✗", "bad"),
)


class Lead(LineWidget):
    """Who leads since when, and how many schedules there are of each state."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: tuple[list[Item], list[Item]] = ([], [])

    def show(self, book: ScheduleBook, now_ns: int) -> None:
        """Show how it is now."""
        self._items = (list(_leading(book, now_ns)), list(_counts(book)))
        self.repaint()

    def line(self, y: int) -> Line:
        """The one line."""
        return Line(justified(*self._items, self.size.width))


def _leading(book: ScheduleBook, now_ns: int) -> Iterator[Item]:
    leader = book.leader
    if book.trouble:
        yield Item(((f"! {clip(inert(book.trouble), 70)}", "warn"),), 1)
    if book.mark is None:
        return
    if leader is not None and leader.leads:
        yield from _led_by(leader, now_ns)
    elif book.unattended:
        yield Item((("! no scheduler runs", "bad"),), 0)
        yield Item(((_why(leader), "warn"),), 3)
        yield Item((("naq run-scheduler", "key"), (" starts one", "dim")), 4)
    else:
        yield Item((("no scheduler runs", "dim"),), 0)


def _led_by(leader: LeaderState, now_ns: int) -> Iterator[Item]:
    yield Item((("★ ", "good"), (inert(leader.instance_id, 40), "strong"), (" leads", "text")), 0)
    if leader.hostname:
        yield Item(((f"{inert(leader.hostname, 40)}:{leader.pid}", "dim"),), 5)
    yield Item((("term ", "dim"), (count_text(leader.term), "text")), 3)
    if leader.since_ns:
        yield Item((("for ", "dim"), (age_text((now_ns - leader.since_ns) / SECOND_NS), "text")), 4)


def _why(leader: LeaderState | None) -> str:
    if leader is None:
        return "none has ever led"
    if not leader.instance_id:
        return "the last one has left"
    return f"{inert(leader.instance_id, 40)} is silent for {age_text(leader.silent_s)}"


def _counts(book: ScheduleBook) -> Iterator[Item]:
    for state, glyph, tone in _STATES:
        count = book.counts[state]
        if count:
            yield Item(((f"{glyph} ", tone), (f"{count_text(count)} {state}", "text")), 2)
