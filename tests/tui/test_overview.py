"""The overview: what it shows, and how one moves in it."""

from __future__ import annotations

from textual.widget import Widget

from naq_runtime.worker.record import WorkerState
from naq_tui.source import ConnectionState
from naq_tui.widgets.chart import Chart
from naq_tui.widgets.feed import Feed
from naq_tui.widgets.queues import Queues
from naq_tui.widgets.workers import Workers
from tests.tui.builders import batch, job_event, link, queue, snapshot, worker, worker_event
from tests.tui.harness import Watched, watching

BUSY = batch(
    job_event("enqueued", "job-1", "mail", function_name="shop.send"),
    job_event("failed", "job-2", "default", error_type="KeyError", error_message="'name'", worker_id="w-1"),
    snapshot=snapshot(
        [queue("default", 12, 3), queue("mail", 900, 0), queue("reports", 5, 1)],
        [worker("w-1"), worker("w-2", state=WorkerState.IDLE, active_jobs=0)],
    ),
)


def focused(watched: Watched) -> str:
    widget = watched.app.focused
    assert isinstance(widget, Widget)
    return str(widget.id)


def order(watched: Watched) -> list[str]:
    return [watched.app.screen.query_one(Queues).key(row) for row in watched.app.screen.query_one(Queues).rows]


class TestWhatItShows:
    async def test_before_the_source_has_spoken_it_says_that_it_connects(self) -> None:
        async with watching() as watched:
            assert "◌ starting" in watched.lines[0]
            assert "connecting …" in watched.text

    async def test_queues_with_their_depths(self) -> None:
        async with watching(BUSY) as watched:
            assert watched.line_with("│ mail ").split()[1:4] == ["mail", "900", "0"]

    async def test_workers_with_state_place_and_load(self) -> None:
        async with watching(BUSY) as watched:
            busy, idle = watched.line_with("│ w-1 "), watched.line_with("│ w-2 ")
            assert "● busy" in busy
            assert "host-a:4711" in busy
            assert "3/8" in busy
            assert "○ idle" in idle
            assert "0/8" in idle

    async def test_events_newest_at_the_bottom(self) -> None:
        async with watching(BUSY) as watched:
            first, second = watched.events()
            assert "+ enqueued" in first
            assert first.rstrip(" │").endswith("send")
            assert "✗ failed" in second
            assert "KeyError: 'name'" in second

    async def test_what_is_missing_is_a_dash(self) -> None:
        async with watching(batch(worker_event("heartbeat"))) as watched:
            assert watched.events()[0].split()[1:6] == ["·", "heartbeat", "-", "-", "w-1"]

    async def test_the_strip_names_context_server_and_link(self) -> None:
        async with watching(BUSY) as watched:
            assert watched.lines[0].split() == [
                *("naq-top", "0.1.0", "shop", "nats://127.0.0.1:4222", "nats-1", "·", "nats", "2.14.1"),
                *("●", "live", "09:00:00"),
            ]

    async def test_events_that_were_missed_stand_out(self) -> None:
        async with watching(BUSY) as watched:
            assert "none missed" in watched.lines[1]
            await watched.feed(batch(missed=1234))
            assert "! 1,234 events missed" in watched.lines[1]

    async def test_catching_up_is_said(self) -> None:
        async with watching(batch(link=link(ConnectionState.CATCHING_UP))) as watched:
            assert "◐ catching up" in watched.lines[0]

    async def test_the_end_of_a_recording_is_said(self) -> None:
        async with watching(BUSY) as watched:
            watched.source.end()
            await watched.source.taken()
            await watched.settle()
            assert "■ end of the recording" in watched.lines[0]

    async def test_nothing_yet_teaches_what_to_do(self) -> None:
        async with watching(batch(snapshot=snapshot())) as watched:
            assert "no jobs yet" in watched.text
            assert "naq enqueue your_module.your_task" in watched.text
            assert "naq run-worker default -m your_module" in watched.text
            assert "waiting for the first event" in watched.text
            assert "no job has ended yet" in watched.text


