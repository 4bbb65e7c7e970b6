"""``naq dead``: the jobs that failed for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_USAGE, command, fail
from naq_tui.cli.format import Format, a_span
from naq_tui.cli.watching import Watch, WatchedCommand, watched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator
    from typing import TextIO

    from naq_runtime.config import NAQConfig
    from naq_runtime.job import Job
    from naq_runtime.jobs.dead import DeadFilter, DeadLetter
    from naq_runtime.services.jobs import JobService
    from naq_tui.cli import documents
    from naq_tui.cli.output import Line

__all__ = ["app", "retry"]

app = typer.Typer(
    help="List, retry and delete dead letters: the jobs that failed for good.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_PREVIEWED = 10

JobIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", autocompletion=completing.dead_jobs, help="The jobs.")
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
QueueOption = Annotated[
    str | None,
    typer.Option(
        "--queue",
        "-q",
        metavar="PATTERN",
        autocompletion=completing.queues,
        help="Only of these queues, such as 'mail*'.",
    ),
]
FunctionOption = Annotated[
    str | None, typer.Option("--function", metavar="PATTERN", help="Only of these functions, such as 'shop.*'.")
]
ErrorOption = Annotated[
    str | None, typer.Option("--error", metavar="PATTERN", help="Only of these types of errors, such as '*Timeout'.")
]
BeforeOption = Annotated[
    float | None,
    typer.Option("--before", metavar="AGE", parser=a_span, help="Only those that failed so long ago, such as 2h."),
]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show which would go.")]


async def list_(
    *,
    queue: QueueOption = None,
    function: FunctionOption = None,
    error: ErrorOption = None,
    before: BeforeOption = None,
    limit: Annotated[int, typer.Option(min=0, help="The latest so many; 0 for all.")] = 100,
    watch: Watch = None,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print dead letters, the latest last.

    Example: naq dead list --queue mail --error 'Connection*' --before 1h
    """
    from collections import deque

    from naq_runtime.services.jobs import JobService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import note

    async with ServiceManager(config, role="monitor") as services:
        jobs = await services.get_service(JobService)

        async def read() -> tuple[Collection[DeadLetter], int]:
            latest: deque[DeadLetter] = deque(maxlen=limit or None)
            count = 0
            async for letter in jobs.dead_letters(_filter(queue, function, error, before)):
                latest.append(_without_payload(letter))
                count += 1
            return latest, count - len(latest)

        def show(found: tuple[Collection[DeadLetter], int]) -> None:
            letters, older = found
            _print(letters, format)
            if older:
                note(f"not shown: {older:,} older; --limit 0 shows all")

        await watched(services, watch, read, show, format)


