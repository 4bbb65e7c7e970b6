"""``naq events stats``: what happened in a time, counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naq_tui.cli.context import EXIT_USAGE, fail
from naq_tui.cli.event_options import FilterOption
from naq_tui.cli.format import Format, PastMoment, a_past_moment
from naq_tui.cli.past import FORMS, on_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from naq_runtime.config import NAQConfig
    from naq_runtime.statistics.answer import EventStatistics, GroupStatistics, Latency
    from naq_tui.cli.output import Column, Span

__all__ = ["print_statistics", "stats"]

_COUNTS = ("enqueued", "started", "completed", "failed", "retried", "cancelled", "dead")
_SHARES = ("p50_ms", "p95_ms", "p99_ms")
Moment = Annotated[PastMoment | None, typer.Option(parser=a_past_moment, metavar="TIME", help=FORMS)]


async def stats(
    *,
    hours: Annotated[
        float | None,
        typer.Option(min=0.001, max=90_000, help="Of the last so many hours; 24, unless --since says from when on."),
    ] = None,
    by_queue: Annotated[bool, typer.Option("--by-queue", help="A line for each queue.")] = False,
    by_function: Annotated[bool, typer.Option("--by-function", help="A line for each function.")] = False,
    by_worker: Annotated[bool, typer.Option("--by-worker", help="A line for each worker.")] = False,
    by_type: Annotated[bool, typer.Option("--by-type", help="How many events there were of each type.")] = False,
    filter: FilterOption = None,
    since: Moment = None,
    until: Moment = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print how many jobs were begun and done, how many attempts failed, and how long they waited and ran.

    Percentiles are within 1 %. A scheduler that runs makes answers quick; without one, or with --filter, all events of
    that time are read.

    Example: naq events stats --hours 24 --by-queue --by-worker
    """
    from naq_runtime.services.events import EventService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.progress import progress

    if hours is not None and since is not None:
        fail("--hours and --since both say when it begins: leave one of them out", EXIT_USAGE)
    async with ServiceManager(config, role="monitor") as services:
        since_ns, until_ns = await on_server(services, since, until)
        events = await services.get_service(EventService)
        with progress("reading events") as tell:
            answer = await events.get_event_statistics(
                24.0 if hours is None else hours,
                by_queue,
                by_worker,
                group_by_function=by_function,
                filters=filter,
                since_ns=since_ns,
                until_ns=until_ns,
                progress=tell,
            )
    names = [name for name, wanted in (("queue", by_queue), ("function", by_function), ("worker", by_worker)) if wanted]
    print_statistics(answer, names, format, by_type=by_type, filtered=bool(filter))


Standing = Mapping[str, tuple[int, int]]
"""How many jobs wait and run now, by queue."""


def print_statistics(
    answer: EventStatistics,
    names: Sequence[str],
    format: Format,
    *,
    by_type: bool = False,
    standing: Standing | None = None,
    filtered: bool = False,
) -> None:
    """Print the groups of an answer, a line each, and all together.

    Args:
        names: by which it tells groups apart: some of ``queue``, ``function`` and ``worker``.
        by_type: the number of events of each type instead.
        standing: what each queue holds now; for an answer by queue alone.
        filtered: whether it is of some events alone.
    """
    from naq_tui.cli.output import print_json, print_raw, print_table

    if format is Format.JSON:
        print_json(_document(answer, names, standing))
        return
    rows = _typed(answer, names) if by_type else _counted(answer, names, standing)
    if format is Format.RAW:
        for row in rows:
            print_raw(*row)
    else:
        print_table(_columns(names, by_type, standing is not None), [_cells(row) for row in rows])
    _note_what_is_missing(answer, filtered=filtered)


def _document(answer: EventStatistics, names: Sequence[str], standing: Standing | None) -> dict[str, Any]:
    import msgspec

    from naq_tui.cli.output import moment_json

    document: dict[str, Any] = {}
    for name in ("since", "until", "asked_since", "asked_until"):
        document |= moment_json(name, getattr(answer, f"{name}_ns"))
    plain = msgspec.to_builtins(answer)
    for group in (plain["total"], *plain["groups"]):
        for name in {"queue", "function", "worker"} - set(names if group is not plain["total"] else ()):
            del group[name]
    if standing is not None:
        for group in plain["groups"]:
            group["waiting"], group["running"] = standing.get(group["queue"], (0, 0))
    return document | {name: value for name, value in plain.items() if name not in document}


