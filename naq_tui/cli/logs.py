"""The log of a command on stderr. What it says may come from jobs, receivers and programs: it is written inert."""

from __future__ import annotations

import logging
from types import TracebackType

__all__ = ["InertFormatter", "log_to_stderr"]

_LONGEST = 2_000
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class InertFormatter(logging.Formatter):
    """Writes a message as one line, and in it nothing that a terminal would obey; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.formatMessage`; what a job writes begins with its id."""
        job_id = getattr(record, "running_job", None)
        if job_id is not None:
            record.message = f"[{job_id}] {record.message}"
        return _inert(super().formatMessage(record))

    def formatException(self, ei: _ExcInfo) -> str:
        """See `logging.Formatter.formatException`; set in, so that no line of an error looks like one of the log."""
        return "\n".join(f"  {_inert(line)}" for line in super().formatException(ei).split("\n"))


def log_to_stderr(level: int | str) -> None:
    """Have all loggers write to stderr, unless the program has set logging up."""
    handler = logging.StreamHandler()
    handler.setFormatter(InertFormatter("%(asctime)s %(levelname).1s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=level)


def _inert(line: str) -> str:
    if len(line) <= _LONGEST and line.isascii() and line.isprintable():
        return line
    from naq_tui.text import inert  # takes a while to load, and is rarely needed

    return inert(line, _LONGEST)
