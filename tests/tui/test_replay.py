"""A file of events, played as it happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import zstandard
from msgspec.structs import replace

from naq_runtime.clock import ManualClock
from naq_runtime.errors import ArchiveError, NotFound
from naq_runtime.events.archive import FORMAT_VERSION, ArchiveHeader, ArchiveWriter
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import Event, JobEvent, StoredEvent
from naq_runtime.naming import Names
from naq_runtime.nats.direct import StoredMessage
from naq_tui.app import NaqTop
from naq_tui.past import Place
from naq_tui.source import Batch, ConnectionState
from naq_tui.sources.file_pages import FilePages
from naq_tui.sources.file_past import FileRecording
from naq_tui.sources.playback import Playback
from naq_tui.sources.playback_questions import PlaybackQuestions
from naq_tui.sources.replay import ReplaySource
from tests.support.waiting import eventually
from tests.tui import builders
from tests.tui.builders import job_event, schedule_event, worker_event

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
    async with source, aclosing(aiter(source)) as batches:
        await anext(batches)
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
    assert batches[-1][1].link.detail == "it was cut off behind 4 events; 1 line is no event"


async def test_an_empty_recording_is_over_at_once(tmp_path: Path) -> None:
    clock = builders.clock()
    batches = await played(ReplaySource(written(tmp_path / "log", []), clock=clock), clock)

    assert [batch.link.state for _, batch in batches] == [ConnectionState.REPLAYING, ConnectionState.ENDED]


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

        def text() -> str:
            return "\n".join(strip.text for strip in app.screen._compositor.render_strips())

        await eventually(lambda: "Events 5 of 5" in text())


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
    assert text.partition("\n")[0].count("log") == 1
    assert "nats" not in text  # its version is not known: that of the file is ours
    assert "✓ completed" in text
    assert "w-1" in text


class TestGoingElsewhere:
    """A file is read from any moment on, packed or not."""

    @pytest.fixture(params=["plain", "packed"])
    def path(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        events = [job_event("enqueued", f"job-{n:05}", "mail", ago_s=6_000 - n) for n in range(5_000)]
        events[3_000] = job_event("failed", "job-02999", "mail", ago_s=3_000)
        path = written(tmp_path / "log", events)
        lines = path.read_bytes().splitlines(keepends=True)
        lines.insert(1_234, b"this is no event\n")
        whole = b"".join(lines)
        path.write_bytes(whole if request.param == "plain" else zstandard.compress(whole))
        return path

    @pytest.mark.parametrize("ago_s", [5_990.5, 5_300.5, 3_000.5, 1_001.5])
    async def test_every_event_is_told_once_from_any_moment_to_the_end(self, path: Path, ago_s: float) -> None:
        clock = builders.clock()
        place = Place(builders.NOW_NS - int(ago_s * 10**9))
        told: list[int] = []
        async with Playback(FileRecording(path), place, speed=100, clock=clock) as playback, asyncio.timeout(20):
            async for batch in playback:
                told += [stored.sequence for stored in (*batch.earlier, *batch.events)]
                clock.advance(1)
                playback._woken.set()

        begin = min(told)
        assert sorted(told) == list(range(begin, 5_001))
        assert begin <= max(1, 6_000 - int(ago_s) - 600)

    async def test_it_is_known_how_much_there_was_when(self, path: Path) -> None:
        past = FileRecording(path)
        span = await past.span()
        density = await past.density(span, 10)

        assert span == (builders.NOW_NS - 6_000 * 10**9, builders.NOW_NS - 1_001 * 10**9)
        assert sum(density.events) in (4_999, 5_000)
        assert [part for part, count in enumerate(density.failures) if count] == [6]

    async def test_a_job_is_found_wherever_it_is_in_the_file(self, path: Path) -> None:
        past = FileRecording(path)
        then = await past.job("job-02999", Place(builders.NOW_NS - 3_001 * 10**9))
        later = await past.job("job-02999", Place(builders.NOW_NS))
        with pytest.raises(NotFound):
            await past.job("job-99999", Place(builders.NOW_NS))

        assert (then.status, later.status) == ("queued", "failed")

    async def test_the_monitor_goes_to_a_moment_of_the_file_and_steps_back(self, path: Path) -> None:
        app = NaqTop(source=ReplaySource(path), title="log", begin_at="10m")

        def shown() -> str:
            return app.screen._compositor.render_strips()[0].text

        async with app.run_test(size=(120, 40)) as pilot:
            await eventually(lambda: "◂◂ at 08:33:19" in shown())
            await pilot.press("left_square_bracket")
            await eventually(lambda: "◂◂ at 08:33:1" in shown() and "×0" in shown())
            end = app.dashboard.log.end
            await pilot.press("L")

            assert app.travel.in_past
            assert end > 0


async def test_the_middle_of_a_silence_that_one_went_to_is_shown(tmp_path: Path) -> None:
    clock = builders.clock()
    events = [job_event("enqueued", f"job-{ago_s}", "mail", ago_s=ago_s) for ago_s in (900, 600, 100)]
    place = Place(builders.NOW_NS - 300 * 10**9)
    async with Playback(FileRecording(written(tmp_path / "log", events)), place, clock=clock) as playback:
        batches = aiter(playback)
        await anext(batches)
        clock.advance(5)
        playback._woken.set()
        await anext(batches)

        assert playback.time_of(clock.time_ns()) == place.moment_ns + 5 * 10**9


async def test_a_file_behind_itself_is_played_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "log", JOB)
    path.write_bytes(path.read_bytes() * 2)
    clock = builders.clock()
    batches = await played(ReplaySource(path, clock=clock), clock)

    assert sum(len(batch.events) for _, batch in batches) == 10
    assert "it goes on behind its end" in batches[-1][1].link.detail


@pytest.mark.parametrize("wrong_ns", [0, 2**63 - 1], ids=["1970", "2262"])
async def test_events_of_a_wrong_time_do_not_lead_elsewhere(tmp_path: Path, wrong_ns: int) -> None:
    events = many(5_000)
    for place in (3, 600, 601, 1_200):
        events[place] = replace(events[place], timestamp_ns=wrong_ns)
    moment = Place(events[4_399].moment_ns)
    async with Playback(FileRecording(written(tmp_path / "log", events)), moment, speed=0) as playback:
        first = await anext(aiter(playback))

    jobs = [getattr(stored.event, "job_id", "") for stored in first.events]
    assert jobs[-1] == "job-4399"
    assert 500 <= len(jobs) <= 2_000  # not all of the file is read for it


async def test_going_back_while_the_file_is_looked_through_finds_all_of_it(tmp_path: Path) -> None:
    past = FileRecording(written(tmp_path / "log", many(30_000)))
    async with Playback(past, Place(past.first_ns or 0)) as beginning:
        await anext(aiter(beginning))
    async with Playback(past, Place(builders.NOW_NS - 61 * 10**9), speed=0) as end:
        first = await anext(aiter(end))

    assert getattr(first.events[-1].event, "job_id", "") == "job-29998"


async def test_the_failures_of_a_file_are_found_far_from_the_moment_and_none_behind_it(tmp_path: Path) -> None:
    kinds = {3_500: "timed_out", 2_000: "failed", 900: "timed_out", 100: "failed"}
    failing = [job_event(kind, f"job-{ago_s}", "mail", ago_s=ago_s) for ago_s, kind in kinds.items()]
    past = FileRecording(written(tmp_path / "log", failing))
    place = Place(builders.NOW_NS - 500 * 10**9)

    told = await PlaybackQuestions(past, place).failures(builders.NOW_NS - 3_000 * 10**9)

    assert [stored.event.job_id for stored in told if isinstance(stored.event, JobEvent)] == ["job-2000", "job-900"]


async def test_the_schedules_of_a_file_are_known_by_their_events(tmp_path: Path) -> None:
    made = schedule_event("scheduled", ago_s=90, queue_name="mail", function_name="shop.mail.send", interval=60.0)
    paused = schedule_event("schedule_paused", ago_s=50, queue_name="mail", function_name="shop.mail.send")
    past = FileRecording(written(tmp_path / "log", [*JOB, made, paused]))

    then = await Playback(past, Place(builders.NOW_NS - 60 * builders.SECOND)).questions.schedule("nightly")

    assert (then.schedule.state, then.schedule.every_ns) == ("active", 60 * builders.SECOND)


async def test_the_alerts_of_a_file_are_known_as_of_a_moment_wherever_they_are_in_it(tmp_path: Path) -> None:
    mail: dict[str, Any] = {"labels": {"queue": "mail"}, "since_ns": builders.NOW_NS - 2_900 * builders.SECOND}
    fired = builders.alert_event(ago_s=2_880, **mail)
    seen = builders.alert_event("alert_acknowledged", ago_s=1_000, by="ada", **mail)
    over = builders.alert_event("alert_resolved", ago_s=20, **mail)
    past = FileRecording(written(tmp_path / "log", [over, *many(1_200), seen, fired]))

    def known(ago_s: int) -> Awaitable[Sequence[StoredEvent]]:
        return past.alerts(builders.NOW_NS - ago_s * builders.SECOND)

    told = {ago_s: await known(ago_s) for ago_s in (2_890, 1_100, 900, 10)}

    assert {ago_s: {one.event.event_type for one in stored} for ago_s, stored in told.items()} == {
        2_890: set(),
        1_100: {"alert_firing"},
        900: {"alert_firing", "alert_acknowledged"},
        10: {"alert_firing", "alert_acknowledged", "alert_resolved"},
    }


async def test_a_file_without_alerts_is_not_searched_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    past = FileRecording(written(tmp_path / "log", JOB))
    searched = []
    monkeypatch.setattr(FilePages, "naming", lambda _, text: searched.append(text))

    assert (list(await past.alerts(builders.NOW_NS)), searched) == ([], [])
