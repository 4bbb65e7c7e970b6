"""The page of the alerts: what fires, what is about to, and which rules are quiet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.alerts.rules import labels_text, parse_rule
from naq_runtime.alerts.wording import fill
from naq_runtime.errors import ConfigError
from naq_runtime.events.messages import value_text
from naq_tui.model.alerts import AlertBook, AlertView
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.code import plain_lines
from naq_tui.pages.sections import section
from naq_tui.text import age_text, clip, fit, inert, wrap
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.line import EMPTY, Line, Span, Tone
from naq_tui.widgets.tones import SEVERITY_TONES

__all__ = ["alerts_page"]

_NAME, _SHORT_NAME = 20, 14
_ROOMY = 78
_NONE = (
    "No rules of alerts are evaluated. They are tables [alerts.NAME] in the config of the schedulers, such as "
    'rule = "failed_rate{queue=mail} > 5% for 2m"; the one that leads evaluates them.'
)
_UNWATCHED = (
    "! Nobody evaluates some of these rules now: no scheduler leads that has them in its config. "
    "naq run-scheduler starts one."
)


def alerts_page(book: AlertBook, width: int, now_ns: int) -> Sequence[Line]:
    """The alerts that fire and those that are pending, each with its value, and a line for each rule without any."""
    if not book.records:
        return [EMPTY, *plain_lines(_NONE, width)]
    lines: list[Line] = []
    if book.unwatched(now_ns):
        lines += [EMPTY, *(Line(((f"  {text}", "warn"),)) for text in wrap(_UNWATCHED, width - 4))]
    for title, state in (("Firing", AlertState.FIRING), ("Pending", AlertState.PENDING)):
        views = book.of_state(state)
        if views:
            lines += section(title, width, f"{len(views)}")
            lines += [line for view in views for line in _alert(view, book, width, now_ns)]
    hidden = sum(record.hidden for record in book.records)
    if hidden:
        lines.append(Line(((f"  … {hidden:,} more", "dim"),)))
    quiet = list(book.quiet())
    if quiet:
        lines += section("Quiet", width, f"{len(quiet)}")
        lines += [_rule(record, width) for record in quiet]
    return lines


def _alert(view: AlertView, book: AlertBook, width: int, now_ns: int) -> Iterator[Line]:
    record, alert = view
    fires = alert.state is AlertState.FIRING
    tone = SEVERITY_TONES.get(record.severity, "warn") if fires else "dim"
    age_s = max(0.0, (now_ns - alert.since_ns) / SECOND_NS)
    spans: list[Span] = [
        ("  ⚑ " if fires else "  ◔ ", tone),
        (fit(inert(record.name, 64), _name_width(width)), "strong"),
        (f" {fit(inert(record.severity, 10), 9)}", tone),
        (f"{inert(labels_text(alert.labels), 200)}  " if alert.labels else "", "name"),
        (_measured(record, alert.value), "strong"),
        (f"  for {age_text(age_s)}", "dim"),
    ]
    yield Line(tuple(fitted(spans, width)))
    for text, shade in _remarks(view, book, now_ns):
        yield Line((("      ", "text"), (clip(text, width - 7), shade)))


def _remarks(view: AlertView, book: AlertBook, now_ns: int) -> Iterator[tuple[str, Tone]]:
    record, alert = view
    yield inert(record.rule), "dim"
    if record.text:
        yield inert(_text(record, alert)), "text"
    if alert.clear_since_ns:
        yield "clear now, and over when it stays so", "good"
    if alert.acknowledged_by:
        yield f"seen by {inert(alert.acknowledged_by, 60)}", "good"
    left_ns = record.silenced_until_ns - now_ns
    if left_ns > 0:
        yield f"its webhook is silenced for {age_text(left_ns / SECOND_NS)}", "warn"


def _text(record: AlertRecord, alert: Alert) -> str:
    """The message of the config, for this alert."""
    try:
        rule = parse_rule(record.rule)
    except ConfigError:  # of a version with other metrics
        return record.text
    return fill(record.text, alert.labels, rule.metric.unit, alert.value, rule.breach.threshold)


def _rule(record: AlertRecord, width: int) -> Line:
    glyph: Span = ("  ? ", "warn") if record.state is AlertState.NO_DATA else ("  ✓ ", "good")
    said = "no data" if record.state is AlertState.NO_DATA else "ok"
    spans = [glyph, (fit(inert(record.name, 64), _name_width(width)), "text"), (f" {fit(said, 9)}", "dim")]
    return Line(tuple(fitted([*spans, (inert(record.rule), "dim")], width)))


def _name_width(width: int) -> int:
    return _NAME if width >= _ROOMY else _SHORT_NAME


def _measured(record: AlertRecord, value: float | None) -> str:
    if value is None:
        return "no data"
    try:
        rule = parse_rule(record.rule)
    except ConfigError:  # of a version with other metrics
        return f"{value:g}"
    return f"{value_text(rule.metric.unit, value)} {rule.threshold_text}"
