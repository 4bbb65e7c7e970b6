"""What a job's page tells of progress, log, dependencies, times, cancellation and dead letters."""

from __future__ import annotations

from typing import Any

import pytest

from naq_runtime.job import After, Job, JobResult, JobStatus
from naq_runtime.snapshot import JobDetail
from naq_tui.model.standing import STANDINGS
from naq_tui.pages.blocks import lay_out
from naq_tui.pages.job import job_page
from tests.tui.builders import NOW_NS, SECOND, batch, job_event, page_lines, stored
from tests.tui.harness import watching

STARTED = job_event("started", ago_s=60, worker_id="w-1", attempt=1)


def detail(*events: Any, status: JobStatus = JobStatus.RUNNING, **fields: Any) -> JobDetail:
    return JobDetail(job_id="job-1", status=status, events=stored(events), **fields)


def lines(of: JobDetail, width: int = 100) -> list[str]:
    return page_lines(job_page(of, width, NOW_NS), width)


def section(of: JobDetail, title: str, width: int = 100) -> list[str]:
    """The lines below a heading."""
    shown = lines(of, width)
    start = next(index for index, line in enumerate(shown) if line.startswith(f"▾ {title} ")) + 1
    end = next((index for index in range(start, len(shown)) if not shown[index]), len(shown))
    return [line.strip() for line in shown[start:end]]


def fact(of: JobDetail, label: str, width: int = 80) -> str:
    """What stands behind a label."""
    return next(line[13:] for line in lines(of, width) if line.startswith(f"  {label:<11}"))


def headings(of: JobDetail) -> set[str]:
    return {line.split(" ─")[0].removeprefix("▾ ").strip() for line in lines(of) if " ──" in line}


@pytest.mark.parametrize("status", list(JobStatus))
def test_every_status_has_a_mark(status: JobStatus) -> None:
    glyph, _, word = STANDINGS[status][0].partition(" ")

    assert len(glyph) == 1
    assert word == status.value
    assert fact(detail(status=status), "status").startswith(f"{glyph} {word}")


def error(of: JobDetail) -> list[str]:
    """The section of the error, line by line."""
    (block,) = (block for block in job_page(of, 100, NOW_NS) if block.key == "error")
    return ["".join(piece for piece, _ in line.spans).strip() for line in block.lines]


class TestStatus:
    def test_a_job_that_timed_out_for_good_says_so(self) -> None:
        late = job_event("timed_out", error_message="it took longer than 30 s", final=True)
        shown = detail(STARTED, late, status=JobStatus.FAILED)

        assert fact(shown, "status") == "✗ failed  timed out"
        assert section(shown, "Error") == ["it took longer than 30 s"]

    def test_a_dead_letter_is_marked(self) -> None:
        shown = detail(STARTED, job_event("failed"), job_event("dead_lettered"), status=JobStatus.FAILED)

        assert fact(shown, "status") == "✗ failed  † dead letter"

    def test_its_error_is_told_once(self) -> None:
        frames = 'Traceback (most recent call last):\n  File "/srv/shop/mail.py", line 12, in send\n    relay()\n'
        said: dict[str, Any] = {"error_type": "Refused", "error_message": "no such box"}
        events = (
            job_event("failed", final=True, traceback=f"{frames}shop.mail.Refused: no such box\n", **said),
            job_event("dead_lettered", reason="Refused"),
        )
        shown = "\n".join(error(detail(STARTED, *events, status=JobStatus.FAILED)))

        assert shown.count("Refused") == shown.count("no such box") == 1
        assert "relay()" in shown
        assert "† it lies among the dead letters" in shown

    def test_a_traceback_with_more_behind_its_error_is_told_whole(self) -> None:
        trace = "Traceback (most recent call last):\nValueError: no\nlook at the relay"
        failed = job_event("failed", final=True, error_type="ValueError", error_message="no", traceback=trace)
        shown = error(detail(STARTED, failed, status=JobStatus.FAILED))

        assert shown[-2:] == ["ValueError: no", "look at the relay"]

    def test_a_dead_letter_that_was_requeued_is_none_any_more(self) -> None:
        events = (job_event("failed"), job_event("dead_lettered"), job_event("requeued", by="ada"), STARTED)

        assert "dead letter" not in fact(detail(*events), "status")

    def test_a_run_after_the_first_attempt_says_which(self) -> None:
        assert fact(detail(job_event("started", attempt=3)), "status") == "▸ running  attempt 3"

    def test_while_it_waits_for_a_retry_the_last_error_is_shown(self) -> None:
        failed = job_event("failed", attempt=2, error_type="OSError", error_message="no route", final=False)
        shown = detail(STARTED, failed, job_event("retry_scheduled"), status=JobStatus.SCHEDULED)

        assert "for another attempt" in fact(shown, "status")
        assert "Error  of attempt 2" in headings(shown)
        assert section(shown, "Error") == ["OSError: no route"]


