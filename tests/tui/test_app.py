"""The application as a whole: commands, palette, themes, quiet when nothing happens, and how it ends."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from textual.command import CommandPalette

from naq_tui.app import NaqTop
from naq_tui.commands import ACTS, COMMANDS, Command, Scope, commands_of
from naq_tui.pages.help import help_page
from naq_tui.screens.alert import AlertScreen
from naq_tui.screens.alerts import Alerts
from naq_tui.screens.columns import ColumnList
from naq_tui.screens.confirm import Confirm
from naq_tui.screens.events import Events
from naq_tui.screens.help import Help
from naq_tui.screens.job import JobScreen
from naq_tui.screens.jobs import Jobs
from naq_tui.screens.overview import Overview
from naq_tui.screens.paned import Paned
from naq_tui.screens.queues import Queues
from naq_tui.screens.schedule import ScheduleScreen
from naq_tui.screens.schedules import Schedules
from naq_tui.screens.server import Server
from naq_tui.screens.statistics import Statistics
from naq_tui.screens.worker import WorkerScreen
from naq_tui.screens.workers import Workers
from naq_tui.screens.write import Write
from naq_tui.sources.recorded import RecordedSource
from naq_tui.widgets.document import Document
from naq_tui.widgets.failures import Failures
from naq_tui.widgets.feed import Feed
from naq_tui.widgets.filter import EventFilterInput, FilterInput
from naq_tui.widgets.moment_bar import MomentInput
from naq_tui.widgets.moves import Scrolling
from naq_tui.widgets.sections import Sections
from naq_tui.widgets.table import Table
from tests.support.waiting import eventually
from tests.tui.builders import batch, job_event, queue, snapshot, worker
from tests.tui.harness import make_app, watching

PLACES = {
    Scope.APP: (NaqTop,),
    Scope.PAST: (NaqTop,),
    Scope.OVERVIEW: (Overview,),
    Scope.MOVE: (Scrolling, Feed, Table, Document),
    Scope.TABLE: (Table,),
    Scope.SORT: (Table,),
    Scope.COLUMNS: (ColumnList,),
    Scope.MARK: (Table,),
    Scope.JOBS: (Jobs,),
    Scope.FAILURES: (Failures,),
    Scope.PANED: (Paned,),
    Scope.EVENTS: (Events,),
    Scope.QUEUES: (Queues,),
    Scope.WORKERS: (Workers,),
    Scope.WORKER: (WorkerScreen,),
    Scope.WRITING: (Write,),
    Scope.SCHEDULES: (Schedules,),
    Scope.SCHEDULE: (ScheduleScreen,),
    Scope.STATISTICS: (Statistics,),
    Scope.SERVER: (Server,),
    Scope.FEED: (Feed,),
    Scope.TYPING: (FilterInput, EventFilterInput),
    Scope.COMPLETING: (EventFilterInput,),
    Scope.MOMENT: (MomentInput,),
    Scope.SECTIONS: (Sections,),
    Scope.JOB: (JobScreen,),
    Scope.ALERTS: (Alerts,),
    **dict.fromkeys(ACTS, (NaqTop,)),
    Scope.CONFIRM: (Confirm,),
    Scope.BACK: (Help, JobScreen, ScheduleScreen, AlertScreen),
}
BUSY = batch(
    job_event("completed", "job-1", duration_ms=3.0), snapshot=snapshot([queue("default", 3, 1)], [worker("w-1")])
)


class TestCommands:
    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.scope}-{command.keys}")
    def test_each_is_an_action_where_it_works(self, command: Command) -> None:
        for place in PLACES[command.scope]:
            assert hasattr(place, command.method), place

    @pytest.mark.parametrize(
        "places",
        [
            (Scope.TABLE, Scope.SORT, Scope.MARK, Scope.MOVE, Scope.OVERVIEW, Scope.QUEUE_ACTS),
            (Scope.TABLE, Scope.SORT, Scope.MARK, Scope.MOVE, Scope.OVERVIEW, Scope.WORKER_ACTS),
            (Scope.FEED, Scope.MOVE, Scope.OVERVIEW, Scope.JOB_ACTS),
            (Scope.SORT, Scope.MARK, Scope.MOVE, Scope.SCHEDULES, Scope.SCHEDULE_ACTS),
            (Scope.MOVE, Scope.SCHEDULE, Scope.BACK, Scope.SCHEDULE_ACTS),
            (Scope.SORT, Scope.MARK, Scope.MOVE, Scope.ALERTS, Scope.ALERT_ACTS),
            (Scope.MOVE, Scope.CONFIRM),
            (Scope.SORT, Scope.MARK, Scope.MOVE, Scope.JOBS, Scope.JOB_ACTS),
            (Scope.FAILURES, Scope.SORT, Scope.MOVE, Scope.JOBS),
            (Scope.SORT, Scope.MOVE, Scope.STATISTICS),
            (Scope.SORT, Scope.MOVE, Scope.SERVER),
            (Scope.SECTIONS, Scope.MOVE, Scope.JOB, Scope.JOB_ACTS, Scope.BACK),
            (Scope.TABLE, Scope.SORT, Scope.MARK, Scope.MOVE, Scope.OVERVIEW, Scope.PAST),
            (Scope.SORT, Scope.MARK, Scope.MOVE, Scope.QUEUES, Scope.PANED, Scope.QUEUE_ACTS),
            (Scope.SORT, Scope.MARK, Scope.MOVE, Scope.WORKERS, Scope.PANED, Scope.WORKER_ACTS),
            (Scope.MOVE, Scope.WORKER, Scope.WORKER_ACTS, Scope.BACK),
            (Scope.COLUMNS, Scope.MOVE),
        ],
    )
    def test_no_key_means_two_things_in_one_place(self, places: tuple[Scope, ...]) -> None:
        commands = commands_of([*places, Scope.APP])
        keys = Counter(key for command in commands for key in command.keys.split(","))

        assert [key for key, count in keys.items() if count > 1] == []

    def test_the_help_names_them_all(self) -> None:
        text = "\n".join("".join(piece for piece, _ in line.spans) for line in help_page(100))

        for command in COMMANDS:
            assert command.label in text
            assert command.title in text

    async def test_question_mark_shows_the_help_and_escape_goes_back(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("question_mark")
            assert "Keys" in watched.text
            await watched.press("escape")
            assert "Events 1" in watched.text

    async def test_the_keys_of_where_one_is_come_first(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("5", "question_mark")
            shown = watched.text
            places = ["In the view of workers", "In a table", "Everywhere"]
            assert sorted(places, key=shown.index) == places
            assert places[0] in watched.pane("Keys")[1]

    async def test_question_mark_again_goes_back_too(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("question_mark", "question_mark")
            assert "Events 1" in watched.text

    async def test_the_footer_names_the_keys_of_the_focus(self) -> None:
        async with watching(BUSY) as watched:
            assert "f follow" in watched.lines[-1]
            await watched.press("tab")
            assert "s sort" in watched.lines[-1]
            assert "f follow" not in watched.lines[-1]

    async def test_a_click_in_the_footer_does_what_the_key_does(self) -> None:
        async with watching(BUSY) as watched:
            x = watched.lines[-1].index("pause")
            await watched.pilot.click(offset=(x, 39))
            await watched.pilot.pause()
            assert watched.app.frozen


class TestPalette:
    async def test_it_offers_every_command_that_works_here(self) -> None:
        async with watching(BUSY) as watched:
            offered = {command.title for command in watched.app.get_system_commands(watched.app.screen)}
            here = commands_of([Scope.FEED, Scope.MOVE, Scope.OVERVIEW, Scope.APP])
            assert offered == {command.title for command in here} - {"Palette"} | {
                "Theme",
                "Filter at start",
                "Save screenshot",
            }

    async def test_a_screenshot_is_saved_and_it_is_said_where(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        async with watching(BUSY) as watched:
            commands = {entry.title: entry for entry in watched.app.get_system_commands(watched.app.screen)}
            commands["Save screenshot"].callback()
            await eventually(lambda: watched.app._notifications)
            (toast,) = watched.app._notifications

        (picture,) = tmp_path.glob("naq-top-*.svg")
        assert toast.message == str(picture)
        assert "naq-top" in picture.read_text()

    async def test_a_command_runs_from_it(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("ctrl+p")
            assert isinstance(watched.app.screen, CommandPalette)
            await watched.press(*"pause")
            await watched.pilot.pause(0.3)
            await watched.press("enter")
            await eventually(lambda: watched.app.frozen)

    async def test_a_command_of_the_pane_runs_on_the_pane(self) -> None:
        async with watching(BUSY) as watched:
            commands = {entry.title: entry for entry in watched.app.get_system_commands(watched.app.screen)}
            callback = commands["Open job"].callback
            await callback()
            await watched.settle()
            assert isinstance(watched.app.screen, JobScreen)


class TestThemes:
    @pytest.mark.parametrize("theme", ["naq-day", "textual-light", "ansi-dark", "ansi-light", "gruvbox", "dracula"])
    async def test_other_themes_work(self, theme: str) -> None:
        async with watching(BUSY) as watched:
            before = watched.lines
            watched.app.theme = theme
            await watched.settle()
            assert watched.lines == before

    async def test_without_colours_everything_is_said_in_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        async with watching(BUSY) as watched:
            for words in ("● live", "● busy", "✓ completed"):
                assert words in watched.text


class TestQuiet:
    async def test_nothing_changes_and_nothing_is_painted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with watching(BUSY) as watched:
            await watched.settle()
            painted: list[object] = []
            monkeypatch.setattr(watched.app, "_display", lambda *args: painted.append(args))
            for _ in range(5):
                await watched.feed(batch(snapshot=snapshot([queue("default", 3, 1)], [worker("w-1")])))
            assert painted == []

    async def test_a_second_paints_only_what_it_changes(self) -> None:
        async with watching(BUSY) as watched:
            before = watched.lines
            await watched.pass_time(1)
            changed = [y for y, line in enumerate(watched.lines) if line != before[y]]
            assert 0 in changed
            assert len(changed) < 16


class TestEnding:
    @pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
    async def test_the_keys_leave_and_the_source_is_closed(self, key: str) -> None:
        async with watching(BUSY) as watched:
            assert watched.source.is_open
            await watched.pilot.press(key)
        assert watched.app.return_code == 0
        assert not watched.source.is_open

    @pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
    async def test_they_leave_even_while_one_types(self, key: str) -> None:
        async with watching(BUSY) as watched:
            await watched.press("slash", "q")
            assert watched.app.is_running
            await watched.pilot.press(key)
        assert watched.app.return_code == 0

    @pytest.mark.parametrize("key", ["q", "ctrl+c"])
    async def test_they_leave_from_a_job_and_from_the_help(self, key: str) -> None:
        async with watching(BUSY) as watched:
            await watched.press("enter", "question_mark")
            await watched.pilot.press(key)
        assert watched.app.return_code == 0

    async def test_a_mistake_of_ours_in_the_source_ends_loudly(self) -> None:
        source = RecordedSource([BUSY])
        source.fail(ZeroDivisionError("ours"))
        app = make_app(source)

        async def run() -> None:
            async with app.run_test():
                await eventually(lambda: app.return_code is not None)

        with pytest.raises(Exception, match="ours"):
            await run()
        assert app.return_code == 1

    def test_the_style_sheets_are_part_of_the_package(self) -> None:
        assert {Path(path).stem for path in NaqTop.CSS_PATH} >= {"base", "overview", "detail"}
