"""A question of a view: when it is asked again, and which answer counts."""

from __future__ import annotations

import asyncio

import pytest

from naq_runtime.errors import ServerUnreachable
from naq_tui.screens.inquiry import Inquiry
from tests.tui.builders import NOW_NS, SECOND

EVERY_NS = 5 * SECOND


async def say(answer: str) -> str:
    return answer


async def fail(reason: str) -> str:
    raise ServerUnreachable(reason)


@pytest.fixture
async def answered() -> Inquiry[str]:
    inquiry: Inquiry[str] = Inquiry()
    inquiry.begin("queue", NOW_NS)
    await inquiry.take(say("first"))
    return inquiry


def due_after(inquiry: Inquiry[str], seconds: float, about: str = "queue") -> bool:
    return inquiry.is_due(about, NOW_NS + int(seconds * SECOND), EVERY_NS)


async def test_it_is_asked_at_once_and_then_now_and_then(answered: Inquiry[str]) -> None:
    assert Inquiry[str]().is_due("queue", NOW_NS, EVERY_NS)
    assert not due_after(answered, 4)
    assert due_after(answered, 5)


async def test_another_question_is_asked_at_once(answered: Inquiry[str]) -> None:
    assert due_after(answered, 0, "worker")


async def test_what_is_under_way_is_not_asked_again(answered: Inquiry[str]) -> None:
    answered.begin("queue", NOW_NS + EVERY_NS)
    assert not due_after(answered, 600)


async def test_the_answer_before_stays_until_there_is_another(answered: Inquiry[str]) -> None:
    answered.begin("worker", NOW_NS + SECOND)
    assert (answered.answer, answered.about, answered.answered_ns) == ("first", "queue", NOW_NS)
    await answered.take(say("second"))
    assert (answered.answer, answered.about, answered.answered_ns) == ("second", "worker", NOW_NS + SECOND)


async def test_after_trouble_it_waits_longer_and_keeps_the_answer(answered: Inquiry[str]) -> None:
    answered.begin("queue", NOW_NS)
    await answered.take(fail("no answer"))
    assert (answered.answer, answered.trouble) == ("first", "no answer")
    assert not due_after(answered, 9)
    assert due_after(answered, 10)


async def test_what_takes_long_is_asked_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    inquiry: Inquiry[str] = Inquiry()
    times = iter((100.0, 102.0))
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: next(times))
    inquiry.begin("queue", NOW_NS)
    await inquiry.take(say("at last"))
    monkeypatch.undo()
    assert not due_after(inquiry, 19)
    assert due_after(inquiry, 20)


async def test_what_is_given_up_is_asked_at_once_when_somebody_looks_again(answered: Inquiry[str]) -> None:
    answered.give_up()
    assert not due_after(answered, 1)
    answered.begin("queue", NOW_NS)
    answered.give_up()
    assert due_after(answered, 0)


async def test_a_question_that_was_replaced_does_not_end_the_one_after_it(answered: Inquiry[str]) -> None:
    answered.begin("queue", NOW_NS)
    replaced = asyncio.create_task(answered.take(asyncio.Event().wait()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    answered.begin("worker", NOW_NS)
    replaced.cancel()
    await asyncio.gather(replaced, return_exceptions=True)
    assert not due_after(answered, 600, "worker")


async def test_of_another_source_nothing_is_known(answered: Inquiry[str]) -> None:
    answered.forget()
    assert answered.answer is None
    assert due_after(answered, 0)
