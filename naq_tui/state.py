"""What the dashboard knows: batches go in, values to show come out. Nothing here waits, draws or looks at a clock.

Depths and workers come from snapshots, rates and percentiles from events, each counted in the second in which it
happened; what is read late after an outage therefore lands where it belongs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

import msgspec

from naq_runtime.events.models import JobEvent, ScheduleEvent, StoredEvent, WorkerEvent
from naq_runtime.snapshot import QueueBacklog, ScheduleNews, ServerState, Snapshot, WorkerDetail
from naq_tui.model.alerts import AlertBook
from naq_tui.model.log import LOG_LIMIT, EventLog
from naq_tui.model.queues import HISTORY_S as QUEUE_HISTORY_S
from naq_tui.model.queues import QueueBook, QueueView
from naq_tui.model.schedules import ScheduleBook
from naq_tui.model.seconds import SECOND_NS, SecondCounts
from naq_tui.model.tally import RATE_WINDOW_S, Figures, Latency, Tally
from naq_tui.model.workers import WorkerBook, WorkerView
from naq_tui.source import Batch, ConnectionState, Link

__all__ = ["HISTORY_S", "Dashboard", "Throughput", "Versions", "Vitals"]

HISTORY_S = 600
"""Seconds that the charts can look back."""

_STALE = (ConnectionState.CONNECTING, ConnectionState.RECONNECTING, ConnectionState.FAILED)


_FIRST_VERSIONS = count(step=1 << 40)


class Versions(msgspec.Struct):
    """A number for each thing that is shown; it grows whenever there is something new to paint.

    Those of one dashboard are never those of another.
    """

    strip: int = 0
    queues: int = 0
    workers: int = 0
    chart: int = 0
    feed: int = 0
    job: int = 0
    """Events of the job that is watched."""
    schedules: int = 0
    schedule: int = 0
    """Events of the schedule that is watched."""
    alerts: int = 0

    def __post_init__(self) -> None:
        # No two dashboards share a number: whoever has painted one of them sees that the other one is to be painted.
        first = next(_FIRST_VERSIONS)
        for thing in self.__struct_fields__:
            setattr(self, thing, first + getattr(self, thing))


class Vitals(NamedTuple):
    """The figures of the strip."""

    events_rate: float
    jobs: Figures
    """Of all queues together."""
    missed: int


class Throughput(NamedTuple):
    """Jobs by second, the oldest first; the last second is over."""

    until: int
    """The second after the last one."""
    enqueued: list[int]
    completed: list[int]
    failed: list[int]


class Dashboard:
    """The model behind every pane."""

    def __init__(self, *, log_limit: int = LOG_LIMIT) -> None:
        self.versions = Versions()
        self.log = EventLog(log_limit)
        self.schedules = ScheduleBook()
        self.alerts = AlertBook()
        self.link: Link | None = None
        """``None`` before the source has said anything."""
        self.snapshot: Snapshot | None = None
        """The latest; ``None`` before the first."""
        self.missed = 0
        self.heard_at_ns: int | None = None
        """When the last batch with news came from a working link."""
        self._queues = QueueBook()
        self._workers = WorkerBook()
        self._all = Tally(HISTORY_S, HISTORY_S)
        self._events = SecondCounts(RATE_WINDOW_S + 2)
        self._watched: str | None = None
        self._watched_schedule: str | None = None
        self._since: int | None = None
        self._second = 0
        self._news = False

    def __repr__(self) -> str:
        return (
            f"<Dashboard events={self.log.end} kept={self.log.end - self.log.first} missed={self.missed} "
            f"queues={len(self._queues)} workers={len(self._workers)}>"
        )

    @property
    def stale(self) -> bool:
        """Whether what is known is old because the link is down."""
        return self.link is None or self.link.state in _STALE

    def as_of(self, now_ns: int) -> int:
        """The moment that panes show: now, or when the link was last there."""
        return self.heard_at_ns if self.stale and self.heard_at_ns is not None else now_ns

    @property
    def server(self) -> ServerState | None:
        """The server that answered last."""
        return self.snapshot.server if self.snapshot else None

    def watch(self, job_id: str | None) -> bool:
        """Count the events of this job in ``versions.job``; whether it was another one before."""
        was, self._watched = self._watched, job_id
        return was != job_id

    def watch_schedule(self, schedule_id: str | None) -> None:
        """Count the events of this schedule in ``versions.schedule``."""
        self._watched_schedule = schedule_id

    def watch_as(self, other: Dashboard) -> None:
        """Watch what another one watches."""
        self._watched, self._watched_schedule = other._watched, other._watched_schedule

    def take_schedules(self, news: ScheduleNews | str) -> None:
        """Take in what was read of schedules, or why it could not be."""
        book = self.schedules
        if book.fail(news) if isinstance(news, str) else book.take(news):
            self.versions.schedules += 1

    def take_backlogs(self, backlogs: Mapping[str, QueueBacklog]) -> None:
        """Take in what waits in the queues for something else than a worker."""
        if self._queues.take_backlogs(backlogs):
            self.versions.queues += 1

    def take_worker(self, detail: WorkerDetail) -> None:
        """Take in since when a worker has had its jobs."""
        if self._workers.learn(detail.status.worker_id, detail.jobs):
            self.versions.workers += 1

    def apply(self, batch: Batch, now_ns: int) -> None:
        """Take in a batch at once."""
        self._take_link(batch.link)
        if not self.stale:
            self.heard_at_ns = now_ns
        if batch.missed:
            self.missed += batch.missed
            self.versions.strip += 1
        if batch.events:
            self._take_events(batch.events, now_ns // SECOND_NS)
        if batch.earlier:
            self._take_earlier(batch.earlier)
        if batch.snapshot is not None:
            self._take_snapshot(batch.snapshot, now_ns)
        if now_ns // SECOND_NS != self._second:
            self.advance(now_ns)

    def advance(self, now_ns: int) -> None:
        """Let time pass, about once a second: figures move on, unless the link is down and all stands as it was."""
        second = now_ns // SECOND_NS
        if self.stale or (second == self._second and not self._news):
            return
        self._second = second
        if self._workers.forget_lost(now_ns) or len(self._workers):
            self.versions.workers += 1
        if self._news or second - self._all.latest <= HISTORY_S or self._events.newest >= second - RATE_WINDOW_S - 1:
            self._news = False
            self._bump_figures()

    def _bump_figures(self) -> None:
        self.versions.queues += 1
        self.versions.chart += 1
        self.versions.strip += 1

    def _take_link(self, link: Link) -> None:
        if link != self.link:
            self.link = link
            for pane in self.versions.__struct_fields__:
                setattr(self.versions, pane, getattr(self.versions, pane) + 1)

    def _take_snapshot(self, snapshot: Snapshot, now_ns: int) -> None:
        first = self.snapshot is None
        self.snapshot = snapshot
        if self._queues.see(snapshot.queues) or first:
            self.versions.queues += 1
        if self._workers.see(snapshot.workers, now_ns, steady_s=self._steady_s(now_ns)) or first:
            self.versions.workers += 1
        if self.alerts.see(snapshot.alerts):
            self.versions.alerts += 1
            self.versions.strip += 1
        if first:
            self.versions.strip += 1

    def _steady_s(self, now_ns: int) -> float:
        link = self.link
        return (now_ns - link.since_ns) / SECOND_NS if link is not None and link.state is ConnectionState.LIVE else 0.0

    def _take_events(self, events: Sequence[StoredEvent], now_s: int) -> None:
        self.log.extend(events, len(events))
        self.versions.feed += 1
        self._news = True
        if self._since is None:
            self._since = min(now_s, events[0].event.moment_ns // SECOND_NS)
        seen = self._events.add
        for stored in events:
            event = stored.event
            # An emitter whose clock is ahead of ours would otherwise open seconds that are not there yet.
            second = min(event.moment_ns // SECOND_NS, now_s)
            seen(second)
            if type(event) is JobEvent:
                self._count(event, second)
            elif type(event) is WorkerEvent and self._workers.hear(event):
                self.versions.workers += 1
            elif type(event) is ScheduleEvent and event.schedule_id == self._watched_schedule:
                self.versions.schedule += 1

    def _take_earlier(self, events: Sequence[StoredEvent]) -> None:
        """Count what happened before all that came so far, each in its second, and have it in the log."""
        self.log.extend_back(events)
        self.versions.feed += 1
        self._news = True
        first = events[0].event.moment_ns // SECOND_NS
        self._since = first if self._since is None else min(self._since, first)
        # Backwards, so that an end is known before its beginning is met, and the latest failures are those that stay.
        for stored in reversed(events):
            second = stored.event.moment_ns // SECOND_NS
            self._events.add(second)
            if type(stored.event) is JobEvent:
                self._count(stored.event, second, earlier=True)

    def _count(self, event: JobEvent, second: int, *, earlier: bool = False) -> None:
        self._queues.count(event, second, earlier=earlier)
        self._all.count(event, second)
        self._workers.count(event, second, earlier=earlier)
        if event.job_id == self._watched:
            self.versions.job += 1

    def queues(self, now_ns: int) -> tuple[QueueView, ...]:
        """All queues, by name."""
        return self._queues.views(now_ns // SECOND_NS, self._start(now_ns))

    def queue_names(self) -> list[str]:
        """The names of all queues, in order."""
        return self._queues.names()

    def workers(self, now_ns: int) -> tuple[WorkerView, ...]:
        """All workers, by id."""
        return self._workers.views(now_ns)

    def vitals(self, now_ns: int) -> Vitals:
        """The figures of the strip."""
        second, since = now_ns // SECOND_NS, self._start(now_ns)
        first = max(second - RATE_WINDOW_S, since)
        events = self._events.total(first, second - 1) / max(1, second - first)
        return Vitals(events, self._all.figures(second, since), self.missed)

    def throughput(self, now_ns: int, seconds: int = HISTORY_S) -> Throughput:
        """Jobs by second, up to the second before this one."""
        second = now_ns // SECOND_NS
        first, last = second - min(seconds, HISTORY_S), second - 1
        series = (counts.series(first, last) for counts in (self._all.enqueued, self._all.completed, self._all.failed))
        return Throughput(second, *series)

    def latency(self, now_ns: int, seconds: int = HISTORY_S) -> Latency:
        """How long jobs waited and ran, up to the second before this one."""
        second = now_ns // SECOND_NS
        return self._all.latency(second - min(seconds, HISTORY_S), second - 1)

    def queue_throughput(self, name: str, now_ns: int) -> Throughput:
        """Jobs of one queue by second, up to the second before this one."""
        second = now_ns // SECOND_NS
        tally = self._queues.tally(name)
        first, last = second - QUEUE_HISTORY_S, second - 1
        series = (counts.series(first, last) for counts in (tally.enqueued, tally.completed, tally.failed))
        return Throughput(second, *series)

    def queue_failures(self, name: str) -> tuple[JobEvent, ...]:
        """The latest attempts of a queue that failed or timed out, the oldest first."""
        return self._queues.failures(name)

    def _start(self, now_ns: int) -> int:
        return self._since if self._since is not None else now_ns // SECOND_NS
