"""What a person changes while it runs: it is so at once, and again at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App

from naq_runtime.config import read_section
from naq_runtime.config_layers import file_layer
from naq_tui.preferences import Preferences
from naq_tui.settings import TableSettings, TopSettings
from naq_tui.widgets.deep_feed import DeepFeed
from naq_tui.widgets.feed import Feed
from naq_tui.widgets.queues import Queues
from tests.support.waiting import eventually
from tests.tui.builders import batch, job_event, queue, schedule, snapshot, worker
from tests.tui.harness import Watched, watching

BUSY = batch(
    job_event("completed", "job-1", "mail", duration_ms=3.0),
    job_event("failed", "job-2", "default", error_type="Gone", final=True),
    snapshot=snapshot([queue("default", 3, 1), queue("mail", 5, 0)], [worker("w-1")]),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


async def written(file: Path) -> TopSettings:
    """What is in the file, as soon as there is something in it."""
    await eventually(lambda: file.exists())
    return read_section("top", TopSettings, [file_layer(file)])


def headings(watched: Watched) -> list[str]:
    return next(line for line in watched.lines if "waiting" in line).partition("││")[0].strip("│ ").split()


def words_in_the_corner(app: App[None]) -> list[str]:
    return [notification.message for notification in app._notifications]


class TestColumns:
    async def test_space_hides_a_column_and_shows_it_again(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "o", "down", "space")
            assert "waiting" not in watched.app.query_one(Queues).layout_now.columns
            await watched.press("space")
            assert watched.app.query_one(Queues).layout_now.columns == ()

    async def test_a_column_is_carried_to_another_place(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "o", "down", "J", "J", "K", "escape")
            await watched.settle()
            assert headings(watched)[:4] == ["queue▴", "running", "waiting", "in/s"]

    async def test_arrows_with_shift_carry_it_too_and_backspace_ends_that(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "o", "down", "shift+down", "shift+down", "shift+up", "backspace")
            await watched.settle()
            assert headings(watched)[:4] == ["queue▴", "running", "waiting", "in/s"]

    async def test_the_list_shows_what_is_shown(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "o", "down", "space")
            assert "✓ queue" in watched.line_with("✓ queue")
            assert "Columns of queues" in watched.text
            assert not any("✓ waiting" in line for line in watched.lines)

    async def test_the_list_says_for_which_columns_there_is_no_room(self) -> None:
        async with watching(BUSY, size=(80, 24)) as watched:
            await watched.press("4", "o")
            choice = watched.app.screen.query_one("#columns")
            table = choice._table  # type: ignore[attr-defined]
            without = [title for title in table.headings if title not in table.headings_shown]

            assert without
            assert sum("no room" in line for line in watched.lines) > 0
            assert all("no room" not in line for line in watched.lines if "✓ queue" in line)

    async def test_the_list_is_headed_by_what_the_rows_are(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("4", "o")
            assert "Columns of queues" in watched.text
            await watched.press("escape", "7", "o")
            assert "Columns of statistics" in watched.text

    async def test_one_column_always_stays(self) -> None:
        hidden = Preferences(TopSettings(tables={"queues": TableSettings(columns=("queue",))}))
        async with watching(BUSY, preferences=hidden) as watched:
            await watched.press("tab", "o", "space")
            assert watched.app.query_one(Queues).layout_now.columns == ("queue",)

    async def test_all_come_back_as_they_were(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("tab", "o", "space", "down", "J", "0", "enter")
            assert watched.app.query_one(Queues).layout_now == TableSettings()

    async def test_the_choice_is_titled_as_the_table_is(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("5", "o")
            assert "Columns of workers" in watched.text

    async def test_they_are_written_down_with_the_order_of_the_rows(self, file: Path) -> None:
        async with watching(BUSY, preferences=Preferences(file=file)) as watched:
            await watched.press("tab", "s", "r", "o", "space", "escape")
            layout = watched.app.query_one(Queues).layout_now
            await eventually(lambda: _is_kept(file, layout))
            assert (layout.sort, layout.descending) == ("waiting", False)
            assert "queue" not in layout.columns

    async def test_they_are_so_at_the_next_start_in_every_view(self) -> None:
        tables = {
            "queues": TableSettings(columns=("in/s", "queue"), sort="failed"),
            "schedules": TableSettings(columns=("queue", "schedule"), sort="schedule", descending=True),
        }
        schedules = [schedule("a", in_s=1), schedule("b", in_s=2)]
        preferences = Preferences(TopSettings(tables=tables))
        async with watching(BUSY, preferences=preferences, schedules=schedules) as watched:
            assert watched.line_with("in/s").split()[1:3] == ["in/s", "queue"]
            assert [row.name for row in watched.app.query_one(Queues).rows] == ["default", "mail"]
            await watched.go_to_schedules()
            assert "queue" in watched.lines[4]
            assert watched.lines[4].index("queue") < watched.lines[4].index("schedule▾")

    async def test_a_column_that_is_not_there_is_named(self) -> None:
        preferences = Preferences(TopSettings(tables={"queues": TableSettings(columns=("queue", "colour"))}))
        async with watching(BUSY, preferences=preferences) as watched:
            said = words_in_the_corner(watched.app)
            assert len(said) == 1
            assert said[0].startswith("setting top.tables.queues.columns: expected queue, waiting")
            assert said[0].endswith("got 'colour'")
            assert watched.app.query_one(Queues).layout_now == TableSettings()


class TestRefresh:
    async def test_plus_and_minus_lead_through_the_rates_and_say_so(self) -> None:
        async with watching(BUSY) as watched:
            for key, rate in (("minus", 0.2), ("minus", 0.5), ("plus", 0.2), ("plus", 0.1), ("plus", 0.1)):
                await watched.press(key)
                assert watched.app.paint_s == rate
            assert words_in_the_corner(watched.app) == ["painted at most every 0.1 s"]

    async def test_what_comes_is_painted_no_sooner_than_that(self) -> None:
        async with watching(BUSY, preferences=Preferences(TopSettings(refresh=5.0))) as watched:
            watched.source.feed(batch(job_event("completed", "late-one", duration_ms=1.0)))
            await watched.source.taken()
            await watched.pilot.pause(0.4)
            assert watched.app.dashboard.log.end == 3
            assert "late-one" not in watched.text

    async def test_a_key_is_answered_at_once_all_the_same(self) -> None:
        async with watching(BUSY, preferences=Preferences(TopSettings(refresh=5.0))) as watched:
            await watched.press("6")
            assert "Schedules" in watched.lines[3]

    async def test_it_is_written_down(self, file: Path) -> None:
        async with watching(BUSY, preferences=Preferences(file=file)) as watched:
            await watched.press("minus")
            assert (await written(file)).refresh == 0.2


class TestOthers:
    async def test_a_theme_is_written_down_by_its_short_name(self, file: Path) -> None:
        async with watching(BUSY, preferences=Preferences(file=file)) as watched:
            watched.app.theme = "naq-distinct"
            assert (await written(file)).theme == "distinct"

    async def test_the_events_are_filtered_at_the_start(self) -> None:
        async with watching(BUSY, preferences=Preferences(TopSettings(filter="type:failed"))) as watched:
            assert len(watched.events()) == 1
            assert "job-2" in watched.events()[0]

    async def test_the_view_of_all_events_is_filtered_at_first_like_the_overview(self) -> None:
        async with watching(BUSY, preferences=Preferences(TopSettings(filter="type:failed"))) as watched:
            await watched.press("2")
            assert watched.app.screen.query_one(DeepFeed).needle == "type:failed"

    async def test_a_filter_is_kept_for_every_start(self, file: Path) -> None:
        async with watching(BUSY, preferences=Preferences(file=file)) as watched:
            watched.app.query_one(Feed).set_filter("type:failed")
            watched.app.action_filter_at_start()
            assert (await written(file)).filter == "type:failed"

    async def test_where_nothing_can_be_written_it_says_so_and_goes_on(self, tmp_path: Path) -> None:
        (tmp_path / "naq").write_text("a file, and no folder")
        preferences = Preferences(file=tmp_path / "naq" / "config.toml")
        async with watching(BUSY, preferences=preferences) as watched:
            await watched.press("minus")
            await eventually(lambda: any("cannot write settings" in said for said in words_in_the_corner(watched.app)))
            assert watched.app.paint_s == 0.2


async def _is_kept(file: Path, layout: TableSettings) -> bool:
    """Whether all that was changed is written down: keys may come slower than the file is written."""
    return (await written(file)).tables == {"queues": layout}
