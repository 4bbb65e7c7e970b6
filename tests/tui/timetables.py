"""The schedules of the small shop, what happened to them lately, and who leads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from naq_runtime.events.models import (
    Event,
    ScheduleEvent,
    ScheduleEventType,
    StoredEvent,
    SystemEvent,
    SystemEventType,
)
from naq_runtime.job import Job
from naq_runtime.schedule import Schedule, ScheduleState, tick_id
from naq_runtime.snapshot import LeaderState, ScheduleDetail

__all__ = ["STOCK", "Timetables", "timetables"]

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
STOCK = "stock-levels"
"""It comes each half minute."""


@dataclass(frozen=True)
class Timetables:
    """What a source needs of schedules."""

    schedules: tuple[Schedule, ...]
    leader: LeaderState
    events: tuple[Event, ...]

    def details(self) -> dict[str, ScheduleDetail]:
        """With the jobs that their ticks make."""
        job = Job("shop.stock.count", kwargs={"warehouse": "north", "alert_below": 20}, queue_name="reports")
        schedule = next(one for one in self.schedules if one.schedule_id == STOCK)
        events = [event for event in self.events if isinstance(event, ScheduleEvent) and event.schedule_id == STOCK]
        stored = tuple(StoredEvent(number, event) for number, event in enumerate(events, 1))
        return {STOCK: ScheduleDetail(schedule=schedule, job=job, events=stored)}


def timetables(end_ns: int) -> Timetables:
    """As they stand at this moment."""
    leader = LeaderState(
        instance_id="sched-1",
        term=4,
        lease_s=3.0,
        hostname="app-1",
        pid=30877,
        since_ns=end_ns - 26 * HOUR,
        silent_s=0.7,
    )
    return Timetables(tuple(_schedules(end_ns)), leader, tuple(_events(end_ns)))


def _schedules(end: int) -> Iterator[Schedule]:
    yield _schedule("heartbeat", "default", "shop.ops.ping", every_ns=5 * SECOND, **_run(end, "heartbeat", 3, 2, 4_213))
    yield _schedule(STOCK, "reports", "shop.stock.count", every_ns=30 * SECOND, **_run(end, STOCK, 18, 12, 20_880))
    yield _schedule(
        "exchange-rates",
        "imports",
        "shop.prices.fetch_rates",
        cron="*/15 * * * *",
        **_run(end, "exchange-rates", 0, 900, 96),
    )
    yield _schedule(
        "daily-revenue",
        "reports",
        "shop.reports.daily_revenue",
        cron="0 6 * * 1-5",
        timezone="Europe/Zurich",
        missed_ticks=2,
        **_run(end, "daily-revenue", 4 * 3600, 20 * 3600, 311),
    )
    yield _schedule(
        "winter-sale", "newsletter", "shop.mail.announce", at_ns=end + 61 * 24 * HOUR, next_ns=end + 61 * 24 * HOUR
    )
    yield _schedule(
        "newsletter",
        "newsletter",
        "shop.mail.send_newsletter",
        cron="30 9 * * 2",
        state=ScheduleState.PAUSED,
        reason="until the new template is approved",
        repeat=8,
        ticks=4,
    )
    yield _schedule(
        "price-feed",
        "imports",
        "shop.prices.fetch",
        every_ns=600 * SECOND,
        state=ScheduleState.FAILED,
        reason="NotImportable: there is no module shop.prices",
        errors=5,
        ticks=870,
        missed_ticks=6,
    )


def _schedule(schedule_id: str, queue: str, function: str, **fields: Any) -> Schedule:
    return Schedule(schedule_id=schedule_id, queue_name=queue, function_name=function, payload=b"", **fields)


def _run(end: int, schedule_id: str, ago_s: int, in_s: int, ticks: int) -> dict[str, Any]:
    """It has run, and goes on."""
    due = end - ago_s * SECOND
    return {
        "next_ns": end + in_s * SECOND,
        "ticks": ticks,
        "last_due_ns": due,
        "last_run_ns": due + 1_900_000,
        "last_job_id": tick_id(schedule_id, due),
        "anchor_ns": end + in_s * SECOND,
        "created_at_ns": end - 40 * 24 * HOUR,
    }


def _events(end: int) -> Iterator[Event]:
    for tick, ago_s in enumerate((78, 48, 18), 20_878):
        yield _ticked(end - ago_s * SECOND, STOCK, "reports", "shop.stock.count", tick)
    for tick, ago_s in enumerate((13, 8, 3), 4_211):
        yield _ticked(end - ago_s * SECOND, "heartbeat", "default", "shop.ops.ping", tick)
    yield SystemEvent(
        timestamp_ns=end - 95 * SECOND,
        event_type=SystemEventType.LEADER_ELECTED,
        instance="s-1",
        role="scheduler",
        hostname="app-1",
        pid=30877,
        term=4,
        reason="sched-1",
    )


def _ticked(due: int, schedule_id: str, queue: str, function: str, tick: int) -> ScheduleEvent:
    return ScheduleEvent(
        timestamp_ns=due + 1_900_000,
        event_type=ScheduleEventType.TRIGGERED,
        schedule_id=schedule_id,
        queue_name=queue,
        function_name=function,
        job_id=tick_id(schedule_id, due),
        tick=tick,
        lag_ms=1.9,
    )