class TestPanes:
    async def test_tab_goes_round_the_panes(self) -> None:
        async with watching(BUSY) as watched:
            visited = []
            for _ in range(5):
                visited.append(focused(watched))
                await watched.press("tab")
            assert visited == ["feed", "queues", "chart", "workers", "feed"]

    async def test_shift_tab_goes_the_other_way(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("shift+tab")
            assert focused(watched) == "workers"

    async def test_zoom_gives_a_pane_the_whole_screen_and_back(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "z")
            assert "Queues 3" in watched.lines[2]
            assert "╰" in watched.lines[-2]
            assert "Events" not in watched.text
            await watched.press("z")
            assert "Events" in watched.text

    async def test_the_zoom_goes_with_the_focus(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("z", "tab")
            assert "Queues 3" in watched.lines[2]
            assert focused(watched) == "queues"

    async def test_escape_leaves_the_zoom(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("z", "escape")
            assert "Queues" in watched.text

    async def test_a_small_screen_shares_a_place_as_tabs(self) -> None:
        async with watching(BUSY, size=(80, 24)) as watched:
            assert "Queues 3  Throughput  Workers" in watched.lines[2]
            assert "mail" in watched.text
            await watched.press("shift+tab")
            assert "Queues  Throughput  Workers 2" in watched.lines[2]
            assert "w-1" in watched.text
            assert "Events" in watched.text

    async def test_another_size_lays_everything_out_anew(self) -> None:
        async with watching(BUSY, size=(60, 20)) as watched:
            assert "in/s" in watched.text
            assert "host:pid" not in watched.text
            await watched.pilot.resize_terminal(200, 60)
            await watched.settle()
            assert "host:pid" in watched.text
            assert "Throughput" in watched.lines[2]


class TestChart:
    SPENT = batch(
        job_event("started", ago_s=8, wait_ms=30.0),
        job_event(ago_s=7, duration_ms=210.0),
        snapshot=snapshot([queue("default")], []),
    )

    async def test_waits_and_runs_are_drawn_below_the_throughput(self) -> None:
        async with watching(self.SPENT) as watched:
            assert "40 ms ⠀" in watched.text
            assert "wait ⠀" in watched.text
            assert "300 ms ⠀" in watched.text
            assert "run ⠀" in watched.text
            assert "⣿ p50  ⢕ p95" in watched.text

    async def test_what_is_written_names_them_by_the_second(self) -> None:
        async with watching(self.SPENT) as watched:
            chart = watched.app.screen.query_one(Chart)
            known = [one for one in chart.records() if one["wait_p50_ms"] is not None]

            assert [round(float(str(known[-1][name]))) for name in ("wait_p50_ms", "run_p95_ms")] == [30, 211]


class TestTables:
    async def test_s_sorts_by_the_next_column_and_r_turns_the_order_round(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab")
            assert order(watched) == ["default", "mail", "reports"]
            await watched.press("s")
            assert order(watched) == ["mail", "default", "reports"]
            assert "waiting▾" in watched.text
            await watched.press("r")
            assert order(watched) == ["reports", "default", "mail"]
            assert "waiting▴" in watched.text

    async def test_the_cursor_stays_on_its_row_when_the_order_changes(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "s")
            queues = watched.app.screen.query_one(Queues)
            assert queues.cursor_key == "default"
            await watched.feed(batch(snapshot=snapshot([queue("default", 1), queue("mail", 3), queue("reports", 2)])))
            assert order(watched) == ["mail", "reports", "default"]
            assert queues.cursor_key == "default"
            assert queues.viewport.cursor == 2

    async def test_when_its_row_goes_the_cursor_stays_in_the_table(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "G")
            await watched.feed(batch(snapshot=snapshot([queue("mail", 3)])))
            queues = watched.app.screen.query_one(Queues)
            assert queues.cursor_key == "mail"

    async def test_the_keys_move_the_cursor(self) -> None:
        many = snapshot([queue(f"q{number:02}") for number in range(60)])
        async with watching(batch(snapshot=many)) as watched:
            await watched.press("tab")
            queues = watched.app.screen.query_one(Queues)
            page = queues.viewport.height - 1
            for key, expected in (
                ("j", 1),
                ("down", 2),
                ("k", 1),
                ("up", 0),
                ("pagedown", page),
                ("pageup", 0),
                ("ctrl+f", page),
                ("ctrl+b", 0),
                ("G", 59),
                ("g", 0),
                ("end", 59),
                ("home", 0),
            ):
                await watched.press(key)
                assert queues.cursor_key == f"q{expected:02}", key

    async def test_a_click_chooses_a_row_and_the_wheel_scrolls(self) -> None:
        many = snapshot([queue(f"q{number:02}") for number in range(60)])
        async with watching(batch(snapshot=many)) as watched:
            queues = watched.app.screen.query_one(Queues)
            await watched.pilot.click(Queues, offset=(5, 4))
            assert queues.cursor_key == "q02"
            assert queues.has_focus
            queues.viewport.scroll(3)
            await watched.pilot.click(Queues, offset=(5, 4))
            assert queues.cursor_key == "q05"

    async def test_a_click_on_a_heading_sorts_by_it(self) -> None:
        async with watching(BUSY) as watched:
            x = watched.lines[3].index("waiting")
            await watched.pilot.click(Queues, offset=(x + 2, 1))
            assert order(watched) == ["mail", "default", "reports"]
            await watched.pilot.click(Queues, offset=(x + 2, 1))
            assert order(watched) == ["reports", "default", "mail"]

    async def test_enter_on_a_queue_shows_its_events(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "j", "enter")
            assert focused(watched) == "feed"
            assert watched.app.screen.query_one(Feed).needle == "mail"
            assert len(watched.events()) == 1

    async def test_enter_on_a_worker_shows_its_events(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("shift+tab", "enter")
            assert watched.app.screen.query_one(Feed).needle == "w-1"
            assert "✗ failed" in watched.events()[0]


class TestWorkers:
    async def test_a_worker_whose_lease_vanished_is_shown_lost_and_then_leaves(self) -> None:
        async with watching(BUSY) as watched:
            await watched.feed(batch(snapshot=snapshot([queue()], [worker("w-2")])))
            assert "✗ lost" in watched.line_with("│ w-1 ")
            assert "held 3" in watched.line_with("│ w-1 ")
            assert "Workers 1 ✗ 1 lost" in watched.text
            await watched.pass_time(61)
            assert "✗ lost" not in watched.text
            assert "Workers 1" in watched.text

    async def test_a_worker_behind_with_its_beat_is_late(self) -> None:
        async with watching(batch(snapshot=snapshot(workers=[worker("w-1", beat_ago_s=1)]))) as watched:
            assert "● busy" in watched.line_with("w-1")
            await watched.pass_time(15)
            assert "! late" in watched.line_with("w-1")
            assert "16 s" in watched.line_with("w-1")

    async def test_what_one_has_that_is_not_heard_of_is_not_known(self) -> None:
        idle = worker("w-1", state=WorkerState.IDLE, active_jobs=0, running_job_ids=(), beat_ago_s=1)
        async with watching(batch(snapshot=snapshot(workers=[idle]))) as watched:
            assert "○ idle" in watched.line_with("w-1")
            await watched.pass_time(10)
            assert "! late" in watched.line_with("w-1")
            assert f"?/{idle.concurrency_limit}" in watched.line_with("w-1")
            await watched.feed(batch(snapshot=snapshot()))
            assert "held ?" in watched.line_with("w-1")

    async def test_a_worker_whose_clock_is_wrong_bears_a_mark_and_is_not_late_for_that(self) -> None:
        wrong = worker("w-1", beat_ago_s=-300, clock_skew_ms=300_000.0)
        right = worker("w-2", clock_skew_ms=-12.0)
        async with watching(batch(snapshot=snapshot(workers=[wrong, right])), size=(180, 50)) as watched:
            assert "● busy ◷" in watched.line_with("w-1 ")
            assert "◷" not in watched.line_with("w-2 ")
            assert "Workers 2 ◷ clock 5 m 00 s ahead" in watched.text

    async def test_a_thousand_workers_are_a_list_to_scroll(self) -> None:
        many = [worker(f"w-{number:04}") for number in range(1000)]
        async with watching(batch(snapshot=snapshot(workers=many))) as watched:
            await watched.press("shift+tab", "G")
            assert watched.app.screen.query_one(Workers).cursor_key == "w-0999"
            assert "w-0999" in watched.text
