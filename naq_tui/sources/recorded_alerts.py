"""The alerts of a recording, by their events: nobody keeps how they stood."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState
from naq_runtime.events.models import AlertEvent, AlertEventType, StoredEvent

__all__ = ["RecordedAlerts"]

_ALWAYS_NS = 2**62
"""Whether rules were watched then, no event tells; nothing is claimed of that."""
_MOST_RULES = 1_000


class RecordedAlerts:
    """What fired, and which rules were quiet again, as far as events tell; in whatever order they are heard."""

    def __init__(self) -> None:
        self._latest: dict[str, dict[tuple[tuple[str, str], ...], AlertEvent]] = {}
        """The latest event of each series of each rule."""

    def hear(self, events: Iterable[StoredEvent]) -> None:
        """Take in some events, earlier or later ones than those before; all that are not of alerts are passed over."""
        for stored in events:
            event = stored.event
            if type(event) is not AlertEvent:
                continue
            if event.alert not in self._latest and len(self._latest) >= _MOST_RULES:
                continue
            series = self._latest.setdefault(event.alert, {})
            labels = tuple(sorted((event.labels or {}).items()))
            known = series.get(labels)
            if known is None or known.moment_ns <= event.moment_ns:
                series[labels] = event

    def records(self) -> tuple[AlertRecord, ...]:
        """The rules of which something was told, by name, each with what fires of it."""
        return tuple(_record(name, [*series.values()]) for name, series in sorted(self._latest.items()))


def _record(name: str, events: list[AlertEvent]) -> AlertRecord:
    latest = max(events, key=lambda event: event.moment_ns)
    firing = tuple(_alert(event) for event in events if event.event_type is AlertEventType.FIRING)
    record = AlertRecord(name=name, rule=latest.rule, severity=latest.severity, text=latest.text or "")
    state = AlertState.FIRING if firing else AlertState.OK
    return replace(record, state=state, alerts=firing, by=latest.by or "", due_ns=_ALWAYS_NS)


def _alert(event: AlertEvent) -> Alert:
    """Its value is the one with which it began: later ones are in no event."""
    return Alert(
        labels=event.labels or {},
        state=AlertState.FIRING,
        since_ns=event.since_ns or event.moment_ns,
        fired_ns=event.moment_ns,
        value=event.value,
    )
