"""The jobs that a worker holds: delivered to it, and not settled yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from naq_runtime.errors import ServerError
from naq_runtime.nats.pull import Delivery

__all__ = ["Custody", "Holding"]

log = logging.getLogger(__name__)


class Holding:
    """One job in the worker's hands; ``delivery`` is the latest by which it was given."""

    __slots__ = (
        "cancel_reason", "cancelled_by", "delivery", "has_ended", "is_doubtful", "may_have_begun", "runs_again",
    )  # fmt: skip

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.cancel_reason: str | None = None
        """Why somebody wanted it to end before it had begun."""
        self.cancelled_by: str | None = None
        """Who wanted it to end, begun or not."""
        self.is_doubtful = False
        """Whether the server may have given it to another worker meanwhile."""
        self.may_have_begun = False
        """Whether a worker before may have begun it, so that nobody knows since when it waits."""
        self.has_ended = False
        """Whether its attempt has ended, and is not written down yet."""
        self.runs_again = False
        """Whether its attempt has ended, and another one is being put where it waits."""

    @property
    def job_id(self) -> str:
        """As its subject says."""
        return self.delivery.subject.rpartition(".")[2]

    @property
    def queue(self) -> str:
        """As its subject says."""
        return self.delivery.subject.split(".")[-2]


class Custody:
    """Tells the server, at a third of its patience, that the jobs held are being worked on.

    Args:
        ack_wait_s: the server's patience.
        connected: whether the server can hear us now.
    """

    def __init__(self, ack_wait_s: float, connected: Callable[[], bool] = lambda: True) -> None:
        self._ack_wait_s = ack_wait_s
        self._connected = connected
        self._held: dict[str, Holding] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Holding]:
        return iter(list(self._held.values()))

    def is_busy_with(self, delivery: Delivery) -> bool:
        """Whether an earlier job of the same id is held, which has left the queue meanwhile."""
        held = self._held.get(delivery.subject)
        return held is not None and held.delivery.sequence != delivery.sequence

    def take(self, delivery: Delivery) -> Holding | None:
        """Hold a job; ``None`` when it is held already, and the server only delivered it once more."""
        held = self._held.get(delivery.subject)
        if held is not None:
            held.delivery = delivery
            return None
        holding = self._held[delivery.subject] = Holding(delivery)
        return holding

    def has(self, holding: Holding) -> bool:
        """Whether the job is still held."""
        return self._held.get(holding.delivery.subject) is holding

    def release(self, holding: Holding) -> None:
        """The job is settled or handed back."""
        subject = holding.delivery.subject
        if self._held.get(subject) is holding:
            del self._held[subject]

    async def run(self) -> None:
        """Signal until cancelled. A silence that was longer than the server's patience makes what is held doubtful."""
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while True:
            await asyncio.sleep(self._ack_wait_s / 3)
            if not self._connected():
                continue
            if loop.time() - heard_at >= self._ack_wait_s:
                for holding in self:
                    holding.is_doubtful = True
            heard_at = loop.time()
            await self._signal()

    async def _signal(self) -> None:
        for holding in self:
            try:
                await holding.delivery.in_progress()
            except ServerError as error:
                log.debug("in-progress not sent: %s", error, extra={"action": "in_progress_failed"})
                return
