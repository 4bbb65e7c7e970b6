"""Events that leave the log at whichever moment while they are rolled up: each is counted once, or is in a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from naq_runtime.nats.direct import StoredMessage
from naq_runtime.statistics.rollup import MINUTE, Rollup
from naq_runtime.testing import streams
from tests.support import counted
from tests.support.counted import CountedLog, job_event
from tests.support.interleaving import InTurns

EVENTS = 40
AHEAD_NS = 24 * 3600 * 10**9
"""What who rolls up takes the server's clock to be ahead of what it is: so he does not stop at what is new."""
IN_THE_MIDDLE = (9, 10, 17, 30)


class PageByPage(InTurns):
    """Where each page that is read is an operation."""

    async def scan(self, stream: str, subject: str, after: int = 0) -> AsyncIterator[list[StoredMessage]]:
        async for page in super().scan(stream, subject, after):
            yield page
            await self._turns.wait()


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_PAGE", 7)
    monkeypatch.setattr(counted, "InTurns", PageByPage)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def live(log: CountedLog, number: int = EVENTS, queue: str = "mail") -> None:
    """As many events, over some hours."""
    for _ in range(number):
        log.store(job_event("completed", log.clock.time_ns(), queue_name=queue, duration_ms=50.0))
        log.clock.advance(400)


def grow_old(log: CountedLog) -> None:
    log.forget_events(EVENTS * 2 // 3)


def purged(log: CountedLog) -> None:
    log.forget_events(EVENTS)


def heartbeats_go(log: CountedLog) -> None:
    """Some in the middle are removed."""
    log.run(log.streams.delete(log.names.events_stream, IN_THE_MIDDLE))


def made_anew(log: CountedLog) -> None:
    before = log.shelf(log.names.events_stream)
    log.forget_stream(log.names.events_stream)
    log.run(log.topology.events())
    assert log.shelf(log.names.events_stream) is not before  # it is another one, as its name is
    live(log, 20, queue="anew")


Loss = Callable[[CountedLog], None]


def rolled_up_with(loss: Loss, loop: asyncio.AbstractEventLoop, place: int) -> CountedLog | None:
    """A log, after something was lost at an operation of who rolls it up; ``None`` when there are not so many."""
    log = CountedLog(loop)
    live(log)
    log.begin(log.writer(ahead_ns=AHEAD_NS))
    operations = 0
    while log.turns.waiting and operations < place:
        log.turns.give(0)
        operations += 1
    if not log.turns.waiting:
        return None
    loss(log)
    log.turns.finish()
    live(log, 10)
    log.catch_up()
    log.catch_up()
    return log


@pytest.mark.parametrize("loss", [grow_old, purged, heartbeats_go, made_anew])
def test_at_whichever_operation_events_go_none_is_counted_twice_and_no_range_is_left_out(
    loss: Loss, loop: asyncio.AbstractEventLoop
) -> None:
    place = 0
    while (log := rolled_up_with(loss, loop, place)) is not None:
        by_log: dict[str, list[Rollup]] = {}
        for one in log.rollups(MINUTE):
            by_log.setdefault(one.log, []).append(one)

        for rollups in by_log.values():
            assert [one.first for one in rollups] == [1, *(one.last + 1 for one in rollups[:-1])], f"at {place}"
            counted_or_lost = sum(known_of(one) for one in rollups)
            in_the_middle = len(IN_THE_MIDDLE) if loss is heartbeats_go else 0
            assert rollups[-1].last - in_the_middle <= counted_or_lost <= rollups[-1].last, f"at {place}"
        current = by_log[log.run(log.streams.bounds(log.names.events_stream)).created]
        others = (one for rollups in by_log.values() if rollups is not current for one in rollups)
        assert not [one for one in others for group in one.groups if group.queue == "anew"], f"at {place}"
        assert current[-1].last == len(log.happened) - (EVENTS if loss is made_anew else 0), f"at {place}"
        place += 1
    assert place > EVENTS // 7


def known_of(rollup: Rollup) -> int:
    """How many events it counts, or says to be lost."""
    lost = sum(gap.last - gap.first + 1 for gap in rollup.gaps)
    return lost + sum(sum(group.types.values()) for group in rollup.groups)
