"""The dead events of one processor, as it writes them: what it has given up, and what may be killing its processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from naq_runtime.errors import ServerError
from naq_runtime.events.models import StoredEvent
from naq_runtime.processing.dead import DeadEvent, DeadEvents
from naq_runtime.processing.intake import Holding

if TYPE_CHECKING:
    from naq_runtime.services.manager import ServiceManager

__all__ = ["Letters"]


class Letters:
    """Writes and forgets the dead events of a processor."""

    def __init__(self, services: ServiceManager, processor: str) -> None:
        self._services = services
        self._processor = processor
        self._dead = DeadEvents(services.streams, services.names)

    async def suspect(self, stored: StoredEvent) -> DeadEvent | None:
        """The letter of an event from whose last try nobody came back.

        Raises:
            ServerError: it cannot be read now.
        """
        found = await self._dead.find(self._processor, stored.sequence)
        return found if found is not None and found.is_suspect else None

    async def bury(self, holding: Holding, stored: StoredEvent, error_type: str, reason: str, *, attempts: int) -> None:
        """Keep an event that is given up.

        Raises:
            ServerError: it may be kept, or not.
        """
        await self._keep(self._letter(holding, stored, error_type, reason, attempts=attempts))

    @asynccontextmanager
    async def suspicion(self, holding: Holding, stored: StoredEvent) -> AsyncIterator[None]:
        """While the block lasts, the event is called dead: whoever is killed by it can say so no more.

        Who comes back from it, however that is, was not killed, and the letter is forgotten.

        Raises:
            ServerError: the letter is not written, and the block not begun.
        """
        deliveries = holding.delivery.deliveries
        reason = f"{deliveries - 1} processes ended while they had it, and so did its last one"
        letter = self._letter(holding, stored, "ProcessCrashed", reason, attempts=deliveries, is_suspect=True)
        await self._keep(letter)
        try:
            yield
        finally:
            with suppress(ServerError):  # then it is listed as dead, which harms less than to process it again
                found = await self._dead.find(self._processor, stored.sequence)
                await self._dead.delete([found] if found is not None else [])

    def _letter(
        self,
        holding: Holding,
        stored: StoredEvent,
        error_type: str,
        reason: str,
        *,
        attempts: int,
        is_suspect: bool = False,
    ) -> DeadEvent:
        return DeadEvent(
            processor=self._processor,
            sequence=stored.sequence,
            payload=holding.delivery.payload,
            reason=reason,
            error_type=error_type,
            attempts=attempts,
            failed_at_ns=self._services.clock.time_ns(),
            letter=0,
            is_suspect=is_suspect,
        )

    async def _keep(self, dead: DeadEvent) -> None:
        try:
            await self._dead.bury(dead)
        except ServerError:
            await self._services.topology.processors()  # the stream may be gone
            raise
