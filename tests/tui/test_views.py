"""The views of events, queues and workers, each with the details of the row under the cursor."""

from __future__ import annotations

import pytest

from naq_runtime.errors import ServerError
from naq_runtime.snapshot import QueueBacklog
from naq_runtime.worker.record import WorkerState
from naq_runtime.worker.roll import WorkerStatus
from naq_tui.acts import ActKind
from naq_tui.screens.view import View
from naq_tui.state import Dashboard
from naq_tui.widgets.deep_feed import DeepFeed
from naq_tui.widgets.workers import AllWorkers
from tests.tui.builders import NOW_NS, SECOND, batch, job_event, queue, snapshot, stored, worker, worker_event
from tests.tui.harness import Watched, watching

LONG_AGO_S = 900
BUSY = batch(
    job_event("started", "import-9", "imports", worker_id="w-2", function_name="shop.imports.run", ago_s=LONG_AGO_S),
    job_event("started", "mail-1", "mail", worker_id="w-1", function_name="shop.mail.send", ago_s=3),
    job_event("failed", "mail-0", "mail", function_name="shop.mail.send", error_type="Refused", error_message="451"),
    worker_event("heartbeat", "w-1", cpu_percent=12.0, rss_bytes=5_000_000, loop_lag_ms=1.5, active_jobs=1),
    snapshot=snapshot(
        [queue("imports", 0, 1), queue("mail", 900, 1, paused=True), queue("news", 7, workers=0)],
        [
            worker("w-1", queue_names=("mail",), running_job_ids=("mail-1",), active_jobs=1),
            worker("w-2", queue_names=("imports",), running_job_ids=("import-9",), active_jobs=1),
        ],
    ),
)
BACKLOG = {
    "imports": QueueBacklog(scheduled=12, retrying=3),
    "mail": QueueBacklog(dead=41, oldest_s=312.0),
    "news": QueueBacklog(depending=5),
}


async def go(watched: Watched, key: str) -> None:
    """Open a view, and let what it asks for be answered and painted."""
    await watched.press(key)
    await watched.settle()
    await watched.settle()


def view(watched: Watched) -> View:
    screen = watched.app.screen
    assert isinstance(screen, View)
    return screen


def targets(watched: Watched, kind: ActKind) -> tuple[str, ...]:
    act = view(watched).act(kind)
    return act.targets if act is not None else ()


