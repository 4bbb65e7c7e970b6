"""Doing an act to all of its targets: some at a time, with what failed and why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

from naq_runtime.errors import NaqError, ServerUnreachable

__all__ = ["AT_A_TIME", "Failure", "Performance"]

AT_A_TIME = 16
"""Targets that are under way at a time."""
_GIVEN_UP = "it was under way when it was given up: it may be done or not"


class Failure(NamedTuple):
    """A target to which it was not done."""

    target: str
    reason: str


class Performance:
    """An act that is under way, or over.

    When the server is away the rest is not tried: the same would come of it.

    Args:
        targets: ids or names, each once.
        do: does it to one; what it returns is kept, and an error of ours is its failure.
    """

    def __init__(self, targets: tuple[str, ...], do: Callable[[str], Awaitable[str | None]]) -> None:
        self.targets = targets
        self.done: list[str] = []
        """Targets to which it is done, in the order in which that was."""
        self.remarks: list[str] = []
        """What came of it, where there was more to say."""
        self.failures: list[Failure] = []
        self.stopped = False
        """Whether the rest is left as it is."""
        self._do = do
        self._lanes: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Performance {len(self.done)} done, {len(self.failures)} failed of {len(self.targets)}>"

    @property
    def tried(self) -> int:
        """Targets of which it is known what came of them."""
        return len(self.done) + len(self.failures)

    @property
    def is_complete(self) -> bool:
        """Whether it is done to all."""
        return len(self.done) == len(self.targets)

    async def run(self) -> None:
        """Do it to all, unless it is stopped."""
        waiting = iter(self.targets)
        lanes = min(AT_A_TIME, len(self.targets))
        self._lanes = [asyncio.create_task(self._lane(waiting)) for _ in range(lanes)]
        try:
            await asyncio.gather(*self._lanes)
        finally:
            self._leave()

    def stop(self) -> None:
        """Begin no more; what is under way goes on to its end."""
        self.stopped = True

    def give_up(self) -> None:
        """Begin no more, and wait for nothing."""
        self.stop()
        self._leave()

    def _leave(self) -> None:
        for lane in self._lanes:
            lane.cancel()

    async def _lane(self, waiting: Iterator[str]) -> None:
        while not self.stopped and (target := next(waiting, None)) is not None:
            try:
                await self._do_one(target)
            except asyncio.CancelledError:
                self.failures.append(Failure(target, _GIVEN_UP))
                return

    async def _do_one(self, target: str) -> None:
        try:
            remark = await self._do(target)
        except NaqError as error:
            self.failures.append(Failure(target, str(error)))
            if isinstance(error, ServerUnreachable):
                self.stop()
            return
        self.done.append(target)
        if remark:
            self.remarks.append(remark)
