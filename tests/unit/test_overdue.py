"""Jobs that the server has not moved in time are found, and those that wait are not read again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator

from naq_runtime.clock import ManualClock
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing
from naq_runtime.nats.streams import at_time, moved_at_ns
from naq_runtime.testing import MemoryStreams

NAMES = Names()
HOUR_S = 3600


class SlowStreams(MemoryStreams):
    """Those of a server that moves nothing, for its clock stands still; counts what is read of them."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.create(NAMES.jobs_stream, NAMES.job_states, takes_schedules=True)
        self.read = 0

    async def scan(self, stream: str, subject: str, after: int = 0) -> AsyncIterator[list[StoredMessage]]:
        async for page in super().scan(stream, subject, after):
            self.read += len(page)
            yield page


class Site:
    """Jobs that wait, and somebody who looks after them, by a clock that goes."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.streams = SlowStreams()
        self.overdue = Overdue(self.streams, NAMES, self.clock.time_ns)
        self.number = 0

    async def delay(self, seconds: float, count: int = 1) -> None:
        """Jobs that are due after so long."""
        due_ns = self.clock.time_ns() + int(seconds * 1e9)
        names = [f"job{number}" for number in range(self.number, self.number + count)]
        self.number += count
        await self.streams.publish(
            [
                Outgoing(NAMES.later("mail", name), b"{}", at_time(due_ns, NAMES.job("mail", name)) | {"Own": name})
                for name in names
            ]
        )

    async def swept(self) -> int:
        """How many were found, by as many looks as it takes to see everything."""
        return sum([await self.overdue.sweep() for _ in range(self.number // 1000 + 2)])

    def due_s(self) -> list[float]:
        """When those that wait are due, from now."""
        waiting = self.streams.messages(NAMES.jobs_stream, NAMES.later("*", "*"))
        return sorted({(moved_at_ns(one.headers) - self.clock.time_ns()) / 1e9 for one in waiting})


async def test_a_job_that_was_not_moved_in_time_is_to_be_moved_at_once() -> None:
    site = Site()
    await site.delay(10)
    await site.delay(HOUR_S)
    site.clock.advance(60)

    assert await site.swept() == 1

    assert site.due_s() == [0, HOUR_S - 60]


async def test_a_job_that_is_only_just_due_is_left_to_the_server() -> None:
    site = Site()
    await site.delay(10)
    site.clock.advance(20)

    assert await site.swept() == 0


async def test_what_waits_is_read_once_until_it_is_due() -> None:
    site = Site()
    await site.delay(HOUR_S, 3500)
    await site.swept()
    read = site.streams.read

    await site.swept()
    site.clock.advance(HOUR_S - 1)
    await site.swept()

    assert site.streams.read == read
    site.clock.advance(60)
    assert await site.swept() == 3500


async def test_what_comes_later_is_found_too_wherever_it_stands() -> None:
    site = Site()
    await site.delay(HOUR_S, 1500)
    await site.swept()
    await site.delay(5)
    await site.delay(2 * HOUR_S, 1500)
    await site.swept()
    site.clock.advance(30)

    assert await site.swept() == 1
    site.clock.advance(HOUR_S)
    assert await site.swept() == 1501  # those of an hour, and the one which the server has not moved again
    site.clock.advance(HOUR_S)
    assert await site.swept() == 3001


async def test_what_has_gone_meanwhile_is_forgotten() -> None:
    site = Site()
    await site.delay(5, 1200)
    await site.swept()
    gone = site.streams.messages(NAMES.jobs_stream, NAMES.later("*", "*"))
    await site.streams.delete(NAMES.jobs_stream, [one.sequence for one in gone])
    site.clock.advance(60)
    await site.swept()
    await site.delay(5)
    site.clock.advance(60)

    assert await site.swept() == 1


async def test_a_message_that_does_not_say_when_is_moved_at_once() -> None:
    site = Site()
    await site.streams.publish([Outgoing(NAMES.later("mail", "odd"), b"{}")])

    assert await site.overdue.sweep() == 1

    assert len(site.streams.messages(NAMES.jobs_stream, NAMES.job("mail", "odd"))) == 1


async def test_what_took_the_place_of_jobs_that_the_server_forgot_is_found() -> None:
    site = Site()
    await site.delay(HOUR_S, 3)
    await site.swept()
    shelf = site.streams._shelves[NAMES.jobs_stream]
    for _ in range(2):  # it was killed
        shelf.remove(shelf.bounds[1])
        shelf._last -= 1
    await site.delay(5)
    site.clock.advance(60)

    assert await site.swept() == 1


async def test_a_stream_that_was_made_anew_is_read_from_its_beginning() -> None:
    site = Site()
    await site.delay(HOUR_S, 3)
    await site.swept()
    before = site.streams._shelves.pop(NAMES.jobs_stream)
    site.streams.create(NAMES.jobs_stream, NAMES.job_states, takes_schedules=True)
    await site.delay(5, 3)
    site.clock.advance(60)

    assert await site.swept() == 3
    assert before.bounds == (1, 3)


async def test_whoever_was_told_to_distrust_what_was_read_reads_it_again() -> None:
    site = Site()
    await site.delay(HOUR_S, 3)
    await site.swept()
    site.overdue.distrust()
    read = site.streams.read

    await site.swept()

    assert site.streams.read == read + 3
