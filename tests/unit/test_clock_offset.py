"""What events say of a clock that is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.clock import ManualClock
from naq_runtime.events.codec import decode_event, encode_event
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.events.offset import ClockOffset
from naq_runtime.events.reading import causal_order

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000


@dataclass
class Server:
    """What is known of its clock."""

    ahead_ns: int
    error_ns: int = 0


class Host:
    """One whose clock was so far ahead of the server's at first."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.clock = ManualClock(1_000_000 * SECOND_NS)
        self.server = Server(self.clock.time_ns() - int(ahead_s * SECOND_NS))
        self.offset = ClockOffset(self.clock, self.server)

    @property
    def server_ns(self) -> int:
        """What the server's clock shows now."""
        return self.server.ahead_ns + self.clock.monotonic_ns()

    def wrong_by_ns(self, timestamp_ns: int, truth_ns: int) -> int:
        return abs(timestamp_ns + self.offset.of(timestamp_ns) - truth_ns)


@pytest.mark.parametrize("ahead_s", [300.0, -300.0, 0.5, -0.011])
def test_a_clock_that_is_wrong_is_put_right(ahead_s: float) -> None:
    host = Host(ahead_s)

    assert host.offset.of(host.clock.time_ns()) == -int(ahead_s * SECOND_NS)


@pytest.mark.parametrize("ahead_s", [0.0, 0.009, -0.009])
def test_a_clock_that_is_nearly_right_is_taken_as_right(ahead_s: float) -> None:
    host = Host(ahead_s)

    assert host.offset.of(host.clock.time_ns()) == 0


def test_a_difference_that_may_be_an_error_of_measuring_is_not_told() -> None:
    host = Host(0.04)
    host.server.error_ns = 40 * MS_NS

    assert host.offset.of(host.clock.time_ns()) == 0


def test_better_knowledge_of_a_few_milliseconds_changes_nothing_so_that_the_events_of_an_emitter_keep_their_order() -> (
    None
):
    host = Host(300)
    before = host.offset.of(host.clock.time_ns())

    host.server.ahead_ns -= 4 * MS_NS

    assert host.offset.of(host.clock.time_ns()) == before


def test_without_a_server_nothing_is_told_whatever_is_done_to_the_clock() -> None:
    clock = ManualClock()
    offset = ClockOffset(clock, None)

    clock.set_by(300)

    assert (offset.of(clock.time_ns()), offset.exact_ns) == (0, 0)


@pytest.mark.parametrize("step_s", [300.0, -300.0, 2.0, -2.0])
def test_what_was_dated_before_the_clock_was_set_is_put_right_by_the_clock_of_then(step_s: float) -> None:
    host = Host()
    host.offset.of(host.clock.time_ns())
    began_ns, truth_ns = host.clock.time_ns(), host.server_ns
    host.clock.advance(1)

    host.clock.set_by(step_s)
    host.clock.advance(0.5)

    assert host.wrong_by_ns(host.clock.time_ns(), host.server_ns) == 0
    assert host.wrong_by_ns(began_ns, truth_ns) == 0


_ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0, 20)),
        st.tuples(st.just("set"), st.sampled_from([300.0, -300.0, 3600.0, -3600.0, 0.004])),
        st.tuples(st.just("log"), st.just(0.0)),
    ),
    max_size=12,
)


@given(first_s=st.sampled_from([0.0, 300.0, -300.0]), acts=_ACTS)
def test_an_event_that_is_logged_when_it_happens_is_right_however_the_clock_is_set(
    first_s: float, acts: list[tuple[str, float]]
) -> None:
    host = Host(first_s)
    for act, value in acts:
        if act == "pass":
            host.clock.advance(value)
        elif act == "set":
            host.clock.set_by(value)
        else:
            assert host.wrong_by_ns(host.clock.time_ns(), host.server_ns) <= 20 * MS_NS


def test_the_moment_of_an_event_is_its_time_put_right_and_the_order_goes_by_it() -> None:
    def event(kind: JobEventType, at_s: int, offset_s: int) -> JobEvent:
        written = encode_event(
            JobEvent(
                event_type=kind,
                timestamp_ns=at_s * SECOND_NS,
                clock_offset_ns=offset_s * SECOND_NS,
                job_id="j",
                queue_name="q",
            )
        )
        read = decode_event(written)
        assert isinstance(read, JobEvent)
        return read

    enqueued, started = event(JobEventType.ENQUEUED, 1300, -300), event(JobEventType.STARTED, 701, 300)

    assert (enqueued.moment_ns, started.moment_ns) == (1000 * SECOND_NS, 1001 * SECOND_NS)
    ordered = causal_order([StoredEvent(1, started), StoredEvent(2, enqueued)])
    assert [stored.event for stored in ordered] == [enqueued, started]


def test_an_event_of_a_clock_that_is_right_costs_no_byte_for_it() -> None:
    event = JobEvent(event_type=JobEventType.ENQUEUED, timestamp_ns=1, job_id="j", queue_name="q")

    assert b"clock" not in encode_event(event)


@pytest.mark.parametrize("offset_ns", [2**62, -(2**62)])
def test_the_moment_of_an_absurd_event_is_a_time_that_can_be_shown(offset_ns: int) -> None:
    for timestamp_ns in (0, 2**63 - 1):
        event = JobEvent(
            event_type=JobEventType.LOG,
            timestamp_ns=timestamp_ns,
            clock_offset_ns=offset_ns,
            job_id="j",
            queue_name="q",
        )
        assert 0 <= event.moment_ns < 2**63
