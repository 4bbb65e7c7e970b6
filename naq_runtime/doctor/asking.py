"""Asking for all that checks are made of, at once; nothing is made or changed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from naq_runtime.alerts.record import AlertRecord
from naq_runtime.alerts.store import read_board
from naq_runtime.config import NAQConfig
from naq_runtime.doctor.check import Unknown
from naq_runtime.doctor.facts import DeadLetters, Facts, FoundStream, ServerSkew
from naq_runtime.doctor.roles import tried_for
from naq_runtime.errors import JetStreamError, NaqError, StreamMissing
from naq_runtime.jetstream import Account
from naq_runtime.naming import Names
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND, sequence_at
from naq_runtime.nats.inspecting import account_of, purposes, stream_of
from naq_runtime.nats.probing import Refused, refused
from naq_runtime.nats.roll import worker_status
from naq_runtime.nats.server_clock import ServerClock
from naq_runtime.nats.state import queue_states
from naq_runtime.nats.wanted import WantedStreams, differences
from naq_runtime.processing.overview import ProcessorState, processors
from naq_runtime.services.manager import ServiceManager
from naq_runtime.skews import read_skews
from naq_runtime.watching import ScheduleWatch

__all__ = ["ask", "ask_permissions"]

T = TypeVar("T")

_LATELY_NS = 3600 * 1_000_000_000


async def ask_permissions(config: NAQConfig) -> Refused | Unknown:
    """What the server does not allow, of all that any role needs."""
    tried = tried_for(config)
    return await _answer(refused(config.nats, tried.publish, tried.subscribe))


async def ask(services: ServiceManager, environ: Mapping[str, str]) -> Facts:
    """All that stands now, but for the permissions. It takes three seconds where a worker may be lost."""
    connection, names, clock = services.connection, services.names, services.connection.server_clock
    streams = await _streams(services)  # first: these answers tell what the clock of the server shows
    now_ns = clock.now_ns()
    async with asyncio.TaskGroup() as asking:
        account = asking.create_task(_answer(_account(connection)))
        skews = asking.create_task(_answer(read_skews(connection, names, now_ns)))
        queues = asking.create_task(_answer(queue_states(connection, names)))
        workers = asking.create_task(_answer(worker_status(connection, names, include_inactive=True)))
        schedules = asking.create_task(_answer(ScheduleWatch(services).news(None)))
        dead = asking.create_task(_answer(_dead(connection, names, now_ns)))
        alerts = asking.create_task(_answer(_alerts(services)))
        found = asking.create_task(_answer(_processors(services)))
    return Facts(
        config=services.config,
        environ=environ,
        now_ns=clock.now_ns(),
        streams=streams,
        account=account.result(),
        server_skew=_skew(clock),
        skews=skews.result(),
        queues=queues.result(),
        workers=workers.result(),
        schedules=schedules.result(),
        dead=dead.result(),
        alerts=alerts.result(),
        processors=found.result(),
    )


async def _answer(question: Coroutine[Any, Any, T]) -> T | Unknown:
    try:
        return await question
    except NaqError as error:
        return Unknown(str(error))


def _skew(clock: ServerClock) -> ServerSkew | Unknown:
    if not clock.error_ns:
        return Unknown("the server tells the time only with a stream, and there is none yet")
    return ServerSkew(clock.skew_ns / 1e6, clock.error_ns / 1e6)


async def _account(connection: Connection) -> Account:
    return account_of(await connection.api("INFO"))


async def _streams(services: ServiceManager) -> dict[str, FoundStream | Unknown | None]:
    connection = services.connection
    wanted = {one["name"]: one for one in WantedStreams(services.config, fast_ingest=connection.has_fast_ingest).all()}
    what = dict(purposes(services.names))

    async def look(name: str) -> FoundStream | None:
        try:
            info = await connection.api(f"STREAM.INFO.{name}")
        except JetStreamError as error:
            if error.code == STREAM_NOT_FOUND:
                return None
            raise
        return FoundStream(stream_of(info, what[name]), tuple(differences(info["config"], wanted[name])))

    found = await asyncio.gather(*(_answer(look(name)) for name in wanted))
    return dict(zip(wanted, found, strict=True))


async def _dead(connection: Connection, names: Names, now_ns: int) -> DeadLetters:
    first = None
    with suppress(StreamMissing):
        first = await sequence_at(connection, names.dead_stream, now_ns - _LATELY_NS)
    if first is None:
        return DeadLetters(await _messages(connection, names.dead_stream), 0)
    state = await _state(connection, names.dead_stream)
    standing = int(state["messages"])
    return DeadLetters(standing, min(standing, int(state["last_seq"]) - first + 1))


async def _messages(connection: Connection, stream: str) -> int:
    try:
        return int((await _state(connection, stream))["messages"])
    except JetStreamError as error:
        if error.code == STREAM_NOT_FOUND:
            return 0
        raise


async def _state(connection: Connection, stream: str) -> dict[str, Any]:
    state: dict[str, Any] = (await connection.api(f"STREAM.INFO.{stream}"))["state"]
    return state


async def _alerts(services: ServiceManager) -> tuple[AlertRecord, ...]:
    return (await read_board(services.streams, services.names)).records()


async def _processors(services: ServiceManager) -> tuple[ProcessorState, ...]:
    return tuple(await processors(services))
