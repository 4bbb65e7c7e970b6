"""Gauges of what stands, without a server."""

from __future__ import annotations

from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from naq_runtime.prometheus.standing import Standing, StandingMetrics
from naq_runtime.snapshot import LeaderState, QueueBacklog
from tests.tui.builders import alerts, queue, snapshot


def test_alerts_that_fire_are_counted_by_rule() -> None:
    registry, standing = CollectorRegistry(), StandingMetrics()
    registry.register(standing)

    standing.saw(Standing(snapshot(alerts=alerts()), {}))

    def firing(alert: str, severity: str = "warning") -> float | None:
        return registry.get_sample_value("naq_alerts_firing", {"alert": alert, "severity": severity})

    assert [firing("mail-failures"), firing("worker-lost", "critical"), firing("late"), firing("quiet")] == [1, 1, 0, 0]


def test_what_waits_for_something_else_than_a_worker_is_told_by_queue() -> None:
    registry, standing = CollectorRegistry(), StandingMetrics()
    registry.register(standing)
    backlog = QueueBacklog(scheduled=5, depending=2, dead=7, oldest_s=1.5)

    standing.saw(Standing(snapshot([queue("mail", 3, 1), queue("other")]), {"mail": backlog}))

    def jobs(name: str, state: str) -> float | None:
        return registry.get_sample_value("naq_queue_jobs", {"queue": name, "state": state})

    assert [jobs("mail", state) for state in ("waiting", "running", "scheduled", "depending")] == [3, 1, 5, 2]
    assert registry.get_sample_value("naq_queue_dead", {"queue": "mail"}) == 7
    assert registry.get_sample_value("naq_queue_oldest_seconds", {"queue": "mail"}) == 1.5
    assert jobs("other", "scheduled") == 0


def test_who_leads_the_schedulers_is_told_while_somebody_does() -> None:
    registry, standing = CollectorRegistry(), StandingMetrics()
    registry.register(standing)

    def leads() -> float | None:
        return registry.get_sample_value("naq_scheduler_leads", {"scheduler": "scheduler-1"})

    leader = LeaderState(instance_id="scheduler-1", term=3, lease_s=2.0)
    standing.saw(Standing(snapshot(), {}, leader))
    assert leads() == 1
    standing.saw(Standing(snapshot(), {}, replace(leader, silent_s=9.0)))
    assert leads() is None
