"""The drill-down: one job, from its first event to its last."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.errors import NotFound, ServerUnreachable
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.pages.blocks import lay_out
from naq_tui.pages.job import Around, job_page
from naq_tui.pages.phases import phases
from naq_tui.pages.timeline import timeline
from naq_tui.screens.job import JobScreen
from naq_tui.source import ConnectionState
from naq_tui.widgets.document import Document
from naq_tui.widgets.flow import width_of
from tests.tui.builders import NOW_NS, SECOND, batch, job_event, link, page_lines, stored, worker_event
from tests.tui.harness import watching

RUNNING = (
    job_event("enqueued", "job-1", "mail", ago_s=10, function_name="shop.mail.send"),
    job_event("started", "job-1", "mail", ago_s=8, function_name="shop.mail.send", worker_id="w-1", wait_ms=2000.0),
)
DONE = (*RUNNING, job_event("completed", "job-1", "mail", ago_s=3, worker_id="w-1", duration_ms=5000.0))
RETRIED = (
    job_event("enqueued", "job-1", ago_s=60),
    job_event("started", "job-1", ago_s=58, worker_id="w-1"),
    job_event("failed", "job-1", ago_s=50, worker_id="w-1", final=False, error_type="OSError"),
    job_event("started", "job-1", ago_s=20, worker_id="w-2", attempt=2),
    job_event("failed", "job-1", ago_s=10, worker_id="w-2", attempt=2, final=True, error_type="OSError"),
)
TRACEBACK = """\
Traceback (most recent call last):
  File "a.py", line 1, in f
    x["name"]
