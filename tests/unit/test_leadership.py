"""Who leads the schedulers, on clocks that are set by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.errors import ServerError, ServerUnreachable
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.nats.publish import Outgoing, Stored
from naq_runtime.scheduler.leadership import Leadership, read_leader
from naq_runtime.snapshot import LeaderState
from naq_runtime.testing.streams import MemoryStreams, MemoryTopology
from tests.support.interleaving import Elsewhere
from tests.support.server import config_for

LEASE_S = 3.0
TRUSTED_S = 2.7


class Server(MemoryStreams):
    """One that can be away."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.is_away = False
        self.loses_answers = False

    async def publish(self, messages: Sequence[Outgoing]) -> list[Stored]:
        if self.is_away:
            return [ServerUnreachable("away") for _ in messages]
        answers = await super().publish(messages)
        return [ServerUnreachable("no answer") for _ in messages] if self.loses_answers else answers

    async def last(self, stream: str, subjects: Sequence[str]) -> list[StoredMessage]:
        if self.is_away:
            raise ServerUnreachable("away")
        return await super().last(stream, subjects)


class Site:
    """Schedulers on hosts of their own, and the server."""

    def __init__(self) -> None:
        self.config = config_for("nats://nowhere")
        self.clock = ManualClock()
        self.server = Server(self.clock)

    async def ready(self) -> Site:
        await MemoryTopology(self.server, self.config).bucket(self.config.names.leader_bucket)
        return self

    def scheduler(self, name: str, *, hours_ahead: float = 0, pid: int = 0) -> Leadership:
        who = LeaderState(instance_id=name, term=0, lease_s=LEASE_S, pid=pid)
        clock = Elsewhere(self.clock, hours_ahead * 3600)
        return Leadership(self.server, self.config.names, who, clock=clock)

    async def leader(self, hours_ahead: float = 0) -> LeaderState | None:
        leader, _ = await read_leader(self.server, self.config.names, Elsewhere(self.clock, hours_ahead * 3600).time_ns)
        return leader


@pytest.fixture
async def site() -> Site:
    return await Site().ready()


