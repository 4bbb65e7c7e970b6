"""Gauges of what stands, without a server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from naq_runtime.prometheus.standing import Standing, StandingMetrics
from tests.tui.builders import alerts, snapshot


def test_alerts_that_fire_are_counted_by_rule() -> None:
    registry, standing = CollectorRegistry(), StandingMetrics()
    registry.register(standing)

    standing.saw(Standing(snapshot(alerts=alerts()), {}))

    def firing(alert: str, severity: str = "warning") -> float | None:
        return registry.get_sample_value("naq_alerts_firing", {"alert": alert, "severity": severity})

    assert [firing("mail-failures"), firing("worker-lost", "critical"), firing("late"), firing("quiet")] == [1, 1, 0, 0]