class TestTimes:
    def test_a_scheduled_job_counts_down(self) -> None:
        waits = job_event("scheduled", ago_s=60, run_at_ns=NOW_NS + 299 * SECOND)

        assert fact(detail(waits, status=JobStatus.SCHEDULED), "scheduled") == "09:04:59  in 4 m 59 s"

    async def test_the_countdown_goes_on_by_itself(self) -> None:
        waits = job_event("scheduled", "job-1", ago_s=60, run_at_ns=NOW_NS + 299 * SECOND)
        async with watching(batch(waits)) as watched:
            await watched.press("enter")
            await watched.settle()
            assert "in 4 m 59 s" in watched.text
            await watched.pass_time(9)
            assert "in 4 m 50 s" in watched.text

    def test_a_time_on_another_day_has_its_date(self) -> None:
        waits = job_event("scheduled", run_at_ns=NOW_NS + 50 * 3600 * SECOND)

        assert fact(detail(waits, status=JobStatus.SCHEDULED), "scheduled") == "2025-10-11 11:00:00  in 2 d 2 h"

    def test_a_time_that_has_come_has_an_age(self) -> None:
        events = (job_event("scheduled", ago_s=90, run_at_ns=NOW_NS - 60 * SECOND), STARTED)

        assert fact(detail(*events), "scheduled") == "08:59:00.000  1 m 00 s ago"

    def test_the_next_attempt_counts_down_too(self) -> None:
        retry = job_event("retry_scheduled", run_at_ns=NOW_NS + 12 * SECOND)
        shown = detail(STARTED, job_event("failed", final=False), retry, status=JobStatus.SCHEDULED)

        assert fact(shown, "retry at") == "09:00:12  in 12 s"

    def test_without_events_the_job_itself_tells_its_time(self) -> None:
        job = Job("shop.f", job_id="job-1", run_at_ns=NOW_NS + 5 * SECOND)

        assert fact(detail(status=JobStatus.SCHEDULED, job=job), "scheduled") == "09:00:05  in 5 s"

    def test_the_wait_for_its_time_is_told_apart_from_the_wait_for_a_worker(self) -> None:
        events = (job_event("scheduled", ago_s=90, run_at_ns=NOW_NS - 62 * SECOND), STARTED)

        assert fact(detail(*events), "waited") == "2.00 s  besides 28.00 s not runnable"

    def test_the_wait_for_other_jobs_is_no_wait_for_a_worker_of_which_there_would_be_two(self) -> None:
        events = (
            job_event("waiting_for_dependencies", ago_s=90, depends_on=("alpha",)),
            job_event("dependency_satisfied", ago_s=65, dependency_id="alpha"),
            job_event("enqueued", ago_s=62),
            STARTED,
        )

        assert fact(detail(*events), "waited") == "2.00 s  besides 28.00 s not runnable"


class TestProgress:
    def test_it_is_a_bar_with_figures_and_text(self) -> None:
        report = job_event("progress", ago_s=3, done=2500.0, total=10_000.0, text="page 3")
        bar, text = section(detail(STARTED, report), "Progress")

        assert bar.endswith("2,500/10,000  25 %")
        assert text == "page 3  3 s ago"

    def test_the_bar_is_lit_by_its_share(self) -> None:
        report = job_event("progress", done=1.0, total=4.0)
        page = lay_out(job_page(detail(STARTED, report), 100, NOW_NS), (), 100).lines
        lit, unlit = next(
            [text for text, _ in line.spans if text.strip("━") == "" and text.strip()]
            for line in page
            if any("━" in text for text, _ in line.spans)
        )

        assert len(lit) * 3 == len(unlit)

    def test_the_latest_report_counts(self) -> None:
        reports = [job_event("progress", ago_s=9 - number, done=float(number), total=4.0) for number in range(4)]

        assert section(detail(STARTED, *reports), "Progress")[0].endswith("3/4  75 %")

    def test_a_run_begins_with_none(self) -> None:
        report = job_event("progress", ago_s=50, done=3.0, total=4.0)

        assert "Progress" not in headings(detail(STARTED, report, job_event("started", attempt=2)))

    def test_without_a_total_it_is_a_count(self) -> None:
        assert section(detail(STARTED, job_event("progress", done=1234.0)), "Progress")[0] == "1,234 done"

    def test_a_text_alone_is_shown(self) -> None:
        assert section(detail(STARTED, job_event("progress", text="nearly")), "Progress") == ["nearly  0 s ago"]

    @pytest.mark.parametrize(
        ("done", "total"),
        [(5.0, 0.0), (-3.0, 4.0), (9.0, 4.0), (float("nan"), 4.0), (float("inf"), 1.0), (1e300, 1e-300), (1.0, -1.0)],
    )
    def test_nonsense_draws_a_page_all_the_same(self, done: float, total: float) -> None:
        shown = section(detail(STARTED, job_event("progress", done=done, total=total)), "Progress")

        assert all(len(line) < 100 for line in shown)


