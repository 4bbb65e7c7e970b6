"""Who acts: the person at the keyboard, for the record."""

from __future__ import annotations

import getpass
import socket

__all__ = ["caller"]


def caller() -> str:
    """Who gives the command, for the events: ``ada@build-7``."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (ImportError, KeyError, OSError):
        return f"somebody@{socket.gethostname()}"
