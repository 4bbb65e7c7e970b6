"""What naq-top is asked for on its command line."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from naq_tui.cli.top import app


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--at", "nonsense"], "--at 'nonsense': expected a time such as -10m, 14:02 or 2026-11-27T14:02"),
        (["--at", "1h", "--once"], "--at goes where the monitor can be played on"),
    ],
)
def test_a_moment_that_is_none_ends_it_before_anything_is_drawn(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert complaint in result.stderr
