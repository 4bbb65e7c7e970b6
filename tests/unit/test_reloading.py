"""Settings that are read again: when, what is applied, and what is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from naq_runtime.config import NAQConfig
from naq_runtime.events.memory import MemoryEventStorage
from naq_runtime.events.models import SystemEvent
from naq_runtime.reloading import Reloading
from naq_runtime.services.events import EventService


class Process:
    """One that goes by some settings, and finds others when it reads them again."""

    def __init__(self, events: EventService, storage: MemoryEventStorage) -> None:
        self.config = NAQConfig()
        self.applied: list[object] = []
        self.kept: list[dict[str, object]] = []
        self._events = events
        self._storage = storage
        self.reloading = Reloading(
            events,
            self.config,
            load=lambda: self.config,
            appliers=lambda: {"worker.concurrency": self.applied.append},
            applied=lambda settings: self.kept.append(dict(settings)),
        )

    def set(self, **settings: object) -> None:
        """Change settings of workers."""
        self.config = replace(self.config, worker=replace(self.config.worker, **settings))

    async def told(self) -> list[tuple[str | None, str | None]]:
        """The settings that were told of, and their new values."""
        await self._events.flush()
        events = [stored.event for stored in self._storage.events]
        return [(event.key, event.new) for event in events if isinstance(event, SystemEvent) and event.key]


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    """One that is starting."""
    storage = MemoryEventStorage()
    events = EventService(NAQConfig(), storage)
    await events.start()
    yield Process(events, storage)
    await events.stop()


async def test_what_is_asked_for_while_it_starts_is_done_once_when_it_is_up(process: Process) -> None:
    process.set(concurrency=3)
    process.reloading.reload()
    process.reloading.reload()
    assert (process.applied, await process.told()) == ([], [])

    process.reloading.begin()

    assert process.applied == [3]
    assert await process.told() == [("worker.concurrency", "3")]


async def test_nothing_is_read_again_that_nobody_asked_for(process: Process) -> None:
    process.set(concurrency=3)

    process.reloading.begin()

    assert process.applied == []


async def test_what_is_kept_has_what_was_applied_and_not_what_needs_a_restart(process: Process) -> None:
    process.reloading.begin()
    process.set(concurrency=3, commit_size=7)

    process.reloading.reload()

    (kept,) = process.kept
    assert (kept["worker.concurrency"], kept["worker.commit_size"]) == (3, NAQConfig().worker.commit_size)


async def test_a_change_that_needs_a_restart_is_not_told(process: Process) -> None:
    process.reloading.begin()
    process.set(commit_size=7)

    process.reloading.reload()

    assert (process.kept, await process.told()) == ([], [])
