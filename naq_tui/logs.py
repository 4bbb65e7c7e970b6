"""Where logs go while the screen is ours: they would be drawn over it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from naq_runtime.errors import ConfigError

__all__ = ["logs_aside"]

_FORMAT = "%(asctime)s %(levelname).1s %(name)s %(message)s"


@contextmanager
def logs_aside(file: Path | None = None) -> Iterator[None]:
    """Have all logs and warnings go to the end of a file, or nowhere, and as before afterwards.

    Raises:
        ConfigError: the file cannot be written.
    """
    root = logging.getLogger()
    handler = _handler(file)
    before, root.handlers = root.handlers, [handler]
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers = before
        handler.close()


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.NullHandler()
    try:
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write the log file {file}: {error.strerror}") from error
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler
