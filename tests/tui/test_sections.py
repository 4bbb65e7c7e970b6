"""The page of a job as sections: to go through, to fold, and to open what stands in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from naq_runtime.errors import ServerUnreachable
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.snapshot import JobDetail
from naq_runtime.surroundings import Family, Member
from naq_tui.acts import Act, ActKind
from naq_tui.pages.blocks import Stop
from naq_tui.screens.job import JobScreen
from naq_tui.widgets.sections import Sections
from tests.tui.builders import batch, job_event, queue, snapshot, stored, system_event, worker
from tests.tui.harness import Watched, watching

EVENTS = (
    job_event("waiting_for_dependencies", "job-1", "mail", ago_s=60, depends_on=("orders",), function_name="shop.f"),
    job_event("dependency_satisfied", "job-1", "mail", ago_s=50, dependency_id="orders", reason="completed"),
    job_event("enqueued", "job-1", "mail", ago_s=50, function_name="shop.f"),
    job_event("started", "job-1", "mail", ago_s=10, function_name="shop.f", worker_id="w-1", wait_ms=40_000.0),
    job_event("completed", "job-1", "mail", ago_s=3, function_name="shop.f", worker_id="w-1", duration_ms=7000.0),
)
ORDERS = job_event("completed", "orders", "mail", ago_s=50.1, function_name="shop.load", duration_ms=5.0)
JOB = Job("shop.f", (1, "two"), job_id="job-1", queue_name="mail")
DONE = JobDetail(
    job_id="job-1",
    status=JobStatus.COMPLETED,
    job=JOB,
    result=JobResult(job_id="job-1", status=JobStatus.COMPLETED, result=["x" * 60] * 500),
    events=stored(EVENTS),
)


@asynccontextmanager
async def opened(of: JobDetail = DONE, *, size: tuple[int, int] = (100, 40)) -> AsyncIterator[Watched]:
    """The page of a job, with all that lies around it."""
    async with watching(batch(ORDERS, *EVENTS), jobs={"job-1": of}, size=size) as watched:
        await watched.press("enter")
        await watched.settle()
        await watched.settle()
        yield watched


def sections(watched: Watched) -> Sections:
    return watched.app.screen.query_one(Sections)


def screen(watched: Watched) -> JobScreen:
    assert isinstance(watched.app.screen, JobScreen)
    return watched.app.screen


class TestGoing:
    async def test_tab_goes_to_the_next_heading_and_shift_tab_back(self) -> None:
        async with opened() as watched:
            await watched.press("tab", "tab")
            assert sections(watched).stop == Stop("fold", "timeline")
            await watched.press("shift+tab")
            assert sections(watched).stop == Stop("fold", "why")

    async def test_a_heading_is_brought_to_the_top(self) -> None:
        async with opened(size=(80, 24)) as watched:
            await watched.press("tab", "tab", "tab")
            assert watched.lines[4].startswith("│▾ Result ")

    async def test_down_goes_to_what_can_be_opened_and_scrolls_where_there_is_nothing(self) -> None:
        async with opened(size=(80, 24)) as watched:
            await watched.press("tab", "tab", "tab")
            top = sections(watched).viewport.top
            await watched.press("j", "j")
            assert sections(watched).viewport.top == top + 2
            assert sections(watched).stop is None

    async def test_the_cursor_stays_where_it_is_when_the_page_changes_above_it(self) -> None:
        async with opened() as watched:
            sections(watched).go_to("needs")
            await watched.press("j")
            assert sections(watched).stop == Stop("job", "orders")
            place = next(index for index, line in enumerate(watched.lines) if "⊕ orders" in line)
            longer = (*EVENTS, job_event("progress", "job-1", "mail", ago_s=2, done=1.0, total=2.0))
            watched.source.questions.jobs["job-1"] = msgspec.structs.replace(DONE, events=stored(longer))
            await watched.pass_time(1)
            await watched.feed(batch(job_event("result_stored", "job-1"), first=50))
            assert sections(watched).stop == Stop("job", "orders")
            assert "⊕ orders" in watched.lines[place]


class TestFolding:
    async def test_enter_on_a_heading_folds_and_unfolds_it(self) -> None:
        async with opened() as watched:
            assert "for jobs" in watched.text
            await watched.press("tab", "tab", "enter")
            assert "▸ Timeline  5 lines" in watched.text
            assert "for jobs" not in watched.text
            await watched.press("enter")
            assert "for jobs" in watched.text

    async def test_without_a_cursor_enter_does_nothing(self) -> None:
        async with opened() as watched:
            before = watched.lines[2:]
            await watched.press("enter")
            assert watched.lines[2:] == before


class TestOpening:
    async def test_enter_on_a_job_of_the_family_opens_it_and_escape_comes_back(self) -> None:
        async with opened() as watched:
            sections(watched).go_to("needs")
            await watched.press("j", "enter")
            await watched.settle()
            assert "Job orders" in watched.lines[2]
            await watched.press("escape")
            assert "Job job-1" in watched.lines[2]

    async def test_a_job_that_is_open_below_is_gone_back_to(self) -> None:
        async with opened() as watched:
            sections(watched).go_to("needs")
            await watched.press("j", "enter")
            await watched.settle()
            await watched.settle()
            sections(watched).go_to("needed")
            await watched.press("j", "enter")
            assert "Job job-1" in watched.lines[2]
            await watched.press("escape")
            assert "Events 6" in watched.text

    async def test_events_that_came_while_another_job_was_open_are_seen_afterwards(self) -> None:
        async with opened() as watched:
            sections(watched).go_to("needs")
            await watched.press("j", "enter")
            await watched.settle()
            asked = watched.source.questions.asked.count("job-1")
            await watched.press("escape")
            await watched.pass_time(1)
            assert watched.source.questions.asked.count("job-1") == asked + 1

    async def test_more_of_a_long_value_is_shown_by_enter(self) -> None:
        async with opened() as watched:
            sections(watched).go_to("result")
            while sections(watched).stop != Stop("more", "result"):
                await watched.press("j")
            await watched.press("enter")
            assert watched.text.count("x" * 60) > 30
            assert "Enter shows more" not in watched.text

    async def test_e_shows_the_events_as_they_are_stored(self) -> None:
        async with opened() as watched:
            await watched.press("e")
            assert watched.text.count('{"sequence": ') == 5
            await watched.press("e")
            assert '{"sequence": ' not in watched.text
            assert "⊕ dep met" in watched.text


class TestFinding:
    async def test_a_text_is_gone_to_wherever_it_stands(self) -> None:
        async with opened(size=(80, 24)) as watched:
            await watched.press("slash")
            await watched.write("dep MET")
            await watched.press("enter")
            assert "⊕ dep met" in watched.text
            await watched.press("escape")
            assert isinstance(watched.app.screen, JobScreen)
            await watched.press("escape")
            assert not isinstance(watched.app.screen, JobScreen)

    async def test_n_goes_on_to_the_next_one_and_after_the_last_to_the_first(self) -> None:
        async with opened(size=(80, 24)) as watched:
            await watched.press("slash")
            await watched.write("completed")
            await watched.press("enter")
            tops = [sections(watched).viewport.top]
            for _ in range(12):
                await watched.press("n")
                tops.append(sections(watched).viewport.top)
            assert max(tops) > min(tops)
            assert tops.count(tops[0]) > 1

    async def test_a_large_n_goes_back_to_the_one_before(self) -> None:
        async with opened(size=(80, 24)) as watched:
            await watched.press("slash")
            await watched.write("completed")
            await watched.press("enter")
            hits = [sections(watched)._hit]
            for key in "nnNN":
                await watched.press(key)
                hits.append(sections(watched)._hit)
            assert len(set(hits)) == 3
            assert hits == hits[::-1]

    async def test_what_is_nowhere_moves_nothing(self) -> None:
        async with opened(size=(80, 24)) as watched:
            await watched.press("slash")
            await watched.write("nowhere")
            await watched.press("enter")
            assert sections(watched).viewport.top == 0


class TestAround:
    async def test_the_queue_of_the_latest_snapshot_says_why_it_waits(self) -> None:
        enqueued = job_event("enqueued", "job-1", "mail", ago_s=50)
        pause = system_event("queue_paused", queue_name="mail", ago_s=125, reason="relay is down")
        stands = snapshot([queue("mail", 1, paused=True)], [worker(queue_names=("mail",))])
        async with watching(batch(pause, enqueued, snapshot=stands)) as watched:
            await watched.press("enter")
            await watched.settle()
            await watched.settle()
            assert '‖ the queue mail is paused  since 08:57:55, 2 m 05 s ago: "relay is down"' in watched.text
            await watched.feed(batch(snapshot=snapshot([queue("mail", 1)], [worker(queue_names=("mail",))])))
            await watched.pass_time(1)
            assert "the queue mail is paused" not in watched.text

    async def test_while_it_waits_it_is_looked_around_again(self) -> None:
        waits = job_event("waiting_for_dependencies", "job-1", "mail", ago_s=9, depends_on=("orders",))
        async with watching(batch(waits)) as watched:
            families = watched.source.questions.families
            families["job-1"] = Family(members={"orders": Member(JobStatus.QUEUED)}, needs={"job-1": ("orders",)})
            await watched.press("enter")
            await watched.settle()
            await watched.settle()
            assert "+ orders  queued" in watched.text
            families["job-1"] = Family(members={"orders": Member(JobStatus.RUNNING)}, needs={"job-1": ("orders",)})
            await watched.pass_time(11)
            await watched.settle()
            assert "▸ orders  running" in watched.text

    async def test_what_cannot_be_read_is_said_and_the_rest_is_shown(self) -> None:
        async with watching(batch(ORDERS, *EVENTS)) as watched:
            watched.source.questions.families["job-1"] = ServerUnreachable("nothing answers")
            await watched.press("enter")
            await watched.settle()
            await watched.settle()
            assert "! this could not be read: nothing answers" in watched.text
            assert "✓ completed" in watched.text

    async def test_neighbours_are_told(self) -> None:
        async with opened() as watched:
            sections(watched).go_to("neighbours")
            assert "▾ Neighbours  f in the last 1 h 00 m" in watched.text


class TestCopying:
    async def test_the_section_under_the_cursor_is_copied_whole(self) -> None:
        async with opened() as watched:
            sections(watched).go_to("arguments")
            assert screen(watched).row_text() == '[1, "two"]'

    async def test_a_job_is_copied_by_its_id(self) -> None:
        async with opened() as watched:
            sections(watched).go_to("needs")
            await watched.press("j")
            assert screen(watched).row_text() == "orders"

    async def test_without_a_cursor_it_is_all_of_the_page(self) -> None:
        async with opened() as watched:
            text = screen(watched).row_text()
            assert "shop.f" in text
            assert "Arguments" in text

    async def test_the_command_that_tells_the_same(self) -> None:
        async with opened() as watched:
            assert screen(watched).equivalent() == "naq job show job-1"
            await watched.press("e")
            assert screen(watched).equivalent() == "naq job events job-1 --format json"

    async def test_its_events_are_written(self) -> None:
        async with opened() as watched:
            kinds = [record["event_type"] for record in screen(watched).records()]
            assert kinds == [event.event_type for event in EVENTS]


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        (JobStatus.RUNNING, {ActKind.CANCEL}),
        (JobStatus.WAITING, {ActKind.CANCEL}),
        (JobStatus.FAILED, {ActKind.RETRY}),
        (JobStatus.COMPLETED, set()),
    ],
)
async def test_what_can_be_done_to_a_job_goes_by_its_status(status: JobStatus, kinds: set[ActKind]) -> None:
    async with opened(JobDetail(job_id="job-1", status=status, events=stored(EVENTS))) as watched:
        acts = {kind: screen(watched).act(kind) for kind in ActKind}

    assert {kind: act for kind, act in acts.items() if act is not None} == {
        kind: Act(kind, "job", ("job-1",)) for kind in kinds
    }


async def test_a_dead_letter_can_be_deleted() -> None:
    events = stored([*EVENTS[:4], job_event("failed", "job-1"), job_event("dead_lettered", "job-1")])
    async with opened(JobDetail(job_id="job-1", status=JobStatus.FAILED, events=events)) as watched:
        assert screen(watched).act(ActKind.DELETE) == Act(ActKind.DELETE, "job", ("job-1",))
