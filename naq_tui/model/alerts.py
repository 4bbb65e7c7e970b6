"""The alerts: what the leader of the schedulers has found, worst first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from naq_runtime.alerts.record import Alert, AlertRecord, AlertState

__all__ = ["SEVERITIES", "AlertBook", "AlertView"]

SEVERITIES = ("critical", "warning", "info")
"""The worst first."""


class AlertView(NamedTuple):
    """A rule and one of its alerts."""

    record: AlertRecord
    alert: Alert

    @property
    def target(self) -> str:
        """What tells it from all others: ``mail-failures queue=mail``."""
        return " ".join((self.record.name, *(f"{name}={value}" for name, value in self.alert.labels.items())))


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

    def quiet(self) -> Iterable[AlertRecord]:
        """The rules of which no alert is pending or fires."""
        return [record for record in self.records if not record.alerts]


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
