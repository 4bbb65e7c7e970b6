"""Writing what is on the screen to a file: JSON lines, or CSV that a spreadsheet does not obey."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from naq_runtime.errors import NaqError
from naq_tui.text import inert

__all__ = ["ENDINGS", "CannotWrite", "FileExists", "Record", "write_records"]

Record = Mapping[str, object]
"""Plain values by the names of the columns."""

_LONGEST_CELL = 32_000
"""Characters; what spreadsheets take."""
_OBEYED = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A cell that begins so is a formula to a spreadsheet; the last four are the wide forms."""


class CannotWrite(NaqError):
    """A file cannot be written, and why."""


class FileExists(CannotWrite):
    """There is a file of this name; it is replaced only when that is wanted."""


def write_records(path: Path, records: Iterable[Record], *, replace: bool = False) -> int:
    """Write a file as a whole, or not at all; returns how many records are in it.

    Args:
        path: its ending says how: one of `ENDINGS`.
        replace: whether a file that is there may go.

    Raises:
        FileExists: it is there, and may not go.
        CannotWrite: the ending is another, or the file cannot be written.
    """
    write = ENDINGS.get(path.suffix.lower())
    if write is None:
        raise CannotWrite(f"the name must end with {' or '.join(ENDINGS)}, and not with {path.suffix or 'nothing'!r}")
    if path.exists() and not replace:
        raise FileExists(f"{path} exists")
    try:
        with _whole(path, replace=replace) as file:
            return write(file, records)
    except FileExistsError as error:
        raise FileExists(f"{path} exists") from error
    except OSError as error:
        raise CannotWrite(f"{error.filename or path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _whole(path: Path, *, replace: bool) -> Iterator[IO[str]]:
    """A file beside the one that is meant, which takes its place when all is written."""
    mode = 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield file
        os.chmod(name, mode)
        if replace:
            os.replace(name, path)
        else:
            os.link(name, path)  # unlike a renaming, it fails where somebody else has made one meanwhile
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_json(file: IO[str], records: Iterable[Record]) -> int:
    count = 0
    for record in records:
        file.write(json.dumps(record, ensure_ascii=True, default=str) + "\n")
        count += 1
    return count


def _write_csv(file: IO[str], records: Iterable[Record]) -> int:
    """All columns that any record has, in the order in which they come first."""
    rows = list(records)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return len(rows)


def _cell(value: object) -> str | int | float:
    """One line of inert text, which no spreadsheet takes for a formula; a number stays one."""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    shown = inert(text, _LONGEST_CELL)
    return f"'{shown}" if shown.lstrip().startswith(_OBEYED) else shown


ENDINGS: dict[str, Callable[[IO[str], Iterable[Record]], int]] = {".jsonl": _write_json, ".csv": _write_csv}
"""What writes a file, by the ending of its name."""
