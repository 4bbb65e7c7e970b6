"""The page of one alert: what it measures, since when, and who cares for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naq_runtime.alerts.record import Alert, AlertRecord
from naq_runtime.alerts.rules import labels_text
from naq_runtime.alerts.wording import message_of
from naq_tui.model.alerts import AlertRow
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.code import plain_lines
from naq_tui.pages.facts import Fact, fact_lines
from naq_tui.pages.sections import section
from naq_tui.text import age_text, inert, moment_text
from naq_tui.widgets.alerts import measured, state_of
from naq_tui.widgets.line import EMPTY, Line, Span

__all__ = ["alert_page"]


def alert_page(row: AlertRow, key: str, width: int, now_ns: int) -> Sequence[Line]:
    """All that is known of an alert, or of a rule that has none.

    Args:
        key: the alert that was asked for; it may be over.
    """
    record, alert = row
    lines = [EMPTY, *fact_lines([*_standing(row, now_ns), *_rule(record, now_ns)], width)]
    if alert is None and key != record.name:
        lines += [EMPTY, *plain_lines(f"⚐ {key} is over.", width, "good")]
    if alert is not None and alert.clear_since_ns:
        lines += [EMPTY, *plain_lines("It is clear now, and over when it stays so.", width, "good")]
    if not record.is_watched(now_ns):
        unwatched = "! Nobody evaluates this rule now: no scheduler leads that has it. naq run-scheduler starts one."
        lines += [EMPTY, *plain_lines(unwatched, width, "warn")]
    lines += [*section("Rule", width), *plain_lines(record.rule, width, "strong")]
    if record.text:
        lines += plain_lines(message_of(record, alert), width)
    return lines


def _standing(row: AlertRow, now_ns: int) -> Iterator[Fact]:
    record, alert = row
    yield "state", list(state_of(row))
    yield "alert", [(inert(record.name, 64), "strong")]
    if alert is None:
        return
    yield "series", [(inert(labels_text(alert.labels), 300) or "all together", "name")]
    yield "value", [(measured(record, alert), "strong")]
    yield "since", list(_moment(alert.since_ns, now_ns))
    if alert.fired_ns:
        yield "fired", list(_moment(alert.fired_ns, now_ns))
        yield "seen", list(_seen(alert, now_ns))


def _seen(alert: Alert, now_ns: int) -> Iterator[Span]:
    if not alert.acknowledged_by:
        yield "by nobody yet", "warn"
        return
    yield f"by {inert(alert.acknowledged_by, 60)}", "good"
    if alert.acknowledged_ns:
        yield "  ", "text"
        yield from _moment(alert.acknowledged_ns, now_ns)


def _rule(record: AlertRecord, now_ns: int) -> Iterator[Fact]:
    yield "severity", [(inert(record.severity, 20), "text")]
    left_ns = record.silenced_until_ns - now_ns
    if left_ns > 0:
        yield "webhook", [(f"silenced for {age_text(left_ns / SECOND_NS)}", "warn")]
    if record.hidden:
        yield "besides", [(f"{record.hidden:,} more alerts of this rule", "dim")]
    if record.by:
        yield "judged by", [(inert(record.by, 60), "text")]


def _moment(time_ns: int, now_ns: int) -> Iterator[Span]:
    yield moment_text(time_ns, now_ns), "text"
    yield f"  {age_text((now_ns - time_ns) / SECOND_NS)} ago", "dim"
