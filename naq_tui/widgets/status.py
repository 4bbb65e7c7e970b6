"""The strip on top: what is being watched, how the link stands, and the figures that matter most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from naq_runtime.events.messages import duration_text
from naq_tui.model.alerts import AlertBook
from naq_tui.model.seconds import SECOND_NS
from naq_tui.model.tally import Quantiles
from naq_tui.source import ConnectionState, Link
from naq_tui.state import Dashboard, Vitals
from naq_tui.text import age_text, clip, clock_text, count_text, date_text, inert, percent_text, rate_text
from naq_tui.widgets.flow import Item, justified
from naq_tui.widgets.line import EMPTY, Line, LineWidget, Span, Tone
from naq_tui.widgets.tones import SEVERITY_TONES

__all__ = ["Badge", "Status"]

_LINKS: dict[ConnectionState, tuple[str, Tone]] = {
    ConnectionState.CONNECTING: ("◌ connecting", "warn"),
    ConnectionState.CATCHING_UP: ("◐ catching up", "begin"),
    ConnectionState.LIVE: ("● live", "good"),
    ConnectionState.RECONNECTING: ("○ reconnecting", "warn"),
    ConnectionState.REPLAYING: ("◂◂ at", "accent"),
    ConnectionState.ENDED: ("■ end of the recording", "dim"),
    ConnectionState.FAILED: ("✗ failed", "bad"),
}
_ALARMING = 0.05
"""A share of failures that is drawn as bad."""
_TIMED = (ConnectionState.CONNECTING, ConnectionState.RECONNECTING)


class Badge(NamedTuple):
    """What is being watched, and with what."""

    context: str = ""
    """The namespace, or the name of a recording."""
    version: str = ""


class Status(LineWidget):
    """Two lines that say how things stand."""

    def __init__(self, badge: Badge, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._badge = badge
        self._lines: tuple[tuple[list[Item], list[Item]], ...] = ()
        self._vitals: Vitals | None = None
        self._vitals_version = -1

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> None:
        """Show how things stand; ``behind`` counts the events since the display was frozen, ``None`` when it is not."""
        if behind is None and self._vitals_version != dashboard.versions.strip and not dashboard.stale:
            self._vitals_version = dashboard.versions.strip
            self._vitals = dashboard.vitals(now_ns)
        about = self._about(dashboard)
        state = [Item(tuple(_state(dashboard, now_ns, behind)), 1), Item((_clock(dashboard, now_ns),), 4)]
        alerts = list(_alerts(dashboard.alerts, dashboard.as_of(now_ns)))
        self._lines = ((about, [*alerts, *state]), (list(_figures(self._vitals)), list(_missed(dashboard))))
        self.repaint()

    def line(self, y: int) -> Line:
        """The line about the server, or the line of figures."""
        if y >= len(self._lines):
            return EMPTY
        left, right = self._lines[y]
        return Line(justified(left, right, self.size.width, strictly=y == 1))

    def _about(self, dashboard: Dashboard) -> list[Item]:
        context, version = self._badge
        items = [Item((("naq-top", "accent"), (f" {version}" if version else "", "faint")), 5)]
        if context:
            items.append(Item(((inert(context, 40), "strong"),), 3))
        server = dashboard.server
        link = dashboard.link
        if server:
            wanted = 2 if dashboard.stale else 6  # where it cannot be reached is what one wants to know then
            items.append(Item(((inert(server.url, 60), "text"),), wanted))
            version = f" · nats {inert(server.version, 20)}" if server.version else ""
            items.append(Item(((f"{inert(server.name, 30)}{version}", "dim"),), 8))
        if link and link.detail and (dashboard.stale or not server):
            items.append(Item(((clip(inert(link.detail), 60), "dim"),), 7))
        return items


def _state(dashboard: Dashboard, now_ns: int, behind: int | None) -> Iterator[Span]:
    link = dashboard.link
    if behind is not None:
        yield f"‖ frozen, {count_text(behind)} behind   ", "accent"
    if link is None:
        yield "◌ starting", "dim"
        return
    text, tone = _LINKS[link.state]
    yield text, tone
    if link.speed is not None:
        yield f" {clock_text(now_ns, milliseconds=not link.speed)}", "accent"
        yield (f" ×{link.speed}", "strong") if link.speed else (" ‖ ×0", "warn")
    yield from _link_detail(link, dashboard, now_ns)


def _clock(dashboard: Dashboard, now_ns: int) -> Span:
    """The time of day; beside a moment of the past its date."""
    if dashboard.link is not None and dashboard.link.speed is not None:
        return date_text(now_ns), "strong"
    return clock_text(now_ns), "strong"


def _link_detail(link: Link, dashboard: Dashboard, now_ns: int) -> Iterator[Span]:
    if link.state in _TIMED:
        yield f" {age_text((now_ns - link.since_ns) / SECOND_NS)}", "warn"
    if link.state is ConnectionState.FAILED and link.detail:
        yield f": {clip(inert(link.detail), 60)}", "bad"
    elif dashboard.stale and dashboard.heard_at_ns is not None:
        yield f", shown as of {age_text((now_ns - dashboard.heard_at_ns) / SECOND_NS)} ago", "dim"


def _alerts(book: AlertBook, now_ns: int) -> Iterator[Item]:
    """How many alerts fire, by severity; nothing when none does."""
    spans = tuple((f"⚑ {count_text(count)} {severity} ", SEVERITY_TONES[severity]) for severity, count in book.firing())
    if spans:
        yield Item((*spans, ("a", "key"), (" shows", "dim")), 2)
    if book.unwatched(now_ns):
        yield Item((("? alerts unwatched", "warn"),), 3)


def _figures(vitals: Vitals | None) -> Iterator[Item]:
    if vitals is None:
        return
    jobs = vitals.jobs
    yield _figure("events", f"{rate_text(vitals.events_rate)}/s", 6)
    yield _figure("jobs", f"{rate_text(jobs.done_rate)}/s", 2)
    yield _failures(jobs.failed_rate, jobs.failed_share)
    yield _quantiles("wait", jobs.wait, 4)
    yield _quantiles("run", jobs.run, 5)


def _figure(label: str, value: str, rank: int) -> Item:
    return Item(((f"{label} ", "dim"), (value, "strong")), rank)


def _failures(rate: float, share: float) -> Item:
    tone: Tone = "bad" if share >= _ALARMING else "warn" if rate or share else "faint"
    figures = f"{rate_text(rate)}/s {percent_text(share)}"
    return Item((("✗ failed ", "dim"), (figures, tone)), 3)


def _quantiles(label: str, found: Quantiles | None, rank: int) -> Item:
    if found is None:
        return Item(((f"{label} ", "dim"), ("-", "faint")), rank)
    p50, p95 = duration_text(found.p50), duration_text(found.p95)
    return Item(((f"{label} ", "dim"), (p50, "strong"), (" p95 ", "dim"), (p95, "strong")), rank)


def _missed(dashboard: Dashboard) -> Iterator[Item]:
    """Where nothing was read yet, nothing is claimed."""
    if dashboard.missed:
        yield Item(((f"! {count_text(dashboard.missed)} events missed", "bad"),), 1)
    elif dashboard.snapshot is not None or dashboard.log.end:
        yield Item((("none missed", "faint"),), 9)
