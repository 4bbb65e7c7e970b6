"""``naq queue``: the queues, and what holds them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from naq_tui.cli.context import EXIT_USAGE, command, fail
from naq_tui.cli.format import Format
from naq_tui.cli.queue_purge import FormatOption, Name, purge
from naq_tui.cli.watching import Watch, WatchedCommand, watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from naq_runtime.config import NAQConfig
    from naq_runtime.monitor import QueueCounts
    from naq_runtime.snapshot import QueueState
    from naq_runtime.worker.record import WorkerRecord
    from naq_tui.cli import documents
    from naq_tui.cli.output import Line, Span

__all__ = ["app"]

app = typer.Typer(help="List, pause, limit and purge queues.", no_args_is_help=True, rich_markup_mode=None)

_MOST_WORKERS = 20


class _Queue(NamedTuple):
    """A queue, and who works at it."""

    state: QueueState
    counts: QueueCounts
    workers: Sequence[WorkerRecord]


async def list_(*, watch: Watch = None, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print the queues: what waits, what runs, what holds them back.

    Example: naq queue list --watch 5s
    """
    from functools import partial

    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.queues import QueueService

    async with ServiceManager(config, role="monitor") as services:
        monitor, known = await services.get_service(Monitor), await services.get_service(QueueService)

        async def read() -> list[_Queue]:
            states, workers = await known.states(), await monitor.workers()
            return [_Queue(one, await monitor.queue_counts(one.name), _of(workers, one.name)) for one in states]

        await watched(services, watch, read, partial(_print, format=format), format)


def _print(queues: list[_Queue], format: Format) -> None:
    from naq_tui.cli.output import note, print_json, print_raw

    if format is Format.JSON:
        print_json([_document(queue) for queue in queues])
    elif format is Format.RAW:
        for queue in queues:
            print_raw(*_raw(queue))
    elif queues:
        _print_table(queues)
    else:
        note("there is no queue yet; the first job of a queue makes it")


async def show(name: Name, *, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print how a queue stands, and who works at it.

    Example: naq queue show mail
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.queues import QueueService
    from naq_tui.cli.output import print_json, print_lines, print_raw_members

    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        state = await (await services.get_service(QueueService)).state(name)
        queue = _Queue(state, await monitor.queue_counts(name), _of(await monitor.workers(), name))
    if format is Format.TABLE:
        print_lines(_page(queue))
    elif format is Format.JSON:
        print_json(_document(queue))
    else:
        print_raw_members(_document(queue))


async def pause(
    name: Name,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    config: NAQConfig,
) -> None:
    """Begin no more jobs of a queue, until it is resumed.

    Jobs that run go on, and more may be put in. It may be done before there is any job.

    Example: naq queue pause mail --reason "the mail server is down"
    """
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.queues import QueueService

    async with ServiceManager(config) as services:
        await (await services.get_service(QueueService)).pause(name, reason=reason)


async def resume(name: Name, *, config: NAQConfig) -> None:
    """Let a paused queue go on.

    Example: naq queue resume mail
    """
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.queues import QueueService

    async with ServiceManager(config) as services:
        await (await services.get_service(QueueService)).resume(name)


async def limit(
    name: Name,
    *,
    concurrency: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Jobs that may run at a time; 0 for no limit.")
    ] = None,
    rate: Annotated[
        str | None, typer.Option(metavar="RATE", help="Starts in a time: 5/s, 100/min, 10/30s; 'none' for no limit.")
    ] = None,
    config: NAQConfig,
) -> None:
    """Limit what all workers of a queue together may do.

    What is not said stays as it is.

    Example: naq queue limit mail --concurrency 4 --rate 100/min
    """
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.queues import QueueService

    if concurrency is None and rate is None:
        fail("say --concurrency, --rate, or both", EXIT_USAGE)
    wanted = "" if rate in ("none", "0", "") else rate
    async with ServiceManager(config) as services:
        await (await services.get_service(QueueService)).limit(name, concurrency=concurrency, rate=wanted)


def _of(workers: Iterable[WorkerRecord], queue: str) -> list[WorkerRecord]:
    return [record for record in workers if queue in record.queue_names]