async def test_the_first_leads_at_once_and_the_others_stand_by(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")

    await first.step(7)
    await second.step()

    assert (first.leads, second.leads) == (True, False)
    leader = await site.leader()
    assert leader is not None
    assert (leader.instance_id, leader.term, leader.schedules, leader.leads) == ("first", 1, 7, True)


async def test_who_renews_leads_for_ever_under_the_same_term(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")
    await first.step()

    for _ in range(20):
        site.clock.advance(LEASE_S / 3)
        await first.step()
        await second.step()

        assert (first.leads, first.term, second.leads) == (True, 1, False)


async def test_trust_ends_before_another_one_can_lead(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")
    await first.step()
    await second.step()

    site.clock.advance(TRUSTED_S - 0.001)
    assert first.leads
    site.clock.advance(0.002)
    await second.step()
    assert (first.leads, second.leads) == (False, False)
    site.clock.advance(LEASE_S - TRUSTED_S)
    await second.step()

    assert (second.leads, second.term) == (True, 2)


async def test_trust_begins_when_the_renewal_is_sent_and_not_when_it_is_confirmed(site: Site) -> None:
    first = site.scheduler("first")
    slow, publish = LEASE_S / 2, site.server.put

    def put_slowly(message: Outgoing) -> Stored:
        site.clock.advance(slow)
        return publish(message)

    site.server.put = put_slowly  # type: ignore[method-assign]
    await first.step()

    site.clock.advance(TRUSTED_S - slow - 0.001)
    assert first.leads
    site.clock.advance(0.002)
    assert not first.leads


async def test_one_that_was_stopped_finds_another_one_leading_and_stands_by(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")
    await first.step()
    await second.step()
    site.clock.advance(LEASE_S)
    await second.step()

    await first.step()

    assert (first.leads, second.leads) == (False, True)
    assert second.term == 2


async def test_one_that_was_stopped_while_nobody_was_there_leads_again_at_once_under_a_new_term(site: Site) -> None:
    first = site.scheduler("first")
    await first.step()
    site.clock.advance(60)
    assert not first.leads

    await first.step()

    assert (first.leads, first.term) == (True, 2)


async def test_who_resigns_makes_way_at_once(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")
    await first.step()
    await second.step()

    assert await first.resign()
    await second.step()

    assert (first.leads, second.leads, second.term) == (False, True, 2)
    assert not await first.resign()


async def test_who_resigns_while_a_renewal_is_on_its_way_makes_way_all_the_same(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")
    await first.step()
    site.server.loses_answers = True
    with pytest.raises(ServerError):
        await first.step()
    site.server.loses_answers = False

    assert await first.resign()
    await second.step()

    assert second.leads


async def test_who_took_the_lead_and_never_heard_so_can_resign_it(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")
    site.server.loses_answers = True
    with pytest.raises(ServerError):
        await first.step()
    site.server.loses_answers = False
    assert not first.leads

    assert await first.resign()
    await second.step()

    assert second.leads


@pytest.mark.parametrize("hours", [-7, 7])
async def test_hosts_whose_clocks_differ_by_hours_take_over_from_each_other_as_if_they_did_not(
    site: Site, hours: float
) -> None:
    first, second = site.scheduler("first"), site.scheduler("second", hours_ahead=hours)
    await first.step()
    await second.step()
    led = []
    for seconds in (LEASE_S - 0.001, 0.001):
        site.clock.advance(seconds)
        await second.step()
        led.append(second.leads)
    assert led == [False, True]

    await first.step()
    site.clock.advance(LEASE_S / 3)
    await second.step()
    await first.step()

    assert (first.leads, second.leads) == (False, True)


async def test_after_an_outage_that_all_have_sat_through_the_one_that_led_leads_on_under_a_new_term(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")
    await first.step()
    await second.step()
    site.server.is_away = True
    for _ in range(10):
        site.clock.advance(1)
        for one in (first, second):
            with pytest.raises(ServerError):
                await one.step()
    assert not first.leads

    site.server.is_away = False
    await first.step()
    await second.step()

    assert (first.leads, first.term, second.leads) == (True, 2, False)


async def test_terms_only_rise_although_the_record_is_lost_or_spoilt(site: Site) -> None:
    first = site.scheduler("first")
    names = site.config.names
    await first.step()
    await site.server.publish([Outgoing(names.bucket_key(names.leader_bucket, "scheduler"), b"spoilt")])
    site.clock.advance(LEASE_S)

    await first.step()

    assert (first.leads, first.term) == (True, 2)


async def test_two_processes_of_one_name_do_not_take_each_others_lead_for_their_own(site: Site) -> None:
    one, other = site.scheduler("same", pid=1), site.scheduler("same", pid=2)

    await one.step()
    await other.step()
    site.clock.advance(LEASE_S)
    await other.step()
    await one.step()

    assert (one.leads, other.leads) == (False, True)


async def test_how_long_a_leader_has_been_silent_is_judged_by_the_clock_of_the_server(site: Site) -> None:
    await site.scheduler("first").step()

    site.clock.advance(LEASE_S - 1)
    leader = await site.leader()
    site.clock.advance(1.5)
    silent = await site.leader()

    assert leader is not None
    assert silent is not None
    assert (leader.leads, round(leader.silent_s, 3)) == (True, 2.0)
    assert (silent.leads, round(silent.silent_s, 3)) == (False, 3.5)


async def test_who_finds_that_the_record_has_gone_waits_until_nobody_can_trust_in_it(site: Site) -> None:
    first, second = site.scheduler("first"), site.scheduler("second")
    await first.step()
    await second.step()
    names = site.config.names
    site.server._shelves.pop(names.bucket_stream(names.leader_bucket))
    await site.ready()

    led = []
    for seconds in (0.001, LEASE_S - 0.002, 0.001):
        await second.step()
        led.append((first.leads, second.leads))
        site.clock.advance(seconds)
    await second.step()

    assert led == [(True, False), (True, False), (False, False)]
    assert (second.leads, second.term) == (True, 2)
