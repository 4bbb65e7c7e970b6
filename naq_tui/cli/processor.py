"""``naq processor``: durable processors, and the events that they could not process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import EXIT_USAGE, command, fail
from naq_tui.cli.format import Format

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from naq_runtime.config import NAQConfig
    from naq_runtime.processing.dead import DeadEvent, DeadEvents
    from naq_runtime.processing.overview import ProcessorState
    from naq_tui.cli import documents

__all__ = ["app"]

app = typer.Typer(
    help="List durable processors; list, retry and delete the events that they could not process.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=completing.processors, help="The processor.")]
Sequences = Annotated[
    list[int] | None, typer.Argument(metavar="[SEQUENCE]...", help="Of the events in the log, as 'dead' lists them.")
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class _Asking(NamedTuple):
    """How somebody says that it is to be done."""

    question: str
    yes: bool = False
    dry_run: bool = False


async def list_(*, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print the processors, how far they are behind, and how many events they have given up.

    Example: naq processor list
    """
    from naq_runtime.processing.overview import processors
    from naq_runtime.services.manager import ServiceManager

    async with ServiceManager(config, role="monitor") as services:
        states = await processors(services)
    _print_states(states, format)


async def dead(name: Name, *, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print the events that a processor has given up, the latest last.

    Example: naq processor dead audit
    """
    from naq_runtime.processing.dead import DeadEvents
    from naq_runtime.processing.overview import check_is_there
    from naq_runtime.services.manager import ServiceManager

    async with ServiceManager(config, role="monitor") as services:
        letters = [one async for one in DeadEvents(services.streams, services.names).list(name)]
        if not letters:  # those of a processor that was removed stay
            await check_is_there(services, name)
    _print_dead(name, letters, format)


async def retry(name: Name, sequences: Sequences = None, *, everything: AllOption = False, config: NAQConfig) -> None:
    """Have a processor process events again that it had given up, and print their sequences.

    Example: naq processor retry audit --all
    """

    async def again(kept: DeadEvents, one: DeadEvent) -> None:
        await kept.retry(one)

    await _act(config, name, sequences, everything, again, _Asking("", yes=True))


async def delete(
    name: Name,
    sequences: Sequences = None,
    *,
    everything: AllOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Forget events that a processor had given up, and print their sequences. Asks first.

    Example: naq processor delete audit 4711 --yes
    """

    async def forget(kept: DeadEvents, one: DeadEvent) -> None:
        await kept.delete([one])

    asking = _Asking(f"Delete what processor {name} has given up, for good?", yes, dry_run)
    await _act(config, name, sequences, everything, forget, asking, format)


async def remove(
    name: Name,
    *,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Forget how far a processor is, so that one of its name begins anew. Asks first.

    Example: naq processor remove audit --yes
    """
    from naq_runtime.processing.overview import check_is_there, processors, remove_processor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.acting import ask, check_can_ask
    from naq_tui.cli.output import print_json

    check_can_ask(yes=yes, dry_run=dry_run)
    async with ServiceManager(config) as services:
        if dry_run:
            await check_is_there(services, name)
            _print_states([state for state in await processors(services) if state.name == name], format)
            return
        await ask(f"Forget how far processor {name} is?", yes=yes)
        await remove_processor(services, name)
    if format is Format.JSON:
        print_json([name])


async def _act(
    config: NAQConfig,
    name: str,
    sequences: Sequence[int] | None,
    everything: bool,
    do: Callable[[DeadEvents, DeadEvent], Awaitable[None]],
    asking: _Asking,
    format: Format = Format.TABLE,
) -> None:
    from naq_runtime.processing.dead import DeadEvents
    from naq_runtime.processing.overview import check_is_there
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.acting import ask, check_can_ask, do_all

    if bool(sequences) == everything:
        fail("name events by their sequences, or else all of them: --all", EXIT_USAGE)
    check_can_ask(yes=asking.yes, dry_run=asking.dry_run)
    async with ServiceManager(config) as services:
        kept = DeadEvents(services.streams, services.names)
        wanted = list(dict.fromkeys(sequences or ())) or [one.sequence async for one in kept.list(name)]
        if not wanted:
            await check_is_there(services, name)
        if asking.dry_run or not wanted:
            _print_dead(name, [await kept.get(name, sequence) for sequence in wanted], format)
            return
        await ask(asking.question, yes=asking.yes)

        async def done(sequence: int) -> str:
            await do(kept, await kept.get(name, sequence))
            return str(sequence)

        await do_all(wanted, done, format)


# Printing


def _state_document(state: ProcessorState) -> documents.Processor:
    from naq_tui.cli import documents

    progress = state.progress
    return documents.Processor(
        name=state.name,
        running=state.is_running,
        waiting=progress.waiting,
        in_work=progress.unacknowledged,
        redelivered=progress.redelivered,
        dead=state.dead,
        done_up_to=progress.floor,
    )


def _print_states(states: Sequence[ProcessorState], format: Format) -> None:
    from msgspec.structs import astuple

    from naq_tui.cli.output import note, print_json, print_raw

    if format is Format.JSON:
        print_json([_state_document(state) for state in states])
    elif format is Format.RAW:
        for state in states:
            print_raw(*astuple(_state_document(state)))
    elif states:
        _print_states_table(states)
    else:
        note("there are no processors; 'naq run-processor' starts one")


def _print_states_table(states: Sequence[ProcessorState]) -> None:
    from naq_tui.cli.output import Column, print_table
    from naq_tui.text import inert

    columns = (
        Column("Processor"),
        Column("Runs"),
        Column("Waiting", align="right"),
        Column("In work", align="right", rank=1),
        Column("Dead", align="right"),
    )
    rows = [
        [
            (inert(state.name), "bold"),
            ("yes", "green") if state.is_running else ("no", "yellow"),
            (f"{state.progress.waiting:,}", ""),
            (f"{state.progress.unacknowledged:,}", ""),
            (f"{state.dead:,}", "red" if state.dead else "dim"),
        ]
        for state in states
    ]
    print_table(columns, rows)


def _document(one: DeadEvent) -> documents.DeadEvent:
    from msgspec import Raw, json

    from naq_tui.cli import documents
    from naq_tui.cli.output import moment_json

    try:
        event: Any = json.decode(Raw(one.payload))
    except ValueError:
        event = None
    return documents.DeadEvent(
        sequence=one.sequence,
        error_type=one.error_type,
        error_message=one.reason,
        attempts=one.attempts,
        **moment_json("failed_at", one.failed_at_ns),
        event=event,
    )


def _print_dead(name: str, letters: Sequence[DeadEvent], format: Format) -> None:
    from naq_tui.cli.output import note, print_json, print_raw

    if format is Format.JSON:
        print_json([_document(one) for one in letters])
    elif format is Format.RAW:
        for one in letters:
            print_raw(f"{one.failed_at_ns / 1e9:.6f}", one.sequence, one.attempts, one.error_type, one.reason)
    elif letters:
        _print_dead_table(letters)
    else:
        note(f"processor {name} has given up no event")


def _print_dead_table(letters: Sequence[DeadEvent]) -> None:
    import time

    from naq_tui.cli.output import Column, print_table
    from naq_tui.text import inert, moment_text

    columns = (
        Column("Failed"),
        Column("Sequence", align="right"),
        Column("Event", least=10),
        Column("Tries", align="right", rank=1),
        Column("Error", least=20),
    )
    now_ns = time.time_ns()
    rows = [
        [
            (moment_text(one.failed_at_ns, now_ns), "dim"),
            (str(one.sequence), "bold"),
            (inert(_event_name(one)), ""),
            (f"{one.attempts:,}", ""),
            (inert(f"{one.error_type}: {one.reason}", 200), "red"),
        ]
        for one in letters
    ]
    print_table(columns, rows)


def _event_name(one: DeadEvent) -> str:
    from naq_runtime.errors import SerializationError
    from naq_runtime.events.codec import decode_event, event_key

    try:
        event = decode_event(one.payload)
    except SerializationError:
        return "unreadable"
    return f"{event_key(event)} {getattr(event, 'job_id', None) or getattr(event, 'worker_id', None) or ''}".rstrip()


app.command("list")(command(list_))
app.command("dead")(command(dead))
app.command("retry")(command(retry))
app.command("delete")(command(delete))
app.command("remove")(command(remove))
