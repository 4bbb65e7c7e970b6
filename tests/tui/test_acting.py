"""What can be done from the screen: asked about by name, done to what was named, and told of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from naq_runtime.errors import NotFound, ServerUnreachable
from naq_runtime.job import Job, JobStatus
from naq_runtime.schedule import ScheduleState
from naq_runtime.snapshot import JobDetail
from naq_tui.acts import Act, ActKind
from naq_tui.performing import AT_A_TIME
from naq_tui.screens.confirm import Confirm
from naq_tui.screens.view import View
from naq_tui.source import Batch, ConnectionState
from naq_tui.widgets.choice import Choice
from naq_tui.widgets.document import Document
from tests.tui.builders import alerts, batch, job_event, link, queue, schedule, snapshot, worker
from tests.tui.deeds import Deeds
from tests.tui.harness import Watched, watching

QUEUES = (queue("default", 3), queue("mail", 5, 2), queue("reports", 1, paused=True))
STANDING = batch(
    job_event("enqueued", "job-7", "mail", function_name="shop.mail.send"),
    snapshot=snapshot(QUEUES, [worker("w-1"), worker("w-2")], alerts()),
)


@asynccontextmanager
async def doing(*batches: Batch, **options: Any) -> AsyncIterator[tuple[Watched, Deeds]]:
    """The application over a source in which things can be done."""
    async with watching(*(batches or (STANDING,)), **options) as watched:
        deeds = watched.source.actions = Deeds()
        await watched.settle()
        yield watched, deeds


def toasts(watched: Watched) -> list[str]:
    return [toast.message for toast in watched.app._notifications]


def is_asking(watched: Watched) -> bool:
    return isinstance(watched.app.screen, Confirm)


def footer(watched: Watched) -> str:
    return watched.lines[-1]


def help_text(watched: Watched) -> str:
    page = watched.app.screen.query_one(Document)
    return "\n".join("".join(text for text, _ in line.spans) for line in page.lines)


async def to_queues(watched: Watched) -> None:
    await watched.press("tab")


async def to_workers(watched: Watched) -> None:
    await watched.press("tab", "tab", "tab")


async def ask_for(watched: Watched, count: int) -> None:
    """Have the view on top ask for something to be done to so many jobs that it has chosen by a filter."""
    view = watched.app.screen
    assert isinstance(view, View)
    act = Act(ActKind.RETRY, "job", tuple(f"job-{number}" for number in range(count)), of="queue:mail error:Timeout")
    view.act = lambda kind: act if kind is ActKind.RETRY else None  # type: ignore[method-assign]
    await watched.press("R")


class TestTheQuestion:
    async def test_it_names_what_is_meant_and_what_will_happen(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("j", "P")

            assert "Pause queue mail" in watched.text
            assert "No more jobs of a paused queue begin until it is resumed" in watched.text
            assert "5 waiting, 2 running" in watched.line_with("mail  5")
            assert "cannot be undone" not in watched.text
            assert deeds.done == []

    @pytest.mark.parametrize("key", ["y", "enter"])
    async def test_a_yes_does_it_and_a_word_tells_so(self, key: str) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("j", "P", key)
            await watched.settle()

            assert deeds.done == [("pause", "queue", "mail")]
            assert toasts(watched) == ["✓ queue mail paused"]
            assert not is_asking(watched)

    @pytest.mark.parametrize("key", ["n", "escape"])
    async def test_a_no_does_nothing(self, key: str) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("P", key)
            await watched.settle()

            assert deeds.done == []
            assert not is_asking(watched)

    async def test_enter_alone_does_nothing_that_cannot_be_undone(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("D")
            assert "! Purge queue default" in watched.text
            assert "! This cannot be undone." in watched.text

            await watched.press("enter")
            await watched.settle()
            assert deeds.done == []

            await watched.press("D", "tab", "enter")
            await watched.settle()
            assert deeds.done == [("purge", "queue", "default")]

    @pytest.mark.parametrize("key", ["tab", "shift+tab", "left", "right"])
    async def test_each_key_that_goes_to_the_other_button_does(self, key: str) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("P", key, "enter")
            await watched.settle()
            assert (deeds.done, is_asking(watched)) == ([], False)

            await watched.press("P", key, key, "enter")
            await watched.settle()
            assert deeds.targets == ["default"]

    async def test_the_buttons_can_be_clicked(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("P")
            await watched.pilot.click("#no")
            await watched.settle()
            assert (deeds.done, is_asking(watched)) == ([], False)

            await watched.press("P")
            await watched.pilot.click("#yes")
            await watched.settle()
            assert deeds.targets == ["default"]

    async def test_keys_of_the_screen_behind_do_nothing(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("P", "D", "X", "q", "6", "slash")

            assert "Pause queue default" in watched.text
            assert watched.app.is_running
            assert deeds.done == []

    async def test_of_many_it_counts_all_and_says_how_they_were_chosen(self) -> None:
        async with doing() as (watched, _):
            await ask_for(watched, 1_204)

            assert "Retry 1,204 jobs" in watched.text
            assert "all that match  queue:mail error:Timeout" in watched.text
            assert "job-0" in watched.text

            await watched.press("G")
            assert "… 204 more" in watched.text


class TestWhatItIsBoundTo:
    async def test_rows_that_come_meanwhile_change_nothing(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("P")
            await watched.feed(batch(first=2, snapshot=snapshot([queue("aaa", 9), *QUEUES])))
            await watched.press("enter")
            await watched.settle()

            assert deeds.targets == ["default"]

    async def test_lines_that_come_meanwhile_change_nothing(self) -> None:
        async with doing() as (watched, deeds):
            await watched.press("X")
            assert "! Cancel job job-7" in watched.text
            assert "shop.mail.send in mail" in watched.text
            await watched.feed(batch(job_event("enqueued", "job-8"), first=2))
            await watched.press("y")
            await watched.settle()

            assert deeds.done == [("cancel", "job", "job-7")]

    async def test_marks_are_meant_before_the_cursor_and_go_when_it_is_done(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("space", "space", "P")
            assert "Pause 2 queues" in watched.text
            await watched.press("enter")
            await watched.settle()
            assert sorted(deeds.targets) == ["default", "mail"]
            assert toasts(watched) == ["✓ 2 queues paused"]

            await watched.press("g", "P")
            assert "Pause queue default" in watched.text

    async def test_what_failed_stays_marked(self) -> None:
        async with doing() as (watched, deeds):
            deeds.failing["mail"] = NotFound("there is no queue mail")
            await to_queues(watched)
            await watched.press("space", "space", "P", "enter")
            await watched.settle()
            await watched.press("enter", "P")

            assert "Pause queue mail" in watched.text


class TestManyAtOnce:
    async def test_a_thousand_are_done_some_at_a_time(self) -> None:
        async with doing() as (watched, deeds):
            deeds.gate.clear()
            await ask_for(watched, 1_000)
            await watched.press("y")
            await watched.settle()
            assert "0 of 1,000" in watched.text
            assert deeds.under_way == AT_A_TIME

            deeds.gate.set()
            await watched.settle()
            assert len(deeds.done) == 1_000
            assert deeds.most_under_way == AT_A_TIME
            assert toasts(watched) == ["✓ 1,000 jobs put back"]

    async def test_what_failed_is_named_with_its_reason_until_it_is_closed(self) -> None:
        async with doing() as (watched, deeds):
            deeds.failing = {f"job-{n}": NotFound(f"there is no dead letter of job job-{n}") for n in (3, 5)}
            await ask_for(watched, 10)
            await watched.press("y")
            await watched.settle()

            assert "✓ 8 jobs put back" in watched.text
            assert "✗ 2 failed" in watched.text
            assert "there is no dead letter of job job-3" in watched.text
            assert toasts(watched) == []

            await watched.press("escape")
            assert not is_asking(watched)

    async def test_it_can_be_stopped_half_way(self) -> None:
        async with doing() as (watched, deeds):
            deeds.gate.clear()
            await ask_for(watched, 100)
            await watched.press("y")
            await watched.settle()
            await watched.press("escape")
            await watched.settle()
            assert "stopping" in watched.text

            deeds.gate.set()
            await watched.settle()
            assert f"✓ {AT_A_TIME} jobs put back" in watched.text
            assert f"‖ {100 - AT_A_TIME} left as they are" in watched.text
            assert len(deeds.done) == AT_A_TIME

    async def test_what_does_not_end_is_not_waited_for_when_it_is_stopped_twice(self) -> None:
        async with doing() as (watched, deeds):
            deeds.gate.clear()
            await ask_for(watched, 2)
            await watched.press("y")
            await watched.settle()
            await watched.press("escape", "escape")
            await watched.settle()

            assert "✗ 2 failed" in watched.text
            assert "it may be done or not" in watched.text

    async def test_when_the_server_goes_the_rest_is_left(self) -> None:
        async with doing() as (watched, deeds):
            deeds.failing = {f"job-{n}": ServerUnreachable("nobody there") for n in range(100)}
            await ask_for(watched, 100)
            await watched.press("y")
            await watched.settle()

            assert "nobody there" in watched.text
            assert "left as they are" in watched.text

    async def test_what_came_of_a_single_one_is_told(self) -> None:
        async with doing() as (watched, deeds):
            deeds.remark = "5 jobs cancelled"
            await to_queues(watched)
            await watched.press("D", "y")
            await watched.settle()

            assert toasts(watched) == ["✓ queue default purged: 5 jobs cancelled"]


class TestWhereItCanBeDone:
    async def test_p_resumes_where_all_are_paused(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            await watched.press("G", "P", "y")
            await watched.settle()

            assert deeds.done == [("resume", "queue", "reports")]

    async def test_a_worker_is_stopped(self) -> None:
        async with doing() as (watched, deeds):
            await to_workers(watched)
            await watched.press("j", "X", "y")
            await watched.settle()

            assert deeds.done == [("stop", "worker", "w-2")]

    async def test_schedules_are_triggered_paused_and_cancelled(self) -> None:
        many = (schedule("a", in_s=1), schedule("b", in_s=2), schedule("c", in_s=3, state=ScheduleState.PAUSED))
        async with doing(schedules=many) as (watched, deeds):
            await watched.go_to_schedules()
            await watched.press("T", "y")
            await watched.settle()
            await watched.press("j", "P", "y")
            await watched.settle()
            await watched.press("X", "y")
            await watched.settle()

            assert [deed[::2] for deed in deeds.done] == [("trigger", "a"), ("pause", "b"), ("cancel", "b")]

    async def test_the_page_of_a_schedule_knows_the_same_keys(self) -> None:
        async with doing(schedules=[schedule("a", state=ScheduleState.FAILED)]) as (watched, deeds):
            await watched.go_to_schedules()
            await watched.press("enter")
            await watched.settle()
            assert "T trigger" in footer(watched)
            await watched.press("P", "y")
            await watched.settle()

            assert deeds.done == [("resume", "schedule", "a")]

    @pytest.mark.parametrize(
        ("status", "able"),
        [
            (JobStatus.RUNNING, {"X": "cancel"}),
            (JobStatus.FAILED, {"R": "retry", "D": "delete"}),
            (JobStatus.COMPLETED, {}),
        ],
    )
    async def test_the_page_of_a_job_does_what_the_job_is_fit_for(
        self, status: JobStatus, able: dict[str, str]
    ) -> None:
        job = Job("shop.mail.send", queue_name="mail", job_id="job-7")
        detail = JobDetail(job_id="job-7", status=status, job=job)
        async with doing(jobs={"job-7": detail}) as (watched, deeds):
            await watched.press("enter")
            await watched.settle()
            for key in "RXD":
                await watched.press(key)
                assert is_asking(watched) == (key in able)
                if is_asking(watched):
                    await watched.press("y")
                    await watched.settle()

            assert deeds.done == [(kind, "job", "job-7") for kind in able.values()]

    async def test_an_alert_is_acknowledged_in_the_list_and_on_its_page(self) -> None:
        async with doing() as (watched, deeds):
            await watched.press("a")
            await watched.settle()
            assert "A ack" in footer(watched)
            await watched.press("A")
            assert "Acknowledge alert worker-lost worker=worker-x" in watched.text
            await watched.press("y")
            await watched.settle()
            await watched.press("j", "enter")
            await watched.settle()
            await watched.press("A", "y")
            await watched.settle()

            assert deeds.targets == ["worker-lost worker=worker-x", "mail-failures queue=mail"]

    async def test_where_there_is_nothing_to_do_it_says_so(self) -> None:
        async with doing() as (watched, _):
            await watched.press("tab", "tab")
            await watched.press("X")

            assert toasts(watched) == ["there is nothing here to cancel or stop"]

    async def test_the_palette_knows_what_can_be_done_here(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            titles = {command.title: command for command in watched.app.get_system_commands(watched.app.screen)}
            assert {"Pause queue", "Purge queue"} <= set(titles)
            assert "Stop worker" not in titles
            await titles["Purge queue"].callback()
            await watched.press("y")
            await watched.settle()

            assert deeds.done == [("purge", "queue", "default")]


class TestWhereNothingCanBeDone:
    async def test_only_to_be_looked_at(self) -> None:
        async with watching(STANDING) as watched:
            await to_queues(watched)
            assert "P pause queue" not in footer(watched)
            await watched.press("P")

            assert not is_asking(watched)
            assert toasts(watched) == ["naq-top was started with --read-only: nothing can be changed"]

    @pytest.mark.parametrize("acting", [True, False])
    async def test_the_help_names_only_keys_that_do_something(self, acting: bool) -> None:
        async with watching(STANDING, size=(120, 200)) as watched:
            watched.source.actions = Deeds() if acting else None
            await watched.press("question_mark")
            text = help_text(watched)

            assert ("What can be done to a job" in text) == acting
            assert ("Before something is done" in text) == acting

    async def test_in_a_recording(self) -> None:
        replayed = Batch(link(ConnectionState.REPLAYING), STANDING.events, snapshot=STANDING.snapshot)
        async with watching(replayed) as watched:
            await watched.press("X")

            assert toasts(watched) == ["what is on show is past: nothing can be done to it"]

    async def test_without_a_connection_until_it_is_back(self) -> None:
        async with doing() as (watched, deeds):
            await to_queues(watched)
            assert "P pause queue" in footer(watched)

            await watched.feed(Batch(link(ConnectionState.RECONNECTING)))
            assert "P pause queue" not in footer(watched)
            await watched.press("P")
            assert toasts(watched) == ["there is no connection to the server now: nothing can be done"]

            await watched.feed(batch())
            assert "P pause queue" in footer(watched)
            await watched.press("P", "y")
            await watched.settle()
            assert deeds.targets == ["default"]


async def test_a_lost_worker_hears_nothing() -> None:
    async with doing() as (watched, _):
        await watched.feed(batch(first=2, snapshot=snapshot(QUEUES, [worker("w-2")])))
        await to_workers(watched)
        await watched.press("g", "X")

        assert "w-1" in watched.text
        assert not is_asking(watched)


async def test_the_choice_with_the_focus_has_a_mark() -> None:
    async with doing() as (watched, _):
        await to_queues(watched)
        await watched.press("P")
        assert "▸ y  Yes, pause" in watched.text
        await watched.press("right")
        assert "▸ n  No" in watched.text
        assert len(watched.app.screen.query(Choice)) == 2
