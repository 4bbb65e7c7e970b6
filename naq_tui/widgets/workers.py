"""The workers: alive, busy, late or lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec
from textual.content import Content

from naq_runtime.events.messages import duration_text, size_text
from naq_runtime.worker.record import WorkerState
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope
from naq_tui.equivalents import worker_command
from naq_tui.model.workers import WorkerView
from naq_tui.state import Dashboard
from naq_tui.text import SKEW_SHOWN_MS, age_text, clip, count_text, inert, rate_text, short_age_text, skew_text
from naq_tui.widgets.columns import Column
from naq_tui.widgets.line import Back, Line, Span, Tone
from naq_tui.widgets.marks import gauge
from naq_tui.widgets.searched import Searched
from naq_tui.widgets.waiting import CONNECTING

__all__ = ["LOST_MARK", "STATES", "AllWorkers", "Workers", "state_span"]

_LONG_S = 60
"""A job that has run for so long is pointed out."""
_LATE_BEATS = 2
"""A worker is late when its last beat is older than this many intervals."""

_LARGEST = 10**15
_FIGURES = 8
"""Cells for running and limit beside the gauge."""

STATES: dict[WorkerState, tuple[str, Tone]] = {
    WorkerState.STARTING: ("◌ starting", "warn"),
    WorkerState.IDLE: ("○ idle", "dim"),
    WorkerState.BUSY: ("● busy", "good"),
    WorkerState.STOPPING: ("◌ stopping", "warn"),
    WorkerState.STOPPED: ("■ stopped", "dim"),
}
"""The glyph and the word of each state."""
LOST_MARK: Span = ("✗ lost", "bad")
_NONE_THEN = (Line(((" no worker was there at this moment", "dim"),)),)
_NO_WORKERS = (
    Line(((" no workers", "text"),)),
    Line(),
    Line(((" naq run-worker default -m your_module", "key"), ("  starts one", "dim"))),
)


def _late(worker: WorkerView) -> bool:
    if worker.record.state is WorkerState.STOPPED:
        return False
    return worker.beat_age_s > _LATE_BEATS * worker.record.heartbeat_interval


def _state(worker: WorkerView, width: int) -> list[Span]:
    if worker.lost:
        return [LOST_MARK]
    if _late(worker):
        return [("! late", "warn")]
    if worker.record.stuck_job_ids:
        return [(f"! {count_text(len(worker.record.stuck_job_ids))} stuck", "warn")]
    state = STATES[worker.record.state]
    return [state, (" ◷", "warn")] if _is_off(worker) else [state]


def state_span(worker: WorkerView) -> Span:
    """How a worker stands, in a glyph and a word."""
    return _state(worker, 10)[0]


def _longest(worker: WorkerView, width: int) -> list[Span]:
    """For how long it has had its oldest job; ``≥`` when that had begun before it was seen."""
    if worker.oldest is None:
        return [("-", "faint")]
    mark = "≥" if worker.oldest.at_least else ""
    text = f"{mark}{short_age_text(worker.busy_s)}"
    return [(f"! {text}", "warn")] if worker.busy_s >= _LONG_S else [(text, "text")]


def _is_off(worker: WorkerView) -> bool:
    """Whether its clock is wrong."""
    return abs(worker.record.clock_skew_ms) >= SKEW_SHOWN_MS


def _name(worker: WorkerView, width: int) -> list[Span]:
    return [(inert(worker.record.worker_id, 64), "name")]


def _host(worker: WorkerView, width: int) -> list[Span]:
    pid = f":{worker.record.pid}"
    return [(clip(inert(worker.record.hostname, 64), max(1, width - len(pid))), "dim"), (pid, "dim")]


def _queues(worker: WorkerView, width: int) -> list[Span]:
    return [(inert(" ".join(worker.record.queue_names), 200), "dim")]


def _running(worker: WorkerView, width: int) -> list[Span]:
    record = worker.record
    figures = f"{count_text(record.active_jobs)}/{count_text(record.concurrency_limit)}"
    if worker.lost:
        return [(f"held {count_text(record.active_jobs) if record.active_jobs else '?'}", "bad")]
    if _late(worker) and not record.active_jobs:  # what it has begun since, nobody has told
        figures = f"?/{count_text(record.concurrency_limit)}"
    room = max(_FIGURES, len(figures))
    bar = gauge(record.active_jobs, record.concurrency_limit, max(0, width - room))
    return [*bar, (f"{figures:>{room}}", "text" if record.active_jobs else "dim")]


def _failed(worker: WorkerView, width: int) -> list[Span]:
    failed = worker.record.jobs_failed
    return [(count_text(failed), "bad")] if failed else [("0", "faint")]


def _cpu(worker: WorkerView, width: int) -> list[Span]:
    percent = worker.record.cpu_percent
    return [(f"{percent:.0f} %", "warn" if percent >= 90 else "text" if percent >= 1 else "faint")]


def _rss(worker: WorkerView, width: int) -> list[Span]:
    return [(size_text(min(worker.record.rss_bytes, _LARGEST)), "dim")]


def _lag(worker: WorkerView, width: int) -> list[Span]:
    lag = worker.record.loop_lag_ms
    tone: Tone = "bad" if lag >= 1000 else "warn" if lag >= 100 else "dim"
    return [(duration_text(lag), tone)]


def _beat(worker: WorkerView, width: int) -> list[Span]:
    return [(short_age_text(worker.beat_age_s), "warn" if worker.lost or _late(worker) else "dim")]


def _stuck(worker: WorkerView, width: int) -> list[Span]:
    jobs = worker.record.stuck_job_ids
    return [(" ".join(inert(job[:8]) for job in jobs[:20]), "warn") if jobs else ("-", "faint")]


def _version(worker: WorkerView, width: int) -> list[Span]:
    return [(inert(worker.record.version, 20) or "-", "dim")]


def _state_order(worker: WorkerView) -> tuple[bool, bool, int, bool, int, str]:
    record = worker.record
    ended = record.state is WorkerState.STOPPED
    return (not worker.lost, not _late(worker), -len(record.stuck_job_ids), ended, -_minutes(worker), record.state)


def _minutes(worker: WorkerView) -> int:
    """So that rows do not change places all the time."""
    return worker.busy_s // 60


COLUMNS: tuple[Column[WorkerView], ...] = (
    Column("worker", 10, _name, lambda w: w.record.worker_id, "left", 0, most=24, descending=False),
    Column("state", 10, _state, _state_order, "left", 1, descending=False),
    Column("host:pid", 12, _host, lambda w: (w.record.hostname, w.record.pid), "left", 10, most=24, descending=False),
    Column("queues", 12, _queues, lambda w: w.record.queue_names, "left", 9, most=30, descending=False),
    Column("running", 13, _running, lambda w: w.record.active_jobs, rank=2, most=20),
    Column("jobs/s", 6, lambda w, _: [(rate_text(w.rate), "text" if w.rate else "faint")], lambda w: w.rate, rank=3),
    Column("done", 6, lambda w, _: [(count_text(w.record.jobs_completed), "text")], lambda w: w.record.jobs_completed),
    Column("failed", 7, _failed, lambda w: w.record.jobs_failed, rank=4),
    Column("cpu", 6, _cpu, lambda w: w.record.cpu_percent, rank=6),
    Column("rss", 8, _rss, lambda w: w.record.rss_bytes, rank=7),
    Column("lag", 9, _lag, lambda w: w.record.loop_lag_ms, rank=12),
    Column("uptime", 9, lambda w, _: [(age_text(w.uptime_s), "dim")], lambda w: w.uptime_s, rank=11),
    Column("stuck", 9, _stuck, lambda w: len(w.record.stuck_job_ids), "left", 13, most=27),
    Column("beat", 6, _beat, lambda w: w.beat_age_s, rank=8),
)


_STATE = COLUMNS[1]
_LONGEST = Column("longest", 8, _longest, lambda w: w.busy_s, rank=1)
_VERSION = Column("version", 7, _version, lambda w: w.record.version, "left", 15)
ALL_COLUMNS = (*COLUMNS[:5], _LONGEST, *COLUMNS[5:], _VERSION)
"""Of the view of the workers; for how long each has had its oldest job tells which one is stuck."""


class Workers(Searched[WorkerView]):
    """One row a worker."""

    NAME: ClassVar[str] = "Workers"
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.WORKER_ACTS, *Searched.SCOPES)

    def __init__(
        self,
        *,
        columns: Sequence[Column[WorkerView]] = COLUMNS,
        sorted_by: Column[WorkerView] | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(columns, sorted_by=sorted_by, id=id, classes=classes)

    def key(self, row: WorkerView) -> str:
        """The worker's id."""
        return row.record.worker_id

    def search_text(self, row: WorkerView) -> str:
        """Who and where it is, what it works on, and how it stands."""
        record = row.record
        return f"{record.worker_id} {record.hostname}:{record.pid} {' '.join(record.queue_names)} {state_span(row)[0]}"

    def command(self, row: WorkerView) -> str:
        """What shows the worker in a shell."""
        return worker_command(row.record.worker_id)

    def record(self, row: WorkerView) -> Mapping[str, object]:
        """What the worker says of itself, and how it stands."""
        known: dict[str, object] = msgspec.to_builtins(row.record)
        oldest = {"oldest_job_id": row.oldest.job_id, "oldest_job_s": row.busy_s} if row.oldest else {}
        jobs_per_s = round(row.rate, 3)
        return known | {"lost": row.lost, "jobs_per_s": jobs_per_s, "beat_age_s": row.beat_age_s, **oldest}

    def row_back(self, row: WorkerView) -> Back:
        """A lost worker stands out."""
        return "bad" if row.lost else ""

    def act(self, kind: ActKind) -> Act | None:
        """What is wanted of the workers that are chosen; those that have ended hear nothing."""
        there = [one for one in self.chosen if not one.lost and one.record.state is not WorkerState.STOPPED]
        chosen = [worker.record for worker in there]
        if kind is not ActKind.STOP or not chosen:
            return None
        about = {one.worker_id: f"{one.hostname}:{one.pid}, {count_text(one.active_jobs)} running" for one in chosen}
        return Act(kind, "worker", tuple(about), about=about)

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show the workers as they are now."""
        self.is_known = dashboard.snapshot is not None
        self.set_rows(dashboard.workers(now_ns), _hint(dashboard))

    def title(self) -> Content:
        """The heading in the border."""
        lost = sum(row.lost for row in self.rows)
        stuck = sum(len(row.record.stuck_job_ids) for row in self.rows if not row.lost)
        marks = [(f" ✗ {lost} lost", "bold $error")] if lost else []
        marks += [(f" ! {count_text(stuck)} stuck", "bold $warning")] if stuck else []
        off = [row.record.clock_skew_ms for row in self.rows if not row.lost and _is_off(row)]
        marks += [(f" ◷ {_clocks(off)}", "bold $warning")] if off else []
        return Content.assemble(self.NAME, " ", (self.count(less=lost), "$foreground 60%"), *marks)


class AllWorkers(Workers):
    """One row a worker: those first that want to be looked at; those that have ended, if they are wanted."""

    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.WORKER_ACTS, Scope.SORT, Scope.MARK, Scope.MOVE)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(columns=ALL_COLUMNS, sorted_by=_STATE, id=id, classes=classes)
        self._former: Iterable[WorkerView] = ()

    def set_former(self, former: Iterable[WorkerView]) -> None:
        """Show these besides those that are there, from the next time on."""
        self._former = former

    def show(self, dashboard: Dashboard, now_ns: int) -> None:
        """Show the workers as they are now."""
        there = {row.record.worker_id: row for row in dashboard.workers(now_ns)}
        former = [row for row in self._former if row.record.worker_id not in there]
        self.is_known = dashboard.snapshot is not None
        self.set_rows((*there.values(), *former), _hint(dashboard))


def _clocks(off: Sequence[float]) -> str:
    """How wrong clocks are: the one, or the worst of several."""
    worst = skew_text(max(off, key=abs))
    return f"clock {worst}" if len(off) == 1 else f"{len(off)} clocks off, up to {worst}"


def _hint(dashboard: Dashboard) -> Sequence[Line]:
    if dashboard.link is not None and dashboard.link.is_past:
        return _NONE_THEN
    return _NO_WORKERS if dashboard.snapshot else CONNECTING
