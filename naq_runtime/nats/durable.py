"""A durable consumer of a stream: made once, changed as its settings are, and made anew where it stopped.

The server keeps what was delivered and what was acknowledged. Should somebody delete the consumer, or the whole
stream, whoever is at work makes it anew behind the last sequence of which it knows that all before it was
acknowledged: some messages come twice then, and none is passed over.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from naq_runtime.errors import JetStreamError
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND, stream_bounds

__all__ = ["ConsumerSettings", "ConsumerState", "DurableConsumer", "Start"]

log = logging.getLogger(__name__)

Start = Literal["new", "beginning"] | datetime
"""What the first of all deliveries is: what comes from now on, all that is stored, or all since a moment."""

_NOT_FOUND = {10014, STREAM_NOT_FOUND}
_EXISTS = {10105, 10148, 10013}
_NANOSECONDS = 1_000_000_000
_WANTED = "naq.wanted"
"""Under this the metadata of a consumer say `ConsumerSettings.wanted`."""


class ConsumerSettings(NamedTuple):
    """What is delivered, and how."""

    subjects: tuple[str, ...]
    start: Start = "new"
    """Counts only when it is made for the first time."""
    ack_wait_s: float = 30.0
    """What is not acknowledged for so long is delivered again."""
    max_ack_pending: int = 10_000
    wanted: str = ""
    """What of these is wanted, in words: processes that share the consumer see by it whether they want the same."""


class ConsumerState(NamedTuple):
    """How far it is."""

    waiting: int
    """Messages that were not delivered yet."""
    unacknowledged: int
    """Those that were delivered, and are neither acknowledged nor given up."""
    redelivered: int
    """Those among them that were delivered more than once."""
    floor: int
    """All messages up to this sequence are acknowledged."""
    is_as_wanted: bool = True
    """Whether it delivers what those want who asked; others of the same name may have changed it."""


class DurableConsumer:
    """One consumer, which several processes may share.

    Args:
        ready: makes the stream, should it not be there.
    """

    def __init__(
        self,
        connection: Connection,
        stream: str,
        name: str,
        settings: ConsumerSettings,
        *,
        ready: Callable[[], Awaitable[object]],
    ) -> None:
        self.stream = stream
        self.name = name
        self._connection = connection
        self._settings = settings
        self._ready = ready
        self._floor: int | None = None
        """`None` until it was seen once."""
        self._stream_made = ""

    def __repr__(self) -> str:
        return f"<DurableConsumer {self.name} of {self.stream} floor={self._floor}>"

    async def ensure(self) -> None:
        """Make it, or change it to the settings, when it is not as it should be.

        Raises:
            ServerError: it cannot be made or looked at now.
        """
        found = await self._info()
        if found is None:
            await self._ready()
            found = await self._create()
        elif differing := self._differing(found["config"]):
            log.info(
                "consumer %s is changed: %s", self.name, ", ".join(differing), extra={"action": "consumer_changed"}
            )
            found = await self._call({**found["config"], **self._wanted(found["config"])}, "update")
        self._stream_made = (await stream_bounds(self._connection, self.stream)).created
        self._floor = int(found["ack_floor"]["stream_seq"])

    async def look(self) -> ConsumerState | None:
        """How far it is; ``None`` when it is not there.

        Raises:
            ServerError: the server cannot be asked now.
        """
        found = await self._info()
        if found is None:
            return None
        state = consumer_state(found)
        self._floor = state.floor
        return state._replace(is_as_wanted=not set(self._differing(found["config"])) & {"filter_subjects", "metadata"})

    async def _create(self) -> dict[str, Any]:
        begin = await self._beginning()
        if self._floor is not None:
            log.warning(
                "consumer %s was deleted; it is made anew behind message %d, and some may be delivered again",
                self.name, begin.get("opt_start_seq", 1) - 1,
                extra={"action": "consumer_recreated"},
            )  # fmt: skip
        try:
            return await self._call({**self._wanted(), **begin}, "create")
        except JetStreamError as error:
            found = await self._info() if error.code in _EXISTS else None  # somebody else was quicker
            if found is None:
                raise
            return found

    async def _beginning(self) -> dict[str, Any]:
        if self._floor is not None:
            same = (await stream_bounds(self._connection, self.stream)).created == self._stream_made
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self._floor + 1 if same else 1}
        match self._settings.start:
            case "new" | "beginning" as start:
                return {"deliver_policy": "new" if start == "new" else "all"}
            case moment:
                return {"deliver_policy": "by_start_time", "opt_start_time": moment.astimezone().isoformat()}

    def _wanted(self, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {
            "durable_name": self.name,
            "name": self.name,
            "filter_subjects": list(self._settings.subjects),
            "filter_subject": "",
            "ack_policy": "explicit",
            "ack_wait": int(self._settings.ack_wait_s * _NANOSECONDS),
            "max_ack_pending": self._settings.max_ack_pending,
            "max_deliver": -1,
            "metadata": {**((before or {}).get("metadata") or {}), _WANTED: self._settings.wanted},
        }

    def _differing(self, config: Mapping[str, Any]) -> list[str]:
        wanted = self._wanted()
        differing = [key for key in ("ack_wait", "max_ack_pending") if config.get(key) != wanted[key]]
        if set(_subjects(config)) != set(self._settings.subjects):
            differing.append("filter_subjects")
        if (config.get("metadata") or {}).get(_WANTED, "") != self._settings.wanted:
            differing.append("metadata")
        return differing

    async def _info(self) -> dict[str, Any] | None:
        try:
            return await self._connection.api(f"CONSUMER.INFO.{self.stream}.{self.name}")
        except JetStreamError as error:
            if error.code in _NOT_FOUND:
                return None
            raise

    async def _call(self, config: Mapping[str, Any], action: str) -> dict[str, Any]:
        request = {"stream_name": self.stream, "config": config, "action": action}
        return await self._connection.api(f"CONSUMER.DURABLE.CREATE.{self.stream}.{self.name}", request)


def consumer_state(info: Mapping[str, Any]) -> ConsumerState:
    """How far a consumer is, as the server describes it."""
    return ConsumerState(
        waiting=info.get("num_pending", 0),
        unacknowledged=info.get("num_ack_pending", 0),
        redelivered=info.get("num_redelivered", 0),
        floor=int(info["ack_floor"]["stream_seq"]),
    )


def _subjects(config: Mapping[str, Any]) -> Sequence[str]:
    single = config.get("filter_subject")
    return [single] if single else config.get("filter_subjects") or []
