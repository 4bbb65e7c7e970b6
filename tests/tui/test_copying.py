"""What is taken away from the screen: a row, a command, a file."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from naq_runtime.clock import ManualClock
from naq_tui.app import NaqTop
from naq_tui.cli.main import app as naq
from naq_tui.screens.write import Write
from naq_tui.sources.recorded import RecordedSource
from tests.support.waiting import eventually
from tests.tui.builders import (
    NOW_NS,
    alert_event,
    batch,
    job_event,
    queue,
    schedule,
    schedule_event,
    snapshot,
    system_event,
    worker,
    worker_event,
)
from tests.tui.harness import Watched, watching

BUSY = batch(
    job_event("completed", "job-1", "mail", worker_id="w-1", duration_ms=3.0),
    job_event("failed", "job-2", "mail", worker_id="w-1", error_type="KeyError", error_message="=1+1"),
    snapshot=snapshot([queue("mail", 3, 1), queue("news", 7)], [worker("w-1"), worker("w-2")]),
)


def check_command(line: str) -> None:
    """The line is a command of ours, with options and arguments that it takes."""
    program, *words = shlex.split(line)
    assert program == "naq"
    command: Any = get_command(naq)
    context = None
    while hasattr(command, "get_command"):
        context = command.context_class(command, info_name=command.name, parent=context)
        name, *words = words
        command = command.get_command(context, name)
        assert command is not None, name
    command.make_context(command.name, words, parent=context)


async def copied(watched: Watched, key: str) -> str:
    """What a key puts into the clipboard."""
    watched.app.copy_to_clipboard("")
    await watched.press(key)
    return watched.app.clipboard


def toasts(watched: Watched) -> list[str]:
    """What was said, title and text."""
    return [f"{note.title}: {note.message}" for note in watched.app._notifications]


class TestRow:
    async def test_of_a_table_all_cells_that_are_shown_are_copied_and_it_is_said(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("4")
            await watched.settle()
            text = await copied(watched, "c")

            assert text.split()[:4] == ["mail", "●", "active", "3"]
            assert any(toast.startswith("Copied: mail") for toast in toasts(watched))

    async def test_of_the_feed_the_event_is_copied_with_its_date_and_in_full(self) -> None:
        async with watching(BUSY) as watched:
            text = await copied(watched, "c")

            assert text == "2025-10-09T08:59:59.500000Z  failed  job-2  mail  w-1  KeyError: =1+1"

    async def test_where_there_is_nothing_it_is_said_so(self) -> None:
        async with watching(batch(snapshot=snapshot())) as watched:
            assert await copied(watched, "c") == ""
            assert any("nothing here to copy" in toast for toast in toasts(watched))


class TestCommand:
    @pytest.mark.parametrize(
        ("keys", "command"),
        [
            ((), "naq events history job-2"),
            (("tab",), "naq queue show mail"),
            (("tab", "tab"), "naq events stats --hours 1 --by-queue"),
            (("tab", "tab", "tab"), "naq worker show w-1"),
            (("2", "k"), "naq events history job-1"),
            (("4", "j"), "naq queue show news"),
            (("5",), "naq worker show w-1"),
            (("5", "enter"), "naq worker show w-1"),
            (("6",), "naq schedule show nightly"),
            (("6", "enter"), "naq schedule show nightly"),
            (("a",), "naq alerts list"),
        ],
    )
    async def test_each_view_has_one_that_can_be_typed(self, keys: tuple[str, ...], command: str) -> None:
        async with watching(BUSY, schedules=[schedule()]) as watched:
            for key in keys:
                await watched.press(key)
                await watched.settle()
                await watched.settle()

            assert await copied(watched, "C") == command
            check_command(command)

    @pytest.mark.parametrize(
        ("event", "command"),
        [
            (job_event(job_id="-odd"), "naq events history -- -odd"),
            (schedule_event(), "naq schedule show nightly"),
            (worker_event(), "naq worker events --tail 100 --no-follow w-1"),
            (system_event("queue_paused", queue_name="mail"), "naq queue show mail"),
            (system_event(), "naq events stream --filter instance:i-1"),
            (alert_event(), "naq alerts list"),
        ],
        ids=lambda value: value.split()[1] if isinstance(value, str) else "",
    )
    async def test_each_kind_of_event_has_one(self, event: object, command: str) -> None:
        async with watching(batch(event)) as watched:  # type: ignore[arg-type]  # any kind of event
            assert await copied(watched, "C") == command
            check_command(command)

    async def test_it_leads_to_the_server_that_is_watched(self) -> None:
        source = RecordedSource([BUSY])
        options = ("--server", "nats://127.0.0.1:4333", "--namespace", "shop")
        app = NaqTop(source=source, clock=ManualClock(NOW_NS), options=options)
        async with app.run_test(size=(120, 40)) as pilot:
            watched = Watched(app, pilot, source, ManualClock(NOW_NS))
            await watched.settle()
            command = await copied(watched, "C")

        assert command == "naq events history job-2 --server nats://127.0.0.1:4333 --namespace shop"
        check_command(command)

    @pytest.mark.parametrize("name", ["a\nrm -rf ~", "\x1b[31m", "x\u202ey"])
    async def test_there_is_none_for_a_name_that_nobody_can_type(self, name: str) -> None:
        async with watching(batch(job_event(job_id=name))) as watched:
            assert await copied(watched, "C") == ""

    async def test_what_a_shell_would_obey_is_quoted(self) -> None:
        async with watching(batch(job_event(job_id="$(reboot);"))) as watched:
            assert await copied(watched, "C") == "naq events history '$(reboot);'"


class TestFile:
    async def write(self, watched: Watched, path: Path, *, enters: int = 1) -> None:
        await watched.press("w")
        prompt = watched.app.screen
        assert isinstance(prompt, Write)
        prompt.query_one("Input").value = str(path)  # type: ignore[attr-defined]
        await watched.pilot.pause()
        for _ in range(enters):
            await watched.press("enter")
            await eventually(lambda: not prompt._writing)
            await watched.pilot.pause()

    async def test_a_name_is_proposed(self) -> None:
        async with watching(BUSY) as watched:
            await watched.press("4")
            await watched.settle()
            await watched.press("w")

            assert "naq-queues-2025" in watched.text
            assert ".jsonl" in watched.text
            assert "Write 2 rows" in watched.text

    async def test_events_are_written_as_json_lines_with_all_that_they_say(self, tmp_path: Path) -> None:
        async with watching(BUSY) as watched:
            await self.write(watched, tmp_path / "events.jsonl")
            assert any(toast.startswith("Written: 2 rows to ") for toast in toasts(watched))

        first, second = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
        assert (first["sequence"], first["job_id"], first["duration_ms"]) == (1, "job-1", 3.0)
        assert second["error_message"] == "=1+1"

    async def test_only_what_the_filter_lets_through_is_written(self, tmp_path: Path) -> None:
        async with watching(BUSY) as watched:
            await watched.press("slash")
            await watched.write("type:failed")
            await watched.press("enter")
            await watched.settle()
            await self.write(watched, tmp_path / "events.jsonl")

        assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 1

    @pytest.mark.parametrize(("key", "columns"), [("4", "queue,waiting,running"), ("5", "worker_id,state,hostname")])
    async def test_tables_are_written_as_csv(self, tmp_path: Path, key: str, columns: str) -> None:
        async with watching(BUSY) as watched:
            await watched.press(key)
            await watched.settle()
            await self.write(watched, tmp_path / "rows.csv")

        heading, *rows = (tmp_path / "rows.csv").read_text().splitlines()
        assert heading.startswith(columns)
        assert len(rows) == 2

    async def test_a_file_that_is_there_is_replaced_only_when_one_says_so_again(self, tmp_path: Path) -> None:
        path = tmp_path / "events.jsonl"
        path.write_text("precious")
        async with watching(BUSY) as watched:
            await self.write(watched, path)
            assert "there is a file of this name" in watched.text
            assert path.read_text() == "precious"
            await watched.press("enter")
            await eventually(lambda: path.read_text() != "precious")

        assert len(path.read_text().splitlines()) == 2

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("rows.xls", "must end with .jsonl or .csv"), ("no/where.csv", "No such file or directory")],
    )
    async def test_what_is_wrong_is_said_and_another_name_can_be_typed(
        self, tmp_path: Path, name: str, reason: str
    ) -> None:
        async with watching(BUSY) as watched:
            await self.write(watched, tmp_path / name)
            assert "Write 2 rows" in watched.text
            assert reason in " ".join(line.strip(" │") for line in watched.lines)
            await watched.press("escape")
            assert "Write" not in watched.text

        assert list(tmp_path.iterdir()) == []
