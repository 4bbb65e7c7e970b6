"""The alerts: what the leader of the schedulers has found, worst first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState

__all__ = ["SEVERITIES", "AlertBook", "AlertRow", "AlertView"]

SEVERITIES = ("critical", "warning", "info")
"""The worst first."""
_URGENCY = (AlertState.FIRING, AlertState.PENDING, AlertState.NO_DATA, AlertState.OK)


class AlertView(NamedTuple):
    """A rule and one of its alerts."""

    record: AlertRecord
    alert: Alert

    @property
    def target(self) -> str:
        """What tells it from all others: ``mail-failures queue=mail``."""
        return " ".join((self.record.name, *(f"{name}={value}" for name, value in self.alert.labels.items())))


class AlertRow(NamedTuple):
    """A rule with one of its alerts, or without any."""

    record: AlertRecord
    alert: Alert | None

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return self.record.name if self.alert is None else AlertView(self.record, self.alert).target

    @property
    def state(self) -> AlertState:
        """How it stands."""
        return self.record.state if self.alert is None else self.alert.state

    @property
    def fires(self) -> bool:
        """Whether it can be acknowledged."""
        return self.alert is not None and self.alert.state is AlertState.FIRING

    @property
    def urgency(self) -> tuple[int, int, int]:
        """The most urgent is the least: what fires, the worst first, and then what has been there for longest."""
        since_ns = 0 if self.alert is None else self.alert.since_ns
        return _URGENCY.index(self.state), _rank(self.record.severity), since_ns


class AlertBook:
    """The records of the latest snapshot, by the clock of the server."""

    def __init__(self) -> None:
        self.records: tuple[AlertRecord, ...] = ()

    def see(self, records: tuple[AlertRecord, ...]) -> bool:
        """Take in what a snapshot says; true when anything differs."""
        changed = records != self.records
        self.records = records
        return changed

    def unwatched(self, now_ns: int) -> bool:
        """Whether rules that were evaluated are so no more."""
        return any(not record.is_watched(now_ns) for record in self.records)

    def of_state(self, state: AlertState) -> list[AlertView]:
        """The alerts of a state: the worst first, then those that have been there for longest."""
        views = [AlertView(record, one) for record in self.records for one in record.alerts if one.state is state]
        return sorted(views, key=lambda view: (_rank(view.record.severity), view.alert.since_ns))

    def firing(self) -> list[tuple[str, int]]:
        """How many fire of each severity that has some, the worst first."""
        counts = dict.fromkeys(SEVERITIES, 0)
        for record in self.records:
            severity = record.severity if record.severity in counts else "warning"
            counts[severity] += len(record.firing)
        return [(severity, count) for severity, count in counts.items() if count]

    def rows(self) -> Iterator[AlertRow]:
        """All alerts, and the rules of which none is pending or fires."""
        return (AlertRow(record, alert) for record in self.records for alert in record.alerts or (None,))

    def row(self, key: str) -> AlertRow | None:
        """One of them; that of its rule when the alert is over, and ``None`` when there is no such rule any more."""
        if (found := next((row for row in self.rows() if row.key == key), None)) is not None:
            return found
        rule = next((one for one in self.records if f"{key} ".startswith(f"{one.name} ")), None)
        return None if rule is None else AlertRow(rule, None)


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
