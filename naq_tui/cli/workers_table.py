"""Workers as a table, as JSON, and as lines for scripts: the same for all commands that list them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from naq_runtime.worker.record import WorkerRecord
    from naq_runtime.worker.roll import WorkerStatus
    from naq_tui.cli.output import Span

__all__ = ["STATE_STYLES", "print_workers", "record_document"]

STATE_STYLES = {
    "starting": "yellow", "idle": "dim", "busy": "cyan", "stopping": "yellow", "stopped": "dim", "lost": "red",
}  # fmt: skip


def print_workers(found: Sequence[WorkerStatus], format: Format, now_ns: int) -> None:
    """Print workers; where there are none, how to start one.

    Args:
        now_ns: by the clock of the server.
    """
    from naq_tui.cli.output import note, print_json, print_raw

    if format is Format.JSON:
        print_json([_document(one) for one in found])
    elif format is Format.RAW:
        for one in found:
            print_raw(*_raw(one))
    elif found:
        _print_table(found, now_ns)
    else:
        note("no worker runs; 'naq run-worker' starts one")


def record_document(record: WorkerRecord) -> dict[str, Any]:
    """All of a record, also what is as it is by default."""
    from naq_tui.cli.output import moment_json

    content = {name: getattr(record, name) for name in record.__struct_fields__}
    for name in ("started_at", "beat_at"):
        content |= moment_json(name, record.on_server(content.pop(f"{name}_ns")))
    return content


def _document(status: WorkerStatus) -> dict[str, Any]:
    """What is known of a worker; one that is gone runs nothing, whatever it said last."""
    from naq_tui.cli.output import moment_json

    content = record_document(status.record)
    if not status.is_active:
        content |= {"active_jobs": 0, "running_job_ids": (), "running_by_queue": {}}
    return content | {
        "state": status.state,
        "active": status.is_active,
        "held_job_ids": status.held_job_ids,
        "reason": status.record.reason or None,
        **moment_json("seen_at", status.seen_ns),
    }


def _raw(status: WorkerStatus) -> Iterable[object]:
    record = status.record
    return (
        status.worker_id,
        status.state,
        f"{record.hostname}:{record.pid}",
        f"{record.active_jobs if status.is_active else 0}/{record.concurrency_limit}",
        f"done={record.jobs_completed}",
        f"failed={record.jobs_failed}",
        f"stuck={len(record.stuck_job_ids)}",
        ",".join(record.queue_names),
        _end_of(status),
    )


def _print_table(found: Sequence[WorkerStatus], now_ns: int) -> None:
    """With how they ended, where any has."""
    from naq_tui.cli.output import Column, print_table

    columns = [
        Column("Worker", least=24),
        Column("State"),
        Column("Host", least=10, rank=6),
        Column("Queues", least=7, rank=3),
        Column("Jobs", align="right"),
        Column("Done", align="right", rank=2),
        Column("Failed", align="right", rank=1),
        Column("CPU", align="right", rank=4),
        Column("Memory", align="right", rank=5),
        Column("Seen", align="right"),
        Column("Stuck", align="right"),
    ]
    rows = [_row(status, now_ns) for status in found]
    if not all(status.is_active for status in found):
        columns.append(Column("End", least=12, rank=1))
        rows = [[*row, _end_cell(status)] for row, status in zip(rows, found, strict=True)]
    print_table(columns, rows)


def _row(status: WorkerStatus, now_ns: int) -> list[Span]:
    from naq_runtime.events.messages import size_text
    from naq_tui.text import count_text, inert, short_age_text

    record, is_active, stuck = status.record, status.is_active, len(status.record.stuck_job_ids)
    return [
        (inert(status.worker_id), "bold"),
        (status.state, STATE_STYLES[status.state]),
        (inert(f"{record.hostname}:{record.pid}"), "dim"),
        (inert(" ".join(record.queue_names)), ""),
        (f"{count_text(record.active_jobs if is_active else 0)}/{count_text(record.concurrency_limit)}", ""),
        (count_text(record.jobs_completed), ""),
        (count_text(record.jobs_failed), "red" if record.jobs_failed else "dim"),
        (f"{record.cpu_percent:.0f} %" if is_active else "-", ""),
        (size_text(record.rss_bytes) if is_active else "-", ""),
        (short_age_text((now_ns - status.seen_ns) / 1e9), "dim"),
        (count_text(stuck) if stuck else "-", "bold red" if stuck else "dim"),
    ]


def _end_cell(status: WorkerStatus) -> Span:
    from naq_tui.text import inert

    return inert(_end_of(status)) or "-", "red" if status.held_job_ids else "dim"


def _end_of(status: WorkerStatus) -> str:
    """Why it has stopped, or what it held when it was lost."""
    held = status.held_job_ids
    if not held:
        return status.record.reason
    rest = f" and {status.record.active_jobs - 3} more" if status.record.active_jobs > 3 else ""
    return f"held {' '.join(held[:3])}{rest}"