KeyError: 'name'
"""


def detail(status: JobStatus = JobStatus.COMPLETED, *, events: tuple[Any, ...] = DONE, **fields: Any) -> JobDetail:
    return JobDetail(job_id="job-1", status=status, events=stored(events), **fields)


def page(of: JobDetail, width: int = 100, **around: Any) -> str:
    return "\n".join(page_lines(job_page(of, width, NOW_NS, Around(**around)), width))


def test_a_job_that_was_cancelled_and_runs_on_says_so() -> None:
    assert "▸ running  ⊘ told to end" in page(detail(JobStatus.RUNNING, events=RUNNING, is_ending=True))
    assert "told" not in page(detail(JobStatus.RUNNING, events=RUNNING))


async def test_when_something_was_done_to_a_job_it_is_asked_for_again_though_no_event_has_come() -> None:
    async with watching(batch(*RUNNING)) as watched:
        await watched.press("enter")
        await watched.settle()
        screen = watched.app.screen
        assert isinstance(screen, JobScreen)
        watched.source.questions.jobs["job-1"] = detail(JobStatus.RUNNING, events=RUNNING, is_ending=True)

        screen.acted(("job-1",))
        await watched.pass_time(1)
        await watched.settle()

        assert "told to end" in watched.text


class TestOpening:
    async def test_enter_on_an_event_opens_its_job_and_escape_goes_back(self) -> None:
        async with watching(batch(*DONE)) as watched:
            await watched.press("enter")
            await watched.settle()
            assert watched.source.questions.asked == ["job-1"]
            assert "Job job-1" in watched.lines[2]
            assert "✓ completed" in watched.text
            assert "shop.mail.send" in watched.text
            await watched.press("escape")
            assert "Events 3" in watched.text

    async def test_it_is_the_job_under_the_cursor(self) -> None:
        async with watching(batch(job_event(job_id="first"), job_event(job_id="second"))) as watched:
            await watched.press("k", "enter")
            assert watched.source.questions.asked == ["first"]

    async def test_an_event_of_no_job_opens_nothing(self) -> None:
        async with watching(batch(worker_event())) as watched:
            await watched.press("enter")
            assert watched.source.questions.asked == []
            assert "Events 1" in watched.text

    async def test_a_double_click_opens_it_too(self) -> None:
        async with watching(batch(*DONE)) as watched:
            await watched.pilot.double_click("#feed", offset=(10, 1))
            await watched.settle()
            assert "Job job-1" in watched.lines[2]

    async def test_a_job_that_nobody_knows_is_said(self) -> None:
        async with watching(batch(*DONE)) as watched:
            watched.source.questions.jobs["job-1"] = NotFound("no job job-1")
            await watched.press("enter")
            await watched.settle()
            assert "nothing is known of this job: no job job-1" in watched.text

    async def test_a_server_that_cannot_be_asked_is_said(self) -> None:
        async with watching(batch(*DONE)) as watched:
            watched.source.questions.jobs["job-1"] = ServerUnreachable("nothing answers")
            await watched.press("enter")
            await watched.settle()
            assert "the server cannot be asked for it now: nothing answers" in watched.text


class TestStayingUpToDate:
    async def test_an_event_of_the_job_asks_again(self) -> None:
        async with watching(batch(*RUNNING)) as watched:
            await watched.press("enter")
            await watched.settle()
            assert "▸ running" in watched.text
            await watched.pass_time(1)
            await watched.feed(batch(*DONE[2:], first=3))
            assert "✓ completed" in watched.text
            assert watched.source.questions.asked == ["job-1", "job-1"]

    async def test_events_of_other_jobs_do_not(self) -> None:
        async with watching(batch(*RUNNING)) as watched:
            await watched.press("enter")
            await watched.settle()
            await watched.pass_time(1)
            await watched.feed(batch(job_event(job_id="other")))
            assert watched.source.questions.asked == ["job-1"]

    async def test_it_asks_at_most_twice_a_second(self) -> None:
        async with watching(batch(*RUNNING)) as watched:
            await watched.press("enter")
            await watched.settle()
            for number in range(5):
                await watched.feed(batch(job_event("result_stored", "job-1"), first=10 + number))
            assert len(watched.source.questions.asked) == 1
            await watched.pass_time(0.6)
            assert len(watched.source.questions.asked) == 2

    async def test_the_bar_of_a_running_job_grows(self) -> None:
        async with watching(batch(*RUNNING)) as watched:
            await watched.press("enter")
            await watched.settle()
            assert "█▸     8.00 s" in watched.text
            await watched.pass_time(2)
            assert "█▸    10.00 s" in watched.text

    async def test_while_frozen_it_stands_still(self) -> None:
        async with watching(batch(*RUNNING)) as watched:
            await watched.press("enter")
            await watched.settle()
            await watched.press("p")
            await watched.pass_time(2)
            await watched.feed(batch(*DONE[2:], first=3))
            assert "▸ running" in watched.text
            await watched.press("p")
            assert "✓ completed" in watched.text

    async def test_the_place_on_the_page_stays(self) -> None:
        long = detail(result=JobResult(job_id="job-1", status=JobStatus.COMPLETED, result=list(range(200))))
        async with watching(batch(*DONE), jobs={"job-1": long}, size=(80, 24)) as watched:
            await watched.press("enter")
            await watched.settle()
            await watched.press("pagedown", "j")
            top = watched.app.screen.query_one(Document).viewport.top
            assert top > 10
            await watched.pass_time(1)
            await watched.feed(batch(job_event("result_stored", "job-1"), first=9))
            assert watched.app.screen.query_one(Document).viewport.top == top

    async def test_the_link_is_shown_here_too(self) -> None:
        async with watching(batch(*DONE)) as watched:
            await watched.press("enter")
            await watched.feed(batch(link=link(ConnectionState.RECONNECTING, since_s=7)))
            assert "○ reconnecting 7 s" in watched.lines[0]


class TestPage:
    def test_a_result_is_shown_as_json(self) -> None:
        result = JobResult(job_id="job-1", status=JobStatus.COMPLETED, result={"rows": 3, "ok": True})

        assert '{"rows": 3, "ok": true}' in page(detail(result=result))

    def test_a_result_too_long_for_a_line_is_indented(self) -> None:
        result = JobResult(job_id="job-1", status=JobStatus.COMPLETED, result={"rows": ["x" * 30] * 5})

        assert '    "rows": [\n' in page(detail(result=result))

    def test_arguments_are_shown(self) -> None:
        job = Job("shop.mail.send", args=(7, "ada"), kwargs={"urgent": True}, queue_name="mail", job_id="job-1")

        assert '[7, "ada"]\n  {"urgent": true}' in page(detail(job=job))

    def test_a_huge_result_is_cut_and_says_so(self) -> None:
        result = JobResult(job_id="job-1", status=JobStatus.COMPLETED, result=["x" * 100] * 5000)
        shown = page(detail(result=result))

        assert shown.count("\n") < 100
        assert "Enter shows more" in shown

    def test_more_of_it_is_shown_when_it_is_wanted_but_not_without_end(self) -> None:
        result = JobResult(job_id="job-1", status=JobStatus.COMPLETED, result=["x" * 100] * 5000)
        shown = page(detail(result=result), wanted=["result"])

        assert 256 * 1024 < len(shown) < 400 * 1024
        assert "no more than 256 KiB is shown" in shown

    def test_an_error_is_shown_with_its_traceback(self) -> None:
        result = JobResult(
            job_id="job-1",
            status=JobStatus.FAILED,
            error_type="KeyError",
            error="'name'",
            traceback=TRACEBACK,
        )
        shown = page(detail(JobStatus.FAILED, result=result))

        assert "KeyError: 'name'" in shown
        assert 'File "a.py", line 1, in f' in shown

    def test_without_an_outcome_the_events_tell_the_error(self) -> None:
        assert "OSError" in page(detail(JobStatus.FAILED, events=RETRIED)).split("Error ─")[1]

    def test_a_traceback_that_is_none_is_plain_text(self) -> None:
        hostile = "\x1b[2J [/red] \u202e no"
        result = JobResult(job_id="job-1", status=JobStatus.FAILED, error_type="X", traceback=hostile)
        shown = page(detail(JobStatus.FAILED, result=result))

        assert "␛[2J [/red] \ufffd no" in shown

    def test_what_is_not_kept_any_more_is_said(self) -> None:
        shown = page(detail(events=()))

        assert "nothing is known of when it ran" in shown
        assert "neither the queue nor an outcome holds them any more" in shown
        assert "not kept any more" in shown
        assert "none kept" in shown

    @pytest.mark.parametrize("width", [20, 58, 78, 118, 198])
    def test_no_line_is_wider_than_the_page(self, width: int) -> None:
        job = Job("shop." + "long" * 60, args=("日本" * 300,), queue_name="mail", job_id="job-1")
        result = JobResult(job_id="job-1", status=JobStatus.FAILED, error_type="E" * 300, traceback="t " * 400)
        blocks = job_page(detail(JobStatus.FAILED, job=job, result=result, events=RETRIED), width, NOW_NS)
        lines = lay_out(blocks, (), width).lines

        wide = [line for line in lines[:6] + lines[16:] if width_of(line.spans) > max(width, 40)]
        assert wide == []


class TestTimeline:
    def test_waiting_and_running_follow_each_other(self) -> None:
        found = phases(detail(), NOW_NS)

        assert [(phase.kind, phase.milliseconds, phase.outcome) for phase in found] == [
            ("waiting", 2000, ""),
            ("running", 5000, "completed"),
        ]

    def test_every_attempt_has_its_own_bars(self) -> None:
        found = phases(detail(JobStatus.FAILED, events=RETRIED), NOW_NS)

        assert [(phase.kind, phase.attempt, phase.milliseconds) for phase in found] == [
            ("waiting", 1, 2000),
            ("running", 1, 8000),
            ("waiting", 2, 30000),
            ("running", 2, 10000),
        ]

    def test_what_lasts_ends_now(self) -> None:
        found = phases(detail(JobStatus.RUNNING, events=RUNNING), NOW_NS)

        assert found[-1].open
        assert found[-1].milliseconds == 8000

    def test_an_end_without_a_start_is_drawn_from_its_duration(self) -> None:
        found = phases(detail(events=(job_event("completed", duration_ms=250.0, ago_s=1),)), NOW_NS)

        assert [(phase.kind, phase.milliseconds) for phase in found] == [("running", 250)]

    def test_a_clock_that_goes_back_makes_no_negative_bar(self) -> None:
        events = (job_event("enqueued", ago_s=1), job_event("started", ago_s=5), job_event("completed", ago_s=9))
        found = phases(detail(events=events), NOW_NS)

        assert all(phase.milliseconds >= 0 for phase in found)
        timeline(found, 80)

    def test_without_events_the_outcome_tells_it(self) -> None:
        job = Job("shop.f", job_id="job-1", enqueued_at_ns=NOW_NS - 9 * SECOND)
        result = JobResult(
            job_id="job-1",
            status=JobStatus.COMPLETED,
            start_time_ns=NOW_NS - 8 * SECOND,
            finish_time_ns=NOW_NS - 2 * SECOND,
        )
        found = phases(detail(events=(), job=job, result=result), NOW_NS)

        assert [(phase.kind, phase.milliseconds) for phase in found] == [("waiting", 1000), ("running", 6000)]

    def test_the_bars_are_to_scale(self) -> None:
        lines = timeline(phases(detail(), NOW_NS), 100)
        waiting, running = (
            sum(len(piece) for piece, _ in line.spans if piece.strip("░█▸") == "" and piece) for line in lines[:2]
        )

        assert running / waiting == pytest.approx(2.5, rel=0.1)
