"""What is asked to be done, written down instead of done."""

from __future__ import annotations

import asyncio

from naq_runtime.errors import NaqError
from naq_tui.acts import ActKind

__all__ = ["Deeds"]


class Deeds:
    """Actions of a recorded source: each is noted, and may fail or last as a test wants."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, str]] = []
        """Kind, noun and target of each, in order."""
        self.failing: dict[str, NaqError] = {}
        """Targets to which nothing can be done."""
        self.remark: str | None = None
        """What comes of each."""
        self.under_way = 0
        self.most_under_way = 0
        self.gate = asyncio.Event()
        """Nothing is done before it is set."""
        self.gate.set()

    async def perform(self, kind: ActKind, noun: str, target: str) -> str | None:
        """See `Actions.perform`."""
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        if target in self.failing:
            raise self.failing[target]
        self.done.append((kind.value, noun, target))
        return self.remark

    @property
    def targets(self) -> list[str]:
        """The targets to which it was done."""
        return [target for _, _, target in self.done]
