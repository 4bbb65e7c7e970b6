"""How commands print: pages and tables for people, JSON and raw lines for scripts."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import msgspec
from rich.cells import cell_len

from naq_runtime.events.models import JobEvent, StoredEvent
from naq_tui.cli.format import Format, iso_text
from naq_tui.model.line import Mood, Said, said
from naq_tui.model.record import event_record as event_json
from naq_tui.text import Align, clip, clock_text, fit, inert, inert_lines

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "MOODS",
    "Column",
    "EventPrinter",
    "Line",
    "Span",
    "event_json",
    "facts",
    "heading",
    "json_in_a_line",
    "json_text",
    "moment_json",
    "note",
    "print_events",
    "print_json",
    "print_lines",
    "print_raw",
    "print_raw_members",
    "print_table",
    "room_of",
    "table_lines",
    "value_lines",
]

Span = tuple[str, str]
"""Inert text, and its style in the words of rich."""
Line = Sequence[Span]

_GAP = 2
_LABEL = 12
_MOST_LINES = 200
_RAW_LIMIT = 100_000
_INDENT: ContextVar[int] = ContextVar("indent", default=2)
_OBEYED = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


# JSON and raw lines


def json_text(value: Any, *, indent: int = 0) -> str:
    """A value as JSON; what a terminal might obey is escaped, which changes nothing of what it says."""
    data = msgspec.json.encode(value)
    text = (msgspec.json.format(data, indent=indent) if indent else data).decode()
    return _OBEYED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def print_json(value: Any) -> None:
    """Print one document."""
    print(json_text(value, indent=_INDENT.get()), flush=True)


@contextmanager
def json_in_a_line() -> Iterator[None]:
    """Within it a document takes one line, for those who read one after the other."""
    token = _INDENT.set(0)
    try:
        yield
    finally:
        _INDENT.reset(token)


def moment_json(name: str, time_ns: int | None) -> dict[str, Any]:
    """A moment as two members: ``<name>`` in ISO 8601, UTC, and ``<name>_ns`` in nanoseconds since 1970."""
    return {name: iso_text(time_ns), f"{name}_ns": time_ns or None}


def print_raw(*fields: object) -> None:
    """Print a line of fields parted by spaces; each is one word, but for the last."""
    *words, last = (str(field) for field in fields)
    print(" ".join([*map(_token, words), inert(last, _RAW_LIMIT) or "-"]), flush=True)


def print_raw_members(document: msgspec.Struct | Mapping[str, Any], *, but: str = "") -> None:
    """Print a line for each member that has something to say, ``name value``; one for each item of a list.

    Args:
        but: the member that is left out.
    """
    members = msgspec.structs.asdict(document) if isinstance(document, msgspec.Struct) else document
    for name, value in members.items():
        if name == but:
            continue
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                print_raw(name, one if isinstance(one, str) else json_text(one))


def note(message: str) -> None:
    """Say something beside the data, on stderr."""
    print(f"naq: {inert(message, 2_000)}", file=sys.stderr, flush=True)


# Pages and tables


def print_lines(lines: Iterable[Line], *, to: TextIO | None = None) -> None:
    """Print lines: with their styles in a terminal, as plain text elsewhere."""
    file = to or sys.stdout
    if not file.isatty():
        for line in lines:
            print("".join(text for text, _ in line).rstrip(), file=file)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=file, highlight=False, soft_wrap=True)
    for line in lines:
        shown = Text.assemble(*line)
        shown.rstrip()
        console.print(shown)


def heading(title: str, more: str = "") -> list[Line]:
    """What a section of a page begins with."""
    return [[], [(title, "bold"), (f"  {more}" if more else "", "dim")]]


def facts(known: Iterable[tuple[str, Line]]) -> Iterable[Line]:
    """Values with their labels before them, those that have something to say."""
    return [[(label.ljust(_LABEL), "dim"), *spans] for label, spans in known if any(text for text, _ in spans)]


def value_lines(text: str, style: str = "") -> list[Line]:
    """A text of several lines, indented; beyond many it is cut."""
    return [[("  ", ""), (line, style)] for line in inert_lines(text, lines=_MOST_LINES, width=2_000)]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    align: Align = "left"
    least: int = 0
    """Cells to which it may be cut when the terminal is narrow; 0 when it is shown whole or not at all."""
    rank: int = 0
    """Columns of a high rank are left out first; those of rank 0 never are."""
    keep_end: bool = False
    """Whether it is cut at the beginning."""


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Span]], *, to: TextIO | None = None) -> None:
    """Print rows below a header: in a terminal cut to its width, elsewhere whole."""
    file = to or sys.stdout
    print_lines(table_lines(columns, rows, room_of(file)), to=file)


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[Span]], room: int) -> list[Line]:
    """A header and rows, in so many cells."""
    widths = _widths(columns, rows, room)
    header = [(column.title, "bold") for column in columns]
    return [_row(row, columns, widths) for row in [header, *rows]]


def room_of(file: TextIO) -> int:
    """The cells of a line of a terminal; elsewhere there is always room."""
    return shutil.get_terminal_size().columns if file.isatty() else sys.maxsize


def _row(row: Sequence[Span], columns: Sequence[Column], widths: dict[int, int]) -> Line:
    line: list[Span] = []
    for place, width in widths.items():
        text, style = row[place]
        if columns[place].keep_end:
            text = _end_of(text, width)
        line += [(fit(text, width, columns[place].align), style), (" " * _GAP, "")]
    return line[:-1]


def _end_of(text: str, width: int) -> str:
    """A text that is cut at its beginning: the last part of a dotted name tells most."""
    if cell_len(text) <= width:
        return text
    while cell_len(text) >= width:
        text = text[1:]
    return "…" + text


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Span]], room: int) -> dict[int, int]:
    """The columns that are shown, by place, and how wide each is."""
    whole = {
        place: max(cell_len(text) for text in (column.title, *(row[place][0] for row in rows)))
        for place, column in enumerate(columns)
    }
    while True:
        widths = dict(whole)
        excess = sum(widths.values()) + _GAP * (len(widths) - 1) - room
        while excess > 0:
            place = max(widths, key=lambda one: widths[one] if widths[one] > columns[one].least > 0 else 0)
            if not widths[place] > columns[place].least > 0:
                break
            widths[place] -= 1
            excess -= 1
        droppable = [place for place in whole if columns[place].rank]
        if excess <= 0 or not droppable:
            return widths
        del whole[max(droppable, key=lambda one: columns[one].rank)]


# Events

_COLUMNS = (("Time", 8), ("Job ID", 20), ("Event", 19), ("Queue", 12), ("Worker", 20))
"""Name, and the least width outside of a terminal, where nothing is cut; the message takes the rest."""
_WIDE, _NARROW = (8, 8, 14, 12, 20), (8, 8, 14, 0, 12)
"""The widths in a terminal; the queue is left out of a narrow one."""
_ROOMY = 100

MOODS: dict[Mood, str] = {
    "neutral": "",
    "begin": "cyan",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "quiet": "dim",
}
"""The styles of events."""


def print_events(events: Sequence[StoredEvent], form: Format) -> None:
    """Print all events of a listing; JSON as one array."""
    if form is Format.JSON:
        print_json([event_json(stored) for stored in events])
        return
    printer = EventPrinter(form)
    for stored in events:
        printer.print(stored)


class EventPrinter:
    """Prints events one by one, as one table, one JSON object a line, or one raw line each."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._console: Console | None = None
        self._begun = False
        self._widths: Sequence[int] = tuple(width for _, width in _COLUMNS)
        """In a terminal those that it had at first; elsewhere a wide cell makes its column wider for all that come."""
        self.printed = 0
        """How many events it has printed."""

    def print(self, stored: StoredEvent) -> None:
        """Print one event, and flush."""
        self.printed += 1
        match self._form:
            case Format.JSON:
                print(json_text(event_json(stored)), flush=True)
            case Format.RAW:
                event = stored.event
                words = (f"{event.timestamp:.6f}", _token(_subject(event)), _token(event.event_type))
                print(*words, *_about(event), inert(event.message, _RAW_LIMIT), flush=True)
            case Format.TABLE:
                self._print_row(stored)

    def _print_row(self, stored: StoredEvent) -> None:
        if sys.stdout.isatty():
            self._print_styled(said(stored))
            return
        if not self._begun:
            print(self._padded([name for name, _ in _COLUMNS]) + "Message", flush=True)
            self._begun = True
        event = stored.event
        cells = (
            clock_text(event.moment_ns),
            _subject(event),
            str(event.event_type),
            _queues(event),
            getattr(event, "worker_id", None) or "-",
        )
        print(self._padded(cells) + (inert(event.message, _RAW_LIMIT) or "-"), flush=True)

    def _print_styled(self, line: Said) -> None:
        """As wide as the terminal is, in the words of the monitor."""
        from rich.console import Console
        from rich.text import Text

        room = room_of(sys.stdout)
        if not self._begun:
            self._widths = _WIDE if room >= _ROOMY else _NARROW
        widths = self._widths
        self._console = self._console or Console(highlight=False, soft_wrap=True)
        cells = (
            (clock_text(line.time_ns), "dim"),
            (line.job_id or "-", ""),
            (f"{line.glyph} {line.kind}", MOODS[line.mood]),
            (line.queue or "-", ""),
            (line.worker or "-", "dim"),
        )
        if not self._begun:
            names = [fit(name, width) + "  " for (name, _), width in zip(_COLUMNS, widths, strict=True) if width]
            self._console.print(Text("".join(names) + "Message", "bold"))
            self._begun = True
        spans = [(fit(text, width) + "  ", style) for (text, style), width in zip(cells, widths, strict=True) if width]
        message = clip(line.message or "-", max(8, room - sum(cell_len(text) for text, _ in spans)))
        self._console.print(Text.assemble(*spans, (message, MOODS["bad"] if line.mood == "bad" else "")))

    def _padded(self, cells: Sequence[str]) -> str:
        shown = [inert(cell) for cell in cells]
        self._widths = [max(width, cell_len(cell)) for cell, width in zip(shown, self._widths, strict=True)]
        return "".join(fit(cell, width) + "  " for cell, width in zip(shown, self._widths, strict=True))


def _token(text: str) -> str:
    """One word, whatever it is, so that the fields of a raw line can be told apart."""
    return inert(text).replace(" ", "_") or "-"


def _subject(event: Any) -> str:
    """The job, the schedule or the alert that it is about."""
    if isinstance(event, JobEvent):
        return event.job_id
    return getattr(event, "schedule_id", None) or getattr(event, "alert", None) or "-"


def _about(event: Any) -> list[str]:
    """The queue and the worker of an event, for scripts; what a worker takes jobs of is said where it starts."""
    found = {"queue": getattr(event, "queue_name", None), "worker": getattr(event, "worker_id", None)}
    return [f"{name}={_token(value)}" for name, value in found.items() if value]


def _queues(event: Any) -> str:
    if queue := getattr(event, "queue_name", None):
        return str(queue)
    return " ".join(getattr(event, "queue_names", ())) or "-"
