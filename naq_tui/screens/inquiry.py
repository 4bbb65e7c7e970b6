"""A question that a view asks again and again while somebody looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable
from typing import Generic, TypeVar

from naq_runtime.errors import NaqError
from naq_tui.model.seconds import SECOND_NS

__all__ = ["Inquiry"]

_TROUBLED_NS = 10 * SECOND_NS
"""After a question without an answer, at least so long is waited."""
_SHARE = 10
"""What takes a while is asked so much more rarely: a question takes a tenth of the time at most."""
_EARLY_NS = SECOND_NS // 10
"""Time is let pass once a second: what is nearly due then is due."""

Answer = TypeVar("Answer")


class Inquiry(Generic[Answer]):
    """The latest answer, and when to ask for the next one; the one before stays meanwhile."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.about: Hashable = None
        """What the answer is about."""
        self.answered_ns = 0
        """When it was asked for."""
        self.trouble = ""
        """Why the last question had no answer; empty when it had."""
        self.version = 0
        """It grows with each answer, and each trouble."""
        self._took_ns = 0
        self._under_way: object | None = None
        """Stands for the question that is being asked."""
        self._asked_ns: int | None = None
        self._asked_about: Hashable = None

    def __repr__(self) -> str:
        return f"<Inquiry about {self.about!r} asked at {self._asked_ns} version={self.version}>"

    def is_due(self, about: Hashable, now_ns: int, every_ns: int) -> bool:
        """Whether to ask now; a question that is still under way is not asked again."""
        if self._asked_ns is None or about != self._asked_about:
            return True
        wait_ns = max(every_ns, _TROUBLED_NS if self.trouble else _SHARE * self._took_ns)
        return self._under_way is None and not 0 <= now_ns - self._asked_ns < wait_ns - _EARLY_NS

    def begin(self, about: Hashable, now_ns: int) -> None:
        """It is being asked."""
        if about != self._asked_about:
            self.trouble = ""
        self._asked_about, self._asked_ns, self._under_way = about, now_ns, object()

    def give_up(self) -> None:
        """Nobody looks any more: what is under way will not be answered."""
        if self._under_way is not None:
            self._asked_ns = self._under_way = None

    def forget(self) -> None:
        """The source is another one."""
        self.answer, self.about, self.trouble = None, None, ""
        self._asked_about = self._asked_ns = self._under_way = None
        self.version += 1

    async def take(self, coming: Awaitable[Answer]) -> None:
        """Wait for the answer of what was begun last, and keep it."""
        about, asked_ns, question = self._asked_about, self._asked_ns or 0, self._under_way
        begun_s = asyncio.get_running_loop().time()
        try:
            answer = await coming
        except NaqError as error:
            self.trouble = str(error)
        else:
            self.answer, self.about, self.answered_ns, self.trouble = answer, about, asked_ns, ""
        finally:
            if self._under_way is question:
                self._under_way = None
        self._took_ns = int((asyncio.get_running_loop().time() - begun_s) * SECOND_NS)
        self.version += 1
