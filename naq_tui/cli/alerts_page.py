"""How the rules of alerts, and what they measure, are printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.alerts.rules import Labels, Rule, labels_text, parse_rule
from naq_runtime.errors import ConfigError
from naq_runtime.events.messages import value_text
from naq_tui.cli.format import Format
from naq_tui.cli.output import Column, Span, moment_json, note, print_json, print_lines, print_raw, print_table
from naq_tui.text import age_text, inert

if TYPE_CHECKING:
    from naq_runtime.alerts.evaluation import Values
    from naq_runtime.alerts.settings import WatchedRule
    from naq_runtime.config import NAQConfig

__all__ = ["print_acknowledged", "print_alerts", "print_rules", "print_values", "with_unwatched"]

_STATES: dict[AlertState, Span] = {
    AlertState.OK: ("✓ ok", "green"),
    AlertState.NO_DATA: ("? no data", "yellow"),
    AlertState.PENDING: ("◔ pending", "yellow"),
    AlertState.FIRING: ("▲ firing", "bold red"),
}
_UNWATCHED: Span = ("- unwatched", "yellow")
_CLEARING: Span = ("▽ clearing", "green")
"""What its rule says is not true any more; it is over when that stays so."""
_SECOND_NS = 1_000_000_000


def with_unwatched(records: Sequence[AlertRecord], config: NAQConfig) -> tuple[AlertRecord, ...]:
    """The records, and one for each rule of the config that no scheduler has ever evaluated."""
    known = {record.name for record in records}
    missing = [
        AlertRecord(name=name, rule=alert.rule, severity=alert.severity, state=AlertState.NO_DATA)
        for name, alert in config.alerts.items()
        if name not in known
    ]
    return tuple(sorted([*records, *missing], key=lambda record: record.name))


# The rules and their alerts


def print_alerts(records: Sequence[AlertRecord], now_ns: int, form: Format) -> None:
    """Print the rules, a line for each alert that is pending or fires."""
    if form is Format.JSON:
        print_json([_document(record, now_ns) for record in records])
    elif form is Format.RAW:
        for record in records:
            for alert in record.alerts or (None,):
                print_raw(*_raw(record, alert, now_ns))
    elif records:
        columns = (
            Column("Alert", least=12),
            Column("State"),
            Column("Since", align="right"),
            Column("Severity", rank=2),
            Column("Labels", least=10),
            Column("Value", align="right"),
            Column("Rule", least=16, rank=1),
        )
        print_table(columns, [row for record in records for row in _rows(record, now_ns)])
    else:
        note("there are no alerts: no rule of the config is watched, or none fires")
    if any(not record.is_watched(now_ns) for record in records):
        note(
            "some rules are not watched: no scheduler that has them in its config leads; 'naq run-scheduler' starts one"
        )


def print_acknowledged(name: str, alerts: Sequence[Alert], form: Format) -> None:
    """Print which alerts of a rule were acknowledged, a line for each."""
    if form is Format.JSON:
        print_json([{"name": name, "labels": alert.labels} for alert in alerts])
        return
    for alert in alerts:
        if form is Format.RAW:
            print_raw(name, *(f"{label}={value}" for label, value in alert.labels.items()))
        else:
            print_lines([[("acknowledged: ", ""), (inert(f"{name} {labels_text(alert.labels)}".rstrip()), "bold")]])


def _document(record: AlertRecord, now_ns: int) -> dict[str, Any]:
    return {
        "name": record.name,
        "rule": record.rule,
        "severity": record.severity,
        "message": record.text or None,
        "state": record.state.value,
        "watched": record.is_watched(now_ns),
        "by": record.by or None,
        **moment_json("as_of", record.as_of_ns),
        **moment_json("silenced_until", record.silenced_until_ns),
        "alerts": [
            {
                "labels": alert.labels,
                "state": alert.state.value,
                "value": alert.value,
                **moment_json("since", alert.since_ns),
                **moment_json("fired", alert.fired_ns),
                "clearing": bool(alert.clear_since_ns),
                "acknowledged_by": alert.acknowledged_by or None,
                **moment_json("acknowledged", alert.acknowledged_ns),
            }
            for alert in record.alerts
        ],
        "hidden": record.hidden,
    }


def _raw(record: AlertRecord, alert: Alert | None, now_ns: int) -> Iterator[object]:
    yield record.name
    yield _state(record, alert, now_ns)[0].partition(" ")[2].replace(" ", "_")
    yield f"severity={record.severity}"
    if alert is not None:
        yield f"since={alert.since_ns / 1e9:.3f}"
        yield f"value={'-' if alert.value is None else f'{alert.value:g}'}"
        yield from (f"{name}={value}" for name, value in alert.labels.items())
        if alert.acknowledged_by:
            yield f"acknowledged_by={alert.acknowledged_by}"
    if record.silenced_until_ns > now_ns:
        yield f"silenced_until={record.silenced_until_ns / 1e9:.3f}"
    yield record.rule


def _state(record: AlertRecord, alert: Alert | None, now_ns: int) -> Span:
    if not record.is_watched(now_ns):
        return _UNWATCHED
    if alert is not None and alert.clear_since_ns:
        return _CLEARING
    return _STATES[record.state if alert is None else alert.state]


def _rows(record: AlertRecord, now_ns: int) -> Iterator[Sequence[Span]]:
    for alert in record.alerts or (None,):
        said = [inert(labels_text(alert.labels)) if alert else ""]
        if alert and alert.acknowledged_by:
            said.append(f"(seen by {inert(alert.acknowledged_by, 30)})")
        if record.silenced_until_ns > now_ns:
            said.append(f"(silenced for {age_text((record.silenced_until_ns - now_ns) / _SECOND_NS)})")
        yield [
            (inert(record.name), "bold"),
            _state(record, alert, now_ns),
            (age_text((now_ns - alert.since_ns) / _SECOND_NS) if alert else "-", "" if alert else "dim"),
            (inert(record.severity, 20), "red" if record.severity == "critical" else ""),
            (" ".join(filter(None, said)) or "-", ""),
            (_value(record.rule, alert.value) if alert else "-", ""),
            (inert(record.rule), "dim"),
        ]
    if record.hidden:
        yield [("", ""), (f"… {record.hidden:,} more", "dim"), *[("", "")] * 5]


def _value(rule: str, value: float | None) -> str:
    if value is None:
        return "no data"
    try:
        return value_text(parse_rule(rule).metric.unit, value)
    except ConfigError:  # of a version with other metrics
        return f"{value:g}"


# What rules are, and what they measure


def print_rules(rules: Iterable[WatchedRule], form: Format) -> None:
    """Print the rules of the config, with all that they leave out put in."""
    rules = list(rules)
    if form is Format.JSON:
        print_json([_rule_document(watched) for watched in rules])
    elif form is Format.RAW:
        for name, rule, config in rules:
            print_raw(name, config.severity, rule.text)
    elif rules:
        columns = (
            Column("Alert", least=12),
            Column("One for each"),
            Column("Fires"),
            Column("Clear"),
            Column("Severity", rank=1),
        )
        print_table(columns, [_rule_row(watched) for watched in rules])
    else:
        note("the config has no rules of alerts: they are tables [alerts.NAME]")


def _rule_document(watched: WatchedRule) -> dict[str, Any]:
    name, rule, config = watched
    return {
        "name": name,
        "rule": rule.text,
        "severity": config.severity,
        "metric": rule.metric.name,
        "unit": rule.metric.unit.value,
        "window_s": rule.window_s if rule.metric.windowed else None,
        "by": list(rule.by),
        "threshold": {"operator": rule.breach.operator, "value": rule.breach.threshold, "for_s": rule.for_s},
        "clear": {"operator": rule.clear.operator, "value": rule.clear.threshold, "for_s": rule.clear_for_s},
        "webhook": config.webhook is not None,
    }


def _rule_row(watched: WatchedRule) -> Sequence[Span]:
    name, rule, config = watched
    unit = rule.metric.unit
    clear = f"{rule.clear.operator} {value_text(unit, rule.clear.threshold)} for {rule.clear_for_s:g} s"
    window = f" in {rule.window_s:g} s" if rule.metric.windowed else ""
    fires = f"{rule.metric.name} {rule.threshold_text}{window}"
    return [
        (inert(name), "bold"),
        (", ".join(rule.by) or "-", ""),
        (f"{fires} for {rule.for_s:g} s" if rule.for_s else fires, ""),
        (clear, ""),
        (config.severity, ""),
    ]


def print_values(rule: Rule, values: Values | None, form: Format) -> None:
    """Print what a rule measures, and whether what it says is true."""
    if form is Format.TABLE and values is None:
        note("it cannot be told now: events come faster than they can be read")
    elif form is Format.TABLE and not values:
        note("there is nothing to measure: nothing has the labels of the rule")
    rows = sorted((values or {}).items())
    if form is Format.JSON:
        print_json([{"labels": dict(labels), "value": value, "holds": _holds(rule, value)} for labels, value in rows])
    elif form is Format.RAW:
        for labels, value in rows:
            words = [f"{name}={text}" for name, text in labels]
            print_raw({True: "true", False: "false", None: "no_data"}[_holds(rule, value)], *words, _number(value))
    elif rows:
        columns = (Column("Labels", least=12), Column("Value", align="right"), Column(f"{rule.threshold_text} ?"))
        print_table(columns, [_value_row(rule, labels, value) for labels, value in rows])


def _holds(rule: Rule, value: float | None) -> bool | None:
    return None if value is None else rule.breach.holds(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _value_row(rule: Rule, labels: Labels, value: float | None) -> Sequence[Span]:
    holds = _holds(rule, value)
    said: Span = ("? no data", "yellow") if holds is None else ("▲ true", "bold red") if holds else ("✓ false", "green")
    shown = "-" if value is None else value_text(rule.metric.unit, value)
    return [(inert(labels_text(dict(labels))) or "-", "bold"), (shown, ""), said]
