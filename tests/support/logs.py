"""Logging as it is set up in the process of a worker, and undone again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from naq_runtime.job_logging import record_job_logs

__all__ = ["recorded"]


@contextmanager
def recorded(lowest: int | None, *, usual: int, handler: logging.Handler | None = None) -> Iterator[None]:
    """In here, what jobs write is recorded; the root logger had a level and a handler before."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    for one in handlers:
        root.removeHandler(one)
    root.addHandler(handler or logging.NullHandler())
    root.setLevel(usual)
    record_job_logs(lowest)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
