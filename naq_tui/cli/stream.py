"""``naq stream``: the streams of the namespace, how full they are, and who is given their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from naq_tui.cli import completing
from naq_tui.cli.context import command
from naq_tui.cli.format import Format
from naq_tui.cli.watching import Watch, WatchedCommand, watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from naq_runtime.config import NAQConfig
    from naq_runtime.jetstream import Consumer, ServerDetail, Stream, Usage
    from naq_tui.cli import documents
    from naq_tui.cli.output import Line, Span

__all__ = ["app"]

app = typer.Typer(help="See how full the streams are, and who reads them.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=completing.streams, help="The stream.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]


class _Detail(NamedTuple):
    """A stream, and who is given its messages."""

    stream: Stream
    consumers: Sequence[Consumer]
    now_ns: int


async def list_(*, watch: Watch = None, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print the streams of the namespace: what they hold, and how far their limits are used.

    Example: naq stream list --watch 5s
    """
    from functools import partial

    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager

    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        await watched(services, watch, monitor.server, partial(_print, format=format), format)


async def show(name: Name, *, format: FormatOption = Format.TABLE, config: NAQConfig) -> None:
    """Print all about a stream: its limits, where it lies, and its consumers.

    Example: naq stream show NAQ_JOBS
    """
    from naq_runtime.errors import NotFound
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_tui.cli.output import print_json, print_lines, print_raw_members

    async with ServiceManager(config, role="monitor") as services:
        monitor = await services.get_service(Monitor)
        answer = await monitor.server()
        found = {stream.name: stream for stream in answer.streams}
        if name not in found:
            raise NotFound(f"there is no stream {name} of this namespace; 'naq stream list' names those that there are")
        detail = _Detail(found[name], await monitor.consumers(name), answer.taken_at_ns)
    if format is Format.TABLE:
        print_lines(_page(detail))
    elif format is Format.JSON:
        print_json(_detail_document(detail))
    else:
        print_raw_members(_detail_document(detail))


def _print(answer: ServerDetail, format: Format) -> None:
    from naq_tui.cli.output import note, print_json, print_raw

    if format is Format.JSON:
        print_json([_document(stream) for stream in answer.streams])
    elif format is Format.RAW:
        for stream in answer.streams:
            print_raw(*_raw(stream))
    elif answer.streams:
        _print_table(answer)
    for why in answer.missing:
        note(why)
    if not (answer.streams or answer.missing):
        note("there are no streams of this namespace")


# Documents


def _document(stream: Stream) -> documents.Stream:
    from naq_tui.cli import documents

    return documents.Stream(**_members(stream))


def _detail_document(detail: _Detail) -> documents.StreamDetail:
    from msgspec.structs import asdict

    from naq_tui.cli import documents

    consumers = [documents.Consumer(**_shared(documents.Consumer, asdict(one))) for one in detail.consumers]
    return documents.StreamDetail(**_members(detail.stream), readers=consumers)


def _members(stream: Stream) -> dict[str, Any]:
    from msgspec.structs import asdict

    from naq_tui.cli import documents
    from naq_tui.cli.output import moment_json

    known = _shared(documents.Stream, asdict(stream))
    known |= {"subjects": list(stream.subjects), "troubles": list(stream.troubles), "share": _share(stream)}
    known |= {"leader": stream.leader if stream.is_clustered else ""}
    return known | moment_json("first", stream.first_ns) | moment_json("last", stream.last_ns)


def _shared(shape: type, known: dict[str, Any]) -> dict[str, Any]:
    """The members that a document has of its own name."""
    from msgspec.structs import fields

    names = {field.name for field in fields(shape)}
    return {name: value for name, value in known.items() if name in names}


def _share(stream: Stream) -> float | None:
    return stream.share if any(usage.limit for usage in stream.usages) else None


def _raw(stream: Stream) -> Iterator[object]:
    share = _share(stream)
    yield stream.name
    yield f"messages={stream.messages}"
    yield f"bytes={stream.bytes}"
    yield f"share={'-' if share is None else f'{share:.4f}'}"
    yield f"consumers={stream.consumers}"
    yield f"first={stream.first_sequence}"
    yield f"last={stream.last_sequence}"
    yield ", ".join(stream.troubles) or "-"


# Tables and pages


