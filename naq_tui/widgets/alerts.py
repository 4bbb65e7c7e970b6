"""The alerts and their rules: what fires first, then what is about to, then what is quiet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from textual.content import Content

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.alerts.rules import labels_text, parse_rule
from naq_runtime.errors import ConfigError
from naq_runtime.events.messages import value_text
from naq_runtime.events.models import AlertEvent
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope
from naq_tui.model.alerts import AlertRow
from naq_tui.model.seconds import SECOND_NS
from naq_tui.state import Dashboard
from naq_tui.text import count_text, inert, short_age_text
from naq_tui.widgets.columns import Column, fitted
from naq_tui.widgets.line import Back, Line, Span
from naq_tui.widgets.table import Table
from naq_tui.widgets.tones import SEVERITY_TONES
from naq_tui.widgets.waiting import waiting_lines

__all__ = ["Alerts", "alert_act", "measured", "news_text", "state_of"]

_STATES: dict[AlertState, Span] = {
    AlertState.PENDING: ("◔ pending", "dim"),
    AlertState.NO_DATA: ("? no data", "warn"),
    AlertState.OK: ("✓ ok", "good"),
}
_NO_RULES = (
    Line(((" no rules of alerts are evaluated", "text"),)),
    Line(),
    Line(((" [alerts.mail-failures]", "key"), ("  in the config of the schedulers", "dim"))),
    Line(((' rule = "failed_rate{queue=mail} > 5% for 2m"', "key"),)),
    Line(),
    Line(((" naq run-scheduler", "key"), ("  the one that leads evaluates them", "dim"))),
)
_NOT_THEN = (
    Line(((" no event tells of an alert up to then", "text"),)),
    Line(),
    Line(((" 2", "key"), ("  shows when each began and was over: ", "dim"), ("/ type:alert_*", "key"))),
)
_UNWATCHED = "! some rules are watched by nobody: naq run-scheduler"


def measured(record: AlertRecord, alert: Alert) -> str:
    """The last value, and what it is held against: ``7.2 % > 5 %``; ``3 %, not > 5 %`` when it is on the other side."""
    value, threshold = _measured(record, alert)
    return f"{value}{', not' if _is_clear(record.rule, alert.value) else ''} {threshold}".rstrip()


def _measured(record: AlertRecord, alert: Alert) -> tuple[str, str]:
    return _held_against(record.rule, alert.value)


def _held_against(rule_text: str, value: float | None) -> tuple[str, str]:
    if value is None:
        return "no data", ""
    try:
        rule = parse_rule(rule_text)
    except ConfigError:  # of a version with other metrics
        return f"{value:g}", ""
    return value_text(rule.metric.unit, value), rule.threshold_text


def _is_clear(rule_text: str, value: float | None) -> bool:
    """Whether a value is on the right side of the limit of its rule."""
    try:
        return value is not None and not parse_rule(rule_text).breach.holds(value)
    except ConfigError:
        return False


def news_text(event: AlertEvent) -> str:
    """What an alert begins with, beside its name: ``queue=mail 7.2 % > 5 %``, and what its rule says of it."""
    measures = () if event.value is None else _held_against(event.rule or "", event.value)
    figures = " ".join(part for part in (labels_text(event.labels or {}), *measures) if part)
    return inert(": ".join(part for part in (figures, event.text) if part) or "it fires", 200)


def state_of(row: AlertRow) -> Sequence[Span]:
    """How it stands, with its glyph."""
    if row.fires:
        return [("⚑ firing", SEVERITY_TONES.get(row.record.severity, "warn"))]
    return [_STATES.get(row.state, ("✓ ok", "good"))]


def alert_act(kind: ActKind, chosen: Sequence[AlertRow]) -> Act | None:
    """What is wanted of the alerts that are chosen: those that fire can be acknowledged."""
    if kind is not ActKind.ACKNOWLEDGE:
        return None
    about = {row.key: measured(row.record, row.alert) for row in chosen if row.alert is not None and row.fires}
    return Act(kind, "alert", tuple(about), about=about) if about else None


def _name(row: AlertRow, width: int) -> list[Span]:
    return [(inert(row.record.name, 64), "strong" if row.fires else "text")]


def _labels(row: AlertRow, width: int) -> list[Span]:
    text = inert(labels_text(row.alert.labels), 200) if row.alert is not None else ""
    return [(text, "name") if text else ("-", "faint")]


def _value(row: AlertRow, width: int) -> list[Span]:
    """The last that was measured; in another colour when it does not fire by it."""
    if row.alert is None:
        return [("-", "faint")]
    is_clear = row.alert.clear_since_ns or _is_clear(row.record.rule, row.alert.value)
    return [(_measured(row.record, row.alert)[0], "good" if is_clear else "strong")]


def _limit(row: AlertRow, width: int) -> list[Span]:
    """Beyond which it fires."""
    return [(_held_against(row.record.rule, 0.0)[1] or "-", "dim")]


def _severity(row: AlertRow, width: int) -> list[Span]:
    tone = SEVERITY_TONES.get(row.record.severity, "warn") if row.fires else "dim"
    return [(inert(row.record.severity, 10), tone)]


def _rule(row: AlertRow, width: int) -> list[Span]:
    return [(inert(row.record.rule), "dim")]


def _without_rows(dashboard: Dashboard) -> Sequence[Line]:
    """What stands where there are no rules."""
    if dashboard.link is not None and dashboard.link.is_past:
        return _NOT_THEN
    return _NO_RULES if dashboard.snapshot else waiting_lines(dashboard.link)


class Alerts(Table[AlertRow]):
    """One row an alert, and one a rule that has none; the most urgent comes first."""

    NAME: ClassVar[str] = "Alerts"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.ALERT_ACTS, Scope.SORT, Scope.MARK, Scope.MOVE)
    TOP_STAYS: ClassVar[bool] = True

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        self._now_ns = 0
        self._unwatched = False
        self._hidden = 0
        super().__init__(
            (
                Column("state", 9, lambda row, _: state_of(row), lambda row: row.urgency, "left", 0, descending=False),
                Column("alert", 14, _name, lambda row: row.record.name, "left", 0, most=28, descending=False),
                Column("series", 14, _labels, lambda row: row.key, "left", 2, most=40, descending=False),
                Column("value", 9, _value, None, rank=1, most=12),
                Column("limit", 9, _limit, None, "left", 3, most=14),
                Column("for", 6, self._age, lambda row: -row.alert.since_ns if row.alert else 0, rank=4),
                Column("severity", 8, _severity, lambda row: row.record.severity, "left", 6, descending=False),
                Column("note", 13, self._note, None, "left", 5, most=40),
                Column("rule", 16, _rule, lambda row: row.record.rule, "left", 7, most=60, descending=False),
            ),
            id=id,
            classes=classes,
        )

    def key(self, row: AlertRow) -> str:
        """The rule's name, with the labels of the alert."""
        return row.key

    def row_back(self, row: AlertRow) -> Back:
        """What is critical stands out until somebody cares for it."""
        critical = row.fires and row.record.severity == "critical"
        return "bad" if critical and row.alert is not None and not row.alert.acknowledged_by else ""

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show the alerts as they are now."""
        book = dashboard.alerts
        self._now_ns = now_ns
        self._unwatched = book.unwatched(now_ns)
        self._hidden = sum(record.hidden for record in book.records)
        self.set_rows(book.rows(), _without_rows(dashboard))
        self.set_border(self.title(), self.subtitle())

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the alerts that are chosen."""
        return alert_act(kind, self.chosen)

    def title(self) -> Content:
        """The heading in the border."""
        firing = sum(row.fires for row in self.rows)
        pending = sum(row.state is AlertState.PENDING for row in self.rows)
        parts = [(f"  ⚑ {count_text(firing)} firing", "bold $error")] if firing else []
        parts += [(f"  ◔ {count_text(pending)} pending", "$foreground 75%")] if pending else []
        parts += [(f"  {count_text(len(self.rows) - firing - pending)} quiet", "$foreground 60%")] if self.rows else []
        parts += [(f"  … {count_text(self._hidden)} more", "$foreground 60%")] if self._hidden else []
        return Content.assemble(self.NAME, *parts)

    def subtitle(self) -> Content:
        """Whether nobody looks after them."""
        return Content.styled(_UNWATCHED, "bold $warning") if self._unwatched else Content("")

    def records(self) -> Iterator[Mapping[str, object]]:
        """What is shown, row by row."""
        for record, alert in self.rows:
            yield {
                "alert": record.name,
                "state": (record.state if alert is None else alert.state).value,
                "severity": record.severity,
                "labels": labels_text(alert.labels) if alert else None,
                "value": alert.value if alert else None,
                "since_ns": alert.since_ns if alert else None,
                "acknowledged_by": alert.acknowledged_by or None if alert else None,
                "rule": record.rule,
            }

    def _age(self, row: AlertRow, width: int) -> list[Span]:
        if row.alert is None:
            return [("-", "faint")]
        return [(short_age_text((self._now_ns - row.alert.since_ns) / SECOND_NS), "text")]

    def _note(self, row: AlertRow, width: int) -> list[Span]:
        """Who has seen it, whether it ends, and whether its webhook keeps quiet."""
        notes: list[Span] = []
        if row.alert is not None and row.alert.acknowledged_by:
            notes.append((f"seen by {inert(row.alert.acknowledged_by, 40)}", "good"))
        if row.alert is not None and row.alert.clear_since_ns:
            notes.append(("clear now", "good"))
        left_ns = row.record.silenced_until_ns - self._now_ns
        if left_ns > 0:
            notes.append((f"silenced {short_age_text(left_ns / SECOND_NS)}", "warn"))
        return fitted([*notes[:1], *((f", {text}", tone) for text, tone in notes[1:])], width)