class TestQueues:
    async def test_depths_are_those_of_the_streams(self) -> None:
        async with watching(BUSY) as watched:
            watched.source.questions.backlog = BACKLOG
            await go(watched, "4")

            imports, mail = watched.line_with("│ imports "), watched.line_with("│ mail ")
            assert imports.split()[2:9] == ["○", "idle", "0", "1", "12", "3", "0"]
            assert "12 scheduled  3 of them to be tried again" in watched.text
            assert mail.split()[2:11] == ["‖", "paused", "900", "1", "0", "0", "41", "5", "m"]

    async def test_a_queue_that_has_jobs_and_no_worker_is_pointed_out(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "4")

            assert "! nobody" in watched.line_with("│ news ")

    async def test_before_there_is_an_answer_depths_are_unknown_and_not_zero(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "4")

            assert watched.line_with("│ imports ").split()[6:9] == ["-", "-", "-"]

    async def test_the_details_follow_the_cursor(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "4")
            assert "Queue imports" in watched.text
            await watched.press("j")

            assert "Queue mail" in watched.text
            assert "Refused: 451" in watched.text
            assert "w-1" in watched.text
            assert "w-2" not in watched.text

    async def test_it_is_asked_only_while_it_is_on_show_and_not_all_the_time(self) -> None:
        async with watching(BUSY) as watched:
            asked = watched.source.questions.asked_backlogs
            await watched.pass_time(10)
            assert asked == []
            await go(watched, "4")
            assert asked == [["imports", "mail", "news"]]
            await watched.pass_time(1)
            assert len(asked) == 1
            await watched.pass_time(30)
            assert len(asked) == 2
            await go(watched, "1")
            await watched.pass_time(30)
            assert len(asked) == 2

    async def test_why_there_is_no_answer_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def refuse(queues: object) -> dict[str, QueueBacklog]:
            raise ServerError("permission denied for $JS.API.STREAM.INFO")

        async with watching(BUSY) as watched:
            monkeypatch.setattr(watched.source.questions, "backlogs", refuse)
            await go(watched, "4")

            assert "! permission denied" in watched.text

    async def test_a_filter_leaves_only_the_queues_that_match(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "4")
            await watched.press("slash")
            await watched.write("ne")
            await watched.press("enter")

            assert "Queues 1 of 3" in watched.text
            assert "Queue news" in watched.text
            await watched.press("escape")
            assert "Queues 3" in watched.text

    async def test_enter_shows_what_is_in_the_queue(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "4")
            await watched.press("j", "enter")
            await watched.settle()

            assert view(watched).HERE in ("events", "jobs")
            assert "queue:mail" in watched.text

    async def test_pausing_means_the_marked_queues_and_resuming_those_that_all_are_paused(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "4")
            await watched.press("j")
            assert view(watched).act(ActKind.PAUSE) is None
            assert targets(watched, ActKind.RESUME) == ("mail",)
            await watched.press("space", "space")
            assert targets(watched, ActKind.PAUSE) == ("news",)
            assert view(watched).act(ActKind.RETRY) is None

    @pytest.mark.parametrize("key", ["tab", "shift+tab"])
    async def test_details_are_gone_to_and_left_again(self, key: str) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "4")
            rows = watched.app.focused
            await watched.press(key)
            details = watched.app.focused
            await watched.press(key)
            assert details is not rows
            assert watched.app.focused is rows

    async def test_narrow_terminals_show_the_details_only_when_they_are_asked_for(self) -> None:
        async with watching(BUSY, size=(80, 24)) as watched:
            await go(watched, "4")
            assert "Queue imports" not in watched.text
            await watched.press("d")
            await watched.settle()
            assert "Queue imports" in watched.text
            await watched.press("d")
            await watched.settle()
            assert "Queue imports" not in watched.text


class TestWorkers:
    async def test_the_one_with_the_longest_job_is_on_top_and_two_keys_open_it(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "5")
            rows = watched.app.screen.query_one(AllWorkers).rows
            assert [row.record.worker_id for row in rows] == ["w-2", "w-1"]
            assert "15 m" in watched.line_with("│ w-2 ")

            await watched.press("enter")
            await watched.settle()
            await watched.settle()
            assert "Worker w-2" in watched.text
            assert "! 15 m 00 s" in watched.line_with("import-9  imports")

    async def test_a_job_that_ran_already_when_we_came_is_at_least_as_old(self) -> None:
        late = batch(snapshot=snapshot([], [worker("w-1", running_job_ids=("j-1",), active_jobs=1)]))
        async with watching(late) as watched:
            await watched.pass_time(75)
            await go(watched, "5")

            assert "≥75 s" in watched.line_with("│ w-1 ")

    async def test_the_details_tell_its_jobs_and_its_heartbeats(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "5")
            await watched.press("j")
            await watched.pass_time(1)
            await watched.settle()

            assert "mail-1" in watched.text
            assert "send" in watched.line_with("mail-1")
            assert "most 12 %" in watched.line_with("cpu      ▇")

    async def test_while_it_is_frozen_one_can_look_at_each(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "5")
            await watched.press("p", "j")
            await watched.settle()
            await watched.settle()

            assert "Worker w-1" in watched.text
            assert "mail-1" in watched.text

    async def test_enter_on_the_page_opens_the_job_that_runs_longest(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "5")
            await watched.press("enter")
            await watched.settle()
            await watched.press("enter")
            await watched.settle()

            assert "Job import-9" in watched.text

    async def test_those_that_have_stopped_are_shown_when_they_are_wanted(self) -> None:
        record = worker("w-old", state=WorkerState.STOPPED, beat_ago_s=4000, active_jobs=0)
        gone = WorkerStatus(worker_id="w-old", state="stopped", record=record, seen_ns=NOW_NS - 4000 * SECOND)
        async with watching(BUSY) as watched:
            watched.source.questions.former = (gone,)
            await go(watched, "5")
            assert "w-old" not in watched.text
            await go(watched, "i")
            assert "■ stopped" in watched.line_with("│ w-old ")
            await go(watched, "i")
            assert "w-old" not in watched.text

    async def test_one_that_is_lost_is_on_top_with_the_jobs_that_it_held(self) -> None:
        async with watching(BUSY) as watched:
            left = snapshot([], [worker("w-2", queue_names=("imports",), beat_ago_s=0)])
            await watched.feed(batch(snapshot=left))
            await go(watched, "5")

            assert [row.record.worker_id for row in watched.app.screen.query_one(AllWorkers).rows] == ["w-1", "w-2"]
            assert "held 1" in watched.line_with("│ w-1 ")

    async def test_stopping_means_the_worker_of_the_page(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "5")
            assert targets(watched, ActKind.STOP) == ("w-2",)
            await watched.press("enter")
            assert targets(watched, ActKind.STOP) == ("w-2",)


