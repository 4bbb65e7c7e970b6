"""Each act for one, for those that are marked, and for all that match: counted, and bound to ids."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from naq_runtime.errors import NotFound, ServerUnreachable
from naq_runtime.job import JobStatus
from naq_runtime.schedule import ScheduleState
from naq_tui.screens.confirm import Confirm
from naq_tui.screens.jobs import Jobs
from naq_tui.source import Batch
from tests.tui.builders import alerts, batch, queue, schedule, snapshot, worker
from tests.tui.deeds import Deeds
from tests.tui.harness import Watched, watching
from tests.tui.test_jobs import failing, job, settled

QUEUES = [queue("mail", 5), queue("mail-bulk", 7), queue("reports", 1)]
WORKERS = [worker("mail-1"), worker("mail-2"), worker("other-3")]
OTHER = schedule("report", in_s=3, function_name="shop.stock.count", queue_name="stock")
SCHEDULES = [schedule("mail-a", in_s=1), schedule("mail-b", in_s=2), OTHER]
STANDING = batch(snapshot=snapshot(QUEUES, WORKERS, alerts()))
FAILED = (
    *(failing(f"box-{number}", f"no box {number}", ago_s=60 * number + 1) for number in range(4)),
    *(failing(f"relay-{number}", "451 busy", ago_s=30 + number) for number in range(2)),
    failing("slow", "too slow", ago_s=50),
)
ACTS = [
    ("4", "P", "pause", "queue"),
    ("4", "D", "purge", "queue"),
    ("5", "X", "stop", "worker"),
    ("6", "P", "pause", "schedule"),
    ("6", "T", "trigger", "schedule"),
    ("6", "X", "cancel", "schedule"),
]


@asynccontextmanager
async def doing(*batches: Batch) -> AsyncIterator[tuple[Watched, Deeds]]:
    async with watching(*batches, schedules=SCHEDULES) as watched:
        deeds = watched.source.actions = Deeds()
        await watched.settle()
        yield watched, deeds


async def go(watched: Watched, place: str) -> None:
    await watched.press(place)
    await settled(watched)


async def say_yes(watched: Watched) -> None:
    await watched.press("y")
    await watched.settle()


def said(watched: Watched) -> list[str]:
    return [toast.message for toast in watched.app._notifications]


@pytest.mark.parametrize(("place", "key", "kind", "noun"), ACTS)
class TestOfEachTable:
    async def test_one(self, place: str, key: str, kind: str, noun: str) -> None:
        async with doing(STANDING) as (watched, deeds):
            await go(watched, place)
            await watched.press(key)
            await say_yes(watched)

            assert [deed[:2] for deed in deeds.done] == [(kind, noun)]

    async def test_those_that_are_marked(self, place: str, key: str, kind: str, noun: str) -> None:
        async with doing(STANDING) as (watched, deeds):
            await go(watched, place)
            await watched.press("space", "space")
            assert "▪ 2 marked" in watched.text
            await watched.press(key)
            assert f"2 {noun}s" in watched.text
            await say_yes(watched)

            assert [deed[:2] for deed in deeds.done] == [(kind, noun)] * 2
            assert "marked" not in watched.text

    async def test_all_that_match(self, place: str, key: str, kind: str, noun: str) -> None:
        async with doing(STANDING) as (watched, deeds):
            await go(watched, place)
            await watched.press("slash")
            await watched.write("mail")
            await watched.press("enter", "asterisk")
            assert "▪ 2 marked" in watched.text
            await watched.press(key)
            assert f"2 {noun}s" in watched.text
            await say_yes(watched)

            assert len(deeds.targets) == 2
            assert all("mail" in target for target in deeds.targets)


async def test_alerts_are_acknowledged_one_some_or_all() -> None:
    async with doing(STANDING) as (watched, deeds):
        await go(watched, "a")
        await watched.press("asterisk", "A")
        await say_yes(watched)

        assert len(deeds.done) == len(set(deeds.targets)) > 1
        assert {deed[:2] for deed in deeds.done} == {("acknowledge", "alert")}


async def test_the_footer_of_the_workers_names_the_key() -> None:
    async with doing(STANDING) as (watched, _):
        await go(watched, "5")

        assert "X stop" in watched.lines[-1]


async def test_paused_schedules_are_resumed_together_and_what_failed_is_named() -> None:
    paused = [schedule(name, state=ScheduleState.PAUSED) for name in ("a", "b", "c")]
    async with watching(STANDING, schedules=paused) as watched:
        deeds = watched.source.actions = Deeds()
        deeds.failing["b"] = NotFound("there is no schedule b")
        await go(watched, "6")
        await watched.press("asterisk", "P")
        await say_yes(watched)

        assert sorted(deeds.targets) == ["a", "c"]
        assert "there is no schedule b" in watched.text
        assert "✗ 1 failed" in watched.text


@asynccontextmanager
async def failures() -> AsyncIterator[tuple[Watched, Deeds]]:
    """The view of the reasons; all jobs have failed for good but one, which was tried again and completed."""
    async with doing(batch(*FAILED, snapshot=snapshot())) as (watched, deeds):
        jobs = [job(event.job_id, "failed", dead=True) for event in FAILED if event.job_id != "box-2"]
        watched.source.questions.found = {one.job_id: one for one in [*jobs, job("box-2", "completed")]}
        await go(watched, "3")
        await watched.press("F")
        await settled(watched)
        yield watched, deeds


class TestOfFailures:
    @pytest.mark.parametrize(("key", "kind"), [("R", "retry"), ("D", "delete")])
    async def test_the_jobs_of_one_reason_that_still_stand_so(self, key: str, kind: str) -> None:
        async with failures() as (watched, deeds):
            await watched.press(key)
            await settled(watched)
            assert "3 jobs" in watched.text
            assert "all that match  send  Refused  no box <n>" in watched.text
            await say_yes(watched)

            assert sorted(deeds.done) == [(kind, "job", f"box-{number}") for number in (0, 1, 3)]

    async def test_those_of_the_marked_reasons(self) -> None:
        async with failures() as (watched, deeds):
            await watched.press("space", "space", "R")
            await settled(watched)
            assert "Retry 5 jobs" in watched.text
            await say_yes(watched)

            assert sorted(deeds.targets) == ["box-0", "box-1", "box-3", "relay-0", "relay-1"]
            assert "marked" not in watched.text

    async def test_those_of_all_reasons(self) -> None:
        async with failures() as (watched, deeds):
            await watched.press("asterisk", "R")
            await settled(watched)
            assert "failures for 3 reasons" in watched.text
            await say_yes(watched)

            assert len(deeds.targets) == 6

    async def test_what_fails_meanwhile_changes_nothing(self) -> None:
        async with failures() as (watched, deeds):
            await watched.press("R")
            await settled(watched)
            await watched.feed(batch(failing("box-9", "no box 9", ago_s=0.1), first=100))
            await say_yes(watched)

            assert sorted(deeds.targets) == ["box-0", "box-1", "box-3"]

    async def test_where_none_stands_so_it_says_so(self) -> None:
        async with failures() as (watched, _):
            await watched.press("X")
            await settled(watched)

            assert said(watched) == ["none of these 4 jobs stands so that one could cancel it"]

    async def test_an_outage_meanwhile_is_told(self) -> None:
        async with failures() as (watched, _):
            watched.source.questions.trouble = ServerUnreachable("the server does not answer")
            await watched.press("R")
            await settled(watched)

            assert said(watched) == ["the server does not answer"]
            assert not isinstance(watched.app.screen, Confirm)

    async def test_the_footer_names_the_keys_and_without_rights_nothing_is_looked_for(self) -> None:
        async with failures() as (watched, _):
            assert "R retry" in watched.lines[-1]
            watched.source.actions = None
            asked = len(watched.source.questions.asked_queries)
            await watched.press("R")
            await settled(watched)

            assert "--read-only" in said(watched)[0]
            assert len(watched.source.questions.asked_queries) == asked


class TestOfVeryManyJobs:
    async def test_the_question_says_that_there_are_more_than_were_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("naq_tui.screens.search.MOST_MARKED", 1_000)
        async with doing(STANDING) as (watched, _):
            await many(watched, 2_600)
            await watched.press("asterisk")
            await settled(watched)
            await watched.press("R")

            assert "Retry 1,000 jobs" in watched.text
            assert "There are more than were found so far" in watched.text

    async def test_of_all_it_says_no_such_thing(self) -> None:
        async with doing(STANDING) as (watched, _):
            await many(watched, 1_800)
            await watched.press("asterisk")
            await settled(watched)
            await watched.press("R")

            assert "Retry 1,800 jobs" in watched.text
            assert "There are more" not in watched.text

    async def test_no_more_is_looked_for_once_the_marks_are_taken_away(self) -> None:
        async with doing(STANDING) as (watched, _):
            await many(watched, 1_800)
            await watched.press("asterisk", "u")
            await settled(watched)
            view = watched.app.screen

            assert isinstance(view, Jobs)
            assert not view._search.everything
            assert "marked" not in watched.text


async def many(watched: Watched, count: int) -> None:
    """Go to the view of the jobs, of which so many have failed."""
    jobs = [job(f"job-{number:04}", JobStatus.FAILED, dead=True, ago_s=number) for number in range(count)]
    watched.source.questions.found = {one.job_id: one for one in jobs}
    await go(watched, "3")
