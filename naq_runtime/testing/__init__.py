"""For tests without a server: its streams in memory."""

from __future__ import annotations

from naq_runtime.testing.streams import MemoryStreams

__all__ = ["MemoryStreams"]
