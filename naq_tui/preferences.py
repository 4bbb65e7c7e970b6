"""What a person has chosen, and where it is written down: the user's own config file, and no other."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from naq_runtime.errors import ConfigError
from naq_tui.settings import TableSettings, TopSettings

__all__ = ["Preferences", "changed_text"]

_SECTION = "top"


class Preferences:
    """The settings as they are now, with those that are not written down yet.

    Args:
        settings: as they were read. file: where changes go; without one, nowhere.
    """

    def __init__(self, settings: TopSettings | None = None, file: Path | None = None) -> None:
        self.settings = settings or TopSettings()
        self._file = file
        self._unwritten: dict[tuple[str, ...], object] = {}
        self._writing = threading.Lock()

    def __repr__(self) -> str:
        return f"<Preferences {self._file or 'unwritten'}, {len(self._unwritten)} changed>"

    @property
    def changed(self) -> bool:
        """Whether something has to be written down."""
        return bool(self._unwritten) and self._file is not None

    def change(self, **values: object) -> None:
        """Take other values for some settings."""
        self.settings = msgspec.structs.replace(self.settings, **values)
        self._unwritten.update({(name,): value for name, value in values.items()})

    def change_table(self, name: str, table: TableSettings) -> None:
        """Take another layout for a table."""
        self.settings = msgspec.structs.replace(self.settings, tables={**self.settings.tables, name: table})
        for key in table.__struct_fields__:
            self._unwritten["tables", name, key] = getattr(table, key)

    def write(self) -> None:
        """Write down what has changed, and leave all else in the file as it is.

        Raises:
            ConfigError: that is not possible, and why. It is not tried again before something else changes.
        """
        changes, self._unwritten = self._unwritten, {}
        if self._file is not None and changes:
            with self._writing:  # one may still be under way in a thread when we leave
                self._write(self._file, changes)

    def _write(self, named: Path, changes: Mapping[tuple[str, ...], object]) -> None:
        try:
            file = named.resolve()  # what a link leads to, so that the link stays
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            _replace(file, changed_text(text, changes))
        except OSError as error:
            raise ConfigError(f"cannot write settings to {named}: {error.strerror or error}") from error
        except ValueError as error:
            raise ConfigError(f"cannot write settings to {named}, which is not valid TOML: {error}") from error


def changed_text(text: str, changes: Mapping[tuple[str, ...], object]) -> str:
    """The text of a config file with other values in it; a value that says nothing goes."""
    import tomlkit

    document = tomlkit.parse(text)
    for path, value in changes.items():
        table: Any = document
        *sections, key = (_SECTION, *path)
        for depth, section in enumerate(sections):
            if section not in table:
                # What only holds other tables has no heading of its own.
                table[section] = tomlkit.table(is_super_table=0 < depth < len(sections) - 1)
            table = table[section]
            if not isinstance(table, dict):
                raise ValueError(f"{'.'.join(sections[: depth + 1])} is no table")
        if value in (None, "", ()):
            table.pop(key, None)
        else:
            table[key] = list(value) if isinstance(value, tuple) else value
    return tomlkit.dumps(document)


def _replace(file: Path, text: str) -> None:
    """Write a file so that it is whole at any moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and not os.access(file, os.W_OK):
        raise PermissionError(13, "the file is not writable")
    number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        if file.exists():
            os.chmod(name, file.stat().st_mode & 0o777)
        os.replace(name, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
