"""Making a processor of its settings. What a kind needs is imported when it is made."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from importlib import import_module
from operator import attrgetter
from typing import Any, Protocol, cast

from naq_runtime.errors import ConfigError, FilterError
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.models import StoredEvent
from naq_runtime.events.storage import NATSJobEventStorage
from naq_runtime.nats.durable import Start
from naq_runtime.processing.processor import BatchFunction, DurableProcessor, one_by_one
from naq_runtime.processors.settings import (
    CommandSettings,
    FunctionSettings,
    LogFileSettings,
    ProcessorSettings,
    Settings,
    TracesSettings,
    WebhookSettings,
)
from naq_runtime.services.manager import ServiceManager

__all__ = ["Shipped", "durable", "made"]


class Shipped(Protocol):
    """Processes events in batches; as text it is what it does with them: ``posts to http://127.0.0.1:8777``."""

    async def __call__(self, events: Sequence[StoredEvent]) -> None:
        """Raises `Rejected` for what will never be processed, `Unavailable` when nothing can be for now."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class Function:
    """A function of somebody's module."""

    def __init__(self, settings: FunctionSettings, *, key: str) -> None:
        self._path = settings.function
        function = _found(settings.function, f"{key}.function")
        self._process: BatchFunction = one_by_one(function) if settings.batch == 1 else function

    def __str__(self) -> str:
        return f"calls {self._path}"

    async def __call__(self, events: Sequence[StoredEvent]) -> None:
        """Process a batch."""
        await self._process(events)

    async def close(self) -> None:
        """Nothing is left."""


async def made(services: ServiceManager, name: str, settings: Settings) -> Shipped:
    """The processor of a table ``[processors.NAME]``.

    Raises:
        ConfigError: it cannot be made so; the text names the key.
        NameTaken, Unavailable: its file is taken, or cannot be opened.
    """
    key = f"processors.{name}"
    match settings:
        case WebhookSettings():
            from naq_runtime.processors.webhook import EventPoster

            return EventPoster(settings, key=key)
        case CommandSettings():
            from naq_runtime.processors.command import Command

            return Command(settings)
        case LogFileSettings():
            from naq_runtime.processors.logfile import LogFile

            return LogFile(settings)
        case FunctionSettings():
            return Function(settings, key=key)
        case TracesSettings():
            return await _traces(services, key)


async def _traces(services: ServiceManager, key: str) -> Shipped:
    try:
        from naq_runtime.processors.traces import TracesOfEvents
        from naq_runtime.tracing.exporters import exporters, resource_of
    except ImportError as error:
        raise ConfigError(f"setting {key}.kind: otel needs OpenTelemetry: pip install 'naq-top[otel]'") from error
    events = NATSJobEventStorage(services.connection, services.config, services.topology)
    return TracesOfEvents(exporters(), resource_of("jobs"), events.histories)


def durable(
    services: ServiceManager, name: str, settings: ProcessorSettings, process: BatchFunction
) -> DurableProcessor:
    """A processor of these settings.

    Raises:
        ConfigError: a filter that cannot be used.
    """
    return DurableProcessor(
        services,
        name,
        process,
        wanted=wanted_by(name, settings),
        batch=settings.batch,
        start=start_of(settings.start),
        retries=settings.retries,
        ack_wait_s=settings.ack_wait,
    )


def start_of(text: str) -> Start:
    """Where it begins."""
    if text in ("new", "beginning"):
        return cast("Start", text)
    return datetime.fromisoformat(text)


def wanted_by(name: str, settings: ProcessorSettings) -> EventFilter:
    """What a processor wants.

    Raises:
        ConfigError: its filter cannot be read.
    """
    try:
        return EventFilter(settings.filter)
    except FilterError as error:
        raise ConfigError(f"setting processors.{name}.filter: {error}") from error


def _found(path: str, key: str) -> Callable[[Any], Awaitable[object]]:
    module, _, name = path.partition(":")
    try:
        found = attrgetter(name)(import_module(module))
    except Exception as error:  # user code
        raise ConfigError(f"setting {key}: {path} cannot be imported: {type(error).__name__}: {error}") from error
    if not inspect.iscoroutinefunction(found) and not inspect.iscoroutinefunction(getattr(found, "__call__", None)):  # noqa: B004 - its kind is asked for
        raise ConfigError(f"setting {key}: {path} is no async function")
    function: Callable[[Any], Awaitable[object]] = found
    return function
