"""How often something is asked for that costs the server."""

from __future__ import annotations

import pytest

from naq_tui.screens.pacing import Pacing

SECOND = 1_000_000_000


def test_nobody_asks_again_before_there_is_an_answer() -> None:
    pacing = Pacing(2.0)
    assert pacing.claim(0)
    assert not pacing.claim(60 * SECOND)
    with pacing.asking():
        assert not pacing.claim(60 * SECOND)
    assert pacing.claim(60 * SECOND)


def test_after_an_answer_there_is_a_pause() -> None:
    pacing = Pacing(2.0)
    pacing.claim(0)
    with pacing.asking():
        pass

    assert not pacing.claim(SECOND)
    assert pacing.claim(2 * SECOND)


def test_what_takes_long_is_asked_for_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((10.0, 11.0))
    monkeypatch.setattr("naq_tui.screens.pacing.time.monotonic", lambda: next(times))
    pacing = Pacing(2.0)
    pacing.claim(0)
    with pacing.asking():
        pass
    monkeypatch.undo()

    assert not pacing.claim(19 * SECOND)
    assert pacing.claim(20 * SECOND)


def test_an_answer_that_is_an_error_ends_the_wait_too() -> None:
    pacing = Pacing(0.0)
    pacing.claim(0)
    with pytest.raises(OSError, match="away"), pacing.asking():
        raise OSError("away")

    assert pacing.claim(SECOND)


def test_time_that_goes_back_does_not_hold_it_up() -> None:
    pacing = Pacing(2.0)
    pacing.claim(100 * SECOND)
    with pacing.asking():
        pass

    assert pacing.claim(SECOND)
