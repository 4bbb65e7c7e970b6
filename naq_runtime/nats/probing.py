"""Which subjects a server lets us use, found out without doing anything.

A server says at once what it refuses, and nothing of what it allows. So all subjects are tried together, and after one
round trip it is known. What is published is on the condition that the stream is one that there is not, so that nothing
is stored; and requests of the API have nothing in them, and nowhere to be answered to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from naq_runtime.config import NatsConfig
from naq_runtime.nats.dialling import Watcher, dialled
from naq_runtime.nats.translating import translated

__all__ = ["Refused", "refused"]

_VIOLATION = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"', re.IGNORECASE)
_NEVER = {"Nats-Expected-Stream": "naq-doctor"}
_PATIENCE_S = 10


class Refused(NamedTuple):
    """What the server does not allow."""

    publish: frozenset[str] = frozenset()
    subscribe: frozenset[str] = frozenset()


async def refused(config: NatsConfig, publish: Iterable[str], subscribe: Iterable[str]) -> Refused:
    """Try some subjects, over a connection of its own.

    Args:
        publish: without wildcards. subscribe: may have wildcards.

    Raises:
        ServerError: the server cannot be reached.
    """
    heard: set[tuple[str, str]] = set()

    def note(error: Exception) -> None:
        if found := _VIOLATION.search(str(error)):
            heard.add((found[1].lower(), found[2].lower()))  # the client has made it small letters

    async def nothing(*_: object) -> None:
        return

    publish, subscribe = tuple(publish), tuple(subscribe)
    client = await dialled(config, "naq doctor, trying permissions", Watcher(note, nothing, nothing, nothing))
    try:
        with translated():
            for subject in subscribe:
                await client.subscribe(subject, cb=nothing)
            for subject in publish:
                await client.publish(subject, headers=_NEVER)
            await client.flush(timeout=_PATIENCE_S)
    finally:
        await client.close()
    return Refused(
        frozenset(subject for subject in publish if ("publish", subject.lower()) in heard),
        frozenset(subject for subject in subscribe if ("subscription", subject.lower()) in heard),
    )
