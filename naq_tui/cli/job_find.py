"""``naq job find``: jobs by what they are, wherever they stand and however they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from naq_tui.cli.format import Format
from naq_tui.cli.watching import Watch, watched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from naq_runtime.config import NAQConfig
    from naq_runtime.finding.found import FoundJob
    from naq_runtime.finding.query import JobQuery
    from naq_runtime.monitor import Monitor
    from naq_tui.cli import documents

__all__ = ["find"]

_LOOKED_AT = 100_000


async def find(
    filter: Annotated[
        str, typer.Argument(metavar="[FILTER]", help="Such as 'state:failed queue:mail args:ada time>-1h'.")
    ] = "",
    *,
    limit: Annotated[int, typer.Option(min=0, help="So many at most; 0 for all.")] = 100,
    look: Annotated[
        int, typer.Option(min=0, help="Give up after so many jobs have been looked at; 0 for never.")
    ] = _LOOKED_AT,
    watch: Watch = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print the jobs that a filter means, those to which something happened last first.

    It asks for state, queue, function, job, worker, error, args, attempt, wait, duration, time and enqueued; words are
    looked for in all that is known.

    Example: naq job find 'state:dead error:Timeout time>-1h' --format raw
    """
    from naq_runtime.finding.query import JobQuery
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import note

    query = JobQuery(filter)
    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)

        def show(found: _Found) -> None:
            _print(found.jobs[:limit] if limit else found.jobs, format)
            if found.more:
                note(
                    f"{found.looked:,} jobs were looked at, and there may be older ones; "
                    "--limit 0 --look 0 goes on to the first"
                )

        await watched(services, watch, lambda: _found(monitor, query, limit, look), show, format)


class _Found(NamedTuple):
    """What a search has found."""

    jobs: Sequence[FoundJob]
    looked: int
    more: bool
    """Whether there may be older ones."""


async def _found(monitor: Monitor, query: JobQuery, limit: int, look: int) -> _Found:
    """The jobs that are wanted, perhaps more than ``limit``."""
    from contextlib import aclosing

    from naq_tui.cli.progress import progress

    jobs: list[FoundJob] = []
    looked, more = 0, False
    with progress("looking at jobs") as tell:
        async with aclosing(monitor.find_jobs(query)) as pages:
            async for page in pages:
                jobs += page.jobs
                looked += page.looked
                more = page.more or bool(limit and len(jobs) > limit)
                tell(looked, look)
                if (limit and len(jobs) >= limit) or (look and looked >= look):
                    break
    return _Found(jobs, looked, more)


def _print(jobs: Sequence[FoundJob], form: Format) -> None:
    from naq_tui.cli.output import note, print_json, print_raw

    if form is Format.JSON:
        print_json([_document(job) for job in jobs])
    elif form is Format.RAW:
        for job in jobs:
            print_raw(job.job_id, job.state[-1], job.queue_name, job.function_name or "-", _why(job))
    elif jobs:
        _print_table(jobs)
    else:
        note("there are no such jobs")


def _print_table(jobs: Sequence[FoundJob]) -> None:
    import time

    from naq_runtime.events.messages import duration_text
    from naq_tui.cli.output import MOODS, Column, print_table
    from naq_tui.model.standing import STANDINGS
    from naq_tui.text import inert, moment_text

    now_ns = time.time_ns()
    columns = (
        Column("Last"),
        Column("State"),
        Column("Job"),
        Column("Queue", least=6, rank=2),
        Column("Function", least=14, keep_end=True),
        Column("Try", align="right", rank=3),
        Column("Run", align="right", rank=1),
        Column("Error, or arguments", least=20),
    )
    rows = []
    for job in jobs:
        text, mood = STANDINGS[job.state[-1]]
        run = "-" if job.duration_ms is None else duration_text(job.duration_ms)
        cells = (job.job_id, job.queue_name, job.function_name, str(job.attempt), run, _why(job))
        shown = [(inert(cell, 500) or "-", "") for cell in cells]
        rows.append([(moment_text(job.moment_ns, now_ns), "dim"), (text, MOODS[mood]), *shown])
    print_table(columns, rows)


def _why(job: FoundJob) -> str:
    return job.why or job.arguments


def _document(job: FoundJob) -> documents.FoundJob:
    from naq_tui.cli import documents
    from naq_tui.cli.output import moment_json

    return documents.FoundJob(
        job_id=job.job_id,
        state=job.state[-1],
        queue_name=job.queue_name,
        function_name=job.function_name or None,
        arguments=job.arguments or None,
        attempt=job.attempt,
        worker_id=job.worker_id,
        **moment_json("enqueued_at", job.enqueued_at_ns),
        **moment_json("run_at", job.run_at_ns),
        **moment_json("started_at", job.started_at_ns),
        **moment_json("finished_at", job.ended_at_ns),
        wait_ms=job.wait_ms,
        duration_ms=job.duration_ms,
        error_type=job.error_type,
        error_message=job.error_message,
    )
