"""``naq events workers``: who works, who has stopped and why, and who is lost with which jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naq_tui.cli.context import command
from naq_tui.cli.format import Format, a_span

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig
    from naq_runtime.worker.roll import WorkerStatus
    from naq_tui.cli.output import Span

__all__ = ["workers"]

_STYLES = {"starting": "yellow", "idle": "dim", "busy": "cyan", "stopping": "yellow", "stopped": "dim", "lost": "red"}


async def _workers(
    *,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.TABLE,
    show_inactive: Annotated[
        bool, typer.Option("--show-inactive", help="Those of the last day, too, that have stopped or are lost.")
    ] = False,
    since: Annotated[
        float | None,
        typer.Option(metavar="SPAN", parser=a_span, help="Of those, the ones seen within this span, such as 1h."),
    ] = None,
    config: NAQConfig,
) -> None:
    """Print the workers, what they do, and what became of those that are gone.

    Example: naq events workers --show-inactive --since 1h
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import note, print_json, print_raw

    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        found = await monitor.worker_status(include_inactive=show_inactive or since is not None)
        now_ns = monitor.now_ns()
    if since is not None:
        found = tuple(one for one in found if one.is_active or now_ns - one.seen_ns <= since * 1e9)
    if format is Format.JSON:
        print_json([_document(one) for one in found])
    elif format is Format.RAW:
        for one in found:
            print_raw(*_raw(one))
    elif found:
        _print_table(found, now_ns)
    else:
        note("no worker runs; 'naq run-worker' starts one")


def _document(status: WorkerStatus) -> dict[str, Any]:
    from naq_tui.cli.output import moment_json

    record = status.record
    return {
        "worker_id": status.worker_id,
        "state": status.state,
        "active": status.is_active,
        "hostname": record.hostname,
        "pid": record.pid,
        "version": record.version,
        "queue_names": record.queue_names,
        "concurrency_limit": record.concurrency_limit,
        "active_jobs": record.active_jobs if status.is_active else 0,
        "running_job_ids": record.running_job_ids if status.is_active else (),
        "held_job_ids": status.held_job_ids,
        "jobs_completed": record.jobs_completed,
        "jobs_failed": record.jobs_failed,
        "jobs_interrupted": record.jobs_interrupted,
        "cpu_percent": record.cpu_percent,
        "rss_bytes": record.rss_bytes,
        "clock_skew_ms": record.clock_skew_ms,
        **moment_json("started_at", record.on_server(record.started_at_ns)),
        **moment_json("seen_at", status.seen_ns),
        "reason": record.reason or None,
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
        ",".join(record.queue_names),
        _end_of(status),
    )


def _print_table(found: Sequence[WorkerStatus], now_ns: int) -> None:
    from naq_tui.cli.output import Column, print_table

    columns = (
        Column("Worker", least=24),
        Column("State"),
        Column("Host", least=10, rank=5),
        Column("Queues", least=7, rank=4),
        Column("Jobs", align="right"),
        Column("Done", align="right", rank=3),
        Column("Failed", align="right", rank=2),
        Column("Seen", align="right"),
        Column("End", least=12, rank=1),
    )
    print_table(columns, [_row(status, now_ns) for status in found])


def _row(status: WorkerStatus, now_ns: int) -> list[Span]:
    from naq_tui.text import count_text, inert, short_age_text

    record = status.record
    return [
        (inert(status.worker_id), "bold"),
        (status.state, _STYLES.get(status.state, "")),
        (inert(f"{record.hostname}:{record.pid}"), "dim"),
        (inert(" ".join(record.queue_names)), ""),
        (f"{count_text(record.active_jobs if status.is_active else 0)}/{count_text(record.concurrency_limit)}", ""),
        (count_text(record.jobs_completed), ""),
        (count_text(record.jobs_failed), "red" if record.jobs_failed else "dim"),
        (short_age_text((now_ns - status.seen_ns) / 1e9), "dim"),
        (inert(_end_of(status)) or "-", "red" if status.held_job_ids else "dim"),
    ]


def _end_of(status: WorkerStatus) -> str:
    """Why it has stopped, or what it held when it was lost."""
    held = status.held_job_ids
    if not held:
        return status.record.reason
    rest = f" and {status.record.active_jobs - 3} more" if status.record.active_jobs > 3 else ""
    return f"held {' '.join(held[:3])}{rest}"


workers = command(_workers)
