"""Whatever a job, a worker or a server calls itself: it is text, and stays in its place."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from naq_runtime.errors import NaqError
from naq_runtime.events.models import Event, JobEvent
from naq_runtime.finding.found import FoundJob
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.schedule import ScheduleState
from naq_runtime.snapshot import JobDetail, ScheduleDetail, ServerState, Snapshot
from naq_runtime.surroundings import Family, Member
from naq_tui.acts import Act, ActKind
from naq_tui.screens.confirm import Confirm
from naq_tui.screens.jobs import Jobs
from naq_tui.source import Batch, ConnectionState, Link
from tests.tui.builders import (
    NOW_NS,
    batch,
    job_event,
    leader,
    queue,
    schedule,
    schedule_event,
    snapshot,
    stored,
    system_event,
    worker,
    worker_event,
)
from tests.tui.deeds import Deeds
from tests.tui.harness import watching

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m\x90q\x9c",
    "[red]x[/red] [/foo] [@click=app.quit]q[/]",
    "abc\u202edcba\u2066\u200f",
    "日本語の名前" * 5,
    "line\none\r\ntwo\tthree",
    "x" * 10_000,
    "e" + "\u0301" * 500,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea ☎\ufe0f",
    "lone \ud800 surrogate",
    "\x00\x7f",
)
NEVER = set("\x00\x07\x1b\x7f\x90\x9b\x9c\u200d\u200f\u202e\u2066\ufe0f\ud800\n\r\t")


def talk(text: str, job_id: str) -> tuple[JobEvent, ...]:
    """The text wherever a job, or whoever deals with it, may speak."""
    return (
        job_event("waiting_for_dependencies", job_id, depends_on=(text, "other")),
        job_event("dependency_failed", job_id, dependency_id=text, reason=text),
        job_event("started", job_id, worker_id=text, attempt=2),
        job_event("progress", job_id, worker_id=text, done=1.0, total=3.0, text=text),
        job_event("log", job_id, worker_id=text, level=text, text=text),
        job_event("log", job_id, worker_id=text, level="ERROR", text=text),
        job_event("timed_out", job_id, worker_id=text, error_type=text, error_message=text, final=False),
        job_event("retry_scheduled", job_id, worker_id=text, reason=text),
        job_event("dead_lettered", job_id, function_name=text, reason=text),
        job_event("cancelled", job_id, worker_id=text, by=text, reason=text, state=text),
    )


def everywhere(text: str) -> Batch:
    """The text in every field that anybody can fill."""
    events: tuple[Event, ...] = (
        job_event("enqueued", text, text, function_name=text),
        job_event("failed", text, text, worker_id=text, error_type=text, error_message=text, traceback=text),
        worker_event("started", text, hostname=text, pid=1, queue_names=(text, text)),
        worker_event("error", text, error_type=text, error_message=text),
        *talk(text, text),
        system_event("queue_paused", role=text, queue_name=text),
        system_event("queue_limited", queue_name=text, rate_limit=text, concurrency_limit=3),
        system_event("events_dropped", role=text, hostname=text, pid=1, dropped={text: 3}),
    )
    held = queue(text, 1, 1, paused=True, concurrency_limit=3, rate_limit=text)
    taken = snapshot([held], [worker(text, hostname=text, queue_names=(text,), stuck_job_ids=(text, text))])
    server = ServerState(name=text, version=text, url=text)
    evil = Snapshot(taken_at_ns=NOW_NS, server=server, queues=taken.queues, workers=taken.workers)
    return Batch(Link(ConnectionState.LIVE, NOW_NS, text), stored(events), snapshot=evil)


def assert_harmless(lines: list[str], width: int) -> None:
    for line in lines:
        assert not set(line) & NEVER, repr(line)
        assert cell_len(line) == width, repr(line)
        line.encode()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_in_every_pane(text: str, size: tuple[int, int]) -> None:
    async with watching(everywhere(text), size=size) as watched:
        for _ in range(4):
            await watched.press("tab")
            assert_harmless(watched.lines, size[0])
        await watched.press("z")
        assert_harmless(watched.lines, size[0])


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [(60, 20), (120, 40), (200, 60)])
async def test_in_the_views_and_their_details(text: str, size: tuple[int, int]) -> None:
    async with watching(everywhere(text), size=size) as watched:
        for keys in (("2", "k"), ("4",), ("5",), ("enter",)):
            await watched.press(*keys)
            for _ in range(2):
                await watched.settle()
                assert_harmless(watched.lines, size[0])
            if size[0] < 100 and keys != ("enter",):
                await watched.press("d")
                await watched.settle()
                assert_harmless(watched.lines, size[0])
        await watched.press("escape", "2")
        for _ in range(12):
            await watched.press("k")
            assert_harmless(watched.lines, size[0])
            await watched.press("c")
            assert not set(watched.app.clipboard) & NEVER
        watched.app.clear_notifications()


@pytest.mark.parametrize("text", HOSTILE)
async def test_in_the_drill_down(text: str) -> None:
    result = JobResult(
        job_id="job-1", status=JobStatus.FAILED, error_type=text, error=text, traceback=text, worker_id=text
    )
    safe = text.encode(errors="replace").decode()
    job = Job(text, args=(safe,), kwargs={safe: safe}, job_id="job-1")
    events = (
        job_event("enqueued", function_name=text),
        *talk(text, "job-1"),
        job_event("failed", worker_id=text, error_type=text),
    )
    detail = JobDetail(job_id="job-1", status=JobStatus.FAILED, job=job, result=result, events=stored(events))
    async with watching(batch(job_event()), jobs={"job-1": detail}) as watched:
        await watched.press("enter")
        await watched.settle()
        for _ in range(4):
            assert_harmless(watched.lines, 120)
            await watched.press("pagedown")


@pytest.mark.parametrize("text", HOSTILE)
async def test_as_the_result(text: str) -> None:
    result = JobResult(job_id="job-1", status=JobStatus.COMPLETED, result={"text": text})
    detail = JobDetail(job_id="job-1", status=JobStatus.COMPLETED, result=result)
    async with watching(batch(job_event()), jobs={"job-1": detail}) as watched:
        await watched.press("enter")
        await watched.settle()
        assert_harmless(watched.lines, 120)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("status", [JobStatus.CANCELLED, JobStatus.SCHEDULED, JobStatus.WAITING])
async def test_in_the_drill_down_of_a_job_that_has_not_run_to_its_end(text: str, status: JobStatus) -> None:
    detail = JobDetail(job_id="job-1", status=status, events=stored(talk(text, "job-1")))
    async with watching(batch(job_event()), jobs={"job-1": detail}, size=(80, 40)) as watched:
        await watched.press("enter")
        await watched.settle()
        for _ in range(4):
            assert_harmless(watched.lines, 80)
            await watched.press("pagedown")


@pytest.mark.parametrize("text", HOSTILE)
async def test_around_a_job(text: str) -> None:
    family = Family(
        members={text: Member(JobStatus.FAILED, text), "child": Member(JobStatus.QUEUED, text)},
        needs={"job-1": (text,), text: ("child", "job-1")},
        needed_by={"job-1": (text, "child"), "child": (text,)},
    )
    events = (
        worker_event("started", text, queue_names=(text,)),
        worker_event("lost", text, reason=text),
        system_event("queue_limited", queue_name=text, rate_limit=text, concurrency_limit=3),
        system_event("queue_paused", queue_name=text, reason=text),
        job_event("failed", "other", text, function_name=text, worker_id=text, error_type=text, duration_ms=3.0),
        job_event("enqueued", "job-1", text, function_name=text, ago_s=60),
    )
    stands = snapshot([queue(text, 9, paused=True, rate_limit=text)], [worker(text, queue_names=(text,))])
    async with watching(batch(*events, snapshot=stands)) as watched:
        watched.source.questions.families["job-1"] = family
        await watched.press("enter")
        for _ in range(3):
            await watched.settle()
        assert "Needed by" in watched.text
        for key in ("pagedown", "pagedown", "e", "pagedown"):
            assert_harmless(watched.lines, 120)
            await watched.press(key)
        assert_harmless(watched.lines, 120)


def told_of_schedule(text: str) -> tuple[Event, ...]:
    said: dict[str, Any] = {"queue_name": text, "function_name": text}
    return (
        schedule_event("scheduled", text, **said, cron=text, timezone=text, by=text),
        schedule_event("schedule_triggered", text, **said, job_id=text, tick=2, lag_ms=1.0),
        schedule_event("schedule_modified", text, **said, changes={text: text}),
        schedule_event("scheduler_error", text, **said, error_type=text, error_message=text, reason=text),
        system_event("leader_elected", role=text, hostname=text, pid=1, term=2, reason=text),
    )


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_in_the_schedules(text: str, size: tuple[int, int]) -> None:
    evil = schedule(text, queue_name=text, function_name=text, every_ns=0, cron=text, timezone=text, reason=text)
    led_by = leader(text, hostname=text)
    async with watching(batch(*told_of_schedule(text)), schedules=[evil], leader=led_by, size=size) as watched:
        assert_harmless(watched.lines, size[0])
        await watched.go_to_schedules()
        assert_harmless(watched.lines, size[0])
        watched.source.questions.leader = leader(text, silent_s=9)
        watched.source.questions.trouble = NaqError(text)
        await watched.pass_time(1)
        await watched.settle()
        assert_harmless(watched.lines, size[0])


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("state", [ScheduleState.ACTIVE, ScheduleState.FAILED])
async def test_in_the_page_of_a_schedule(text: str, state: ScheduleState) -> None:
    safe = text.encode(errors="replace").decode()
    evil = schedule(
        "nightly",
        queue_name=text,
        function_name=text,
        every_ns=0,
        cron=text,
        timezone=text,
        reason=text,
        state=state,
        last_job_id=text,
    )
    job = Job(text, args=(safe,), kwargs={safe: safe})
    detail = ScheduleDetail(schedule=evil, job=job, events=stored(told_of_schedule(text)))
    async with watching(batch(), schedules=[schedule("nightly")]) as watched:
        watched.source.questions.details["nightly"] = detail
        await watched.go_to_schedules()
        await watched.press("enter")
        await watched.settle()
        for _ in range(4):
            assert_harmless(watched.lines, 120)
            await watched.press("pagedown")


@pytest.mark.parametrize("text", HOSTILE)
async def test_as_the_reason_of_a_lost_link(text: str) -> None:
    async with watching(everywhere("plain")) as watched:
        await watched.feed(Batch(Link(ConnectionState.RECONNECTING, NOW_NS, text)))
        assert_harmless(watched.lines, 120)
        await watched.feed(Batch(Link(ConnectionState.FAILED, NOW_NS, text)))
        assert_harmless(watched.lines, 120)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_in_the_question_and_the_report_of_an_act(text: str, size: tuple[int, int]) -> None:
    act = Act(ActKind.DELETE, "job", (text, "plain"), of=text, about={text: text, "plain": text})
    deeds = Deeds()
    deeds.failing = {text: NaqError(text), "plain": NaqError(text)}
    async with watching(everywhere("plain"), size=size) as watched:
        watched.app.push_screen(Confirm(act, partial(deeds.perform, act.kind, act.noun)))
        await watched.settle()
        assert "Delete 2 jobs" in watched.text
        assert_harmless(watched.lines, size[0])
        await watched.press("y")
        await watched.settle()
        assert "2 failed" in watched.text
        assert_harmless(watched.lines, size[0])


@pytest.mark.parametrize("text", HOSTILE)
async def test_in_the_question_about_one_and_in_what_came_of_it(text: str) -> None:
    act = Act(ActKind.TRIGGER, "schedule", (text,))
    deeds = Deeds()
    deeds.remark = text
    async with watching(everywhere("plain")) as watched:
        watched.app.push_screen(Confirm(act, partial(deeds.perform, act.kind, act.noun)))
        await watched.settle()
        assert_harmless(watched.lines, 120)
        await watched.press("y")
        await watched.settle()
        (toast,) = watched.app._notifications
        assert not set(toast.message) & NEVER
        assert_harmless(watched.lines, 120)


async def test_a_worker_with_figures_beyond_all_sense() -> None:
    huge = 10**400
    record = worker(
        "w-1",
        pid=huge,
        active_jobs=huge,
        concurrency_limit=huge,
        jobs_completed=huge,
        jobs_failed=-huge,
        cpu_percent=1e300,
        rss_bytes=huge,
        loop_lag_ms=1e300,
        heartbeat_interval=1e-300,
        started_ago_s=-(10**9),
        beat_ago_s=10**9,
    )
    async with watching(batch(snapshot=snapshot([queue("default", huge, huge)], [record])), size=(200, 60)) as watched:
        assert_harmless(watched.lines, 200)
        assert ">999T" in watched.text


async def test_markup_in_a_queue_that_is_chosen_as_a_filter() -> None:
    async with watching(everywhere("[/red]")) as watched:
        await watched.press("tab", "enter")
        assert "/ [/red]" in watched.text
        assert "Events 17 of 17" in watched.text


@pytest.mark.parametrize("size", [(60, 20), (120, 40), (200, 60)])
@pytest.mark.parametrize("text", HOSTILE)
async def test_in_the_jobs_and_in_why_they_fail(text: str, size: tuple[int, int]) -> None:
    evil = FoundJob(
        job_id=text,
        status=JobStatus.FAILED,
        dead=True,
        queue_name=text,
        function_name=text,
        arguments=text,
        worker_id=text,
        error_type=text,
        error_message=text,
        moment_ns=NOW_NS,
    )
    failed = job_event("failed", "job-1", text, function_name=text, error_type=text, error_message=text)
    async with watching(batch(failed), size=size) as watched:
        watched.source.questions.found = {text: evil, "plain": replace(evil, job_id="plain", dead=False)}
        for keys in (("3",), ("F",), ("enter",), ("asterisk",)):
            await watched.press(*keys)
            for _ in range(3):
                await watched.settle()
            assert_harmless(watched.lines, size[0])
        view = watched.app.screen
        assert isinstance(view, Jobs)
        assert not NEVER & set(view.row_text())


async def test_a_job_with_figures_beyond_all_sense() -> None:
    huge = 10**400
    job = FoundJob(
        job_id="job-1",
        status=JobStatus.RUNNING,
        attempt=huge,
        wait_ms=1e300,
        duration_ms=1e300,
        enqueued_at_ns=2**63,
        started_at_ns=-(2**63),
        run_at_ns=2**63,
        moment_ns=2**63,
    )
    async with watching(batch(), size=(200, 60)) as watched:
        watched.source.questions.found = {
            status: replace(job, job_id=status, status=JobStatus(status)) for status in JobStatus
        }
        await watched.press("3")
        for _ in range(3):
            await watched.settle()
        assert_harmless(watched.lines, 200)
        assert ">99…" in watched.text
