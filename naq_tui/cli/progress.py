"""How far something is that takes a while: a bar on stderr, where somebody sees it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Tell", "progress"]

Tell = Callable[[int, int], None]
"""Told how much is done, and of how much; 0 when nobody knows that."""

SHOWN_AFTER_S = 1.0
"""What takes less shows nothing."""
_GUESSED_AFTER_S = 0.2
"""From then on it is guessed how long the whole will take."""


@contextmanager
def progress(what: str, *, while_printing: bool = False) -> Iterator[Tell]:
    """Show a bar as soon as it is clear that something takes more than a second; only where stderr is a terminal.

    Args:
        what: is done, in a few words.
        while_printing: whether data is printed meanwhile: where those go to a terminal, they show how far it is.
    """
    if not sys.stderr.isatty() or (while_printing and sys.stdout.isatty()):
        yield lambda done, total: None
        return
    bar = _Bar(what)
    try:
        yield bar.tell
    finally:
        bar.end()


class _Bar:
    """A bar that is not there until it is worth it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._begun = time.monotonic()
        self._shown: Progress | None = None
        self._task: TaskID | None = None

    def tell(self, done: int, total: int) -> None:
        """So much is done, of so much."""
        if self._shown is None and self._is_long(done, total):
            self._show()
        if self._shown is not None and self._task is not None:
            self._shown.update(self._task, completed=done, total=total or None)

    def end(self) -> None:
        """Take it away."""
        if self._shown is not None:
            self._shown.stop()

    def _is_long(self, done: int, total: int) -> bool:
        taken_s = time.monotonic() - self._begun
        if taken_s >= SHOWN_AFTER_S:
            return True
        return (
            taken_s >= min(_GUESSED_AFTER_S, SHOWN_AFTER_S)
            and 0 < done < total
            and (taken_s * total / done > SHOWN_AFTER_S)
        )

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        # What is said on stderr meanwhile comes above it; stdout may be a file, and stays what it is.
        self._shown = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
        self._task = self._shown.add_task(self._what, total=None)
        self._shown.start()
