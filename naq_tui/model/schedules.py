"""The schedules, kept up by what has changed of them; and who leads the schedulers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from naq_runtime.snapshot import LeaderState, ScheduleMark, ScheduleNews
from naq_tui.model.seconds import SECOND_NS

if TYPE_CHECKING:
    from naq_runtime.schedule import Schedule

__all__ = ["DUE_NS", "ScheduleBook", "ScheduleChanges", "ScheduleView"]

DUE_NS = 2 * SECOND_NS
"""So long a schedule may be due before it is late: we hear of a tick only when we ask again."""


class ScheduleView:
    """A schedule, with what is worked out of it when it is looked at."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.schedule_id = schedule.schedule_id
        self.fires_at_ns = schedule.fires_at_ns
        """When it makes its next job; 0 for never."""

    def __repr__(self) -> str:
        return f"<ScheduleView {self.schedule_id} {self.schedule.state}>"

    @cached_property
    def lag_ms(self) -> float | None:
        """See `Schedule.lag_ms`."""
        return self.schedule.lag_ms

    @cached_property
    def search_text(self) -> str:
        """The text that a filter is looked for in."""
        schedule = self.schedule
        when = f"{schedule.cron} {schedule.timezone}" if schedule.cron else ""
        return f"{self.schedule_id} {schedule.state} {when} {schedule.queue_name} {schedule.function_name}"

    def late_ns(self, now_ns: int) -> int:
        """For how long it has been due, when that is too long; 0 else."""
        over_ns = now_ns - self.fires_at_ns
        return over_ns if self.fires_at_ns and over_ns >= DUE_NS else 0


class ScheduleChanges(msgspec.Struct):
    """What there is to show anew."""

    whole: bool = False
    """Whether these are all that there are."""
    changed: dict[str, ScheduleView] = msgspec.field(default_factory=dict)
    gone: set[str] = msgspec.field(default_factory=set)


class ScheduleBook:
    """All schedules by id."""

    def __init__(self) -> None:
        self.mark: ScheduleMark | None = None
        """From which to ask again; ``None`` before the first answer."""
        self.leader: LeaderState | None = None
        """Who leads, or led last."""
        self.leader_known = True
        """See `ScheduleNews.leader_known`."""
        self.trouble = ""
        """Why the last question had no answer; empty when it had."""
        self.more = False
        """Whether there are more than have been read."""
        self.counts: Counter[str] = Counter()
        """How many there are of each state."""
        self._views: dict[str, ScheduleView] = {}
        self._changes = ScheduleChanges()

    def __len__(self) -> int:
        return len(self._views)

    def take(self, news: ScheduleNews) -> bool:
        """Take in what was read; true when anything differs."""
        before = (self.mark is None, self.trouble, self.more, self._leader_as_shown())
        if news.whole:
            self._views.clear()
            self._changes = ScheduleChanges(whole=True)
        for schedule in news.schedules:
            self._put(schedule)
        for schedule_id in news.unreadable:
            self._drop(schedule_id)
        self.mark, self.leader, self.trouble, self.more = news.mark, news.leader, "", news.more
        self.leader_known = news.leader_known
        if news.whole:
            self.counts = Counter(view.schedule.state.value for view in self._views.values())
        now = (False, "", self.more, self._leader_as_shown())
        return bool(news.whole or news.schedules or news.unreadable) or before != now

    def fail(self, reason: str) -> bool:
        """There was no answer; true when that is news."""
        changed, self.trouble = self.trouble != reason, reason
        return changed

    def drain(self) -> ScheduleChanges:
        """What has changed since the last time; for the one who shows it."""
        changes, self._changes = self._changes, ScheduleChanges()
        return changes

    def soonest(self, most: int) -> list[ScheduleView]:
        """Those that are due first, then those that are not."""
        ordered = sorted(
            self._views.values(), key=lambda view: (not view.fires_at_ns, view.fires_at_ns, view.schedule_id)
        )
        return ordered[:most]

    def views(self) -> Iterable[ScheduleView]:
        """All of them, in no order."""
        return self._views.values()

    @property
    def unattended(self) -> bool:
        """Whether there are schedules to be kept, and nobody keeps them."""
        return bool(self.counts["active"]) and self.leader_known and not (self.leader is not None and self.leader.leads)

    def _leader_as_shown(self) -> tuple[object, ...]:
        leader = self.leader
        return () if leader is None else (leader.instance_id, leader.term, leader.leads, leader.hostname, leader.pid)

    def _put(self, schedule: Schedule) -> None:
        schedule_id = schedule.schedule_id
        if schedule.state.is_over:
            self._drop(schedule_id)
            return
        known = self._views.get(schedule_id)
        if known is not None:
            self.counts[known.schedule.state.value] -= 1
        view = self._views[schedule_id] = ScheduleView(schedule)
        self.counts[schedule.state.value] += 1
        self._changes.changed[schedule_id] = view
        self._changes.gone.discard(schedule_id)

    def _drop(self, schedule_id: str) -> None:
        known = self._views.pop(schedule_id, None)
        if known is None:
            return
        self.counts[known.schedule.state.value] -= 1
        self._changes.changed.pop(schedule_id, None)
        self._changes.gone.add(schedule_id)
