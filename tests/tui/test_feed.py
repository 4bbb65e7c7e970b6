"""The event feed follows, stops following, is filtered, and is frozen."""

from __future__ import annotations

from textual import events
from textual.events import MouseScrollUp

from naq_tui.app import NaqTop
from naq_tui.source import Batch
from naq_tui.widgets.feed import Feed
from naq_tui.widgets.filter import FilterInput
from tests.support.waiting import eventually
from tests.tui.builders import batch, job_event, snapshot
from tests.tui.harness import Watched, watching


def numbered(first: int, last: int, kind: str = "enqueued") -> Batch:
    """Events of the jobs ``n0001`` …"""
    numbers = range(first, last + 1)
    events = [job_event(kind, f"n{number:04}", function_name=f"shop.task_{number}") for number in numbers]
    return batch(*events, first=first)


def shown(watched: Watched) -> list[str]:
    """The job ids on the screen."""
    return [line.split()[3] for line in watched.events() if len(line.split()) > 3]


def feed_of(app: NaqTop) -> Feed:
    return app.screen.query_one(Feed)


class TestFollowing:
    async def test_new_events_push_older_ones_up(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            assert shown(watched)[-1] == "n0100"
            await watched.feed(numbered(101, 103))
            assert shown(watched)[-3:] == ["n0101", "n0102", "n0103"]

    async def test_going_up_stops_it_and_counts_what_is_new(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.press("k")
            before = shown(watched)
            await watched.feed(numbered(101, 1334))
            assert shown(watched) == before
            assert "↓ 1,234 new" in watched.text

    async def test_f_follows_again(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.press("k")
            await watched.feed(numbered(101, 120))
            await watched.press("f")
            assert shown(watched)[-1] == "n0120"
            assert " new" not in watched.text

    async def test_going_down_to_the_newest_line_follows_again(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.press("k", "j")
            await watched.feed(numbered(101, 101))
            assert shown(watched)[-1] == "n0101"

    async def test_the_last_line_is_followed_and_the_first_is_not(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.press("g")
            assert shown(watched)[0] == "n0001"
            await watched.feed(numbered(101, 102))
            assert shown(watched)[0] == "n0001"
            await watched.press("G")
            await watched.feed(numbered(103, 104))
            assert shown(watched)[-1] == "n0104"

    async def test_the_wheel_stops_it_too(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.pilot._post_mouse_events([MouseScrollUp], widget=Feed, offset=(5, 5))
            await watched.settle()
            assert not feed_of(watched.app).viewport.following

    async def test_lines_beyond_the_limit_go_at_the_far_end(self) -> None:
        async with watching(numbered(1, 10)) as watched:
            await watched.press("g")
            for start in range(11, 50_200, 10_000):
                await watched.feed(numbered(start, start + 9_999))
            assert "Events 50,000" in watched.text
            assert shown(watched)[0] == "n10011"


class TestFilter:
    async def test_slash_filters_while_one_types(self) -> None:
        async with watching(numbered(1, 300)) as watched:
            await watched.write("/task_29")
            assert shown(watched) == ["n0029", *(f"n{number:04}" for number in range(290, 300))]
            assert "Events 11 of 300" in watched.text

    async def test_enter_keeps_it_and_new_events_are_filtered_too(self) -> None:
        async with watching(numbered(1, 300)) as watched:
            await watched.write("/task_29")
            await watched.press("enter")
            await watched.feed(numbered(2990, 2991), numbered(3000, 3001))
            assert shown(watched)[-2:] == ["n2990", "n2991"]
            assert "Events 13 of 304" in watched.text
            assert "/ task_29 ─╯" in watched.text
            assert watched.app.focused is feed_of(watched.app)

    async def test_escape_clears_it(self) -> None:
        async with watching(numbered(1, 300)) as watched:
            await watched.write("/task_29")
            await watched.press("escape")
            assert "Events 300 " in watched.text
            assert shown(watched)[-1] == "n0300"

    async def test_escape_clears_a_kept_one(self) -> None:
        async with watching(numbered(1, 300)) as watched:
            await watched.write("/task_29")
            await watched.press("enter", "escape")
            assert "Events 300 " in watched.text

    async def test_up_recalls_what_was_kept(self) -> None:
        async with watching(numbered(1, 300)) as watched:
            for needle in ("task_1", "task_2"):
                await watched.write("/" + needle)
                await watched.press("enter", "escape")
            await watched.press("slash", "up")
            typed = watched.app.screen.query_one(FilterInput)
            assert typed.value == "task_2"
            await watched.press("up")
            assert typed.value == "task_1"
            await watched.press("down", "down")
            assert typed.value == ""

    async def test_keys_are_text_while_one_types(self) -> None:
        async with watching(numbered(1, 3)) as watched:
            await watched.write("/qpz?jk")
            assert watched.app.screen.query_one(FilterInput).value == "qpz?jk"
            assert watched.app.is_running
            assert not watched.app.frozen

    async def test_keys_that_come_all_at_once_are_obeyed_in_their_order(self) -> None:
        async with watching(numbered(1, 300)) as watched:
            for key in ("slash", *"task_29", "enter", "k", "k", "enter"):
                watched.app.post_message(events.Key(key, None if len(key) > 1 else key))
            await eventually(lambda: watched.source.questions.asked)
            assert watched.source.questions.asked == ["n0297"]

    async def test_a_slash_can_be_part_of_a_filter(self) -> None:
        async with watching(numbered(1, 3)) as watched:
            await watched.write("/a/b")
            assert watched.app.screen.query_one(FilterInput).value == "a/b"

    async def test_the_footer_names_the_keys_of_typing(self) -> None:
        async with watching(numbered(1, 3)) as watched:
            assert "q quit" in watched.lines[-1]
            await watched.press("slash")
            assert watched.lines[-1].split() == ["Enter", "keep", "Esc", "clear", "↑", "earlier", "Tab", "complete"]

    async def test_nothing_found_is_said(self) -> None:
        async with watching(numbered(1, 300)) as watched:
            await watched.write("/nowhere")
            assert "nothing matches" in watched.text
            assert "Events 0 of 300" in watched.text

    async def test_markup_in_a_filter_is_text(self) -> None:
        async with watching(numbered(1, 3)) as watched:
            await watched.write("/[/red]")
            assert "/ [/red] ─╯" in watched.text

    async def test_fifty_thousand_lines_are_searched_in_portions(self) -> None:
        batches = [numbered(start, start + 4_999) for start in range(1, 50_001, 5_000)]
        async with watching(*batches) as watched:
            feed = feed_of(watched.app)
            feed.set_filter("task_7")
            portions = 0
            while feed.searching:
                feed.catch_up()
                portions += 1
            assert portions > 10
            expected = sum(str(number).startswith("7") for number in range(1, 50_001))
            assert len(feed.viewport) == expected


class TestPause:
    async def test_p_freezes_what_is_shown_while_events_are_read(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.press("p")
            before = watched.lines[2:]
            await watched.feed(numbered(101, 1334, "failed"))
            assert watched.lines[2:] == before
            assert "‖ frozen, 1,234 behind" in watched.lines[0]
            assert watched.app.dashboard.log.end == 1334

    async def test_p_again_shows_everything_that_came(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.press("p")
            await watched.feed(numbered(101, 200))
            await watched.press("p")
            assert shown(watched)[-1] == "n0200"
            assert "frozen" not in watched.text

    async def test_one_can_look_around_and_filter_while_it_stands_still(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.press("p")
            await watched.feed(numbered(101, 200))
            await watched.press("g")
            assert shown(watched)[0] == "n0001"
            await watched.write("/task_1")
            assert shown(watched)[-1] == "n0100"

    async def test_frozen_lines_survive_a_flood(self) -> None:
        async with watching(numbered(1, 100)) as watched:
            await watched.press("p")
            before = shown(watched)
            for start in range(101, 60_000, 10_000):
                await watched.feed(numbered(start, start + 9_999))
            assert shown(watched) == before

    async def test_a_pane_that_was_hidden_shows_the_same_moment(self) -> None:
        first = batch(job_event(), snapshot=snapshot())
        async with watching(first, size=(80, 24)) as watched:
            await watched.press("p")
            await watched.feed(batch(job_event(queue_name="later"), snapshot=snapshot()))
            await watched.press("tab")
            assert "later" not in watched.text
            await watched.press("p")
            assert "later" in watched.text
