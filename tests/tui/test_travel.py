"""Going to the past and back, seen on the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.models import Event
from naq_tui.model.log import EventLog
from naq_tui.past import Place, Span
from naq_tui.sources.recorded_past import MemoryRecording
from naq_tui.travel import before, window
from naq_tui.widgets.moment_bar import MomentInput
from naq_tui.widgets.scrubber import Scrubber
from tests.support.waiting import eventually
from tests.tui import builders
from tests.tui.builders import NOW_NS, SECOND, batch, job_event, snapshot, stored
from tests.tui.harness import Watched, watching
from tests.tui.test_hostile import HOSTILE, NEVER

STORY = (
    job_event("enqueued", "job-1", "mail", ago_s=600),
    job_event("started", "job-1", "mail", ago_s=400, worker_id="w-1"),
    job_event("failed", "job-1", "mail", ago_s=300, worker_id="w-1", error_type="RelayRefused", final=True),
    job_event("enqueued", "job-2", "mail", ago_s=200),
    job_event("started", "job-2", "mail", ago_s=100, worker_id="w-1"),
)


@asynccontextmanager
async def with_past(*events: Event, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Watched]:
    """The monitor of a source that keeps these events."""
    kept = stored(events or STORY)
    async with watching(batch(*(one.event for one in kept[-2:]), snapshot=snapshot()), size=size) as watched:
        watched.source.past = MemoryRecording(kept, server=builders.server(), until_ns=NOW_NS)
        yield watched


async def go_to(watched: Watched, text: str) -> None:
    """Type a moment, and see it."""
    shown = watched.app.travel.shown
    await watched.press("t")
    await watched.write(text)
    await watched.press("enter")
    await eventually(lambda: watched.app.travel.shown is not shown)
    await filled(watched)


async def filled(watched: Watched) -> None:
    """Everything of the moment is there, its time line, too."""
    await watched.settle()
    playback = watched.app.travel.playback
    assert playback is not None
    await eventually(lambda: playback._is_filled and not watched.app.travel.lacks_density)
    await watched.settle()


async def press(watched: Watched, key: str) -> None:
    """Press a key that leads to another moment, or moves this one."""
    await watched.press(key)
    await filled(watched)


def told(watched: Watched) -> list[str]:
    """What was said in passing."""
    return [one.message for one in watched.app._notifications]


async def test_a_moment_is_shown_as_it_was_and_marked_as_the_past() -> None:
    async with with_past() as watched:
        await go_to(watched, "-350s")

        assert "◂◂ at 08:54:10 ×1" in watched.line_with("◂◂")
        assert [line.split()[2] for line in watched.events()] == ["enqueued", "started"]
        assert "2025-10-09" in watched.lines[0]
        assert "●" not in watched.lines[0]
        assert "┏" in watched.text or "╔" in watched.text
        assert "▲ 08:54:10" in watched.text


async def test_ages_in_a_filter_count_from_the_moment_that_is_on_show() -> None:
    async with with_past() as watched:
        await watched.press("slash")
        await watched.write("time>-220s")
        await watched.press("enter")
        now = [line.split()[2] for line in watched.events()]
        await go_to(watched, "-350s")
        then = [line.split()[2] for line in watched.events()]

    assert now == ["enqueued", "started"]
    assert then == ["started"]


async def test_back_in_the_present_nothing_of_it_was_missed() -> None:
    async with with_past() as watched:
        await go_to(watched, "-350s")
        await watched.feed(batch(job_event("completed", "job-2", "mail", worker_id="w-1"), first=6))
        then = watched.text
        await watched.press("L")
        await watched.settle()

        assert "✓ completed" not in then
        assert "✓ completed" in watched.text
        assert "● live" in watched.lines[0]
        assert not watched.app.screen.query(Scrubber)
        assert "◂◂" not in watched.text


async def test_it_plays_on_and_stands_still_and_goes_faster() -> None:
    async with with_past() as watched:
        await go_to(watched, "-401s")
        await watched.pass_time(2)
        await eventually(lambda: len(watched.app.dashboard.log.between(0, 9)) == 2)
        await watched.press("p")
        await watched.pass_time(5)
        still = watched.lines[0]
        await watched.press("full_stop", "full_stop")
        await watched.settle()

        assert "◂◂ at 08:53:21.000 ‖ ×0" in still
        assert "◂◂ at 08:53:21 ×10" in watched.lines[0]


async def test_a_step_back_and_a_step_on_are_one_event_each() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        steps = []
        for key in ("left_square_bracket", "left_square_bracket", "right_square_bracket"):
            await press_and_see(watched, key, events=len(watched.events()))
            await filled(watched)
            steps.append(([line.split()[2] for line in watched.events()], watched.lines[0].split("◂◂ at ")[1][:8]))

    assert steps == [
        (["enqueued", "started", "failed"], "08:55:00"),
        (["enqueued", "started"], "08:53:20"),
        (["enqueued", "started", "failed"], "08:55:00"),
    ]


async def press_and_see(watched: Watched, key: str, *, events: int) -> None:
    """Press a key, and see other events, or another moment."""
    moment = watched.lines[0].split("◂◂ at ")[1][:8]

    def has_moved() -> bool:
        watched.app.paint()
        return len(watched.events()) != events or watched.lines[0].split("◂◂ at ")[1][:8] != moment

    await watched.press(key)
    await eventually(has_moved)


async def test_a_second_back_and_on() -> None:
    async with with_past() as watched:
        await go_to(watched, "-399s")
        shown = watched.app.travel.shown
        await watched.press("left_curly_bracket", "left_curly_bracket")
        await eventually(lambda: watched.app.travel.shown is not shown and watched.app.travel._coming is None)
        await filled(watched)
        back = watched.lines[0]
        await press(watched, "right_curly_bracket")

        assert "◂◂ at 08:53:2" in back or "◂◂ at 08:53:19" in back
        assert "‖ ×0" in back


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nonsense", "expected a time such as -10m, 14:02 or 2026-11-27T14:02"),
        ("+10m", "that is still to come"),
        ("-10x", "expected a duration with its unit"),
    ],
)
async def test_where_nobody_can_go_is_said_and_can_be_typed_anew(text: str, complaint: str) -> None:
    async with with_past() as watched:
        await watched.press("t")
        await watched.write(text)
        await watched.press("enter")
        await eventually(lambda: complaint in watched.text)
        typed = watched.line_with("◂◂ go to")
        await watched.press("escape")
        await watched.settle()

        assert text in typed
        assert "◂◂" not in watched.text
        assert watched.app.travel.playback is None


async def test_before_the_first_event_it_is_the_first_event_and_says_so() -> None:
    async with with_past() as watched:
        await go_to(watched, "-3d")

        assert "◂◂ at 08:50:00" in watched.lines[0]
        assert [line.split()[2] for line in watched.events()] == ["enqueued"]
        assert told(watched) == ["Nothing is kept from before 08:50:00: this is the beginning."]


async def test_with_nothing_kept_it_says_so() -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.press("t")
        await watched.write("-1m")
        await watched.press("enter")

        await eventually(lambda: "nothing is known of the past yet" in watched.text)


async def test_without_a_connection_it_says_so() -> None:
    async with with_past() as watched:
        past = watched.source.past
        assert isinstance(past, MemoryRecording)
        past.trouble = ServerUnreachable("nobody answers")
        await watched.press("t")
        await watched.write("-1m")
        await watched.press("enter")

        await eventually(lambda: "nobody answers" in watched.text)


async def test_caught_up_with_the_present_it_is_live_again_and_says_so() -> None:
    async with with_past() as watched:
        await go_to(watched, "-50s")
        await watched.press("full_stop", "full_stop")
        await watched.pass_time(2)
        await eventually(lambda: not watched.app.travel.in_past)
        await watched.settle()

        assert "● live" in watched.lines[0]
        assert told(watched) == ["The past has caught up with the present."]


async def test_a_job_that_is_open_follows_through_time() -> None:
    async with with_past() as watched:
        await go_to(watched, "-350s")
        await watched.press("enter")
        await eventually(lambda: "running" in watched.text)
        then = watched.text
        await watched.press("L")
        await watched.settle()
        await eventually(lambda: "nothing is known of this job" in watched.text or "failed" in watched.text)

        assert "RelayRefused" not in then


async def test_a_filter_stays_and_finds_what_was_there_then() -> None:
    async with with_past() as watched:
        await watched.press("slash")
        await watched.write("job:job-1")
        await watched.press("enter")
        now = watched.text
        await go_to(watched, "-150s")

        assert "0 of 2" in now
        assert [line.split()[2] for line in watched.events()] == ["enqueued", "started", "failed"]
        assert "3 of 4" in watched.text


async def test_of_alerts_of_the_past_nothing_is_claimed() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        await watched.press("a")
        await watched.settle()
        assert "no event tells of an alert up to then" in watched.text
        assert "no rules" not in watched.text


async def test_alerts_of_the_past_are_those_that_fired_then() -> None:
    mail: dict[str, Any] = {
        "rule": "failed_rate > 5%",
        "labels": {"queue": "mail"},
        "value": 0.12,
        "severity": "critical",
    }
    events = (
        job_event(ago_s=450),
        builders.alert_event(ago_s=400, **mail),
        builders.alert_event("alert_resolved", ago_s=200, **mail),
        builders.alert_event(alert="later", ago_s=100, rule="depth > 9"),
        job_event(ago_s=50),
    )
    async with with_past(*events) as watched:
        await go_to(watched, "-250s")
        assert "⚑ 1 critical" in watched.text
        await watched.press("a")
        await watched.settle()
        firing = watched.line_with("mail-failures")
        assert "⚑ firing" in firing
        assert "12 %" in firing
        assert "later" not in watched.text

        await watched.press("a")
        await go_to(watched, "-150s")
        await watched.press("a")
        await watched.settle()
        assert "✓ ok" in watched.line_with("mail-failures")


async def test_who_cared_for_an_alert_of_the_past_is_known_from_then_on_and_until_it_is_over() -> None:
    events: list[Event] = [job_event(ago_s=450)]
    for fired_s, seen_s, by, over_s in ((400, 350, "ada", 300), (200, 150, "eve", None)):
        fields: dict[str, Any] = {"labels": {"queue": "mail"}, "since_ns": NOW_NS - fired_s * SECOND}
        events.append(builders.alert_event(ago_s=fired_s, **fields))
        events.append(builders.alert_event("alert_acknowledged", ago_s=seen_s, by=by, **fields))
        if over_s:
            events.append(builders.alert_event("alert_resolved", ago_s=over_s, **fields))
    async with with_past(*events, job_event(ago_s=50)) as watched:
        said = {}
        for moment in ("-375s", "-325s", "-175s", "-125s"):
            await go_to(watched, moment)
            await watched.press("a")
            await watched.settle()
            row = watched.line_with("mail-failures")
            said[moment] = "⚑ firing" in row, row.partition("seen by ")[2].split(" ")[0]
            await watched.press("escape")

    assert said == {
        "-375s": (True, ""),
        "-325s": (True, "ada"),
        "-175s": (True, ""),
        "-125s": (True, "eve"),
    }


async def test_an_alert_of_the_present_is_told_of_as_such() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        await watched.feed(batch(builders.alert_event()))
        assert [toast.title for toast in watched.app._notifications] == ["⚑ mail-failures now"]


async def test_what_failed_later_is_not_among_the_failures_of_a_moment() -> None:
    story = ((400, "RelayRefused"), (300, "RelayRefused"), (200, "BoxFull"), (100, "BoxFull"))
    failures = [
        job_event("failed", f"job-{number}", "mail", ago_s=ago_s, error_type=error, final=True)
        for number, (ago_s, error) in enumerate(story)
    ]
    async with with_past(*failures) as watched:
        await watched.press("3", "F")
        await eventually(lambda: "BoxFull" in watched.text)
        await go_to(watched, "-250s")
        await eventually(lambda: "Failures 2 for 1 reason" in watched.text)
        assert "RelayRefused" in watched.text
        assert "BoxFull" not in watched.text


async def test_what_was_frozen_is_not_frozen_in_the_past() -> None:
    async with with_past() as watched:
        await watched.press("p")
        await go_to(watched, "-250s")

        assert not watched.app.frozen
        assert "frozen" not in watched.text


async def test_the_keys_of_the_past_do_nothing_in_the_present() -> None:
    async with with_past() as watched:
        await watched.press("left_square_bracket", "full_stop", "L", "left", "right_parenthesis")
        await watched.settle()

        assert "● live" in watched.lines[0]


async def test_the_time_line_shows_failures_and_a_click_goes_there() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        failures = watched.lines[4]
        shown = watched.app.travel.shown
        scrubber = watched.app.screen.query_one(Scrubber)
        density = watched.app.travel.density
        assert density is not None
        await watched.pilot.click(Scrubber, offset=(scrubber.parts // 2, 1))
        await eventually(lambda: watched.app.travel.shown is not shown)
        await filled(watched)

        assert sum(count or 0 for count in density.failures) == 1
        assert failures.count("✗") == 1
        assert sum(density.events) == 5
        assert "◂◂ at 08:54:5" in watched.lines[0]


async def test_a_key_goes_from_the_highest_bar_to_the_next_highest_and_around() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        density = watched.app.travel.density
        assert density is not None
        peaks, seen = density.peaks(), []
        for _ in range(len(peaks) + 1):
            before = watched.app.travel.shown
            await watched.press("circumflex_accent")
            await eventually(partial(lambda shown: watched.app.travel.shown is not shown, before))
            seen.append(watched.app.travel.shown.now_ns())

        assert len(peaks) > 1
        assert all(0 <= at - peak < density.bucket_ns for at, peak in zip(seen, [*peaks, peaks[0]], strict=True))


async def test_an_arrow_is_one_bar_of_the_time_line() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        density, shown = watched.app.travel.density, watched.app.travel.shown
        assert density is not None
        before_ns = shown.now_ns()
        await watched.press("left")
        await eventually(lambda: watched.app.travel.shown is not shown)

        assert watched.app.travel.shown.now_ns() == before_ns - density.bucket_ns


async def test_the_other_arrow_is_one_bar_on() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        density, shown = watched.app.travel.density, watched.app.travel.shown
        assert density is not None
        before_ns = shown.now_ns()
        await watched.press("right")
        await eventually(lambda: watched.app.travel.shown is not shown)

        assert watched.app.travel.shown.now_ns() == before_ns + density.bucket_ns


async def test_parentheses_show_a_shorter_time_line_and_a_longer_one() -> None:
    async with with_past(job_event(ago_s=4_000), *STORY) as watched:
        await go_to(watched, "-250s")
        lengths = []
        for key in ("", "left_parenthesis", "right_parenthesis"):
            if key:
                await watched.press(key)
                await filled(watched)
            density = watched.app.travel.density
            assert density is not None
            lengths.append(density.until_ns - density.since_ns)

        assert lengths[0] == lengths[2] > lengths[1]


async def test_dots_and_commas_play_faster_and_slower() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        playback = watched.app.travel.playback
        assert playback is not None
        speeds = [playback.speed]
        for key in ("full_stop", "full_stop", "full_stop", "comma", "comma", "comma", "comma"):
            await watched.press(key)
            speeds.append(playback.speed)

        assert speeds == [1, 10, 100, 100, 10, 1, 0, 0]


async def test_moments_that_one_went_to_are_recalled() -> None:
    async with with_past() as watched:
        for moment in ("-250s", "-150s"):
            await go_to(watched, moment)
        await watched.press("t", "up", "up", "down", "up")
        bar = watched.app.screen.query_one(MomentInput)
        recalled = bar.value
        await watched.press("down", "down", "escape")
        await watched.settle()

        assert (recalled, bar.value, watched.app.travel.in_past) == ("-250s", "", True)


async def test_every_view_is_marked_and_turns_back() -> None:
    async with with_past() as watched:
        await go_to(watched, "-250s")
        await watched.press("6")
        await watched.settle()
        there = watched.text
        await watched.press("L")
        await watched.settle()

        assert "◂◂ at" in there
        assert "▲ 08:5" in there
        assert "no schedules" in there
        assert "◂◂" not in watched.text


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_on_small_screens_the_moment_and_the_time_line_are_there(size: tuple[int, int]) -> None:
    async with with_past(size=size) as watched:
        await go_to(watched, "-250s")

        assert "◂◂ at 08:55:50 ×1" in watched.lines[0]
        assert "▲ 08:55:50" in watched.lines[4]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable()][:4])
async def test_hostile_text_is_inert_there_too(text: str) -> None:
    async with with_past(job_event("failed", "job-1", text, error_type=text, ago_s=90)) as watched:
        await go_to(watched, "-60s")

        assert not NEVER & set(watched.text.replace("\n", ""))


class TestThePlaceBefore:
    def log(self, *ago_s: float) -> EventLog:
        log = EventLog()
        log.extend(stored(job_event(ago_s=one) for one in ago_s), len(ago_s))
        return log

    def test_of_a_moment_behind_the_last_event_it_is_that_event(self) -> None:
        assert before(self.log(30, 20), Place(NOW_NS)) == Place(NOW_NS - 20 * SECOND, 2)

    def test_of_an_event_that_is_shown_it_is_the_one_before(self) -> None:
        assert before(self.log(30, 20), Place(NOW_NS - 20 * SECOND)) == Place(NOW_NS - 30 * SECOND, 1)
        assert before(self.log(30, 20), Place(NOW_NS - 20 * SECOND, 2)) == Place(NOW_NS - 30 * SECOND, 1)

    def test_of_the_first_one_there_is_none(self) -> None:
        assert before(self.log(30), Place(NOW_NS - 30 * SECOND, 1)) is None


class TestTheTimeAround:
    @pytest.mark.parametrize(
        ("moment", "expected"), [(500, (400, 600)), (10, (0, 200)), (990, (800, 1000)), (1000, (800, 1000))]
    )
    def test_it_is_moved_into_what_is_kept(self, moment: int, expected: tuple[int, int]) -> None:
        assert window(moment, 200, Span(0, 1000)) == expected

    def test_it_is_no_longer_than_what_is_kept(self) -> None:
        assert window(50, 200, Span(0, 100)) == (0, 100)
