"""One snapshot of everything, for scripts and for a quick look: ``naq-top --once``."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from naq_runtime.alerts.record import AlertState
from naq_runtime.clock import SYSTEM_CLOCK
from naq_runtime.events.messages import duration_text, rhythm_text, size_text
from naq_runtime.events.models import JobEventType, StoredEvent
from naq_tui.cli.format import Format
from naq_tui.cli.output import EventPrinter, event_json, note
from naq_tui.model.schedules import DUE_NS
from naq_tui.model.tally import Quantiles
from naq_tui.state import Dashboard
from naq_tui.text import countdown_text, inert, short_age_text

if TYPE_CHECKING:
    from naq_runtime.snapshot import LeaderState
    from naq_tui.model.alerts import AlertView
    from naq_tui.model.queues import QueueView
    from naq_tui.model.schedules import ScheduleBook, ScheduleView
    from naq_tui.model.workers import WorkerView
    from naq_tui.sources.live import LiveSource

__all__ = ["document", "print_once", "sample"]

_EVENTS = 20
_SCHEDULES = 100
_SHOWN_SCHEDULES = 10


async def sample(source: LiveSource, seconds: float, *, warm_up_s: float = 0.0) -> Dashboard:
    """Watch for so long, and return what was learnt.

    Args:
        warm_up_s: wait so long at most for the first job to end, before the time begins to count.

    Raises:
        ServerError: the server cannot be reached or used.
    """
    dashboard = Dashboard()
    loop = asyncio.get_running_loop()
    warm = loop.time() + warm_up_s
    end = warm + seconds
    async with source, aclosing(source.__aiter__()) as batches:
        while dashboard.snapshot is None or loop.time() < end:
            try:
                async with asyncio.timeout_at(end if dashboard.snapshot else None):
                    dashboard.apply(await anext(batches), source.time_of(SYSTEM_CLOCK.time_ns()))
                if loop.time() < warm and _has_traffic(dashboard):
                    warm = loop.time()
                    end = warm + seconds
            except TimeoutError:
                break
        more = True
        while more:
            news = await source.questions.schedules(dashboard.schedules.mark)
            dashboard.take_schedules(news)
            more = news.more
    return dashboard


def _has_traffic(dashboard: Dashboard) -> bool:
    return any(stored.event.event_type == JobEventType.COMPLETED for stored in _latest(dashboard))


def document(dashboard: Dashboard, now_ns: int) -> dict[str, Any]:
    """The snapshot as a JSON document; times in the unit that their names say."""
    snapshot, vitals = dashboard.snapshot, dashboard.vitals(now_ns)
    assert snapshot is not None
    jobs = vitals.jobs
    return {
        "taken_at_ns": now_ns,
        "server": msgspec.to_builtins(snapshot.server),
        "rates": {
            "events_per_s": round(vitals.events_rate, 2),
            "enqueued_per_s": round(jobs.enqueued_rate, 2),
            "jobs_per_s": round(jobs.done_rate, 2),
            "failed_per_s": round(jobs.failed_rate, 2),
            "failed_share": round(jobs.failed_share, 4),
            "retried_per_s": round(jobs.retried_rate, 2),
            "cancelled_per_s": round(jobs.cancelled_rate, 2),
            "wait_ms": _quantiles(jobs.wait),
            "run_ms": _quantiles(jobs.run),
            "events_missed": vitals.missed,
        },
        "queues": [_queue(view) for view in dashboard.queues(now_ns)],
        "workers": [_worker(view) for view in dashboard.workers(now_ns)],
        "leader": _leader(dashboard.schedules.leader),
        "schedules": _schedules(dashboard.schedules),
        "alerts": [_alert(view) for view in dashboard.alerts.of_state(AlertState.FIRING)],
        "streams": [msgspec.to_builtins(stream) for stream in snapshot.streams],
        "events": [event_json(stored) for stored in _latest(dashboard)],
    }


def print_once(dashboard: Dashboard, form: Format, now_ns: int | None = None) -> None:
    """Print the snapshot: JSON as one document, raw as one line a thing, a table as people read it.

    Args:
        now_ns: the time by which the events are to be seen; that of this machine when left out.
    """
    now_ns = now_ns or time.time_ns()
    content = document(dashboard, now_ns)
    if not (content["queues"] or content["workers"] or content["events"]):
        note("there is no queue, no worker and no event: is it another --namespace?")
    if form is Format.JSON:
        print(msgspec.json.format(msgspec.json.encode(content)).decode())
        return
    if form is Format.RAW:
        _print_raw(content)
        return
    _print_summary(content)
    printer = EventPrinter(Format.TABLE)
    for stored in _latest(dashboard):
        printer.print(stored)


def _latest(dashboard: Dashboard) -> list[StoredEvent]:
    log = dashboard.log
    return log.between(log.end - _EVENTS, log.end)


def _quantiles(quantiles: Quantiles | None) -> dict[str, float] | None:
    if quantiles is None:
        return None
    return {"p50": round(quantiles.p50, 3), "p95": round(quantiles.p95, 3)}


def _queue(view: QueueView) -> dict[str, Any]:
    state, figures = view.state, view.figures
    return {
        "name": view.name,
        "waiting": state.waiting if state else None,
        "running": state.running if state else None,
        "paused": state.paused if state else None,
        "workers": state.workers if state else None,
        "concurrency_limit": state.concurrency_limit if state else None,
        "rate_limit": state.rate_limit if state else None,
        "in_per_s": round(figures.enqueued_rate, 2),
        "out_per_s": round(figures.done_rate, 2),
        "failed_share": round(figures.failed_share, 4),
        "failed": figures.failed,
        "retried": figures.retried,
        "cancelled": figures.cancelled,
        "wait_ms": _quantiles(figures.wait),
        "run_ms": _quantiles(figures.run),
    }


def _worker(view: WorkerView) -> dict[str, Any]:
    record = msgspec.to_builtins(view.record)
    return {**record, "state": "lost" if view.lost else record["state"], "jobs_per_s": round(view.rate, 2)}


def _leader(leader: LeaderState | None) -> dict[str, Any] | None:
    if leader is None or not leader.instance_id:
        return None
    return {**msgspec.to_builtins(leader), "leads": leader.leads}


def _schedules(book: ScheduleBook) -> dict[str, Any]:
    """How many there are, and those that are due first."""
    counts = {state: book.counts[state] for state in ("active", "paused", "failed")}
    return {"total": len(book), **counts, "soonest": [_schedule(view) for view in book.soonest(_SCHEDULES)]}


def _schedule(view: ScheduleView) -> dict[str, Any]:
    from naq_runtime.schedule import described

    schedule, lag = view.schedule, view.lag_ms
    return {
        "schedule_id": schedule.schedule_id,
        "state": schedule.state.value,
        "queue_name": schedule.queue_name,
        "function_name": schedule.function_name,
        **described(schedule),
        "next_ns": view.fires_at_ns or None,
        "last_run_ns": schedule.latest_ns or None,
        "last_job_id": schedule.latest_job_id,
        "last_lag_ms": None if lag is None else round(lag, 3),
        "ticks": schedule.ticks,
        "missed_ticks": schedule.missed_ticks,
        "repeat_left": schedule.repeat,
    }


def _alert(view: AlertView) -> dict[str, Any]:
    record, alert = view
    return {
        "alert": record.name,
        "rule": record.rule,
        "severity": record.severity,
        "labels": alert.labels,
        "value": alert.value,
        "since_ns": alert.since_ns,
        "acknowledged_by": alert.acknowledged_by or None,
    }


def _print_raw(content: dict[str, Any]) -> None:
    for name, value in content["rates"].items():
        print(f"rate {name} {msgspec.json.encode(value).decode()}")
    for queue in content["queues"]:
        paused = "yes" if queue["paused"] else "no"
        workers = "-" if queue["workers"] is None else queue["workers"]
        print(
            f"queue {inert(queue['name'])} waiting={queue['waiting']} running={queue['running']} paused={paused} "
            f"workers={workers}"
        )
    for worker in content["workers"]:
        running = f"{worker.get('active_jobs', 0)}/{worker['concurrency_limit']}"
        stuck = len(worker.get("stuck_job_ids", ()))
        print(f"worker {inert(worker['worker_id'])} {worker['state']} {running} stuck={stuck}")
    if content["leader"]:
        leads = "leads" if content["leader"]["leads"] else "silent"
        print(f"leader {inert(content['leader']['instance_id'])} {leads} term={content['leader']['term']}")
    for one in content["alerts"]:
        print(f"alert {inert(one['alert'])} {inert(one['severity'])} since_ns={one['since_ns']}{_labels(one)}")
    for one in content["schedules"]["soonest"]:
        print(
            f"schedule {inert(one['schedule_id'])} {one['state']} next_ns={one['next_ns'] or '-'} "
            f"ticks={one['ticks']} missed={one['missed_ticks']}"
        )


def _print_summary(content: dict[str, Any]) -> None:
    server, rates = content["server"], content["rates"]
    print(f"Server   nats-server {server['version']} at {inert(server['url'])}, round trip {server['rtt_ms']} ms")
    print(
        f"Rates    {rates['events_per_s']} events/s, {rates['jobs_per_s']} jobs/s, "
        f"{rates['failed_share']:.1%} failed, {rates['retried_per_s']} retries/s, "
        f"{rates['cancelled_per_s']} cancelled/s, wait {_pair(rates['wait_ms'])}, run {_pair(rates['run_ms'])}"
    )
    _print_queues(content["queues"])
    _print_workers(content["workers"])
    _print_schedules(content)
    _print_alerts(content)
    print()


def _print_queues(queues: list[dict[str, Any]]) -> None:
    print("\nQueue           Waiting  Running     In/s    Out/s   Failed  Wait p95   Run p95")
    for queue in queues:
        wait, run = (queue[key] or {"p95": None} for key in ("wait_ms", "run_ms"))
        print(
            f"{inert(queue['name']):<15}{_number(queue['waiting']):>8}{_number(queue['running']):>9}"
            f"{queue['in_per_s']:>9}{queue['out_per_s']:>9}{queue['failed_share']:>9.1%}"
            f"{_time(wait['p95']):>10}{_time(run['p95']):>10}{_remarks(queue)}"
        )


def _remarks(queue: dict[str, Any]) -> str:
    """What holds a queue back, behind its figures."""
    limit, rate = queue["concurrency_limit"], inert(queue["rate_limit"] or "", 40)
    marks = (
        "‖ paused" if queue["paused"] else "",
        "! no worker" if queue["workers"] == 0 and queue["waiting"] else "",
        f"{limit} at once" if limit else "",
        rate,
    )
    return "".join(f"  {mark}" for mark in marks if mark)


def _print_workers(workers: list[dict[str, Any]]) -> None:
    print("\nWorker                    State     Running     Done   Failed    CPU     Memory")
    for worker in workers:
        running = f"{worker.get('active_jobs', 0)}/{worker['concurrency_limit']}"
        stuck = len(worker.get("stuck_job_ids", ()))
        print(
            f"{inert(worker['worker_id']):<26}{worker['state']:<10}{running:>7}{worker.get('jobs_completed', 0):>9}"
            f"{worker.get('jobs_failed', 0):>9}{worker.get('cpu_percent', 0.0):>6}%"
            f"{size_text(worker.get('rss_bytes', 0)):>11}" + (f"  ! {stuck} stuck" if stuck else "")
        )


def _print_schedules(content: dict[str, Any]) -> None:
    schedules, now_ns = content["schedules"], content["taken_at_ns"]
    if not schedules["total"]:
        return
    print(f"\nScheduler  {_leading(content['leader'])}")
    print("\nSchedule                  State     Next          Ticks  Missed  When")
    for one in schedules["soonest"][:_SHOWN_SCHEDULES]:
        next_text = "-" if one["next_ns"] is None else _next(one["next_ns"] - now_ns)
        when = next(_when(kind, one[kind]) for kind in ("cron", "every", "at") if kind in one)
        print(
            f"{inert(one['schedule_id']):<26}{one['state']:<10}{next_text:<12}{one['ticks']:>7,}"
            f"{one['missed_ticks']:>8,}  {inert(when, 60)}"
        )
    if schedules["total"] > _SHOWN_SCHEDULES:
        print(f"… {schedules['total'] - _SHOWN_SCHEDULES:,} more")


def _when(kind: str, value: str) -> str:
    return f"every {rhythm_text(float(value))}" if kind == "every" else f"{kind} {value}"


def _print_alerts(content: dict[str, Any]) -> None:
    for place, one in enumerate(content["alerts"]):
        age = short_age_text((content["taken_at_ns"] - one["since_ns"]) / 1e9)
        lead = "\nAlerts   " if place == 0 else "         "
        print(f"{lead}⚑ {inert(one['severity'])} {inert(one['alert'])}{_labels(one)} for {age}: {inert(one['rule'])}")


def _labels(alert: dict[str, Any]) -> str:
    return "".join(f" {inert(name)}={inert(value)}" for name, value in alert["labels"].items())


def _next(left_ns: int) -> str:
    return f"late {short_age_text(-left_ns / 1e9)}" if left_ns <= -DUE_NS else countdown_text(left_ns / 1e9)


def _leading(leader: dict[str, Any] | None) -> str:
    if leader is None or not leader["leads"]:
        return "! none runs: no job is made of a schedule until one does"
    return f"{inert(leader['instance_id'])} leads, term {leader['term']}"


def _pair(quantiles: dict[str, float] | None) -> str:
    return "-" if quantiles is None else f"p50 {_time(quantiles['p50'])} p95 {_time(quantiles['p95'])}"


def _time(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else duration_text(milliseconds)


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
