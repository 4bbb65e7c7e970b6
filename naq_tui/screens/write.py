"""The question for the name of a file, over whatever is to be written to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from naq_tui.commands import Scope, bindings
from naq_tui.text import inert
from naq_tui.writing import CannotWrite, FileExists, Record, write_records

__all__ = ["Write", "Written"]


class Written(NamedTuple):
    """A file that was written."""

    path: Path
    rows: int


class Write(ModalScreen[Written | None]):
    """A line with a proposed name; what is wrong with it is said below.

    Args:
        records: the rows; they are read in a thread, and once.
        what: what they are, for the name.
        now_ns: the moment that is on show.
    """

    BINDINGS = bindings(Scope.WRITING)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.WRITING,)

    def __init__(self, records: Iterable[Record], *, what: str, now_ns: int) -> None:
        super().__init__()
        self._coming = records
        self._records: Sequence[Record] | None = None
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now_ns // 1_000_000_000))
        self._proposed = f"naq-{what}-{stamp}.jsonl"
        self._replace: Path | None = None
        """The file that may go, since it was said that it is there."""
        self._writing = False
        self._reading = asyncio.Lock()

    def compose(self) -> ComposeResult:
        """The line, and what there is to say."""
        with Vertical() as box:
            box.border_title = "Write what is shown"
            box.border_subtitle = "Enter writes, Esc does not"
            name = Input(self._proposed, compact=True, select_on_focus=False, max_length=1000)
            name.cursor_blink = False
            yield name
            yield Static("JSON lines, or CSV when the name ends with .csv", id="word", markup=False)

    def on_mount(self) -> None:
        """The name can be typed over from its end; meanwhile the rows are read."""
        self.query_one(Input).action_end()
        self.run_worker(self._read(), name="rows")

    def action_close(self) -> None:
        """Write nothing."""
        self.dismiss(None)

    @on(Input.Changed)
    def _changed(self) -> None:
        """Another name: nothing may go any more."""
        self._replace = None

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._writing:
            self._writing = True
            self._say("writing …")
            self.run_worker(self._write(Path(event.value).expanduser().absolute()), name="write")

    async def _read(self) -> Sequence[Record]:
        """The rows, when they are all there."""
        async with self._reading:
            if self._records is None:
                self._records = await asyncio.to_thread(list, self._coming)
                count = len(self._records)
                self.query_one(Vertical).border_title = "Write 1 row" if count == 1 else f"Write {count:,} rows"
        return self._records

    async def _write(self, path: Path) -> None:
        replace = path == self._replace
        try:
            rows = await asyncio.to_thread(write_records, path, await self._read(), replace=replace)
        except FileExists:
            self._replace = path
            self._say("! there is a file of this name: Enter once more replaces it, or type another name")
        except CannotWrite as error:
            self._say(f"! {inert(str(error), 300)}")
        else:
            self.dismiss(Written(path, rows))
        finally:
            self._writing = False

    def _say(self, text: str) -> None:
        word = self.query_one("#word", Static)
        word.set_class(text.startswith("!"), "-wrong")
        word.update(text)
