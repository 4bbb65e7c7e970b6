"""How alerts come and go: each is pending, fires, and is over.

::

              what the rule says holds        for as long as it says
    (nothing) ───────────────────────▶ pending ───────────▶ firing ───┐
        ▲          it does not, or nothing │                  ▲       │ clear
        │          was measured for 60 s   │                  │       ▼
        ├──────────────────────────────────┘        not clear └── clearing
        └─────────────────────────────────────────────────────────────┘ for as long as it says

What nobody measured proves nothing: it lets no alert begin, and ends none until a quarter of an hour is over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.alerts.rules import Labels, Rule
from naq_runtime.events.models import AlertEventType

__all__ = ["GAP_NS", "LIMIT", "STALE_NS", "Transition", "Values", "alert_key", "evaluate", "withdraw"]

_SECOND_NS = 1_000_000_000
GAP_NS = 60 * _SECOND_NS
"""Time in which nothing was measured, or nobody looked: above it, a condition has to hold from the beginning again."""
STALE_NS = 15 * 60 * _SECOND_NS
"""An alert of which nothing could be measured for so long is over."""
LIMIT = 100
"""Alerts of one rule; further ones are only counted."""

Values = Mapping[Labels, float | None]
"""What was measured for each set of labels; ``None`` for no data."""


class Transition(NamedTuple):
    """An alert began, or is over."""

    kind: AlertEventType
    alert: Alert
    reason: str = ""
    """Why it is over, when it was not clear."""


def alert_key(labels: Mapping[str, str]) -> str:
    """A name for a set of labels, of twelve hexadecimal digits."""
    text = "\0".join(f"{name}\0{value}" for name, value in labels.items())
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def evaluate(
    record: AlertRecord, rule: Rule, values: Values | None, now_ns: int, gap_ns: int = GAP_NS
) -> tuple[AlertRecord, list[Transition]]:
    """The record as it is now, and what that changes.

    Args:
        values: ``None`` when nothing could be measured at all.
        now_ns: by the server's clock.
        gap_ns: when the last evaluation is longer ago than this, nobody looked meanwhile.
    """
    known: dict[Labels, Alert | None] = {}
    transitions: list[Transition] = []
    looked_away = abs(now_ns - record.as_of_ns) > gap_ns or record.rule != rule.text
    for alert in record.alerts:
        if tuple(alert.labels) != rule.by:
            if alert.state is AlertState.FIRING:
                transitions.append(Transition(AlertEventType.RESOLVED, alert, "its rule was changed"))
        else:
            known[tuple(alert.labels.items())] = _forgetful(alert) if looked_away else alert
    alerts: list[Alert] = []
    hidden = 0
    for labels in (*known, *sorted(set(values or ()) - set(known))):
        value = None if values is None else values.get(labels, rule.metric.absent)
        after, transition = _step(known.get(labels), labels, rule, value, now_ns)
        if transition is not None and (len(alerts) < LIMIT or transition.kind is AlertEventType.RESOLVED):
            transitions.append(transition)
        if after is not None and len(alerts) < LIMIT:
            alerts.append(after)
        elif after is not None:
            hidden += 1
    state = _worst(alerts, values)
    kept = replace(record, rule=rule.text, state=state, alerts=tuple(alerts), hidden=hidden, as_of_ns=now_ns)
    return kept, transitions


def withdraw(record: AlertRecord, reason: str) -> tuple[AlertRecord, list[Transition]]:
    """The record without alerts, since its rule is gone, and what that changes."""
    transitions = [Transition(AlertEventType.RESOLVED, alert, reason) for alert in record.firing]
    return replace(record, alerts=(), hidden=0, state=AlertState.OK), transitions


def _worst(alerts: Sequence[Alert], values: Values | None) -> AlertState:
    states = {alert.state for alert in alerts}
    for state in (AlertState.FIRING, AlertState.PENDING):
        if state in states:
            return state
    measured = values is not None and any(value is not None for value in values.values())
    return AlertState.OK if measured else AlertState.NO_DATA


def _forgetful(alert: Alert) -> Alert | None:
    """What is left of an alert after nobody has looked at it for a while."""
    if alert.state is AlertState.PENDING:
        return None
    return replace(alert, clear_since_ns=0, missing_since_ns=0)


def _step(
    alert: Alert | None, labels: Labels, rule: Rule, value: float | None, now_ns: int
) -> tuple[Alert | None, Transition | None]:
    if alert is None:
        if value is None or not rule.breach.holds(value):
            return None, None
        alert = Alert(labels=dict(labels), state=AlertState.PENDING, since_ns=now_ns)
    if value is None:
        return _unmeasured(alert, now_ns)
    alert = replace(alert, value=value, missing_since_ns=0)
    return (
        _pending(alert, rule, value, now_ns)
        if alert.state is AlertState.PENDING
        else _firing(alert, rule, value, now_ns)
    )


def _unmeasured(alert: Alert, now_ns: int) -> tuple[Alert | None, Transition | None]:
    """It stays as it is for a while."""
    since_ns = alert.missing_since_ns or now_ns
    missing = replace(alert, value=None, missing_since_ns=since_ns)
    if alert.state is AlertState.PENDING:
        return (None if now_ns - since_ns > GAP_NS else missing), None
    if now_ns - since_ns > STALE_NS:
        return None, Transition(AlertEventType.RESOLVED, missing, "there is nothing to measure any more")
    return missing, None


def _pending(alert: Alert, rule: Rule, value: float, now_ns: int) -> tuple[Alert | None, Transition | None]:
    if not rule.breach.holds(value):
        return None, None
    if now_ns - alert.since_ns < rule.for_s * _SECOND_NS:
        return alert, None
    fired = replace(alert, state=AlertState.FIRING, fired_ns=now_ns)
    return fired, Transition(AlertEventType.FIRING, fired)


def _firing(alert: Alert, rule: Rule, value: float, now_ns: int) -> tuple[Alert | None, Transition | None]:
    if not rule.clear.holds(value):
        return replace(alert, clear_since_ns=0), None
    clearing = replace(alert, clear_since_ns=alert.clear_since_ns or now_ns)
    if now_ns - clearing.clear_since_ns < rule.clear_for_s * _SECOND_NS:
        return clearing, None
    return None, Transition(AlertEventType.RESOLVED, clearing)
