"""One line of text for each event, for tables and feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naq_runtime.events.models import AlertEvent, JobEvent, ScheduleEvent, SystemEvent, WorkerEvent

__all__ = [
    "alert_message",
    "duration_text",
    "job_message",
    "rhythm_text",
    "schedule_message",
    "size_text",
    "system_message",
    "value_text",
    "worker_message",
]


_LONGEST_MS = 1000 * 365 * 86_400_000


def duration_text(milliseconds: float) -> str:
    """A duration in the unit that suits it: ``19 µs``, ``0.4 ms``, ``12 ms``, ``3.21 s``, ``2 h 10 m``."""
    if not abs(milliseconds) < _LONGEST_MS:  # as only somebody says who means harm; it may be infinite by now
        return "over 1000 years"
    if 0.0005 <= milliseconds < 0.095:
        return f"{milliseconds * 1000:.0f} µs"
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_995:
        return f"{milliseconds / 1000:.2f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} m"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def rhythm_text(seconds: float) -> str:
    """A length of time as somebody wrote it, and no less exactly: ``2 s``, ``0.5 s``, ``1 m 30 s``, ``1 h``."""
    if seconds < 60:
        return f"{seconds:g} s"
    whole, rest = divmod(round(seconds, 3), 60)
    parts: list[tuple[float, str]] = [(rest, "s")]
    for size, unit in ((60, "m"), (24, "h")):
        whole, part = divmod(whole, size)
        parts.append((part, unit))
    parts.append((whole, "d"))
    return " ".join(f"{count:g} {unit}" for count, unit in reversed(parts) if count)


def size_text(size: int) -> str:
    """A number of bytes: ``512 B``, ``1.5 kB``, ``3.2 MB``."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def value_text(unit: str, value: float) -> str:
    """A value of a metric, of which the unit is known: ``5.2 %``, ``1 m 05 s``, ``1,204``, ``2.5/s``."""
    match unit:
        case "share":
            return f"{value * 100:.3g} %"
        case "seconds":
            return duration_text(value * 1000)
        case "rate":
            return f"{value:,.3g}/s"
        case _:
            return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _ms(label: str, milliseconds: float | None) -> str | None:
    return None if milliseconds is None else f"{label} {duration_text(milliseconds)}"


def _error(error_type: str | None, error_message: str | None) -> str | None:
    if not error_type:
        return error_message
    return f"{error_type}: {error_message}" if error_message else error_type


def _host(hostname: str | None, pid: int | None) -> str | None:
    if not hostname:
        return None
    return hostname if pid is None else f"{hostname}:{pid}"


def job_message(event: JobEvent) -> str:
    """What happened to a job."""
    attempt = f"attempt {event.attempt}" if event.attempt and event.attempt > 1 else None
    match str(event.event_type):
        case "enqueued":
            return event.function_name or ""
        case "started":
            return _joined(event.function_name, attempt, _ms("waited", event.wait_ms))
        case "completed":
            return _joined(event.function_name, attempt, _ms("took", event.duration_ms))
        case "failed":
            return _joined(_error(event.error_type, event.error_message), attempt, _ms("after", event.duration_ms))
        case "timed_out":
            return _joined(event.error_message, attempt, _ms("after", event.duration_ms))
        case "scheduled":
            return _joined(event.function_name, _seconds("in", event.retry_delay))
        case "retry_scheduled":
            return _joined(f"retry {event.retry_count or 1}", _seconds("in", event.retry_delay), event.reason)
        case "waiting_for_dependencies":
            return _joined(event.function_name, "waits for " + " ".join(event.depends_on))
        case "dependency_satisfied" | "dependency_failed":
            return _joined(event.dependency_id, event.reason)
        case "cancelled":
            return _joined(f"while {event.state}" if event.state else None, _by(event.by), event.reason)
        case "requeued":
            return _joined(event.function_name, _by(event.by))
        case "progress":
            return _joined(_share(event.done, event.total), event.text)
        case "log":
            return f"{event.level or 'INFO'} {event.text or ''}"
        case "result_fetched" | "result_expired":
            return _joined(event.function_name, _by(event.by), event.reason)
        case "result_stored":
            return size_text(event.result_size or 0)
        case _:
            return _joined(event.function_name, attempt, event.reason)


def _seconds(label: str, seconds: float | None) -> str | None:
    return None if seconds is None else f"{label} {duration_text(seconds * 1000)}"


def _queue(name: str | None) -> str | None:
    return f"queue {name}" if name else None


def _by(name: str | None) -> str | None:
    return f"by {name}" if name else None


def _share(done: float | None, total: float | None) -> str | None:
    """``3/10 (30 %)``, or only what there is of it."""
    if done is None:
        return None
    if not total:
        return f"{done:g}"
    return f"{done:g}/{total:g} ({done / total:.0%})".replace("%)", " %)")


