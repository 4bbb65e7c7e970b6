"""A file of events, played as it happened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from naq_runtime.clock import ManualClock
from naq_runtime.errors import ArchiveError, NotFound
from naq_runtime.events.archive import FORMAT_VERSION, ArchiveHeader, ArchiveWriter
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import Event
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_tui.app import NaqTop
from naq_tui.source import Batch, ConnectionState
from naq_tui.sources.replay import ReplaySource
from tests.tui import builders
from tests.tui.builders import job_event, worker_event

JOB = (
    job_event("enqueued", "job-1", "mail", ago_s=100),
    worker_event("started", "w-1", ago_s=99, hostname="host-a", pid=7, queue_names=("mail",), concurrency_limit=4),
    worker_event("heartbeat", "w-1", ago_s=98.9, active_jobs=1, running_job_ids=("job-1",)),
    job_event("completed", "job-1", "mail", ago_s=97, worker_id="w-1", duration_ms=900.0),
    job_event("started", "job-1", "mail", ago_s=98, worker_id="w-1"),
)
"""Stored in another order than it happened."""


def written(path: Path, events: Sequence[Event], *, cut: int = 0, stored_at: str = "") -> Path:
    header = ArchiveHeader(naq_events=FORMAT_VERSION, namespace="shop", version="0.1.0")
    messages = [
        StoredMessage(event_subject(Names("shop"), event), number, encode_event(event), stored_at)
        for number, event in enumerate((replace(event, event_id=f"e-{n}") for n, event in enumerate(events)), 1)
    ]
    with path.open("wb") as file:
        writer = ArchiveWriter(file, header, compress=False)
        writer.write(messages)
        writer.end(complete=True)
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])
    return path


async def played(source: ReplaySource, clock: ManualClock, *, step_s: float = 0.5) -> list[tuple[float, Batch]]:
    """All batches, with the seconds after which they came."""
    batches: list[tuple[float, Batch]] = []
    begun = clock.time_ns()
    async with source, asyncio.timeout(20):
        async for batch in source:
            batches.append(((clock.time_ns() - begun) / 1e9, batch))
            clock.advance(step_s)
    return batches


async def test_events_come_in_the_order_and_at_the_pace_in_which_they_happened(tmp_path: Path) -> None:
    clock = builders.clock()
    batches = await played(ReplaySource(written(tmp_path / "log", JOB), clock=clock), clock)

    came = [(at, str(stored.event.event_type)) for at, batch in batches for stored in batch.events]
    assert came == [(0, "enqueued"), (1, "started"), (1.5, "heartbeat"), (2, "started"), (3, "completed")]
    assert [batch.link.state for _, batch in batches[:-1]] == [ConnectionState.REPLAYING] * (len(batches) - 1)
    assert batches[-1][1].link.state is ConnectionState.ENDED


def many(number: int) -> list[Event]:
    """More than one page of them, half a second between them."""
    return [job_event("enqueued", f"job-{place}", "mail", ago_s=60 + (number - place) / 2) for place in range(number)]


@pytest.mark.parametrize("wrong_ns", [0, 2**63 - 1], ids=["1970", "2262"])
@pytest.mark.parametrize("place", [0, 500, 999, 1500])
async def test_an_event_of_a_wrong_time_does_not_hold_up_the_others(tmp_path: Path, wrong_ns: int, place: int) -> None:
    events = many(1_600)
    events[place] = replace(events[place], timestamp_ns=wrong_ns)
    clock = builders.clock()
    batches = await played(ReplaySource(written(tmp_path / "log", events), clock=clock), clock, step_s=30)

    assert sum(len(batch.events) for _, batch in batches) == 1_600
    assert 780 <= batches[-1][0] <= 960


async def test_nothing_happens_after_it_was_stored(tmp_path: Path) -> None:
    events = [replace(one, timestamp_ns=one.timestamp_ns + 10**18) for one in JOB]
    clock = builders.clock()
    source = ReplaySource(written(tmp_path / "log", events, stored_at="2025-10-09T08:00:00Z"), clock=clock)
    batches = await played(source, clock)

    assert [len(batch.events) for _, batch in batches] == [5, 0]
    assert source.time_of(0) == 1_759_996_800 * 10**9


async def test_a_silence_of_more_than_a_minute_is_passed_over(tmp_path: Path) -> None:
    clock = builders.clock()
    events = [job_event("enqueued", f"job-{ago_s}", "mail", ago_s=ago_s) for ago_s in (90_000, 89_950, 100, 99)]
    source = ReplaySource(written(tmp_path / "log", events), clock=clock)
    batches = await played(source, clock)

    assert [at for at, batch in batches if batch.events] == [0, 50, 50.5, 51.5]
    assert source.time_of(clock.time_ns()) >= events[-1].moment_ns


async def test_its_time_is_that_of_the_events(tmp_path: Path) -> None:
    clock = builders.clock()
    source = ReplaySource(written(tmp_path / "log", JOB), clock=clock)
    async with source:
        await anext(aiter(source))
        clock.advance(2)

        assert source.time_of(clock.time_ns()) == JOB[0].timestamp_ns + 2 * 10**9


async def test_workers_are_those_that_beat_and_leave_when_they_are_silent(tmp_path: Path) -> None:
    clock = builders.clock()
    last = job_event("enqueued", "job-2", "mail", ago_s=70)
    batches = await played(ReplaySource(written(tmp_path / "log", [*JOB, last]), clock=clock), clock)

    seen = [(at, batch.snapshot.workers) for at, batch in batches if batch.snapshot is not None]
    (record,) = next(workers for at, workers in seen if at >= 4)
    assert (record.worker_id, record.hostname, record.pid, record.active_jobs) == ("w-1", "host-a", 7, 1)
    assert (record.running_job_ids, record.jobs_completed) == (("job-1",), 1)
    assert next(workers for at, workers in seen if at > 17) == ()


async def workers_shown(path: Path, *, after_s: float) -> set[int]:
    """How many workers there were at each look from then on."""
    clock = builders.clock()
    batches = await played(ReplaySource(path, clock=clock), clock, step_s=2)
    return {len(batch.snapshot.workers) for at, batch in batches if batch.snapshot is not None and at > after_s}


async def test_a_worker_that_beats_seldom_stays(tmp_path: Path) -> None:
    beats = [worker_event("heartbeat", "w-1", ago_s=ago_s) for ago_s in range(300, 0, -30)]

    assert await workers_shown(written(tmp_path / "log", beats), after_s=32) == {1}


async def test_a_worker_that_was_held_up_once_is_not_waited_for_as_long_again(tmp_path: Path) -> None:
    beats = [worker_event("heartbeat", "w-1", ago_s=ago_s) for ago_s in (660, 655, 100, 95.1, 90.2)]
    rest = [job_event("enqueued", f"job-{ago_s}", "mail", ago_s=ago_s) for ago_s in range(650, 0, -50)]
    path = written(tmp_path / "log", sorted([*beats, *rest], key=lambda one: one.timestamp_ns))

    assert await workers_shown(path, after_s=590) == {0}


async def test_a_job_is_known_by_what_has_been_played_of_it(tmp_path: Path) -> None:
    clock = builders.clock()
    source = ReplaySource(written(tmp_path / "log", JOB), clock=clock)
    async with source:
        batches = aiter(source)
        await anext(batches)
        early = await source.questions.job("job-1")
        clock.advance(10)
        await anext(batches)
        late = await source.questions.job("job-1")
        with pytest.raises(NotFound):
            await source.questions.job("job-2")

    assert (early.status, late.status) == ("queued", "completed")
    assert [str(stored.event.event_type) for stored in late.events] == ["enqueued", "started", "completed"]


async def test_a_file_that_was_cut_off_is_played_as_far_as_it_goes_and_that_is_said(tmp_path: Path) -> None:
    clock = builders.clock()
    batches = await played(ReplaySource(written(tmp_path / "log", JOB, cut=60), clock=clock), clock)

    assert sum(len(batch.events) for _, batch in batches) == 4
    assert batches[-1][1].link.detail == "it was cut off behind 4 events; 1 lines are no events"


async def test_an_empty_recording_is_over_at_once(tmp_path: Path) -> None:
    clock = builders.clock()
    batches = await played(ReplaySource(written(tmp_path / "log", []), clock=clock), clock)

    assert [batch.link.state for _, batch in batches] == [ConnectionState.ENDED]


def test_what_is_no_recording_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("hello\n")

    with pytest.raises(ArchiveError, match="no file of events"):
        ReplaySource(tmp_path / "log")


async def test_ages_in_a_filter_are_counted_from_the_time_of_the_recording(tmp_path: Path) -> None:
    clock = ManualClock(builders.NOW_NS + 86_400 * 10**9)
    source = ReplaySource(written(tmp_path / "log", JOB), clock=clock)
    app = NaqTop(source=source, clock=clock, title="log", version="0.1.0")
    async with app.run_test(size=(120, 40)) as pilot:
        async with asyncio.timeout(20):
            while app.dashboard.link is None or app.dashboard.link.state is not ConnectionState.ENDED:
                clock.advance(0.2)
                await pilot.pause(0.05)
        app.advance()
        await pilot.press("slash", *"time>-1m")
        await pilot.pause()
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    assert "Events 5 of 5" in text


async def test_the_screen_shows_the_time_of_the_recording(tmp_path: Path) -> None:
    clock = ManualClock(builders.NOW_NS + 86_400 * 10**9)
    source = ReplaySource(written(tmp_path / "log", JOB), clock=clock)
    app = NaqTop(source=source, clock=clock, title="log", version="0.1.0")
    async with app.run_test(size=(120, 40)) as pilot:
        async with asyncio.timeout(20):
            while app.dashboard.link is None or app.dashboard.link.state is not ConnectionState.ENDED:
                clock.advance(0.2)
                await pilot.pause(0.05)
        app.advance()
        await pilot.pause()
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())

    assert "end of the recording" in text
    assert "nats" not in text  # its version is not known: that of the file is ours
    assert "✓ completed" in text
    assert "w-1" in text
