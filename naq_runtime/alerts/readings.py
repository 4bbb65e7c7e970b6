"""What each metric is now, for each set of labels that a rule watches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from naq_runtime.alerts.evaluation import Values
from naq_runtime.alerts.metrics import Source
from naq_runtime.alerts.roster import Roster
from naq_runtime.alerts.rules import Labels, Rule
from naq_runtime.alerts.windows import EventWindows
from naq_runtime.snapshot import QueueState
from naq_runtime.worker.record import WorkerRecord, WorkerState

__all__ = ["Observed", "values_of"]

_LEAST_COVERED_S = 10.0
"""Of a shorter time nothing is said of a rate."""


class Observed(NamedTuple):
    """All that was read for one evaluation."""

    now_ns: int
    """By the server's clock."""
    queues: tuple[QueueState, ...]
    workers: tuple[WorkerRecord, ...]
    ages_s: Mapping[str, float]
    """How long the oldest job of each queue has waited; 0 where none waits."""
    dead: Mapping[str, int]
    """Dead letters by queue."""
    windows: EventWindows | None
    """``None`` while not all events have been read that there are."""
    roster: Roster


def values_of(rule: Rule, observed: Observed, min_samples: int) -> Values | None:
    """The value for each set of labels, ``None`` for no data; no values at all when the metric cannot be told.

    Args:
        min_samples: of how many jobs shares and percentiles say something.
    """
    match rule.metric.source:
        case Source.EVENTS:
            found = _of_events(rule, observed, min_samples)
        case Source.LOSSES:
            found = _of_losses(rule, observed)
        case Source.WORKERS:
            found = _of_workers(rule, observed)
        case _:
            found = _of_queues(rule, observed)
    if found is None:
        return None
    exact = rule.exact
    return found if exact is None or exact in found else {**found, exact: rule.metric.absent}


def _labels(rule: Rule, **labels: str) -> Labels | None:
    """The alert that these labels belong to; ``None`` when they are not watched."""
    return tuple((name, labels[name]) for name in rule.by) if rule.wants(labels) else None


# State


def _of_queues(rule: Rule, observed: Observed) -> Values:
    values: dict[Labels, float | None] = {}
    for name, value in _queue_values(rule, observed):
        key = _labels(rule, queue=name)
        if key is not None:
            values[key] = value
    return values


def _queue_values(rule: Rule, observed: Observed) -> Iterable[tuple[str, float]]:
    match rule.metric.name:
        case "queue_depth":
            return [(queue.name, float(queue.waiting)) for queue in observed.queues]
        case "running":
            return [(queue.name, float(queue.running)) for queue in observed.queues]
        case "queue_age":
            return list(observed.ages_s.items())
        case _:
            return [(name, float(count)) for name, count in observed.dead.items()]


def _of_workers(rule: Rule, observed: Observed) -> Values:
    """For each queue the workers that take its jobs, or all workers."""
    living = [record for record in observed.workers if record.state is not WorkerState.STOPPED]
    if not rule.by:
        wanted = [one for one in living if not rule.where or any(rule.wants({"queue": q}) for q in one.queue_names)]
        return {(): float(len(wanted))}
    values: dict[Labels, float | None] = {}
    names = {queue.name for queue in observed.queues} | {name for one in living for name in one.queue_names}
    for name in names:
        key = _labels(rule, queue=name)
        if key is not None:
            values[key] = float(sum(name in record.queue_names for record in living))
    exact = rule.exact
    if exact is not None:
        values.setdefault(exact, 0.0)
    return values


def _of_losses(rule: Rule, observed: Observed) -> Values | None:
    if observed.windows is None:
        return None
    values: dict[Labels, float | None] = {}
    for worker, lost in observed.roster.lost(rule.window_s, observed.now_ns).items():
        key = _labels(rule, worker=worker)
        if key is not None:
            values[key] = float(lost)
    return values


# Events


class _Window(NamedTuple):
    """The window of a rule, as it is now."""

    rule: Rule
    events: EventWindows
    now_ns: int

    def key(self, first: str, second: str) -> Labels | None:
        """The alert that two labels of a count belong to."""
        if "schedule" in self.rule.metric.labels:
            return _labels(self.rule, schedule=first)
        return _labels(self.rule, queue=first, function=second)

    def counts(self, what: str) -> dict[Labels, int]:
        """How many of something there were, by alert."""
        sums: dict[Labels, int] = {}
        for labels, count in self.events.counts(what, self.rule.window_s, self.now_ns).items():
            key = self.key(*labels)
            if key is not None:
                sums[key] = sums.get(key, 0) + count
        return sums


def _of_events(rule: Rule, observed: Observed, min_samples: int) -> Values | None:
    if observed.windows is None:
        return None
    window = _Window(rule, observed.windows, observed.now_ns)
    match rule.metric.name:
        case "failed_rate":
            return _failed_rate(window, min_samples)
        case "failures":
            return _with_queues(window, observed, {key: float(n) for key, n in window.counts("failed").items()})
        case "throughput":
            return _throughput(window, observed)
        case "wait_p95" | "run_p95" as name:
            found = window.events.percentiles(name.partition("_")[0], rule.window_s, observed.now_ns, window.key)
            return {key: value if count >= min_samples else None for key, (value, count) in found.items()}
        case "missed_ticks":
            return {key: float(count) for key, count in window.counts("missed").items()}
        case name:
            return {(): float(sum(window.counts(_SYSTEM[name]).values()))}


_SYSTEM = {"leader_changes": "elected", "events_dropped": "dropped"}


def _failed_rate(window: _Window, min_samples: int) -> Values:
    failed, completed = window.counts("failed"), window.counts("completed")
    values: dict[Labels, float | None] = {}
    for key in {*failed, *completed}:
        ended = failed.get(key, 0) + completed.get(key, 0)
        values[key] = failed.get(key, 0) / ended if ended >= min_samples else None
    return values


def _throughput(window: _Window, observed: Observed) -> Values | None:
    covered_s = window.events.covered_s(window.rule.window_s, observed.now_ns)
    if covered_s < min(_LEAST_COVERED_S, window.rule.window_s / 2):
        return None
    ended = window.counts("completed")
    for key, count in window.counts("failed").items():
        ended[key] = ended.get(key, 0) + count
    return _with_queues(window, observed, {key: count / covered_s for key, count in ended.items()})


def _with_queues(window: _Window, observed: Observed, found: dict[Labels, float | None]) -> Values:
    """Queues in which nothing happened count 0; which functions they would have had, nobody knows."""
    if "function" not in window.rule.by:
        for queue in observed.queues:
            key = window.key(queue.name, "")
            if key is not None:
                found.setdefault(key, 0.0)
    return found
