"""What jobs write by `logging`, on its way into their events."""

from __future__ import annotations

import logging

from naq_runtime.context import running_as

__all__ = ["JobLogHandler", "change_log_level", "record_job_logs"]


def record_job_logs(lowest: int | None) -> None:
    """Let what jobs write reach their events, and everything else be heard as before, with the name of the job.

    The levels of loggers count for whatever runs in the process at that time. So the root logger lets the lowest level
    pass that a task wants, and the handlers that are there do not see what it would have stopped.

    Args:
        lowest: the lowest level that a task wants; ``None`` when none wants any.
    """
    root = logging.getLogger()
    if not root.handlers and logging.lastResort is not None:
        root.addHandler(logging.lastResort)  # the next one would take its place
    for handler in root.handlers:
        handler.addFilter(_named)
    root.addHandler(JobLogHandler(lowest))
    _let_pass(root, lowest)


def _named(record: logging.LogRecord) -> bool:
    """Let a formatter know as ``running_job`` which job wrote the line, where one did."""
    context = running_as.get()
    record.running_job = None if context is None else context.job_id
    return True


def change_log_level(level: int) -> None:
    """Let handlers hear what is of this level or above; what jobs want for their events stays."""
    root = logging.getLogger()
    for handler in root.handlers:
        for one in [one for one in handler.filters if isinstance(one, _Unchanged)]:
            handler.removeFilter(one)
    root.setLevel(level)
    for handler in root.handlers:
        if isinstance(handler, JobLogHandler):
            _let_pass(root, handler.lowest)


def _let_pass(root: logging.Logger, lowest: int | None) -> None:
    if lowest is None or lowest >= root.level:
        return
    for handler in root.handlers:
        if not isinstance(handler, JobLogHandler):
            handler.addFilter(_Unchanged(root))
    root.setLevel(lowest)


class JobLogHandler(logging.Handler):
    """Takes what a job writes by `logging` into the job's events, where its task asks for that.

    Args:
        lowest: the lowest level that a task wants.
    """

    def __init__(self, lowest: int | None = None) -> None:
        super().__init__()
        self.lowest = lowest

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line into the events of the job that runs here, if one does."""
        context = running_as.get()
        if context is None or context.log_level is None or record.levelno < context.log_level:
            return
        try:
            text = record.getMessage()
        except Exception:  # user code: the arguments may not fit the format
            self.handleError(record)
            return
        context.log(f"{record.name}: {text}", record.levelname)


class _Unchanged(logging.Filter):
    """Lets pass what the root logger lets pass now, and what loggers let pass that have a level of their own."""

    def __init__(self, root: logging.Logger) -> None:
        super().__init__()
        self._level = root.level
        self._loggers = root.manager.loggerDict

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it would have come so far."""
        return record.levelno >= self._level or self._has_own_level(record.name)

    def _has_own_level(self, name: str) -> bool:
        logger = self._loggers.get(name)
        one = logger if isinstance(logger, logging.Logger) else None
        while one is not None and one.parent is not None:
            if one.level:
                return True
            one = one.parent
        return False
