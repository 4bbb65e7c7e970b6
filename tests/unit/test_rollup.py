"""What a roll-up says: how events are counted, how roll-ups add up, and how they are kept small."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.clock import nanoseconds_of
from naq_runtime.errors import SerializationError
from naq_runtime.events.codec import encode_event, event_key
from naq_runtime.events.models import Event, JobEventType
from naq_runtime.nats.direct import StoredMessage
from naq_runtime.statistics.folding import LATEST_NS, UNREADABLE, count, stored_ns, told_by
from naq_runtime.statistics.rollup import (
    HOUR,
    MINUTE,
    OTHERS,
    Group,
    Rollup,
    Tally,
    View,
    decode_rollup,
    encoded_parts,
)
from naq_runtime.statistics.sketch import RELATIVE_ERROR, Sketch, nanoseconds, quantiles_of
from naq_runtime.testing.shelf import moment
from tests.unit.samples import a_job_event, any_event

NOW_NS = 1_700_000_000 * 10**9
DURATIONS = st.lists(st.floats(0, 1e8, allow_nan=False), min_size=1, max_size=200)


def sketch_of(durations: Iterable[float]) -> Sketch:
    sketch = Sketch()
    for duration in durations:
        sketch.add(nanoseconds(duration))
    return sketch


# Sketches


@given(DURATIONS, st.floats(0.01, 1.0))
def test_a_percentile_is_within_one_percent_of_the_true_one(durations: list[float], share: float) -> None:
    (found,) = quantiles_of(sketch_of(durations).buckets, [share])

    true = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]
    assert RELATIVE_ERROR < 0.01
    assert abs(found - true) <= true * RELATIVE_ERROR + 1e-6


@given(DURATIONS, st.integers(0, 200))
def test_two_sketches_add_up_to_the_one_of_all_durations(durations: list[float], place: int) -> None:
    merged = sketch_of(durations[:place])
    merged.merge(sketch_of(durations[place:]))

    assert merged == sketch_of(durations)


@pytest.mark.parametrize("absurd", [float("inf"), float("nan"), -5.0, 1e300])
def test_what_is_no_duration_counts_as_none_at_all(absurd: float) -> None:
    assert nanoseconds(absurd) == 0


# Events


def message(data: bytes, at_ns: int = NOW_NS) -> StoredMessage:
    return StoredMessage("naq.events.job.j.q.started.1", 1, data, moment(at_ns))


def counted(events: Sequence[Event | bytes], at_ns: int = NOW_NS) -> list[Group]:
    tally = Tally(MINUTE.length_ns, most=1000)
    for event in events:
        count(told_by(message(event if isinstance(event, bytes) else encode_event(event), at_ns)), tally)
    return tally.groups


@given(any_event())
def test_any_event_is_counted_once_under_its_type_queue_function_and_worker(event: Event) -> None:
    (group,) = counted([event])

    assert group.types == {event_key(event): 1}
    assert group.queue == getattr(event, "queue_name", None)
    assert group.worker == getattr(event, "worker_id", None)
    assert group.function == getattr(event, "function_name", None)


def test_waits_are_those_of_starts_and_durations_those_of_attempts_that_ended() -> None:
    timed = {"wait_ms": 10.0, "duration_ms": 2000.0}

    (group,) = counted([a_job_event(kind, **timed) for kind in JobEventType])

    assert group.wait == sketch_of([10.0])
    assert group.run == sketch_of([2000.0] * 3)


def test_an_emitter_whose_clock_is_ahead_puts_nothing_into_the_future() -> None:
    (group,) = counted([a_job_event(timestamp_ns=NOW_NS + 3600 * 10**9)])

    assert group.start_s == NOW_NS // 10**9 // 60 * 60


def test_what_is_said_to_be_older_than_a_week_counts_as_a_week_old() -> None:
    (group,) = counted([a_job_event(timestamp_ns=0)])

    assert group.start_s == (NOW_NS - LATEST_NS) // 10**9 // 60 * 60


def test_what_is_no_event_is_counted_as_unreadable() -> None:
    (group,) = counted([b"{no event", b"\xff"])

    assert group.types == {UNREADABLE: 2}


def test_an_event_of_an_unknown_kind_is_counted_under_what_it_says() -> None:
    strange = {"category": "moon", "event_type": "rose", "timestamp_ns": 5, "wait_ms": "long"}

    (group,) = counted([msgspec.json.encode(strange)])

    assert group.types == {"moon.rose": 1}


@given(st.integers(0, 4 * 10**18))
def test_the_moment_of_storage_is_read_as_the_server_wrote_it(time_ns: int) -> None:
    text = moment(time_ns)
    short = text[:-1].rstrip("0").removesuffix(".") + "Z"

    assert stored_ns(text) == stored_ns(short) == nanoseconds_of(text) == time_ns


# Adding up


GROUPS = st.lists(
    st.builds(
        lambda minute, queue, worker, kind, durations: Group(
            minute * 60, queue, "f", worker, {kind: len(durations)}, wait=sketch_of(durations)
        ),
        st.integers(0, 200),
        st.sampled_from(["mail", "print", None]),
        st.sampled_from(["w1", "w2", None]),
        st.sampled_from(["job.started", "job.completed"]),
        st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    ),
    max_size=40,
)


def totals(groups: Iterable[Group]) -> tuple[dict[str, int], Sketch | None]:
    whole = Group(0)
    for group in groups:
        whole.merge(group)
    return whole.types, whole.wait


@given(GROUPS)
def test_hours_count_what_their_minutes_count(groups: list[Group]) -> None:
    minutes, hours = Tally(MINUTE.length_ns, most=1000), Tally(HOUR.length_ns, most=1000)
    minutes.merge(groups)
    hours.merge(minutes.groups)

    assert totals(hours.groups) == totals(groups)
    assert {group.start_s % 3600 for group in hours.groups} <= {0}


@given(GROUPS)
def test_the_view_of_jobs_counts_what_that_of_workers_counts(groups: list[Group]) -> None:
    rollup = Rollup("log", 1, 9, groups=groups)

    seen = rollup.seen(View.JOBS)

    assert totals(seen.groups) == totals(groups)
    assert {group.worker for group in seen.groups} <= {None}
    assert rollup.seen(View.WORKERS) is rollup


@given(GROUPS, st.integers(1_500, 20_000))
def test_a_rollup_is_stored_in_parts_that_fit_and_add_up_to_it(groups: list[Group], largest: int) -> None:
    rollup = Rollup("log", 1, 9, groups=groups)

    parts = encoded_parts(rollup, largest)

    decoded = [decode_rollup(part) for part in parts]
    assert max(map(len, parts)) <= largest
    assert {part.parts for part in decoded} == {len(parts)}
    assert totals(group for part in decoded for group in part.groups) == totals(groups)


def test_a_group_that_does_not_fit_is_stored_in_pieces() -> None:
    large = Group(60, "mail", wait=sketch_of(1.02**number for number in range(1000)), types={"job.started": 1000})

    parts = [decode_rollup(part) for part in encoded_parts(Rollup("log", 1, 9, groups=[large]), 3_000)]

    assert len(parts) > 3
    assert totals(group for part in parts for group in part.groups) == totals([large])


@pytest.mark.parametrize("data", [b"", b"{}", b'{"log": 5}', b"\xff", b"[" * 10_000])
def test_what_is_no_rollup_is_refused(data: bytes) -> None:
    with pytest.raises(SerializationError):
        decode_rollup(data)


# Bounds


def test_beyond_the_most_groups_workers_then_functions_are_counted_together_and_nothing_is_lost() -> None:
    tally = Tally(MINUTE.length_ns, most=100)

    for number in range(10_000):
        tally.at(NOW_NS, f"q{number % 5}", f"f{number % 400}", f"w{number}").count("job.started")

    groups = tally.groups
    assert len(groups) <= 151
    assert totals(groups)[0] == {"job.started": 10_000}
    assert {group.queue for group in groups} == {"q0", "q1", "q2", "q3", "q4"}
    assert any(group.worker == OTHERS for group in groups)
    assert any(group.function == OTHERS for group in groups)


def test_beyond_all_bounds_queues_are_counted_together_too() -> None:
    tally = Tally(MINUTE.length_ns, most=8)

    for number in range(1_000):
        tally.at(NOW_NS, f"q{number}", None, None).count("job.enqueued")

    assert len(tally.groups) <= 13
    assert totals(tally.groups)[0] == {"job.enqueued": 1_000}
    assert OTHERS in {group.queue for group in tally.groups}


def test_a_name_of_any_length_takes_little_room() -> None:
    long = "x" * 100_000
    tally = Tally(MINUTE.length_ns, most=8)

    for _ in range(3):
        tally.at(NOW_NS, "mail", long, long).count(long)

    (group,) = tally.groups
    assert sum(group.types.values()) == 3
    assert len(msgspec.json.encode(group)) < 1_000


def test_types_of_which_there_are_too_many_are_counted_together() -> None:
    group = Group(0)

    for number in range(1_000):
        group.count(f"odd.{number}")

    assert len(group.types) < 110
    assert sum(group.types.values()) == 1_000
