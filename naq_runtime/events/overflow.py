"""What becomes of the logger's events in an outage that is longer than its buffer: they wait on disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from naq_runtime.config import EventsConfig
from naq_runtime.events.buffer import EventBuffer
from naq_runtime.events.storage import EventStore
from naq_runtime.naming import Names

if TYPE_CHECKING:
    from naq_runtime.events.spool import Spool

__all__ = ["Overflow"]

log = logging.getLogger(__name__)

_PAGE = 1_000
_LOOK_S = 0.05
_DAMAGED = "other.damaged"
"""Lines on disk that nobody can read are counted so."""

T = TypeVar("T")


class Overflow:
    """Moves events from the buffer to the disk, and from the disk to the storage; does nothing without a folder.

    What is on disk is older than what is in the buffer. A disk that fails is left alone from then on.
    """

    def __init__(self, buffer: EventBuffer, storage: EventStore, config: EventsConfig, names: Names) -> None:
        self._buffer = buffer
        self._storage = storage
        self._spool: Spool | None = None
        if config.spool:
            from naq_runtime.events.spool import Spool  # few have one

            self._spool = Spool(Path(config.spool), config.spool_max_bytes, names)

    @property
    def count(self) -> int:
        """Events on disk."""
        return self._spool.count if self._spool is not None else 0

    async def open(self) -> int:
        """Take over what dead processes have left; returns how many events that are."""
        if self._spool is not None:
            await self._in_thread(self._spool.open)
        return self.count

    async def store(self, batch_size: int) -> None:
        """Store all that is on disk.

        Raises:
            ServerError: not all could be stored; call again.
        """
        while self.count and self._spool is not None:
            spool = self._spool
            entries = await self._in_thread(partial(spool.read, batch_size))
            if entries is None:
                return
            if entries:
                await self._storage.store(await self._storage.missing(entries))
            lines = await self._in_thread(spool.done)
            if lines is not None:
                self._buffer.note_stored(len(entries))
                self._buffer.refuse(_DAMAGED, lines - len(entries))

    async def pause(self, delay_s: float) -> None:
        """Wait until the storage is tried again; whenever half of the buffer is full, move everything to the disk."""
        until = time.monotonic() + delay_s
        while self._spool is not None and (left := until - time.monotonic()) > 0:
            if self._buffer.is_half_full:
                while await self._in_thread(self._move_some):
                    pass
            await asyncio.sleep(min(left, _LOOK_S))
        await asyncio.sleep(until - time.monotonic())

    def close(self) -> None:
        """Put on disk what is left, and leave it to the next process."""
        if self._spool is None:
            return
        try:
            while self._move_some():
                pass
            self._spool.close()
        except OSError as error:
            self._give_up(error)

    def let_go(self) -> None:
        """In a child of a fork: what is on disk is its parent's."""
        if self._spool is not None:
            self._spool.let_go()
        self._spool = None

    def _move_some(self) -> bool:
        """From any thread; ``False`` when there are no more, or there is no room for them."""
        spool = self._spool
        if spool is None:
            return False
        with spool.lock:
            batch = self._buffer.batch(_PAGE)
            if not batch or not spool.write(batch):
                return False
            self._buffer.done(stored=False)
            return True

    async def _in_thread(self, action: Callable[[], T]) -> T | None:
        """Do something with the disk, which may take its time; ``None`` when it fails."""
        try:
            return await asyncio.to_thread(action)
        except OSError as error:
            self._give_up(error)
        except RuntimeError as error:  # Python is ending, and starts no threads any more; `close` needs none
            log.debug("events not moved: %s", error, extra={"action": "spool_too_late"})
        return None

    def _give_up(self, error: OSError) -> None:
        left, self._spool = self._spool, None
        log.error(
            "events do not wait on disk any more, since that failed: %s; see to events.spool, and start again. "
            "What is there already is stored then",
            error,
            extra={"action": "spool_failed"},
        )
        if left is not None:
            left.close()
