"""Exporting spans at the end of a job, without making it wait for a receiver that is away."""

from __future__ import annotations

import time
from functools import cache
from threading import Lock, Thread

from opentelemetry.trace import TracerProvider

__all__ = ["Flusher", "flusher_of"]

_PATIENCE_S = 1.0
_AGAIN_S = 30.0


class Flusher:
    """Flushes a provider in a thread. OpenTelemetry's own flush heeds no time: it tries a receiver for ten seconds.

    Whoever has waited in vain once lets nobody wait for a while: the spans go out all the same, when they can.

    Args:
        patience_s: for how long a caller waits, at most.
        again_s: for how long nobody waits after that.
    """

    def __init__(self, provider: TracerProvider, *, patience_s: float = _PATIENCE_S, again_s: float = _AGAIN_S) -> None:
        self._flush = getattr(provider, "force_flush", None)
        self._patience_s = patience_s
        self._again_s = again_s
        self._lock = Lock()
        self._thread: Thread | None = None
        self._waits_from = 0.0

    def flush(self) -> bool:
        """Begin to export what there is, and wait for that for a moment; whether it has ended."""
        if self._flush is None:
            return True
        with self._lock:
            thread = self._thread
            if thread is None or not thread.is_alive():
                thread = self._thread = Thread(target=self._flush, name="flush spans", daemon=True)
                thread.start()
            may_wait = time.monotonic() >= self._waits_from
        thread.join(self._patience_s if may_wait else 0)
        if thread.is_alive() and may_wait:
            self._waits_from = time.monotonic() + self._again_s
        return not thread.is_alive()


@cache
def flusher_of(provider: TracerProvider) -> Flusher:
    """The one of a provider."""
    return Flusher(provider)
