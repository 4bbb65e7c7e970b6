"""Nobody waits for long for spans that cannot be exported."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider

from naq_runtime.tracing.flushing import Flusher


class Slow(TracerProvider):
    """Flushes when it is told to go on, whatever time it is given."""

    def __init__(self) -> None:
        super().__init__(shutdown_on_exit=False)
        self.go_on = threading.Event()
        self.flushes = 0

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.flushes += 1
        return self.go_on.wait(30)


@pytest.fixture
def provider() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.go_on.set()


def took_s(flusher: Flusher) -> float:
    begun = time.monotonic()
    flusher.flush()
    return time.monotonic() - begun


def test_what_can_be_exported_is_when_it_returns(provider: Slow) -> None:
    provider.go_on.set()

    assert Flusher(provider).flush()
    assert provider.flushes == 1


def test_one_waits_in_vain_and_those_after_it_do_not(provider: Slow) -> None:
    flusher = Flusher(provider, patience_s=2, again_s=60)

    first, second = took_s(flusher), took_s(flusher)

    assert first >= 2
    assert second < 1.8
    assert provider.flushes == 1


def test_after_a_while_it_is_waited_for_again(provider: Slow) -> None:
    flusher = Flusher(provider, patience_s=0.1, again_s=0.0)
    flusher.flush()
    provider.go_on.set()

    assert flusher.flush()