def worker_message(event: WorkerEvent) -> str:
    """What happened to a worker."""
    match str(event.event_type):
        case "started":
            queues = "queues " + " ".join(event.queue_names) if event.queue_names else None
            return _joined(_host(event.hostname, event.pid), queues)
        case "stopped":
            done = f"{event.jobs_completed or 0} done, {event.jobs_failed or 0} failed"
            return _joined(event.reason, done)
        case "error":
            return _error(event.error_type, event.error_message) or ""
        case "lost":
            return _joined(_host(event.hostname, event.pid), f"with {_counted(event.active_jobs or 0, 'job')}")
        case _:
            if event.active_jobs is None:
                return ""
            return f"{event.active_jobs}/{event.concurrency_limit or '?'} running"


def schedule_message(event: ScheduleEvent) -> str:
    """What happened to a schedule."""
    match str(event.event_type):
        case "scheduled":
            return _joined(event.function_name, _timetable(event), _times(event.repeat))
        case "schedule_triggered":
            tick = None if event.tick is None else f"tick {event.tick}"
            return _joined(event.job_id, tick, _ms("late by", event.lag_ms))
        case "schedule_missed":
            caught_up = f"{event.caught_up} made up for" if event.caught_up else None
            return _joined(_counted(event.count or 0, "tick"), caught_up, event.policy)
        case "schedule_modified":
            return " ".join(f"{name}={value}" for name, value in (event.changes or {}).items())
        case "scheduler_error":
            return _joined(_error(event.error_type, event.error_message), event.reason)
        case _:
            return _joined(event.function_name, _by(event.by), event.reason)


def _timetable(event: ScheduleEvent) -> str | None:
    if event.cron is not None:
        return f"cron {event.cron} {event.timezone or ''}".rstrip()
    return None if event.interval is None else f"every {rhythm_text(event.interval)}"


def _times(repeat: int | None) -> str | None:
    return None if repeat is None else _counted(repeat, "time")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def system_message(event: SystemEvent) -> str:
    """What happened to a process or to its connection."""
    host = _host(event.hostname, event.pid)
    where = f"{event.role or 'process'} on {host}" if host else event.role
    match str(event.event_type):
        case "startup":
            return _joined(where, f"version {event.version}" if event.version else None)
        case "shutdown":
            return _joined(where, event.reason)
        case "metrics":
            return _joined(where, *_cost(event))
        case "error":
            return _joined(where, _in_trouble(event))
        case "recovered":
            return _joined(where, event.part, _ms("after", event.outage_ms))
        case "config_changed":
            return _joined(where, _change(event))
        case "connection_restored":
            return _joined(where, _ms("away for", event.outage_ms))
        case "queue_paused" | "queue_resumed":
            return _joined(_queue(event.queue_name), event.reason, where)
        case "leader_elected" | "leader_lost" | "leader_resigned":
            return _joined(where, f"term {event.term or 0}", event.reason)
        case "queue_purged":
            count = None if event.count is None else _counted(event.count, "job")
            return _joined(_queue(event.queue_name), count, where)
        case "queue_limited":
            most = f"{event.concurrency_limit} at a time" if event.concurrency_limit else None
            return _joined(_queue(event.queue_name), most, event.rate_limit)
        case "events_dropped":
            counts = event.dropped or {}
            detail = " ".join(f"{name}={count}" for name, count in sorted(counts.items()))
            return _joined(where, f"{sum(counts.values())} events dropped") + (f": {detail}" if detail else "")
        case _:
            return where or ""


def _cost(event: SystemEvent) -> list[str]:
    """What a process uses, each part in its unit, and how many events it could not keep."""
    said = [] if event.cpu_percent is None else [f"{event.cpu_percent:.0f} % cpu"]
    if event.rss_bytes is not None:
        said.append(size_text(event.rss_bytes))
    if event.open_files is not None:
        said.append(f"{event.open_files} files")
    if event.loop_lag_ms is not None:
        said.append(f"lag {duration_text(event.loop_lag_ms)}")
    if event.events_dropped:
        said.append(f"{event.events_dropped} events dropped")
    return said


def _change(event: SystemEvent) -> str | None:
    if event.key is None or event.new is None:
        return event.key
    return f"{event.key} is {event.new}" + (f", was {event.old}" if event.old is not None else "")


def _in_trouble(event: SystemEvent) -> str | None:
    error = _error(event.error_type, event.error_message)
    return f"{event.part}: {error}" if event.part and error else event.part or error


def alert_message(event: AlertEvent) -> str:
    """What an alert says."""
    labels = " ".join(f"{name}={value}" for name, value in (event.labels or {}).items())
    value = None if event.value is None else value_text(event.unit or "", event.value)
    if event.by and event.event_type == "alert_acknowledged":
        value = f"seen by {event.by}"
    lasted = None if event.duration_ms is None else f"after {duration_text(event.duration_ms)}"
    named = " ".join(part for part in (event.alert, labels) if part)
    return _joined(f"{named}: {value}" if value else named, event.rule, lasted, event.reason, event.text)
