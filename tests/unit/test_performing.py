"""An act is done to each of its targets, some at a time, and what failed is known."""

from __future__ import annotations

import asyncio

import pytest

from naq_runtime.errors import NotFound, ServerUnreachable
from naq_tui.performing import AT_A_TIME, Performance
from tests.support.waiting import eventually

MANY = tuple(f"job-{number}" for number in range(1_000))


class Doing:
    """Does nothing, after a gate."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.failing: dict[str, Exception] = {}

    async def __call__(self, target: str) -> str | None:
        self.begun.append(target)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.gate.wait()
        self.at_once -= 1
        if target in self.failing:
            raise self.failing[target]
        return None


async def until_full(doing: Doing) -> None:
    """Let as many begin as may."""
    await eventually(lambda: len(doing.begun) == AT_A_TIME)


async def test_it_is_done_to_each_once_and_to_so_many_at_a_time() -> None:
    doing = Doing()
    performance = Performance(MANY, doing)
    running = asyncio.create_task(performance.run())
    await until_full(doing)
    doing.gate.set()
    await running

    assert sorted(performance.done) == sorted(MANY)
    assert doing.most_at_once == AT_A_TIME
    assert performance.is_complete


async def test_failures_are_kept_with_their_reasons_and_stop_nothing() -> None:
    doing = Doing()
    doing.gate.set()
    doing.failing = {"job-3": NotFound("gone"), "job-7": NotFound("never was")}
    performance = Performance(MANY[:10], doing)
    await performance.run()

    assert sorted(performance.failures) == [("job-3", "gone"), ("job-7", "never was")]
    assert len(performance.done) == 8
    assert not performance.is_complete


async def test_once_it_is_stopped_no_more_begin_and_what_is_under_way_ends() -> None:
    doing = Doing()
    performance = Performance(MANY, doing)
    running = asyncio.create_task(performance.run())
    await until_full(doing)
    performance.stop()
    doing.gate.set()
    await running

    assert performance.done == list(MANY[:AT_A_TIME])
    assert performance.failures == []


async def test_what_is_under_way_when_it_is_given_up_is_uncertain() -> None:
    doing = Doing()
    performance = Performance(MANY, doing)
    running = asyncio.create_task(performance.run())
    await until_full(doing)
    performance.give_up()
    await running

    assert performance.done == []
    assert [failure.target for failure in performance.failures] == list(MANY[:AT_A_TIME])
    assert "it may be done or not" in performance.failures[0].reason


async def test_when_the_server_is_away_the_rest_is_not_tried() -> None:
    doing = Doing()
    doing.gate.set()
    doing.failing = dict.fromkeys(MANY, ServerUnreachable("nobody there"))
    performance = Performance(MANY, doing)
    await performance.run()

    assert 1 <= len(performance.failures) <= AT_A_TIME
    assert len(doing.begun) == len(performance.failures)


async def test_an_error_that_is_not_ours_comes_out_and_leaves_nothing_running() -> None:
    doing = Doing()
    doing.failing = {"job-0": ZeroDivisionError()}
    performance = Performance(MANY[:3], doing)
    running = asyncio.create_task(performance.run())
    doing.gate.set()
    with pytest.raises(ZeroDivisionError):
        await running
