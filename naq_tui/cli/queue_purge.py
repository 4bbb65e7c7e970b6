"""``naq queue purge``: jobs of a queue that are not to run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from naq_tui.cli import completing
from naq_tui.cli.format import Format, a_span

if TYPE_CHECKING:
    from typing import TextIO

    from naq_runtime.config import NAQConfig
    from naq_runtime.monitor import Monitor

__all__ = ["FormatOption", "Name", "purge"]

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=completing.queues, help="The queue.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]


class _Wanted(NamedTuple):
    """Which jobs of a queue are to go."""

    queue: str
    function: str | None
    older_than_s: float | None
    scheduled: bool
    waiting: bool


async def purge(
    name: Name,
    *,
    function: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Only those of these functions, such as 'shop.*'.")
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="AGE", parser=a_span, help="Only those enqueued so long ago, such as 2h.")
    ] = None,
    scheduled: Annotated[bool, typer.Option("--scheduled", help="Also those that wait for their time.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Also those that wait for other jobs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    format: Annotated[Format, typer.Option("--format", "-f", help="How --dry-run prints.")] = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Cancel the jobs of a queue that no worker has yet.

    Asks first; afterwards it prints how many those were.

    Example: naq queue purge mail --function 'shop.*' --older-than 1d --dry-run
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.queues import QueueService
    from naq_tui.cli.acting import ask, check_can_ask
    from naq_tui.cli.progress import progress

    check_can_ask(yes=yes, dry_run=dry_run)
    wanted = _Wanted(name, function, older_than, scheduled, waiting)
    async with ServiceManager(config) as services:
        queues = await services.get_service(QueueService)
        await queues.state(name)
        count = 0
        if dry_run or not yes:
            monitor = await services.get_service(Monitor)
            groups = await _groups(monitor, wanted)
            _print_groups(groups, monitor.now_ns(), format, to=None if dry_run else sys.stderr)
            if dry_run or not groups:
                if not dry_run:
                    _print_count(0, format)
                return
            count = sum(group.jobs for group in groups)
            await ask(f"Cancel {'this job' if count == 1 else f'these {count:,} jobs'} of queue {name}?", yes=yes)
        with progress("cancelling jobs") as tell:
            purged = await queues.purge(
                name,
                function=function,
                older_than_s=older_than,
                scheduled=scheduled,
                waiting=waiting,
                progress=lambda done: tell(done, max(count, done) if count else 0),
            )
    _print_count(purged, format)


def _print_count(purged: int, format: Format) -> None:
    """Print how many jobs were cancelled."""
    from naq_tui.cli import documents
    from naq_tui.cli.output import print_json

    if format is Format.JSON:
        print_json(documents.Purged(jobs=purged))
    else:
        print(purged)


# What would go


class _Group(NamedTuple):
    """Jobs of one function that stand alike."""

    status: str
    function_name: str
    jobs: int
    oldest_ns: int


async def _groups(monitor: Monitor, wanted: _Wanted) -> list[_Group]:
    from fnmatch import fnmatchcase

    from naq_runtime.job import JobStatus

    statuses = {JobStatus.QUEUED}
    statuses |= {JobStatus.SCHEDULED} if wanted.scheduled else set()
    statuses |= {JobStatus.WAITING} if wanted.waiting else set()
    before_ns = monitor.now_ns() - int((wanted.older_than_s or 0) * 1e9)
    groups: dict[tuple[str, str], _Group] = {}
    async for job in monitor.standing(wanted.queue, statuses):
        if wanted.function is not None and not fnmatchcase(job.function_name, wanted.function):
            continue
        if wanted.older_than_s is not None and not 0 < job.enqueued_at_ns <= before_ns:
            continue
        key = (job.status.value, job.function_name)
        group = groups.get(key) or _Group(*key, 0, job.enqueued_at_ns)
        groups[key] = group._replace(jobs=group.jobs + 1, oldest_ns=min(group.oldest_ns, job.enqueued_at_ns))
    return sorted(groups.values())


def _print_groups(groups: list[_Group], now_ns: int, format: Format, *, to: TextIO | None) -> None:
    from naq_runtime.job import JobStatus
    from naq_tui.cli import documents
    from naq_tui.cli.output import Column, moment_json, note, print_json, print_raw, print_table
    from naq_tui.text import count_text, inert, short_age_text

    if format is Format.JSON and to is None:
        print_json(
            [
                documents.Purgeable(
                    status=JobStatus(group.status),
                    function_name=group.function_name,
                    jobs=group.jobs,
                    **moment_json("oldest", group.oldest_ns),
                )
                for group in groups
            ]
        )
    elif format is Format.RAW and to is None:
        for group in groups:
            print_raw(group.status, group.jobs, group.function_name)
    elif not groups:
        note("there are no such jobs")
    else:
        columns = (
            Column("Jobs", align="right"),
            Column("Status"),
            Column("Function", least=14, keep_end=True),
            Column("Oldest", align="right"),
        )
        rows = [
            [
                (count_text(group.jobs), "bold"),
                (group.status, ""),
                (inert(group.function_name) or "cannot be read", ""),
                (short_age_text((now_ns - group.oldest_ns) / 1e9), "dim"),
            ]
            for group in groups
        ]
        print_table(columns, rows, to=to)
