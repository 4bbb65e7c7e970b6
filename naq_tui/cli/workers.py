"""``naq worker``: the workers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_CONDITION, command, fail
from naq_tui.cli.event_options import FilterOption, FollowOption, SinceOption, TailOption, UntilOption
from naq_tui.cli.format import Format, a_span
from naq_tui.cli.watching import Watch, WatchedCommand, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from naq_runtime.config import NAQConfig
    from naq_runtime.monitor import Monitor
    from naq_runtime.worker.record import WorkerRecord
    from naq_tui.cli.output import Line

__all__ = ["app"]

app = typer.Typer(help="List and stop the workers that run.", no_args_is_help=True, rich_markup_mode=None)

_LOOK_AGAIN_S = 0.25
_MOST_JOBS = 20

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=completing.workers, help="The worker.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]


async def list_(*, watch: Watch = None, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print the workers that run, by name.

    Example: naq worker list --watch
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.workers_table import print_workers

    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        await watched(
            services, watch, monitor.worker_status, lambda found: print_workers(found, format, monitor.now_ns()), format
        )


async def show(name: Name, *, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print all that a worker says of itself, and what it runs.

    Example: naq worker show build-7-4242-k3f9
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import print_json, print_lines, print_raw_members
    from naq_tui.cli.workers_table import record_document

    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        record, now_ns = await monitor.worker(name), monitor.now_ns()
    if format is Format.TABLE:
        print_lines(_page(record, now_ns))
    elif format is Format.JSON:
        print_json(record_document(record))
    else:
        print_raw_members(record_document(record))


async def stop(
    name: Name,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    wait_timeout: Annotated[
        float | None,
        typer.Option("--wait-timeout", metavar="SPAN", parser=a_span, help="Wait so long at most, such as 30s or 5m."),
    ] = None,
    config: NAQConfig,
) -> None:
    """Ask a worker to let its jobs end, and to leave.

    It takes no more. Asked a second time, it hands its jobs back at once. Ends with 5 when it has not ended in time.
    The name that was given to --processes means all of its workers; none of those that are asked is replaced.

    Example: naq worker stop build-7-4242-k3f9 --reason "new release" --wait
    """
    import asyncio
    from contextlib import suppress

    from naq_runtime.errors import NotFound
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager

    async with ServiceManager(config) as services:
        monitor = await services.get_service(Monitor)
        names = await _meant(monitor, name)
        await asyncio.gather(*(monitor.stop_worker(one, reason) for one in names))
        if name not in names:
            with suppress(NotFound):  # whoever waits to be started again in the place of one that died
                await monitor.stop_worker(name, reason)
        if not wait and wait_timeout is None:
            return
        try:
            async with asyncio.timeout(wait_timeout):
                for one in names:
                    await _has_ended(monitor, one)
        except TimeoutError:
            fail(f"worker {name} has not ended within {wait_timeout:g} s", EXIT_CONDITION)


async def events(
    name: Name,
    *,
    filter: FilterOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    format: FormatOption = Format.TABLE,
    follow: FollowOption = True,
    tail: TailOption = None,
    config: NAQConfig,
) -> None:
    """Print the events of a worker and of its jobs, as they come.

    The same as: naq events stream --worker NAME

    Example: naq worker events build-7-4242-k3f9 --tail 100 --no-follow
    """
    from naq_tui.cli.events import stream

    if not follow:
        await _check_is_known(config, name)
    await stream(
        worker=name,
        filter=filter,
        since=since,
        until=until,
        format=format,
        follow=follow,
        tail=tail,
        config=config,
    )


async def _check_is_known(config: NAQConfig, name: str) -> None:
    """See that the log has anything of a worker: one that has not begun yet can only be followed."""
    from naq_runtime.errors import NotFound
    from naq_runtime.monitor import Monitor
    from naq_runtime.naming import check_name
    from naq_runtime.services.manager import ServiceManager

    check_name("worker", name)
    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        events, _ = await monitor.recent(1, {"worker_id": name})
    if not events:
        raise NotFound(f"no events of worker {name}: it never was, or they have expired")


async def _meant(monitor: Monitor, name: str) -> list[str]:
    """The worker of this name; when there is none, those of its processes."""
    import re

    from naq_runtime.worker.record import WorkerState

    running = [one.worker_id for one in await monitor.workers() if one.state is not WorkerState.STOPPED]
    crew = [one for one in running if re.fullmatch(re.escape(name) + "-[0-9]+", one)]
    return [name] if name in running or not crew else crew


async def _has_ended(monitor: Monitor, name: str) -> None:
    """Return when the worker says that it has stopped, or its lease is gone."""
    import asyncio

    from naq_runtime.errors import NotFound
    from naq_runtime.worker.record import WorkerState

    while True:
        try:
            record = await monitor.worker(name)
        except NotFound:
            return
        if record.state is WorkerState.STOPPED:
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


# Printing


def _page(record: WorkerRecord, now_ns: int) -> Iterator[Line]:
    from naq_tui.cli.output import facts, heading
    from naq_tui.text import inert

    yield from facts(_facts(record, now_ns))
    for title, job_ids, style in (
        ("Running", record.running_job_ids, ""),
        ("Stuck: given up, but their threads still run", record.stuck_job_ids, "red"),
    ):
        if not job_ids:
            continue
        yield from heading(title)
        yield from ([("  " + inert(job_id), style)] for job_id in job_ids[:_MOST_JOBS])
        if len(job_ids) > _MOST_JOBS:
            yield [(f"  … {len(job_ids) - _MOST_JOBS} more", "dim")]


def _facts(record: WorkerRecord, now_ns: int) -> Iterator[tuple[str, Line]]:
    from naq_runtime.events.messages import duration_text, size_text
    from naq_tui.cli.workers_table import STATE_STYLES
    from naq_tui.text import SKEW_SHOWN_MS, age_text, count_text, inert, moment_text, skew_text

    started_ns = record.on_server(record.started_at_ns)
    up, silent = ((now_ns - then) / 1e9 for then in (started_ns, record.on_server(record.beat_at_ns)))
    ended = [f"{count_text(record.jobs_completed)} done", f"{count_text(record.jobs_failed)} failed"]
    if record.jobs_interrupted:
        ended.append(f"{count_text(record.jobs_interrupted)} handed back")
    dropped = f", {count_text(record.events_dropped)} dropped" if record.events_dropped else ""
    yield "worker", [(inert(record.worker_id), "bold")]
    yield "state", [(record.state.value, STATE_STYLES[record.state])]
    yield "host", [(inert(f"{record.hostname}:{record.pid}"), ""), (f"  naq {inert(record.version)}", "dim")]
    yield "queues", [(inert(" ".join(record.queue_names)), "")]
    yield "modules", [(inert(" ".join(record.modules)), "")]
    yield "started", [(moment_text(started_ns, now_ns), ""), (f"  {age_text(up)} ago", "dim")]
    every = f"  every {duration_text(record.heartbeat_interval * 1000)}"
    yield "last beat", [(f"{age_text(silent)} ago", ""), (every, "dim")]
    yield "jobs", [(f"{record.active_jobs} of {record.concurrency_limit} running", ""), (f"  {', '.join(ended)}", "")]
    yield "cpu", [(f"{record.cpu_percent:.0f} %", ""), ("  of one core", "dim")]
    yield "memory", [(size_text(record.rss_bytes), "")]
    is_off = abs(record.clock_skew_ms) >= SKEW_SHOWN_MS
    yield "clock", [(skew_text(record.clock_skew_ms), "yellow" if is_off else ""), ("  by that of the server", "dim")]
    yield "loop lag", [(duration_text(record.loop_lag_ms), "")]
    yield "events", [(f"{count_text(record.events_buffered)} not stored yet{dropped}", "")]


app.command("list", cls=WatchedCommand)(command(list_))
app.command("show")(command(show))
app.command("stop")(command(stop))
app.command("events")(command(events))
