"""The alerts of a recording, by their events: nobody keeps how they stood."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.events.models import AlertEvent, AlertEventType, StoredEvent

__all__ = ["RecordedAlerts"]

_ALWAYS_NS = 2**62
"""Whether rules were watched then, no event tells; nothing is claimed of that."""
_MOST_RULES = 1_000

_Labels = tuple[tuple[str, str], ...]


class _Told(Struct, frozen=True):
    """What was told of a rule: the latest event of each alert, by its labels."""

    turns: dict[_Labels, AlertEvent] = field(default_factory=dict)
    """That it fires, or is over."""
    seen: dict[_Labels, AlertEvent] = field(default_factory=dict)
    """That somebody cares for it."""

    def hear(self, event: AlertEvent) -> None:
        known = self.seen if event.event_type is AlertEventType.ACKNOWLEDGED else self.turns
        before = known.setdefault(_labels(event), event)
        if before.moment_ns <= event.moment_ns:
            known[_labels(event)] = event


class RecordedAlerts:
    """What fired, who cared for it, and which rules were quiet again, as far as events tell; heard in any order."""

    def __init__(self) -> None:
        self._rules: dict[str, _Told] = {}

    def hear(self, events: Iterable[StoredEvent]) -> None:
        """Take in some events, earlier or later ones than those before; all that are not of alerts are passed over."""
        for stored in events:
            event = stored.event
            if type(event) is AlertEvent and (event.alert in self._rules or len(self._rules) < _MOST_RULES):
                self._rules.setdefault(event.alert, _Told()).hear(event)

    def records(self) -> tuple[AlertRecord, ...]:
        """The rules of which something was told, by name, each with what fires of it."""
        return tuple(_record(name, told) for name, told in sorted(self._rules.items()) if told.turns)


def _record(name: str, told: _Told) -> AlertRecord:
    latest = max(told.turns.values(), key=lambda event: event.moment_ns)
    firing = tuple(
        _alert(event, told.seen.get(labels))
        for labels, event in told.turns.items()
        if event.event_type is AlertEventType.FIRING
    )
    record = AlertRecord(name=name, rule=latest.rule, severity=latest.severity, text=latest.text or "")
    state = AlertState.FIRING if firing else AlertState.OK
    return replace(record, state=state, alerts=firing, by=latest.by or "", due_ns=_ALWAYS_NS)


def _alert(event: AlertEvent, seen: AlertEvent | None) -> Alert:
    """Its value is the one with which it began: later ones are in no event."""
    alert = Alert(
        labels=event.labels or {},
        state=AlertState.FIRING,
        since_ns=event.since_ns or event.moment_ns,
        fired_ns=event.moment_ns,
        value=event.value,
    )
    if seen is None or seen.since_ns != event.since_ns:  # somebody cared for one before it
        return alert
    return replace(alert, acknowledged_by=seen.by or "somebody", acknowledged_ns=seen.moment_ns)


def _labels(event: AlertEvent) -> _Labels:
    return tuple(sorted((event.labels or {}).items()))
