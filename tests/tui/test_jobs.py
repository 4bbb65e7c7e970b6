"""The jobs: found by a filter, kept up to date, marked and acted on; and why they fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from naq_runtime.clock import ManualClock
from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.models import JobEvent
from naq_runtime.finding.found import FoundJob, JobPage
from naq_runtime.finding.query import JobQuery
from naq_runtime.job import JobStatus
from naq_tui.acts import Act, ActKind
from naq_tui.model.jobs import JobList
from naq_tui.model.log import LOG_LIMIT
from naq_tui.screens.job import JobScreen
from naq_tui.screens.jobs import Jobs
from naq_tui.source import Batch, ConnectionState, Link
from naq_tui.widgets.failures import Failures
from naq_tui.widgets.jobs import Jobs as Table
from tests.support.waiting import eventually
from tests.tui.builders import NOW_NS, SECOND, batch, job_event, queue, snapshot, stored
from tests.tui.harness import Watched, make_app, watching
from tests.tui.recording import END_NS
from tests.tui.showroom import showroom

QUIET = batch(snapshot=snapshot())


def job(job_id: str, status: str = "completed", *, ago_s: float = 5, **fields: Any) -> FoundJob:
    """A job to which something happened so long ago."""
    at_ns = NOW_NS - int(ago_s * SECOND)
    settings: dict[str, Any] = {
        "queue_name": "mail",
        "function_name": "shop.mail.send",
        "enqueued_at_ns": at_ns - SECOND,
        "moment_ns": at_ns,
    }
    return FoundJob(job_id=job_id, status=JobStatus(status), **(settings | fields))


def failing(job_id: str, message: str, *, ago_s: float, kind: str = "failed") -> JobEvent:
    return job_event(
        kind,
        job_id,
        "mail",
        ago_s=ago_s,
        function_name="shop.mail.send",
        error_type="Refused",
        error_message=message,
        duration_ms=120.0,
    )


DONE = job("done-1", ago_s=40, duration_ms=312.0, wait_ms=12.0, arguments='"ada@example.org"')
RUNS = job("runs-1", "running", ago_s=7, started_at_ns=NOW_NS - 7 * SECOND, worker_id="w-1")
DIED = job("died-1", "failed", dead=True, ago_s=20, error_type="Refused", error_message="no such box", attempt=3)
QUEUED = job("queued-1", "queued", ago_s=65, enqueued_at_ns=NOW_NS - 65 * SECOND)
LATER = job("later-1", "scheduled", ago_s=3, run_at_ns=NOW_NS + 90 * SECOND)
FIVE = (DONE, RUNS, DIED, QUEUED, LATER)


@asynccontextmanager
async def looking(
    *jobs: FoundJob, batch: Batch = QUIET, page: int = 500, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Watched]:
    """The view, after it has found these jobs."""
    async with watching(batch, size=size) as watched:
        watched.source.questions.found = {one.job_id: one for one in jobs}
        watched.source.questions.jobs_at_once = page
        await watched.press("3")
        await settled(watched)
        yield watched


async def settled(watched: Watched) -> None:
    """Let what is looked for be found and painted."""
    for _ in range(3):
        await watched.settle()


def table(watched: Watched) -> Table:
    return watched.app.screen.query_one(Table)


def ids(watched: Watched) -> list[str]:
    return [row.job_id for row in table(watched).rows]


def view(watched: Watched) -> Jobs:
    assert isinstance(watched.app.screen, Jobs)
    return watched.app.screen


class TestWhatItShows:
    async def test_3_shows_the_jobs_the_latest_first(self) -> None:
        async with looking(*FIVE) as watched:
            assert "Jobs 5" in watched.text
            assert ids(watched) == ["later-1", "runs-1", "died-1", "done-1", "queued-1"]

    async def test_a_row_says_where_it_stands_and_why(self) -> None:
        async with looking(*FIVE, size=(200, 60)) as watched:
            assert "✓ completed" in watched.line_with("done-1")
            assert '"ada@example.org"' in watched.line_with("done-1")
            assert "12 ms    312 ms" in watched.line_with("done-1")
            assert "† dead" in watched.line_with("died-1")
            assert "Refused: no such box" in watched.line_with("died-1")
            assert "in 90 s" in watched.line_with("later-1")
            assert "◷ scheduled" in watched.line_with("later-1")

    async def test_a_path_is_told_by_its_last_name_where_it_does_not_fit(self) -> None:
        deep = job("deep-1", arguments='"/srv/shop/pictures/kettle.png"')
        async with looking(deep, size=(80, 24)) as watched:
            assert '"…/kettle.p' in watched.line_with("deep-1")
        async with looking(deep, size=(200, 60)) as watched:
            assert '"/srv/shop/pictures/kettle.png"' in watched.line_with("deep-1")

    async def test_what_lasts_grows(self) -> None:
        async with looking(*FIVE) as watched:
            assert " 7 s " in watched.line_with("runs-1")
            assert " 65 s " in watched.line_with("queued-1")
            await watched.pass_time(4)
            assert " 11 s " in watched.line_with("runs-1")
            assert " 69 s " in watched.line_with("queued-1")
            assert "in 86 s" in watched.line_with("later-1")

    async def test_no_jobs_yet(self) -> None:
        async with looking() as watched:
            assert "no jobs yet" in watched.text

    async def test_it_says_why_nothing_can_be_found_now(self) -> None:
        async with watching(QUIET) as watched:
            watched.source.questions.trouble = ServerUnreachable("the server does not answer")
            await watched.press("3")
            await settled(watched)
            assert "cannot be looked for now: the server does not answer" in watched.text

    @pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
    async def test_every_line_fits(self, size: tuple[int, int]) -> None:
        async with looking(*FIVE, size=size) as watched:
            assert "died-1" in watched.text
            assert "Refused" in watched.text

    async def test_enter_opens_the_job(self) -> None:
        async with looking(*FIVE, batch=batch(job_event("enqueued", "later-1"), snapshot=snapshot())) as watched:
            await watched.press("enter")
            assert isinstance(watched.app.screen, JobScreen)
            assert watched.app.screen.thing_id == "later-1"


class TestWhatHappens:
    async def test_a_row_moves_on_with_its_events(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.feed(batch(job_event("started", "queued-1", ago_s=0.2, worker_id="w-7", wait_ms=64_800.0)))
            assert "▸ running" in watched.line_with("queued-1")
            await watched.feed(batch(failing("queued-1", "no such box", ago_s=0.1), first=2))
            assert "✗ failed" in watched.line_with("queued-1")
            assert ids(watched)[0] == "queued-1"

    async def test_what_comes_late_changes_nothing(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.feed(batch(job_event("started", "done-1", ago_s=41)))
            assert "✓ completed" in watched.line_with("done-1")

    def test_what_happens_while_a_page_is_under_way_is_not_lost(self) -> None:
        jobs = JobList(JobQuery())
        jobs.hear(stored([job_event("started", "queued-1", ago_s=0.2, worker_id="w-7")]))
        jobs.take(JobPage(jobs=(QUEUED, DONE), looked=2))
        assert jobs.jobs["queued-1"].status is JobStatus.RUNNING
        assert jobs.new == 0

    def test_a_page_that_is_older_than_what_was_heard_changes_nothing(self) -> None:
        jobs = JobList(JobQuery())
        jobs.take(JobPage(jobs=(QUEUED,), looked=1, more=True))
        jobs.hear(stored([job_event("started", "queued-1", ago_s=0.2)]))
        jobs.take(JobPage(jobs=(QUEUED,), looked=1))
        assert jobs.jobs["queued-1"].status is JobStatus.RUNNING

    async def test_new_jobs_come_in_while_one_looks_at_the_top(self) -> None:
        async with looking(*FIVE) as watched:
            watched.source.questions.found["new-1"] = job("new-1", "queued", ago_s=0.1)
            await watched.feed(batch(job_event("enqueued", "new-1", "mail", ago_s=0.1)))
            assert "▲ 1 new" in watched.text
            await watched.pass_time(3)
            await settled(watched)
            assert ids(watched)[0] == "new-1"
            assert "new" not in watched.line_with("╭─ Jobs 6")

    async def test_they_go_on_to_come_in_as_the_cursor_stays_on_top(self) -> None:
        async with looking(*FIVE) as watched:
            for number in range(3):
                one = f"new-{number}"
                watched.source.questions.found[one] = job(one, "queued", ago_s=0.3 - number / 10)
                await watched.feed(batch(job_event("enqueued", one, "mail"), first=number + 1))
                await watched.pass_time(3)
                await settled(watched)

            assert ids(watched)[:3] == ["new-2", "new-1", "new-0"]
            assert table(watched).cursor_key == "new-2"

    async def test_below_the_top_the_cursor_stays_on_its_job(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("j")
            on = table(watched).cursor_key
            await watched.feed(batch(job_event("completed", "queued-1", "mail", ago_s=0.1)))
            assert ids(watched)[0] == "queued-1"
            assert table(watched).cursor_key == on

    async def test_what_is_not_looked_for_any_more_is_no_news(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("slash")
            await watched.write("state:running")
            await watched.press("enter")
            await settled(watched)
            await watched.press("space")
            await watched.feed(batch(job_event("started", "new-1", "mail"), job_event("started", "new-2", "mail")))
            assert "▲ 2 new" in watched.text
            await watched.feed(batch(job_event("completed", "new-1", "mail"), first=3))
            assert "▲ 1 new" in watched.text

    async def test_they_wait_while_something_is_marked_until_n(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("space")
            watched.source.questions.found["new-1"] = job("new-1", "queued", ago_s=0.1)
            await watched.feed(batch(job_event("enqueued", "new-1", "mail", ago_s=0.1)))
            await watched.pass_time(3)
            await settled(watched)
            assert "new-1" not in ids(watched)
            await watched.press("n")
            await settled(watched)
            assert "new-1" in ids(watched)
            assert "1 marked" in watched.text

    async def test_what_was_found_stays_while_nothing_can_be_found_and_it_tries_again(self) -> None:
        async with looking(*FIVE) as watched:
            watched.source.questions.trouble = ServerUnreachable("the server does not answer")
            await watched.press("n")
            await settled(watched)
            assert len(ids(watched)) == 5
            assert "! not looked for again: the server does not answer" in watched.text
            watched.source.questions.trouble = None
            await watched.pass_time(3)
            await settled(watched)
            assert "not looked for again" not in watched.text

    async def test_after_an_outage_it_looks_again(self) -> None:
        async with looking(*FIVE) as watched:
            asked = len(watched.source.questions.asked_queries)
            await watched.feed(Batch(Link(ConnectionState.RECONNECTING, NOW_NS, "connection refused")))
            await watched.feed(Batch(Link(ConnectionState.LIVE, NOW_NS)))
            await settled(watched)
            assert len(watched.source.questions.asked_queries) == asked + 1

    async def test_after_it_was_hidden_for_too_long_to_have_heard_all_it_looks_again(self) -> None:
        async with looking(*FIVE) as watched:
            asked = len(watched.source.questions.asked_queries)
            await watched.press("1")
            noise = [job_event("log", "chatty", text="on and on")] * (LOG_LIMIT + 1)
            await watched.feed(batch(*noise))
            await watched.press("3")
            await settled(watched)
            assert len(watched.source.questions.asked_queries) == asked + 1

    async def test_frozen_it_stays_as_it_is(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("p")
            await watched.feed(batch(job_event("started", "queued-1", ago_s=0.2, worker_id="w-7")))
            assert "+ queued" in watched.line_with("queued-1")
            await watched.press("p")
            assert "▸ running" in watched.line_with("queued-1")


class TestFinding:
    async def test_a_filter_asks_the_source(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("slash")
            await watched.write("state:dead,queued")
            await watched.press("enter")
            await settled(watched)
            assert ids(watched) == ["died-1", "queued-1"]
            assert watched.source.questions.asked_queries[-1] == "state:dead,queued"
            assert "/ state:dead,queued" in watched.text

    async def test_it_looks_once_nobody_types_any_more(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("slash")
            await watched.write("died")
            await eventually(lambda: watched.source.questions.asked_queries[-1] == "died")
            assert watched.source.questions.asked_queries == ["", "died"]

    async def test_the_fields_are_those_of_jobs(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("slash")
            await watched.write("sta")
            assert "Tab state:" in watched.text
            await watched.press("tab")
            await watched.write("lost")
            assert "unknown state 'lost'" in watched.text
            await watched.press("enter")
            assert watched.source.questions.asked_queries == [""]

    async def test_escape_clears_the_filter_then_leaves(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("slash")
            await watched.write("died")
            await watched.press("enter")
            await settled(watched)
            await watched.press("escape")
            await settled(watched)
            assert len(ids(watched)) == 5
            await watched.press("escape")
            assert not isinstance(watched.app.screen, Jobs)

    async def test_nothing_matches(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("slash")
            await watched.write("nobody")
            await watched.press("enter")
            await settled(watched)
            assert "nothing matches" in watched.text

    async def test_further_pages_come_as_one_scrolls(self) -> None:
        many = [job(f"job-{number:04}", ago_s=number) for number in range(2_000)]
        async with looking(*many) as watched:
            assert len(ids(watched)) == 500
            assert "Jobs 500 back to" in watched.text
            await watched.press("G")
            await settled(watched)
            assert len(ids(watched)) == 1_000
            for _ in range(3):
                await watched.press("G")
                await settled(watched)
            assert len(ids(watched)) == 2_000
            assert "back to" not in watched.text

    async def test_an_order_is_of_what_was_found_so_far(self) -> None:
        many = [job(f"job-{number:04}", ago_s=number) for number in range(2_000)]
        async with looking(*many) as watched:
            await watched.press("s")
            assert "sorted: what was found so far" in watched.text

    async def test_without_rows_the_order_stays_as_nobody_would_see_it_change(self) -> None:
        async with looking() as watched:
            await watched.press("s", "r")
            assert table(watched).layout_now.sort == ""
            assert table(watched).layout_now.descending is None

    async def test_the_oldest_first_is_an_order_of_what_was_found_so_far_too(self) -> None:
        many = [job(f"job-{number:04}", ago_s=number) for number in range(2_000)]
        async with looking(*many) as watched:
            assert "sorted" not in watched.text
            await watched.press("r")
            assert "sorted: what was found so far" in watched.text

    async def test_the_mark_of_the_order_points_the_way_of_the_ages_that_are_shown(self) -> None:
        async with looking(job("new", ago_s=2), job("old", ago_s=50)) as watched:
            assert ids(watched) == ["new", "old"]
            assert "ago▴" in watched.text
            await watched.press("s")
            assert ids(watched) == ["old", "new"]
            assert "age▾" in watched.text

    async def test_rows_that_do_not_match_go_before_anything_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with looking(*FIVE) as watched:
            may_answer = asyncio.Event()
            find_jobs = watched.source.questions.find_jobs

            async def slowly(query: JobQuery) -> AsyncIterator[JobPage]:
                await may_answer.wait()
                async for page in find_jobs(query):
                    yield page

            monkeypatch.setattr(watched.source.questions, "find_jobs", slowly)
            watched.source.questions.found["died-2"] = job("died-2", "failed", dead=True, ago_s=900)
            await watched.press("end", "slash")
            await watched.write("state:dead")
            await watched.press("enter")
            await settled(watched)
            assert ids(watched) == ["died-1"]
            assert table(watched).job is DIED
            may_answer.set()
            await settled(watched)
            assert ids(watched) == ["died-1", "died-2"]


class TestActing:
    async def test_an_act_is_bound_to_the_jobs_to_which_it_can_be_done(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("asterisk")
            assert view(watched).act(ActKind.RETRY) == Act(
                ActKind.RETRY, "job", ("died-1",), about={"died-1": "shop.mail.send in mail"}
            )
            assert view(watched).act(ActKind.DELETE) == Act(
                ActKind.DELETE, "job", ("died-1",), about={"died-1": "shop.mail.send in mail"}
            )
            cancelled = view(watched).act(ActKind.CANCEL)
            assert cancelled is not None
            assert set(cancelled.targets) == {"runs-1", "queued-1", "later-1"}
            assert view(watched).act(ActKind.PAUSE) is None

    async def test_the_footer_names_what_can_be_done_with_marks_while_there_are_some(self) -> None:
        async with looking(*FIVE) as watched:
            assert "* all" not in watched.lines[-1]
            await watched.press("space")
            assert "* all" in watched.lines[-1]
            assert "u unmark" in watched.lines[-1]
            await watched.press("u")
            assert "u unmark" not in watched.lines[-1]

    async def test_without_marks_it_is_the_row_with_the_cursor(self) -> None:
        async with looking(*FIVE) as watched:
            assert view(watched).act(ActKind.CANCEL) == Act(
                ActKind.CANCEL, "job", ("later-1",), about={"later-1": "shop.mail.send in mail"}
            )
            assert view(watched).act(ActKind.RETRY) is None

    async def test_all_that_match_are_marked_those_of_later_pages_too(self) -> None:
        many = [job(f"job-{number:04}", "failed", dead=True, ago_s=number) for number in range(1_800)]
        async with looking(*many, DONE) as watched:
            await watched.press("slash")
            await watched.write("state:dead")
            await watched.press("enter")
            await settled(watched)
            await watched.press("asterisk")
            await settled(watched)
            act = view(watched).act(ActKind.RETRY)
            assert act is not None
            assert (len(act.targets), act.of) == (1_800, "state:dead")
            assert "1,800 marked" in watched.text

    async def test_once_it_is_done_to_all_nothing_is_marked_any_more(self) -> None:
        many = [job(f"job-{number}", "failed", dead=True, ago_s=number) for number in range(20)]
        async with looking(*many) as watched:
            await watched.press("asterisk")
            view(watched).acted(tuple(one.job_id for one in many))
            await watched.feed(batch(job_event("requeued", "job-1", "mail")))
            await settled(watched)
            assert "marked" not in watched.text

    async def test_of_very_many_the_first_are_marked_and_that_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("naq_tui.screens.search.MOST_MARKED", 1_000)
        many = [job(f"job-{number:04}", "failed", dead=True, ago_s=number) for number in range(2_600)]
        async with looking(*many) as watched:
            await watched.press("asterisk")
            await settled(watched)
            act = view(watched).act(ActKind.RETRY)
            assert act is not None
            assert len(act.targets) == 1_000
            assert "1,000 marked of more" in watched.text

    async def test_a_row_is_copied_as_words_or_as_a_command(self) -> None:
        async with looking(*FIVE) as watched:
            await watched.press("j", "j")
            assert view(watched).row_text() == "died-1  † dead  shop.mail.send  mail  Refused: no such box"
            assert view(watched).equivalent() == "naq job show died-1"

    async def test_rows_are_written_as_they_are_shown(self) -> None:
        async with looking(*FIVE) as watched:
            rows = list(view(watched).records())
            assert [row["job_id"] for row in rows] == ids(watched)
            assert rows[2]["state"] == "dead"


FAILURES = (
    *(failing(f"box-{number}", f"no box {number}", ago_s=60 * number + 1) for number in range(4)),
    failing("relay", "451 4.3.2 busy", ago_s=30),
    failing("old", "no box 99", ago_s=4_000),
)


class TestFailures:
    async def test_F_groups_them_by_error_the_most_first(self) -> None:
        async with looking(batch=batch(*FAILURES, snapshot=snapshot())) as watched:
            await watched.press("F")
            await settled(watched)
            assert "Failures 5 for 2 reasons, last hour" in watched.text
            assert watched.pane("Failures")[1].split()[:3] == ["4", "80", "%"]
            assert "no box <n>" in watched.line_with("80 %")
            assert "451 4.3.2 busy" in watched.line_with("20 %")
            assert "no box 0" in watched.lines[-2]

    async def test_what_fails_now_counts_at_once(self) -> None:
        async with looking(batch=batch(*FAILURES, snapshot=snapshot())) as watched:
            await watched.press("F")
            await settled(watched)
            await watched.feed(batch(failing("box-9", "no box 9", ago_s=0.1), first=100))
            await watched.pass_time(1)
            assert "Failures 6 for 2 reasons" in watched.text

    async def test_the_window_goes_on_and_can_be_longer(self) -> None:
        async with looking(batch=batch(*FAILURES, snapshot=snapshot())) as watched:
            await watched.press("F")
            await settled(watched)
            await watched.press("greater_than_sign")
            await settled(watched)
            assert "Failures 6 for 2 reasons, last 6 hours" in watched.text
            await watched.press("less_than_sign", "less_than_sign")
            await settled(watched)
            assert "last 10 minutes" in watched.text
            await watched.pass_time(500)
            assert "Failures 3 for 2 reasons" in watched.text

    async def test_nothing_has_failed(self) -> None:
        async with looking() as watched:
            await watched.press("F")
            await settled(watched)
            assert "✓ nothing has failed in the last hour" in watched.text

    async def test_what_failed_most_and_why_and_those_again_in_a_handful_of_keys(self) -> None:
        async with looking(batch=batch(*FAILURES, snapshot=snapshot())) as watched:
            await watched.press("F")
            await settled(watched)
            await watched.press("enter")
            await settled(watched)
            assert set(ids(watched)) == {f"box-{number}" for number in range(4)}
            assert "✗ send  Refused  no box <n>" in watched.text
            await watched.press("asterisk")
            act = view(watched).act(ActKind.RETRY)
            assert act is not None
            assert set(act.targets) == {f"box-{number}" for number in range(4)}
            assert act.of == "send  Refused  no box <n>"

    async def test_escape_goes_back_to_the_reasons(self) -> None:
        async with looking(batch=batch(*FAILURES, snapshot=snapshot())) as watched:
            await watched.press("F")
            await settled(watched)
            await watched.press("enter")
            await settled(watched)
            await watched.press("escape")
            await settled(watched)
            assert "Failures 5" in watched.text

    async def test_the_jobs_of_a_reason_are_counted_by_what_has_become_of_them(self) -> None:
        async with looking(batch=batch(*FAILURES, snapshot=snapshot())) as watched:
            await watched.press("F")
            await settled(watched)
            await watched.press("enter")
            await settled(watched)
            assert "Jobs 4  ✗ 4 failed ─" in watched.text
            await watched.feed(
                batch(
                    job_event("requeued", "box-1", "mail", ago_s=0.4),
                    job_event("requeued", "box-2", "mail", ago_s=0.3),
                    job_event("completed", "box-1", "mail", ago_s=0.1, duration_ms=3.0),
                    first=100,
                )
            )
            await settled(watched)
            assert "Jobs 4  + 1 queued  ✓ 1 completed  ✗ 2 failed ─" in watched.text

    async def test_from_a_queue_one_comes_to_its_jobs_whatever_was_shown_before(self) -> None:
        # given the jobs of one reason were looked at, and then the reasons
        async with looking(
            DONE, batch=batch(*FAILURES, snapshot=snapshot([queue("mail"), queue("reports")]))
        ) as watched:
            await watched.press("F")
            await settled(watched)
            await watched.press("enter")
            await settled(watched)
            await watched.press("F")

            await watched.press("4")
            await settled(watched)
            await watched.press("enter")
            await settled(watched)

            assert "done-1" in ids(watched)
            assert watched.line_with(" / queue:mail ").startswith("╰─")

    async def test_it_is_said_that_the_reasons_do_not_follow_the_filter(self) -> None:
        async with looking(DONE, batch=batch(*FAILURES, snapshot=snapshot())) as watched:
            await watched.press("F")
            await settled(watched)
            assert "the filter aside" not in watched.text
            view(watched).find("queue:reports")
            await watched.press("F")
            await settled(watched)
            assert "Failures 5 for 2 reasons, last hour, of all jobs: the filter aside" in watched.text

    async def test_the_command_of_a_group_finds_its_events(self) -> None:
        async with looking(batch=batch(*FAILURES, snapshot=snapshot())) as watched:
            await watched.press("F")
            await settled(watched)
            assert view(watched).equivalent() == (
                "naq events stream --since 3600s "
                "--filter 'type:failed,timed_out error_type:Refused function:shop.mail.send'"
            )
            assert [row["failures"] for row in view(watched).records()] == [4, 1]


async def test_failures_of_the_past_are_those_up_to_then() -> None:
    source = showroom(150)
    app = make_app(source, ManualClock(END_NS))

    def failures() -> int:
        app.advance()
        return app.screen.query_one(Failures).book.total

    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await source.taken()
        await pilot.press("3", "F")
        await eventually(failures)
        by_now = failures()
        await pilot.press("t", *"-1m", "enter")
        await eventually(lambda: app.travel.in_past)

        await eventually(lambda: 0 < failures() < by_now)
