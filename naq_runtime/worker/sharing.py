"""How the slots of a worker are shared among its queues. Pure: what a queue is like comes in, and credit comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from naq_runtime.errors import ConfigError
from naq_runtime.naming import check_name

__all__ = ["Asked", "Fair", "Pace", "Sharing", "Strict", "Weighted", "parse_shares", "sharing_of"]

_AHEAD_S = 0.01
"""Jobs that will be begun within this time are asked for before their slots are free."""
_AHEAD_MOST = 256
_SMOOTHING = 0.05
_MOST_WEIGHT = 1_000
_KEPT_ASKED = 2
"""A queue in which nothing waits is asked for so many jobs at least: while one is unanswered, nothing does."""


class Pace:
    """How long jobs occupy their slots, lately."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._mean_s = 1.0

    def took(self, seconds: float) -> None:
        """A job has left its slot after so long."""
        self._mean_s += (seconds - self._mean_s) * _SMOOTHING

    @property
    def ahead(self) -> int:
        """How many more jobs than there are free slots will be begun in a moment."""
        return min(_AHEAD_MOST, int(self.slots * _AHEAD_S / max(self._mean_s, 1e-6)))


class Asked(Protocol):
    """A queue, as those see it who share slots out."""

    @property
    def name(self) -> str:
        """Of the queue."""
        ...

    @property
    def outstanding(self) -> int:
        """Jobs that it was asked for and that have not come."""
        ...

    @property
    def room(self) -> int:
        """How many more it may be asked for, by limits of its own."""
        ...

    @property
    def is_quiet(self) -> bool:
        """Whether it has left a request unanswered for a moment: nothing waits there, or it is held back."""
        ...


class Sharing(Protocol):
    """An order among queues."""

    def grants(self, slots: int, queues: Sequence[Asked]) -> list[int]:
        """How many jobs more each should be asked for; nothing is meant by a negative number.

        Args:
            slots: those that are free, or about to be.
        """
        ...

    def came(self, queue: Asked) -> None:
        """A job of a queue has come."""
        ...


class Fair:
    """All alike: each queue is asked for its share of the free slots, so that none of them waits for another."""

    def grants(self, slots: int, queues: Sequence[Asked]) -> list[int]:
        """See `Sharing.grants`."""
        share = -(-slots // len(queues)) if slots > 0 else 0
        return [min(share - queue.outstanding, queue.room) for queue in queues]

    def came(self, queue: Asked) -> None:
        """See `Sharing.came`."""


class Strict:
    """One after the other: a queue is asked only while nothing waits in those before it."""

    def grants(self, slots: int, queues: Sequence[Asked]) -> list[int]:
        """See `Sharing.grants`."""
        more = [0] * len(queues)
        for place, queue in enumerate(queues):
            wanted = max(0, slots) - queue.outstanding
            more[place] = min(wanted, queue.room)
            if queue.room >= wanted and not queue.is_quiet:
                break
        return more

    def came(self, queue: Asked) -> None:
        """See `Sharing.came`."""


class Weighted:
    """By weight: of the queues in which jobs wait, one of weight 3 gets three jobs begun for each one of weight 1.

    Each job that comes moves its queue on by one over the queue's weight; the queue that is behind is asked first. A
    queue in which nothing waits moves along with the others, so that it has nothing to make up for later.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = weights
        self._moved = dict.fromkeys(weights, 0.0)

    def grants(self, slots: int, queues: Sequence[Asked]) -> list[int]:
        """See `Sharing.grants`."""
        more = [0] * len(queues)
        busy = [place for place, queue in enumerate(queues) if not queue.is_quiet and queue.room > 0]
        ahead = {place: self._expected(queues[place]) for place in busy}
        now = min(ahead.values(), default=max(self._moved.values()))
        left = slots - sum(queues[place].outstanding for place in busy)
        while left > 0 and ahead:
            place = min(ahead, key=lambda place: ahead[place])
            more[place] += 1
            left -= 1
            ahead[place] += 1 / self._weights[queues[place].name]
            if more[place] >= queues[place].room:
                del ahead[place]
        for place, queue in enumerate(queues):
            if queue.is_quiet:
                self._moved[queue.name] = max(self._moved[queue.name], now)
                more[place] = min(self._kept(queue, slots) - queue.outstanding, queue.room)
        return more

    def came(self, queue: Asked) -> None:
        """See `Sharing.came`."""
        self._moved[queue.name] += 1 / self._weights[queue.name]

    def _expected(self, queue: Asked) -> float:
        """Where it will be when all has come that it was asked for."""
        return self._moved[queue.name] + queue.outstanding / self._weights[queue.name]

    def _kept(self, queue: Asked, slots: int) -> int:
        if slots <= 0:
            return 0
        return max(_KEPT_ASKED, slots * self._weights[queue.name] // sum(self._weights.values()))


def sharing_of(order: str, weights: Mapping[str, int]) -> Sharing:
    """The order of this name: ``fair``, ``strict`` or ``weighted``.

    Raises:
        ConfigError: there are weights, and the order knows none.
    """
    if order == "weighted":
        return Weighted(weights)
    heavy = next((name for name, weight in weights.items() if weight != 1), None)
    if heavy is not None:
        raise ConfigError(
            f"queue {heavy} has a weight, but the order of the queues is {order!r}: "
            "set worker.queue_order (NAQ_WORKER_QUEUE_ORDER) to 'weighted'"
        )
    return Strict() if order == "strict" else Fair()


def parse_shares(queues: Iterable[str]) -> dict[str, int]:
    """Names of queues, in order, each with its weight: ``mail=3``, or ``mail`` for 1. Of repeats, the first counts.

    Raises:
        InvalidName: a name cannot be used.
        ConfigError: a weight is no whole number from 1 to 1,000.
    """
    weights: dict[str, int] = {}
    for text in queues:
        name, has_weight, weight = text.partition("=")
        check_name("queue", name)
        if has_weight and not (weight.isascii() and weight.isdecimal() and 1 <= int(weight[:9]) <= _MOST_WEIGHT):
            raise ConfigError(f"{text!r}: a weight is a whole number from 1 to {_MOST_WEIGHT:,}, as in mail=3")
        weights.setdefault(name, int(weight) if has_weight else 1)
    return weights
