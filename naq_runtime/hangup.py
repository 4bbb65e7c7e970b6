"""SIGHUP: a wish to read the settings again, or the word that the terminal of the process was closed.

It is held from the beginning of a process until somebody heeds it: whoever is still starting is not ended by it, and
does what it asks for afterwards.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["hangups_waiting", "heed_hangups", "hold_hangups"]


def hold_hangups() -> None:
    """From now on SIGHUP is noted, until `heed_hangups`; only in the main thread. May be called twice."""
    if sys.platform == "win32":
        return
    if not isinstance(signal.getsignal(signal.SIGHUP), _Held):
        signal.signal(signal.SIGHUP, _Held())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


def heed_hangups(reload: Callable[[], None], stop: Callable[[], None]) -> None:
    """Reload at SIGHUP; when the terminal of the process was closed, stop. Within the running loop.

    What came while it was held counts now. A process that was started to ignore SIGHUP, as by ``nohup``, outlives its
    terminal.
    """
    if sys.platform == "win32":
        return
    import asyncio

    hold_hangups()
    held = signal.getsignal(signal.SIGHUP)
    assert isinstance(held, _Held)

    def heed() -> None:
        if held.has_terminal and not _has_terminal():
            stop()
        else:
            reload()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, heed)
    if held.came:
        heed()


@contextmanager
def hangups_waiting() -> Iterator[None]:
    """In here SIGHUP waits until the end, and for a process that is started here until its own `hold_hangups`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


class _Held:
    """Handles the signal by noting that it came."""

    def __init__(self) -> None:
        self.came = False
        self.has_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()
        """Whether the process is to end with its terminal."""

    def __call__(self, *_: object) -> None:
        self.came = True


def _has_terminal() -> bool:
    """Whether there is one from which the process may be sent signals."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