# Rows


def _rows(answer: EventStatistics, names: Sequence[str]) -> Iterator[tuple[list[str], GroupStatistics]]:
    """The groups with their names, and all together at the end."""
    for group in answer.groups:
        yield [getattr(group, name) or "-" for name in names], group
    yield ["(all)", *("-" for _ in names[1:])] if names else [], answer.total


def _counted(answer: EventStatistics, names: Sequence[str], standing: Standing | None) -> list[list[object]]:
    return [
        [
            *named,
            *_standing(group.queue, standing, is_total=group is answer.total),
            *(getattr(group, name) for name in _COUNTS),
            "-" if group.failure_share is None else f"{group.failure_share:.1%}",
            *_quantiles(group.wait),
            *_quantiles(group.run),
        ]
        for named, group in _rows(answer, names)
        if group is answer.total or standing is not None or any(getattr(group, name) for name in _COUNTS)
    ]


def _standing(queue: str | None, standing: Standing | None, *, is_total: bool) -> Sequence[int]:
    """What waits and what runs, of a queue or of all; nothing where that is not asked for."""
    if standing is None:
        return ()
    if is_total:
        return [sum(count[place] for count in standing.values()) for place in (0, 1)]
    return standing.get(queue or "", (0, 0))


def _typed(answer: EventStatistics, names: Sequence[str]) -> list[list[object]]:
    return [
        [*named, event_type, number]
        for named, group in _rows(answer, names)
        for event_type, number in group.types.items()
    ]


def _quantiles(latency: Latency | None) -> list[str]:
    from naq_runtime.events.messages import duration_text

    if latency is None:
        return ["-"] * len(_SHARES)
    return [duration_text(getattr(latency, share)) for share in _SHARES]


def _columns(names: Sequence[str], by_type: bool, with_standing: bool) -> list[Column]:
    from naq_tui.cli.output import Column

    named = [Column(name.capitalize(), least=8, keep_end=name == "function") for name in names]
    if by_type:
        return [*named, Column("Type"), Column("Events", "right")]
    titles = ["Errors" if name == "failed" else name.capitalize() for name in _COUNTS]  # of attempts, not of jobs
    counts = [Column(title, "right", rank=rank) for title, rank in zip(titles, _COUNT_RANKS, strict=True)]
    quantiles = [
        Column(f"{what} p{share[1:3]}", "right", rank=rank)
        for what in ("Wait", "Run")
        for share, rank in zip(_SHARES, (3, 1, 4), strict=True)
    ]
    standing = [Column(title, "right") for title in ("Waiting", "Running") if with_standing]
    return [*named, *standing, *counts, Column("Error rate", "right"), *quantiles]


_COUNT_RANKS = (2, 7, 0, 0, 6, 8, 5)


def _cells(row: Sequence[object]) -> list[Span]:
    from naq_tui.text import inert

    return [(f"{cell:,}" if isinstance(cell, int) else inert(str(cell)), "") for cell in row]


# Beside the answer


def _note_what_is_missing(answer: EventStatistics, *, filtered: bool) -> None:
    from naq_tui.cli.format import iso_text
    from naq_tui.cli.output import note

    if not answer.total.types:
        note(f"{'no such event' if filtered else 'nothing'} of that time is in the log of this namespace")
    if not answer.is_exact:
        note(
            f"this is of {iso_text(answer.since_ns)} to {iso_text(answer.until_ns)}: "
            "what lies further back is kept by whole minutes, hours or days"
        )
    for gap in answer.gaps:
        lost = gap.last - gap.first + 1
        note(f"{lost:,} events, {gap.first} to {gap.last}, were gone before they could be counted")
    for moment_ns in answer.ended_logs_ns:
        note(f"the log of events was deleted after {iso_text(moment_ns)}: what it held from there on is not counted")
    if answer.has_others:
        note("(others) are those that came when there were already too many in a minute to be told apart")