class TestEvents:
    async def test_the_event_with_the_cursor_is_told_in_full(self) -> None:
        long = "no connection to the relay " * 8
        news = batch(job_event("failed", error_type="Refused", error_message=long, traceback="Traceback (most recent"))
        async with watching(news) as watched:
            await go(watched, "2")
            await watched.press("k")

            assert "Refused" in watched.line_with("error type")
            assert "Traceback (most recent" in watched.text
            assert "#1" in watched.line_with("  event   ")

    async def test_names_of_fields_keep_their_distance_lists_have_a_line_each_and_pids_no_commas(self) -> None:
        news = worker_event("started", concurrency_limit=3, pid=4525, queue_names=("default", "mail"))
        async with watching(batch(news)) as watched:
            await go(watched, "2")
            await watched.press("k")

            assert watched.line_with("concurrency limit").split()[-3:] == ["limit", "3", "│"]
            assert watched.line_with("pid").split()[-3:] == ["pid", "4525", "│"]
            assert watched.line_with("queue names").split()[-3:] == ["names", "default", "│"]

    async def test_the_filter_takes_the_grammar_and_escape_clears_it(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "2")
            await watched.press("slash")
            await watched.write("type:failed")
            await watched.press("enter")
            await watched.settle()
            assert watched.app.screen.query_one(DeepFeed).title().plain.startswith("Events 1 of 4")
            await watched.press("escape")
            await watched.settle()
            assert watched.app.screen.query_one(DeepFeed).title().plain.startswith("Events 4")

    async def test_enter_opens_the_job(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "2")
            await watched.press("k", "enter")
            await watched.settle()

            assert "Job mail-0" in watched.text

    async def test_while_it_is_frozen_details_can_be_looked_at_and_nothing_else_changes(self) -> None:
        async with watching(BUSY) as watched:
            await go(watched, "2")
            await watched.press("p")
            await watched.feed(batch(job_event("enqueued", "late-1"), first=5))
            await watched.press("k")
            assert "late-1" not in watched.text
            assert "mail-0" in watched.line_with("job id")
            await watched.press("p")
            await watched.settle()
            assert "late-1"[:8] in watched.text

    async def test_another_dashboard_is_shown_from_its_end_with_the_same_filter(self) -> None:
        feed = DeepFeed()
        one, other = Dashboard(), Dashboard()
        one.apply(BUSY, NOW_NS)
        other.apply(batch(*(job_event("failed", f"past-{number}") for number in range(9))), NOW_NS)
        async with watching() as watched:
            await watched.app.screen.mount(feed)
            feed.show(one, NOW_NS)
            feed.set_filter("type:failed")
            assert len(feed.viewport) == 1
            feed.show(other, NOW_NS)

            assert len(feed.viewport) == 9
            assert feed.viewport.following