class TestLog:
    def test_every_line_has_time_level_and_text(self) -> None:
        written = job_event("log", ago_s=2, level="WARNING", text="no price")

        assert section(detail(STARTED, written), "Log") == ["08:59:58.000  ! WARNING  no price"]

    def test_lines_are_in_order(self) -> None:
        written = [job_event("log", ago_s=9 - number, level="INFO", text=f"line {number}") for number in range(3)]

        assert [line[-1] for line in section(detail(STARTED, *written), "Log")] == ["0", "1", "2"]

    def test_a_long_line_is_wrapped_below_its_text(self) -> None:
        first, second, *_ = section(detail(job_event("log", level="INFO", text="x" * 90)), "Log", width=80)

        assert first.startswith("08:59:59  » INFO     xxx")
        assert set(second) == {"x"}

    def test_of_ten_thousand_lines_the_latest_are_shown(self) -> None:
        written = [job_event("log", text=f"number {number}") for number in range(10_000)]
        shown = section(detail(STARTED, *written), "Log")

        assert len(shown) < 500
        assert shown[0] == "… 9,600 earlier"
        assert shown[-1].endswith("number 9999")

    def test_a_job_that_logged_nothing_has_no_such_section(self) -> None:
        assert "Log" not in headings(detail(STARTED))


class TestDependencies:
    WAITS = job_event("waiting_for_dependencies", depends_on=("alpha", "beta"))

    def test_each_is_shown_with_how_it_ended(self) -> None:
        met = job_event("dependency_satisfied", ago_s=2, dependency_id="alpha", reason="completed")
        shown = section(detail(self.WAITS, met, status=JobStatus.WAITING), "Depends on")

        assert shown == ["⊕ alpha  completed  08:59:58.000", "⋯ beta   has not ended yet"]

    def test_the_heading_counts_those_that_ended(self) -> None:
        met = job_event("dependency_satisfied", dependency_id="alpha")

        assert "Depends on  1 of 2 ended" in headings(detail(self.WAITS, met))

    def test_one_that_did_not_end_as_it_must_is_told_with_what_was_wanted(self) -> None:
        job = Job("shop.f", job_id="job-1", depends_on=(After("alpha"), After("beta", on="failure")))
        ended = job_event("dependency_failed", ago_s=2, dependency_id="alpha", reason="failed")
        shown = section(detail(self.WAITS, ended, status=JobStatus.CANCELLED, job=job), "Depends on")

        assert shown == [
            "⊖ alpha  failed     08:59:58.000  must succeed",
            "⋯ beta   no end of it was heard  must fail",
        ]

    def test_the_job_alone_tells_them(self) -> None:
        job = Job("shop.f", job_id="job-1", depends_on=(After("alpha"),))

        assert section(detail(job=job), "Depends on") == ["⋯ alpha  has not ended yet  must succeed"]

    def test_of_a_thousand_the_first_are_shown(self) -> None:
        many = job_event("waiting_for_dependencies", depends_on=tuple(f"job-{number}" for number in range(1000)))

        assert section(detail(many), "Depends on")[-1] == "… 960 more"


class TestCancellation:
    def test_it_tells_who_where_and_why(self) -> None:
        event = job_event("cancelled", ago_s=4, by="ada@desk", state="running", worker_id="w-1", reason="ordered twice")
        shown = section(detail(STARTED, event, status=JobStatus.CANCELLED), "Cancelled")

        assert shown == ["by ada@desk  while running on w-1  08:59:56.000  4 s ago", "ordered twice"]

    def test_what_nobody_said_is_said_to_be_so(self) -> None:
        shown = section(detail(job_event("cancelled", ago_s=4), status=JobStatus.CANCELLED), "Cancelled")

        assert shown == ["nobody gave a name  08:59:56.000  4 s ago", "no reason was given"]

    def test_without_events_the_outcome_tells_why(self) -> None:
        result = JobResult(job_id="job-1", status=JobStatus.CANCELLED, error_type="Cancelled", error="ordered twice")

        assert section(detail(status=JobStatus.CANCELLED, result=result), "Cancelled") == ["ordered twice"]


class TestEvents:
    def test_progress_and_log_are_only_counted(self) -> None:
        chatter = [job_event("progress"), *(job_event("log") for _ in range(3))]
        shown = section(detail(STARTED, *chatter, job_event("completed")), "Events")

        assert len(shown) == 3
        assert shown[1].endswith("1 report of progress, 3 lines of the log")

    def test_a_thousand_retries_make_no_endless_page(self) -> None:
        events = [job_event(kind, final=False) for _ in range(1000) for kind in ("started", "failed")]

        assert len(lines(detail(*events))) < 600