# Printing


def _document(queue: _Queue) -> documents.Queue:
    from naq_tui.cli import documents

    state = queue.state
    return documents.Queue(
        name=state.name,
        paused=state.paused,
        waiting=state.waiting,
        running=state.running,
        redelivered=state.redelivered,
        scheduled=queue.counts.scheduled,
        depending=queue.counts.waiting,
        workers=[record.worker_id for record in queue.workers],
        concurrency_limit=state.concurrency_limit,
        rate_limit=state.rate_limit,
    )


def _raw(queue: _Queue) -> Iterator[object]:
    state = queue.state
    yield state.name
    yield "paused" if state.paused else "active"
    for name, count in (
        ("waiting", state.waiting),
        ("running", state.running),
        ("scheduled", queue.counts.scheduled),
        ("depending", queue.counts.waiting),
        ("workers", len(queue.workers)),
        ("concurrency", state.concurrency_limit),
        ("rate", state.rate_limit or 0),
    ):
        yield f"{name}={count}"


def _state(queue: _Queue) -> Span:
    if queue.state.paused:
        return "‖ paused", "yellow"
    return ("active", "green") if queue.workers else ("no worker", "yellow" if queue.state.waiting else "dim")


def _limits(state: QueueState) -> str:
    most = f"{state.concurrency_limit:,} at once" if state.concurrency_limit else ""
    return "  ".join(part for part in (most, state.rate_limit) if part)


def _print_table(queues: Iterable[_Queue]) -> None:
    from naq_tui.cli.output import Column, print_table

    columns = (
        Column("Queue", least=24),
        Column("State"),
        Column("Waiting", align="right"),
        Column("Running", align="right"),
        Column("Scheduled", align="right", rank=1),
        Column("Depending", align="right", rank=3),
        Column("Workers", align="right", rank=2),
        Column("Limits"),
    )
    print_table(columns, [_row(queue) for queue in queues])


def _row(queue: _Queue) -> list[Span]:
    from naq_tui.text import count_text, inert

    state = queue.state
    counts = (queue.counts.scheduled, queue.counts.waiting, len(queue.workers))
    return [
        (inert(state.name), "bold"),
        _state(queue),
        (count_text(state.waiting), ""),
        (count_text(state.running), "cyan" if state.running else ""),
        *((count_text(count), "" if count else "dim") for count in counts),
        (inert(_limits(state)) or "-", "" if _limits(state) else "dim"),
    ]


def _page(queue: _Queue) -> Iterator[Line]:
    from naq_tui.cli.output import facts, heading
    from naq_tui.text import inert

    state = queue.state
    redelivered = f"  {state.redelivered:,} jobs have come to a worker again" if state.redelivered else ""
    yield from facts(
        [
            ("queue", [(inert(state.name), "bold")]),
            ("state", [_state(queue)]),
            ("waiting", [(f"{state.waiting:,}", "")]),
            ("running", [(f"{state.running:,}", ""), (redelivered, "dim")]),
            ("scheduled", [(f"{queue.counts.scheduled:,}", ""), ("  for a time, or for another attempt", "dim")]),
            ("depending", [(f"{queue.counts.waiting:,}", ""), ("  on other jobs", "dim")]),
            ("limits", [(inert(_limits(state)) or "none", "")]),
        ]
    )
    yield from heading("Workers")
    for record in queue.workers[:_MOST_WORKERS]:
        running = f"  {record.state.value}  {record.active_jobs}/{record.concurrency_limit} running"
        yield [("  " + inert(record.worker_id), "bold"), (running, "")]
    if len(queue.workers) > _MOST_WORKERS:
        yield [(f"  … {len(queue.workers) - _MOST_WORKERS} more", "dim")]
    if not queue.workers:
        yield [(f"  none; 'naq run-worker {inert(state.name)} -m MODULE' starts one", "dim")]


app.command("list", cls=WatchedCommand)(command(list_))
app.command("show")(command(show))
app.command("pause")(command(pause))
app.command("resume")(command(resume))
app.command("limit")(command(limit))
app.command("purge")(command(purge))
