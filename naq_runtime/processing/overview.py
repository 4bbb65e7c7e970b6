"""What processors there are, and what is done with them from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from naq_runtime.errors import JetStreamError, NotFound
from naq_runtime.naming import check_name
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import STREAM_NOT_FOUND
from naq_runtime.nats.durable import ConsumerState, consumer_state
from naq_runtime.nats.state import each_of, paged, subject_count
from naq_runtime.services.manager import ServiceManager

__all__ = ["ProcessorState", "processors", "remove_processor"]

_CONSUMER_NOT_FOUND = 10014


class ProcessorState(NamedTuple):
    """A processor, as the server knows it."""

    name: str
    progress: ConsumerState
    dead: int
    """Events that it has given up."""
    is_running: bool
    """Whether a process asks for its events now."""


async def processors(services: ServiceManager) -> list[ProcessorState]:
    """All of them, by name.

    Raises:
        ServerError: they cannot be read now.
    """
    names = services.names
    prefix = names.processor_consumer("")
    found = await paged(services.connection, f"CONSUMER.LIST.{names.events_stream}", "consumers")
    # Of what comes again by hand there are requests at any time, also while a processor has all the work that it wants.
    again = await paged(services.connection, f"CONSUMER.LIST.{names.processors_stream}", "consumers")
    running = {info["name"] for info in again if info.get("num_waiting", 0)}

    async def state(info: Mapping[str, Any]) -> ProcessorState:
        name = info["name"].removeprefix(prefix)
        dead = await subject_count(services.connection, names.processors_stream, names.dead_event(name, "*"))
        return ProcessorState(name, consumer_state(info), dead, info["name"] in running)

    return sorted(await each_of([info for info in found if info["name"].startswith(prefix)], state))


async def check_is_there(services: ServiceManager, name: str) -> None:
    """Make sure that there is a processor of this name.

    Raises:
        NotFound: there is none.
    """
    if name not in {state.name for state in await processors(services)}:
        raise _unknown(name)


async def remove_processor(services: ServiceManager, name: str) -> None:
    """Forget how far a processor is; one of its name begins anew. Its dead events stay.

    Raises:
        NotFound: there is none of this name.
    """
    names = services.names
    consumer = names.processor_consumer(check_name("processor", name))
    is_there = await _is_deleted(services.connection, names.events_stream, consumer)
    await _is_deleted(services.connection, names.processors_stream, consumer)
    if not is_there:
        raise _unknown(name)


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no processor {name}; 'naq processor list' shows those that there are")


async def _is_deleted(connection: Connection, stream: str, consumer: str) -> bool:
    """Delete a consumer; whether it was there."""
    try:
        await connection.api(f"CONSUMER.DELETE.{stream}.{consumer}")
    except JetStreamError as error:
        if error.code in (_CONSUMER_NOT_FOUND, STREAM_NOT_FOUND):
            return False
        raise
    return True
