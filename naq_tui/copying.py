"""What can be taken away from the screen: a row or a command to the clipboard, all rows into a file."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App
from textual.screen import Screen

from naq_tui.screens.view import View
from naq_tui.text import clip, inert

if TYPE_CHECKING:
    from naq_tui.screens.write import Written

__all__ = ["copy_command", "copy_row", "save_screenshot", "write"]

_LONGEST = 20_000
"""Characters; terminals refuse to copy much more."""
_TOLD = 60


def copy_row(app: App[None], screen: Screen[object]) -> None:
    """Copy what the cursor is on, through the terminal (OSC 52)."""
    _copy(app, screen.row_text() if isinstance(screen, View) else "", "there is nothing here to copy")


def copy_command(app: App[None], screen: Screen[object], options: Sequence[str]) -> None:
    """Copy the ``naq`` command that tells the same in a shell.

    Args:
        options: those that lead it to the server that is watched.
    """
    command = screen.equivalent() if isinstance(screen, View) else ""
    _copy(app, f"{command} {shlex.join(options)}".strip() if command else "", "no naq command tells the same")


def write(app: App[None], screen: Screen[object], now_ns: int) -> None:
    """Ask for the name of a file, and write what is shown into it."""
    from naq_tui.screens.write import Write  # most who look write nothing

    records = iter(screen.records() if isinstance(screen, View) else ())
    first = next(records, None)
    if first is None:
        app.notify("there is nothing here to write", severity="warning", markup=False)
        return
    name = getattr(screen, "HERE", "") or getattr(screen, "NOUN", "")
    prompt = Write(chain((first,), records), what=name or "rows", now_ns=now_ns)
    app.push_screen(prompt, lambda written: _tell(app, written))


def save_screenshot(app: App[None]) -> None:
    """Write a picture of the screen, as SVG; in a browser, it is downloaded."""
    name = f"naq-top-{time.strftime('%Y%m%d-%H%M%S')}.svg"
    if app.is_web:
        app.deliver_screenshot(name)
        return
    path = Path(name).absolute()
    try:
        path.write_text(app.export_screenshot(), encoding="utf-8")
    except OSError as error:
        app.notify(inert(f"{path}: {error.strerror or error}", 300), severity="warning", markup=False)
    else:
        app.notify(inert(str(path), 300), title="Screenshot saved", markup=False)


def _copy(app: App[None], text: str, otherwise: str) -> None:
    if not text:
        app.notify(otherwise, severity="warning", markup=False)
        return
    text = inert(text, _LONGEST)
    app.copy_to_clipboard(text)
    app.notify(clip(text, _TOLD), title="Copied", markup=False)


def _tell(app: App[None], written: Written | None) -> None:
    if written is not None:
        rows = "1 row" if written.rows == 1 else f"{written.rows:,} rows"
        app.notify(f"{rows} to {inert(str(written.path), 300)}", title="Written", markup=False)