async def show(
    job_id: Annotated[str, typer.Argument(metavar="ID", autocompletion=completing.dead_jobs, help="The job.")],
    *,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print a dead letter, with its arguments and its traceback.

    Example: naq dead show 3k9x2abq0e7d5c1m8t4z
    """
    from msgspec.structs import asdict

    from naq_runtime.errors import SerializationError
    from naq_runtime.naming import check_name
    from naq_runtime.services.jobs import JobService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli import documents
    from naq_tui.cli.output import print_json, print_lines, print_raw_members

    check_name("job id", job_id)
    async with ServiceManager(config, role="monitor") as services:
        jobs = await services.get_service(JobService)
        letter = await jobs.dead_letter(job_id)
        try:
            job = services.serializer.decode_job(letter.payload)
        except SerializationError:
            job = None
    if format is Format.TABLE:
        print_lines(_page(letter, job, services.connection.server_clock.now_ns()))
        return
    content = documents.DeadLetter(
        **asdict(_document(letter)),
        args=job.args if job else None,
        kwargs=job.kwargs if job else None,
        traceback=letter.traceback or None,
    )
    if format is Format.JSON:
        print_json(content)
    else:
        print_raw_members(content)


async def retry(
    job_ids: JobIds = None,
    *,
    everything: AllOption = False,
    queue: QueueOption = None,
    function: FunctionOption = None,
    error: ErrorOption = None,
    before: BeforeOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Put dead letters back into their queues, and print their ids.

    The jobs run again from their first attempt. Asks first, unless they are named.

    Example: naq dead retry --queue mail --error 'Connection*' --dry-run
    """
    from naq_tui.caller import caller

    by = caller()

    async def put_back(jobs: JobService, job_id: str) -> None:
        await jobs.retry_dead(await jobs.dead_letter(job_id), by=by)

    wanted = _meant(job_ids, everything, _filter(queue, function, error, before))
    ask = _Asking("Put %s back into their queues?", yes or bool(job_ids), dry_run)
    await _act(config, job_ids, wanted, put_back, ask, format)


async def delete(
    job_ids: JobIds = None,
    *,
    everything: AllOption = False,
    queue: QueueOption = None,
    function: FunctionOption = None,
    error: ErrorOption = None,
    before: BeforeOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Forget dead letters for good, and print their ids.

    Asks first.

    Example: naq dead delete --before 7d --yes
    """
    from naq_runtime.errors import NotFound

    async def forget(jobs: JobService, job_id: str) -> None:
        if not await jobs.delete_dead([await jobs.dead_letter(job_id)]):
            raise NotFound(f"somebody else has taken the dead letter of job {job_id}")

    wanted = _meant(job_ids, everything, _filter(queue, function, error, before))
    ask = _Asking("Delete %s for good?", yes, dry_run)
    await _act(config, job_ids, wanted, forget, ask, format)


class _Asking(NamedTuple):
    """How somebody says that it is to be done."""

    question: str
    yes: bool
    dry_run: bool


def _filter(queue: str | None, function: str | None, error: str | None, before: float | None) -> DeadFilter:
    from naq_runtime.jobs.dead import DeadFilter

    return DeadFilter(queue_name=queue, function_name=function, error_type=error, older_than_s=before)


def _meant(job_ids: list[str] | None, everything: bool, wanted: DeadFilter) -> DeadFilter:
    """The filter; the end of the command when it is not clear which dead letters are meant."""
    from naq_runtime.jobs.dead import DeadFilter
    from naq_runtime.naming import check_name

    chosen = everything or wanted != DeadFilter()
    if bool(job_ids) == chosen:
        fail("name jobs, or else choose: --all, --queue, --function, --error, --before", EXIT_USAGE)
    for job_id in job_ids or ():
        check_name("job id", job_id)
    return wanted


async def _act(
    config: NAQConfig,
    job_ids: list[str] | None,
    wanted: DeadFilter,
    do: Callable[[JobService, str], Awaitable[None]],
    asking: _Asking,
    format: Format,
) -> None:
    """Do it to those that are meant, after a yes; or only show them."""
    from naq_runtime.services.jobs import JobService
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.acting import ask, check_can_ask, do_all
    from naq_tui.cli.output import note, print_json

    check_can_ask(yes=asking.yes, dry_run=asking.dry_run)
    async with ServiceManager(config) as services:
        jobs = await services.get_service(JobService)
        if asking.dry_run:
            await _preview(jobs, job_ids, wanted, format)
            return
        ids = list(dict.fromkeys(job_ids or ()))
        if not job_ids:
            letters = [_without_payload(letter) async for letter in jobs.dead_letters(wanted)]
            ids = [letter.job_id for letter in letters]
            if not asking.yes:
                _print(letters[-_PREVIEWED:], Format.TABLE, to=sys.stderr)
        if not ids:
            note("there are no such dead letters")
            if format is Format.JSON:
                print_json([])
            return
        count = "1 dead letter" if len(ids) == 1 else f"{len(ids):,} dead letters"
        await ask(asking.question % count, yes=asking.yes)

        async def done(job_id: str) -> str:
            await do(jobs, job_id)
            return job_id

        await do_all(ids, done, format)


async def _preview(jobs: JobService, job_ids: list[str] | None, wanted: DeadFilter, format: Format) -> None:
    """Print those that are meant."""
    from naq_tui.cli.acting import do_all

    if not job_ids:
        _print([_without_payload(letter) async for letter in jobs.dead_letters(wanted)], format)
        return
    found: list[DeadLetter] = []

    async def look(job_id: str) -> None:
        found.append(await jobs.dead_letter(job_id))

    try:
        await do_all(list(dict.fromkeys(job_ids)), look)
    finally:
        _print(found, format)


def _without_payload(letter: DeadLetter) -> DeadLetter:
    """What many are kept as: a payload may be a megabyte."""
    from msgspec.structs import replace

    return replace(letter, payload=b"")


# Printing


def _document(letter: DeadLetter) -> documents.DeadJob:
    from naq_tui.cli import documents
    from naq_tui.cli.output import moment_json

    return documents.DeadJob(
        job_id=letter.job_id,
        queue_name=letter.queue_name,
        function_name=letter.function_name,
        error_type=letter.error_type,
        error_message=letter.error,
        attempts=letter.attempts,
        worker_id=letter.worker_id,
        duration_ms=letter.duration_ms,
        **moment_json("died_at", letter.died_at_ns),
    )


def _print(letters: Collection[DeadLetter], format: Format, *, to: TextIO | None = None) -> None:
    import time

    from naq_tui.cli.output import Column, note, print_json, print_raw, print_table

    if format is Format.JSON:
        print_json([_document(letter) for letter in letters])
    elif format is Format.RAW:
        for letter in letters:
            print_raw(
                f"{letter.died_at_ns / 1e9:.6f}",
                letter.job_id,
                letter.queue_name,
                letter.function_name,
                letter.attempts,
                letter.error_type,
                letter.error,
            )
    elif not letters:
        note("there are no such dead letters")
    else:
        columns = (
            Column("Died"),
            Column("Job"),
            Column("Queue", least=6, rank=2),
            Column("Function", least=14, keep_end=True),
            Column("Tries", align="right", rank=1),
            Column("Error", least=20),
        )
        now_ns = time.time_ns()
        print_table(columns, [_row(letter, now_ns) for letter in letters], to=to)


def _row(letter: DeadLetter, now_ns: int) -> list[tuple[str, str]]:
    from naq_tui.text import inert, moment_text

    error = ": ".join(part for part in (letter.error_type, letter.error) if part)
    return [
        (moment_text(letter.died_at_ns, now_ns), "dim"),
        (inert(letter.job_id), "bold"),
        (inert(letter.queue_name), ""),
        (inert(letter.function_name), ""),
        (f"{letter.attempts:,}", ""),
        (inert(error, 200), "red"),
    ]


def _page(letter: DeadLetter, job: Job | None, now_ns: int) -> Iterator[Line]:
    from naq_runtime.events.messages import duration_text
    from naq_tui.cli.job_page import argument_lines, error_lines
    from naq_tui.cli.output import facts
    from naq_tui.text import age_text, inert, moment_text

    age = f"  {age_text((now_ns - letter.died_at_ns) / 1e9)} ago" if letter.died_at_ns else ""
    known = (
        ("job", inert(letter.job_id), ""),
        ("function", inert(letter.function_name), ""),
        ("queue", inert(letter.queue_name), ""),
        ("died", moment_text(letter.died_at_ns, now_ns) if letter.died_at_ns else "", age),
        ("attempts", f"{letter.attempts:,}", f"  the last took {duration_text(letter.duration_ms)}"),
        ("worker", inert(letter.worker_id or ""), ""),
    )
    yield from facts([(label, [(text, ""), (more, "dim")]) for label, text, more in known if text])
    yield from error_lines(letter.error_type, letter.error, letter.traceback)
    yield from argument_lines(job)


app.command("list", cls=WatchedCommand)(command(list_))
app.command("show")(command(show))
app.command("retry")(command(retry))
app.command("delete")(command(delete))
