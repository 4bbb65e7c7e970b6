"""For tests without a server: a whole queue in memory, and a pytest fixture of it (``naq_broker``)."""

from __future__ import annotations

from naq_runtime.testing.broker import Drained, MemoryBroker
from naq_runtime.testing.streams import MemoryStreams

__all__ = ["Drained", "MemoryBroker", "MemoryStreams"]