class TestEarlierEvents:
    async def test_at_the_top_of_the_list_earlier_ones_are_read(self) -> None:
        async with watching(batch(job_event("enqueued", "new-1"), first=2001)) as watched:
            watched.source.questions.earlier = stored(
                job_event("enqueued", f"old-{number}", ago_s=9000 - number) for number in range(1, 2001)
            )
            await go(watched, "2")
            feed = watched.app.screen.query_one(DeepFeed)
            assert len(feed.viewport) == 1
            await go(watched, "g")
            assert len(feed.viewport) == 1001
            await go(watched, "g")
            await go(watched, "g")
            assert len(feed.viewport) == 2001
            assert "the log begins here" in watched.text
            assert "old-1 " in watched.text

    async def test_what_is_kept_here_is_passed_over(self) -> None:
        log = [job_event("enqueued", f"job-{number}", ago_s=9000 - number) for number in range(2500)]
        async with watching(batch(*log[1000:], first=1001)) as watched:
            watched.source.questions.earlier = stored(log)
            await go(watched, "2")
            await go(watched, "g")
            await watched.settle()
            feed = watched.app.screen.query_one(DeepFeed)

            assert watched.source.questions.asked_before == [2001, 1001]
            assert len(feed.viewport) == 2500
            assert feed.cursor_event is not None
            assert feed.cursor_event.sequence == 1001

    async def test_the_cursor_stays_on_its_event_while_earlier_ones_come(self) -> None:
        async with watching(batch(job_event("enqueued", "new-1"), first=11)) as watched:
            watched.source.questions.earlier = stored(job_event("enqueued", f"old-{n}") for n in range(10))
            await go(watched, "2")
            await go(watched, "k")
            feed = watched.app.screen.query_one(DeepFeed)

            assert len(feed.viewport) == 11
            assert feed.cursor_event is not None
            assert feed.cursor_event.sequence == 11

    async def test_the_filter_is_the_servers(self) -> None:
        async with watching(batch(job_event("failed", "new-1"), first=101)) as watched:
            watched.source.questions.earlier = stored(
                job_event("failed" if number % 10 == 0 else "enqueued", f"old-{number}") for number in range(100)
            )
            await go(watched, "2")
            await watched.press("slash")
            await watched.write("type:failed")
            await watched.press("enter")
            await watched.settle()
            await go(watched, "g")

            assert len(watched.app.screen.query_one(DeepFeed).viewport) == 11

    async def test_new_events_come_below_and_following_lets_the_earlier_ones_go(self) -> None:
        async with watching(batch(job_event("enqueued", "new-1"), first=11)) as watched:
            watched.source.questions.earlier = stored(job_event("enqueued", f"old-{n}") for n in range(10))
            await go(watched, "2")
            await go(watched, "k")
            await watched.feed(batch(job_event("enqueued", "new-2"), first=12))
            feed = watched.app.screen.query_one(DeepFeed)
            assert len(feed.viewport) == 12
            await watched.press("f")
            await watched.feed(batch(job_event("enqueued", "new-3"), first=13))
            assert len(feed.viewport) == 3

    async def test_events_are_not_shown_twice_although_they_lie_by_their_time(self) -> None:
        news = batch(job_event("enqueued", "b", ago_s=2), job_event("enqueued", "a", ago_s=3), first=11)
        swapped = type(news)(news.link, tuple(reversed(news.events)))
        async with watching(swapped) as watched:
            watched.source.questions.earlier = stored(job_event("enqueued", f"old-{n}") for n in range(12))
            await go(watched, "2")
            await go(watched, "g")
            feed = watched.app.screen.query_one(DeepFeed)

            assert len(feed.viewport) == 12

    async def test_why_they_cannot_be_read_is_said_and_another_try_is_possible(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def refuse(sequence: int, limit: int, needle: str = "") -> object:
            raise ServerError("there is no connection to the server now")

        async with watching(batch(job_event("enqueued", "new-1"), first=11)) as watched:
            with monkeypatch.context() as patched:
                patched.setattr(watched.source.questions, "events_before", refuse)
                await go(watched, "2")
                await go(watched, "g")
                assert "there is no connection" in watched.text
            watched.source.questions.earlier = stored(job_event("enqueued", f"old-{n}") for n in range(10))
            await go(watched, "g")

            assert len(watched.app.screen.query_one(DeepFeed).viewport) == 11
