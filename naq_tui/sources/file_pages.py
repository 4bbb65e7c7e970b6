"""A file of events, page by page from any of them on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from naq_runtime.events.archive import ArchivedEvent, ArchiveReader
from naq_runtime.events.models import StoredEvent
from naq_tui.model.density import DensityBook
from naq_tui.past import middle_ns

__all__ = ["PAGE", "FileIndex", "FilePages"]

PAGE = 500
"""Lines of a page; what is no event among them is left out."""
_KEPT = 64
_LINES_AT_ONCE = 20_000
_FAILURES = ("failed", "timed_out")


class FileIndex:
    """Where each page of a file begins, and how much happened when; built by one quick look at every line.

    It takes about 100 bytes for each page.
    """

    def __init__(self, path: Path) -> None:
        self.offsets: list[int] = []
        """Where the pages begin."""
        self.middles_ns: list[int] = []
        """Up to where the first halves of all pages up to each one go: the times of single events may be wrong."""
        self.events: list[int] = []
        """How many events there are before each page."""
        self.first_ns: int | None = None
        self.last_ns = 0
        self.has_alerts = False
        """Whether some of its events are of alerts."""
        self.book = DensityBook()
        self._path = path
        self._reader: ArchiveReader | None = None
        self._count = self._lines = 0
        self._moments: list[int] = []
        """Of the page that is looked at."""

    def __repr__(self) -> str:
        return f"<FileIndex of {len(self.offsets)} pages, {self._count} events>"

    def grow(self) -> bool:
        """Look at some more lines; false when there are no more."""
        reader = self._reader
        if reader is None:
            reader = self._reader = ArchiveReader(self._path)
            self._glances = reader.glances()
        offset = reader.offset
        before = self._lines
        for glance in islice(self._glances, _LINES_AT_ONCE):
            if self._lines % PAGE == 0:
                self._end_page()
                self.events.append(self._count)
                self.offsets.append(offset)  # the last, since others go by it at the same time
            self._lines += 1
            offset = reader.offset
            if glance is not None:
                self._count += 1
                moment_ns = glance.happened_ns
                self._moments.append(moment_ns)
                self.first_ns = moment_ns if self.first_ns is None else min(self.first_ns, moment_ns)
                self.last_ns = max(self.last_ns, moment_ns)
                event = glance.event
                self.has_alerts |= event.category == "alert"
                self.book.add(moment_ns, failed=event.category == "job" and event.event_type in _FAILURES)
        if self._lines > before:
            return True
        self._end_page()
        return False

    def _end_page(self) -> None:
        if len(self.middles_ns) < len(self.offsets):
            self.middles_ns.append(max([middle_ns(self._moments), *self.middles_ns[-1:]]))
            self._moments.clear()

    def close(self) -> None:
        """Give the file back."""
        if self._reader is not None:
            self._reader.close()


class FilePages:
    """The pages of a file, of which the latest that were read are kept. Calls may block for as long as the disk takes.

    Args:
        path: a file of ``naq events export``.

    Raises:
        ArchiveError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0
        """The page that is read next."""
        self._open()
        self.header = self._reader.header
        self._kept: OrderedDict[int, Sequence[StoredEvent] | None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<FilePages {self._reader!r} next={self._next} kept={len(self._kept)}>"

    @property
    def verdict(self) -> str:
        """What is to be said of the file once its last page was read."""
        broken = self._reader.broken
        lines = "1 line is no event" if broken == 1 else f"{broken:,} lines are no events" if broken else ""
        return "; ".join(part for part in (self._reader.fault or "", lines) if part)

    def page(self, number: int, index: FileIndex) -> Sequence[StoredEvent] | None:
        """The events of a page, in the order of the file; ``None`` behind the last page.

        Those that are not in the index yet are read in their order.
        """
        if number not in self._kept:
            self._approach(number, index)
            while self._next <= number:
                lines = list(islice(self._entries, PAGE))
                self._kept[self._next] = _events(lines) if lines else None
                self._next += 1
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]

    def _approach(self, number: int, index: FileIndex) -> None:
        """Be at a page, or at the last one before it that can be gone to."""
        if not self._is_open:
            self._open()
        known = min(number, len(index.offsets) - 1)
        if number < self._next or known > self._next:
            self._reader.go_to(index.offsets[known], index.events[known])
            self._entries, self._next = self._reader.entries(), known

    def naming(self, text: str) -> list[StoredEvent]:
        """All events of the file whose line contains an id."""
        reader = ArchiveReader(self.path)
        try:
            return [one.stored for one in reader.naming(text)]
        finally:
            reader.close()

    def close(self) -> None:
        """Give the file back; it is opened again when a page is wanted."""
        self._reader.close()
        self._is_open = False

    def _open(self) -> None:
        self._reader = ArchiveReader(self.path)
        self._entries = self._reader.entries()
        self._next = 0
        self._is_open = True


def _events(lines: Sequence[ArchivedEvent | None]) -> list[StoredEvent]:
    return [line.stored for line in lines if line is not None]