def _print_table(answer: ServerDetail) -> None:
    from naq_tui.cli.output import Column, print_table
    from naq_tui.text import bytes_text, count_text, inert, short_age_text

    columns = (
        Column("Stream", least=12),
        Column("Holds", rank=3),
        Column("Messages", align="right"),
        Column("Size", align="right"),
        Column("Of its limit", align="right"),
        Column("Oldest", align="right", rank=2),
        Column("Consumers", align="right", rank=1),
        Column("Replicas", align="right", rank=4),
    )
    rows = [
        [
            (inert(stream.name), "bold"),
            (inert(stream.purpose), "dim"),
            (count_text(stream.messages), "" if stream.messages else "dim"),
            (bytes_text(stream.bytes), "" if stream.bytes else "dim"),
            _limit(_share(stream)),
            (short_age_text((answer.taken_at_ns - stream.first_ns) / 1e9) if stream.first_ns else "-", "dim"),
            (count_text(stream.consumers), "" if stream.consumers else "dim"),
            _replicas(stream),
        ]
        for stream in answer.streams
    ]
    print_table(columns, rows)


def _limit(share: float | None) -> Span:
    from naq_runtime.jetstream import FULL, NEARLY_FULL
    from naq_tui.text import percent_text

    if share is None:
        return "no limit", "dim"
    mark, style = ("✗ ", "red") if share >= FULL else ("! ", "yellow") if share >= NEARLY_FULL else ("", "")
    return f"{mark}{percent_text(share)}", style


def _replicas(stream: Stream) -> Span:
    if not stream.is_clustered:
        return str(stream.replicas), "dim"
    return f"{stream.sound_replicas}/{stream.replicas}", "" if stream.sound_replicas >= stream.replicas else "red"


def _page(detail: _Detail) -> Iterator[Line]:
    from naq_tui.cli.output import facts, heading
    from naq_tui.text import inert

    stream = detail.stream
    yield from facts(_facts(detail))
    for index, subject in enumerate(stream.subjects):
        yield from facts([("" if index else "subjects", [(inert(subject), "")])])
    yield from heading("Consumers")
    for consumer in detail.consumers:
        yield [("  " + inert(consumer.name), "bold"), ("  " + inert(consumer.purpose), "dim")]
        yield [(f"    {', '.join(_progress(consumer))}", "yellow" if consumer.paused else "")]
    if not detail.consumers:
        yield [("  nobody reads this stream by a consumer", "dim")]


def _facts(detail: _Detail) -> Iterator[tuple[str, Line]]:
    from naq_tui.text import age_text, inert

    stream = detail.stream
    yield "stream", [(inert(stream.name), "bold"), ("  " + inert(stream.purpose), "dim")]
    for trouble in stream.troubles:
        yield "trouble", [(f"✗ {inert(trouble)}", "red")]
    for usage in stream.usages:
        yield usage.what, _usage(usage)
    if stream.max_age_s:
        yield "kept for", [(age_text(stream.max_age_s), "")]
    if any(usage.limit for usage in stream.usages):
        yield "when full", [("refuses what is new" if stream.discards_new else "the oldest goes first", "")]
    if stream.messages:
        since = age_text((detail.now_ns - stream.first_ns) / 1e9)
        yield "holds", [(f"{stream.first_sequence:,} to {stream.last_sequence:,}, since {since} ago", "")]
    copies = "1 replica" if stream.replicas == 1 else f"{stream.replicas:,} replicas"
    yield "stored in", [(f"{inert(stream.storage)}, {copies}", "")]
    if stream.is_clustered:
        yield "leader", [(inert(stream.leader), "") if stream.leader else ("none", "red")]
    for peer in stream.peers:
        yield "follower", [(inert(peer.name), ""), (f"  {peer.trouble or 'follows'}", "red" if peer.trouble else "dim")]


def _usage(usage: Usage) -> Line:
    from naq_tui.text import bytes_text, count_text

    said = bytes_text if usage.what == "bytes" else count_text
    if not usage.limit:
        return [(said(usage.used), ""), ("  no limit", "dim")]
    return [(f"{said(usage.used)} of {said(usage.limit)}  ", ""), _limit(usage.share)]


def _progress(consumer: Consumer) -> Iterator[str]:
    """How far it is, in words."""
    if consumer.paused:
        yield "paused"
    yield f"{consumer.pending:,} pending"
    yield f"{consumer.unacknowledged:,} unacknowledged"
    if consumer.redelivered:
        yield f"{consumer.redelivered:,} of them delivered again"
    yield f"{consumer.pulls:,} {'request waits' if consumer.pulls == 1 else 'requests wait'}"


app.command("list", cls=WatchedCommand)(command(list_))
app.command("show")(command(show))
