"""What can be named in a filter: queues and workers that are there, and what the newest events name."""

from __future__ import annotations

from naq_runtime.events.filters.fields import fields
from naq_tui.model.log import EventLog
from naq_tui.state import Dashboard
from naq_tui.text import inert

__all__ = ["known_values"]

_LOOKED_AT = 2_000
"""Events, the newest; a few milliseconds of work."""
_MOST = 200
_OF_EVENTS = ("queue", "worker", "function", "error_type", "schedule", "host", "instance", "job")


def known_values(dashboard: Dashboard) -> dict[str, list[str]]:
    """Values by the short name of their field, the latest first."""
    known = _named(dashboard.log)
    snapshot = dashboard.snapshot
    if snapshot is not None:
        for name, there in (
            ("queue", [queue.name for queue in snapshot.queues]),
            ("worker", [worker.worker_id for worker in snapshot.workers]),
        ):
            known[name] = list(dict.fromkeys([*sorted(there), *known[name]]))
    return known


def _named(log: EventLog) -> dict[str, list[str]]:
    newest = [stored.event for stored in reversed(log.between(log.end - _LOOKED_AT, log.end))]
    found = {}
    for name in _OF_EVENTS:
        values = dict.fromkeys(map(fields()[name].get, newest))
        found[name] = [value for value in values if value and inert(value) == value][:_MOST]
    return found
