"""``--watch``: how it is said, and what of a table fits."""

from __future__ import annotations

import pytest

from naq_tui.cli.watching import _cut, _with_span


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--watch"], ["--watch=2s"]),
        (["--watch", "5"], ["--watch", "5"]),
        (["--watch", "1m30s"], ["--watch", "1m30s"]),
        (["--watch=5s"], ["--watch=5s"]),
        (["--watch", "--format", "json"], ["--watch=2s", "--format", "json"]),
        (["--watch", "state:failed"], ["--watch=2s", "state:failed"]),
        (["--watch", "--", "5"], ["--watch=2s", "--", "5"]),
        (["--", "--watch"], ["--", "--watch"]),
    ],
)
def test_it_may_be_said_with_a_span_and_without(given: list[str], meant: list[str]) -> None:
    assert _with_span(given) == meant


def test_what_a_terminal_has_no_room_for_is_counted() -> None:
    lines = [str(number) for number in range(9)]

    assert _cut(lines, 9) == lines
    assert _cut(lines, 3) == ["0", "1", "… 7 more lines: a higher terminal shows them"]
    assert _cut(lines, 0) == ["… 9 more lines: a higher terminal shows them"]
