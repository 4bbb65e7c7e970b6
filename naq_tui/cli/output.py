"""How events are printed: a table for people, JSON and raw lines for scripts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from naq_runtime.events.models import JobEvent, StoredEvent
from naq_tui.cli.format import Format
from naq_tui.text import inert

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["EventPrinter", "event_json", "print_events"]


_COLUMNS = (("Time", 8), ("Job ID", 8), ("Event", 19), ("Queue", 12), ("Worker", 20))
"""Name and width; the message takes the rest."""

_STYLES = {
    "completed": "green",
    "failed": "bold red",
    "error": "bold red",
    "events_dropped": "bold red",
    "connection_lost": "bold red",
    "interrupted": "yellow",
    "started": "cyan",
    "enqueued": "blue",
}


def event_json(stored: StoredEvent) -> dict[str, Any]:
    """The event as a JSON object, with its sequence in the log."""
    return {"sequence": stored.sequence, **msgspec.to_builtins(stored.event)}


def print_events(events: Sequence[StoredEvent], form: Format) -> None:
    """Print all events of a listing; JSON as one array."""
    if form is Format.JSON:
        print(msgspec.json.format(msgspec.json.encode([event_json(stored) for stored in events])).decode())
        return
    printer = EventPrinter(form)
    for stored in events:
        printer.print(stored)


class EventPrinter:
    """Prints events one by one, as one table, one JSON object a line, or one raw line each."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._console: Console | None = None

    def print(self, stored: StoredEvent) -> None:
        """Print one event, and flush."""
        match self._form:
            case Format.JSON:
                print(msgspec.json.encode(event_json(stored)).decode(), flush=True)
            case Format.RAW:
                event = stored.event
                job_id = event.job_id if isinstance(event, JobEvent) else "-"
                print(
                    f"{event.timestamp:.6f} {_token(job_id)} {_token(event.event_type)} {inert(event.message)}",
                    flush=True,
                )
            case Format.TABLE:
                self._print_row(stored)

    def _print_row(self, stored: StoredEvent) -> None:
        event = stored.event
        cells = (
            datetime.fromtimestamp(event.timestamp).strftime("%H:%M:%S"),
            event.job_id[:8] if isinstance(event, JobEvent) else "-",
            str(event.event_type),
            _queues(event),
            getattr(event, "worker_id", None) or "-",
        )
        if sys.stdout.isatty():
            self._print_styled(cells, inert(event.message) or "-")
            return
        if self._console is None:
            self._console = _plain_header()
        print(_padded(cells) + (inert(event.message) or "-"), flush=True)

    def _print_styled(self, cells: tuple[str, ...], message: str) -> None:
        from rich.console import Console
        from rich.text import Text

        if self._console is None:
            self._console = Console(highlight=False, soft_wrap=False)
            header = Text(_padded(tuple(name for name, _ in _COLUMNS)) + "Message", style="bold")
            self._console.print(header, no_wrap=True, overflow="ellipsis")
        line = Text(_padded(cells), style=_STYLES.get(cells[2], ""))
        line.append(message)
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)


def _plain_header() -> Any:
    print(_padded(tuple(name for name, _ in _COLUMNS)) + "Message", flush=True)
    return object()


def _padded(cells: Sequence[str]) -> str:
    parts = [f"{_clip(inert(cell), width):<{width}}  " for cell, (_, width) in zip(cells, _COLUMNS, strict=True)]
    return "".join(parts)


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _token(text: str) -> str:
    """One word, whatever it is, so that the fields of a raw line can be told apart."""
    return inert(text).replace(" ", "_") or "-"


def _queues(event: Any) -> str:
    if isinstance(event, JobEvent):
        return event.queue_name
    return " ".join(getattr(event, "queue_names", ())) or "-"
