"""What naq-top is asked for on its command line."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from naq_runtime import NAQConfig
from naq_runtime.config_layers import Source
from naq_tui.cli.showing import _file_of, _leading_to
from naq_tui.cli.top import app
from naq_tui.cli.wishes import wishes_of
from tests.unit.test_config_layers import context


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--at", "nonsense"], "--at 'nonsense': expected a time such as -10m, 14:02 or 2026-11-27T14:02"),
        (["--at", "1h", "--once"], "--at goes where the monitor can be played on"),
        (["--since", "15m", "--once"], "--since is for what goes on live"),
        (["--since", "yore"], "invalid value for '--since'"),
        (["--filter", "colour:red"], "--filter 'colour:red': the filter is wrong at column 1: unknown field 'colour'"),
        (["--filter", "type:failed", "--once"], "--filter is for events on a screen"),
        (["--refresh", "1h"], "expected 0.1s to 5s, got '1h'"),
    ],
)
def test_what_cannot_be_shown_ends_it_before_anything_is_drawn(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_filter_and_a_pace_for_once_stand_above_the_settings_and_are_not_written_down() -> None:
    preferences = wishes_of(
        [], "", None, begin_at="", read_only=False, log_file=None, filter="type:failed", refresh=2.0
    )["preferences"]

    assert (preferences.settings.filter, preferences.settings.refresh) == ("type:failed", 2.0)
    assert not preferences.changed


def test_a_replay_can_go_back_in_what_came_out_of_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_bytes, args=(b"events",))
    writing.start()
    with _file_of(pipe) as file:
        found = [file.read_bytes() for _ in range(2)]
    writing.join()

    assert found == [b"events", b"events"]
    assert not file.exists()


def test_commands_that_are_copied_name_what_the_monitor_was_told_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    context(tmp_path, "staging", url="nats://ada:hunter2@there")
    named = Source(context="staging")
    config = NAQConfig.load(context="staging", arguments={"namespace": "shop"})

    assert _leading_to(config, named) == ["--context", "staging", "--namespace", "shop"]
    assert _leading_to(NAQConfig(), Source()) == []
