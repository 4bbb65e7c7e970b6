"""A job queue on NATS JetStream that records everything that happens in it.

::

    from naq_runtime import Queue, task

    @task
    def count_words(text: str) -> int:
        return len(text.split())

    async with Queue("default") as queue:
        handle = await queue.enqueue(count_words, "to be or not to be")
        print(await handle.result(timeout=10))

Everything below is loaded when it is first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from naq_runtime.version import VERSION as __version__

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig, get_config
    from naq_runtime.context import JobContext, current_job
    from naq_runtime.embedded import EmbeddedServer
    from naq_runtime.errors import (
        DependencyCycle,
        DuplicateJob,
        DuplicateSchedule,
        FilterError,
        InvalidSchedule,
        JobCancelled,
        JobFailed,
        JobRefused,
        NaqError,
        NotFound,
        ResultTimeout,
        ServerError,
        TimedOut,
        UnknownDependency,
    )
    from naq_runtime.events.answers import EventPage
    from naq_runtime.events.filters import EventFilter
    from naq_runtime.events.logger import AsyncJobEventLogger
    from naq_runtime.events.memory import MemoryEventStorage
    from naq_runtime.events.models import (
        AlertEvent,
        AlertEventType,
        Event,
        JobEvent,
        JobEventType,
        ScheduleEvent,
        ScheduleEventType,
        StoredEvent,
        SystemEvent,
        SystemEventType,
        WorkerEvent,
        WorkerEventType,
    )
    from naq_runtime.events.queries import EventQueries
    from naq_runtime.events.storage import NATSJobEventStorage
    from naq_runtime.hooks import middleware, on_shutdown, on_startup
    from naq_runtime.job import After, Job, JobResult, JobStatus
    from naq_runtime.jobs.dead import DeadFilter, DeadLetter
    from naq_runtime.monitor import Monitor
    from naq_runtime.queue import JobHandle, Queue
    from naq_runtime.retry import Cancel, Retry, RetryPolicy, Snooze
    from naq_runtime.schedule import Schedule, ScheduleConfig, ScheduleState
    from naq_runtime.scheduler.scheduler import Scheduler
    from naq_runtime.serializer import JsonSerializer, Serializer
    from naq_runtime.services.alerts import AlertService
    from naq_runtime.services.events import EventService
    from naq_runtime.services.jobs import JobService, PartlyRefused
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.services.queues import QueueService
    from naq_runtime.services.scheduler import ScheduleFilter, SchedulerService
    from naq_runtime.statistics.answer import EventStatistics, GroupStatistics
    from naq_runtime.tasks import Task, TaskRegistry, task
    from naq_runtime.worker.worker import Worker

_HOMES = {
    "naq_runtime.config": (
        "NAQConfig",
        "get_config",
    ),
    "naq_runtime.context": (
        "JobContext",
        "current_job",
    ),
    "naq_runtime.embedded": ("EmbeddedServer",),
    "naq_runtime.errors": (
        "DependencyCycle",
        "DuplicateJob",
        "DuplicateSchedule",
        "FilterError",
        "InvalidSchedule",
        "JobCancelled",
        "JobFailed",
        "JobRefused",
        "NaqError",
        "NotFound",
        "ResultTimeout",
        "ServerError",
        "TimedOut",
        "UnknownDependency",
    ),
    "naq_runtime.events.filters": ("EventFilter",),
    "naq_runtime.events.logger": ("AsyncJobEventLogger",),
    "naq_runtime.events.memory": ("MemoryEventStorage",),
    "naq_runtime.events.models": (
        "AlertEvent",
        "AlertEventType",
        "Event",
        "JobEvent",
        "JobEventType",
        "ScheduleEvent",
        "ScheduleEventType",
        "StoredEvent",
        "SystemEvent",
        "SystemEventType",
        "WorkerEvent",
        "WorkerEventType",
    ),
    "naq_runtime.events.answers": ("EventPage",),
    "naq_runtime.events.queries": ("EventQueries",),
    "naq_runtime.events.storage": ("NATSJobEventStorage",),
    "naq_runtime.hooks": (
        "middleware",
        "on_shutdown",
        "on_startup",
    ),
    "naq_runtime.job": (
        "After",
        "Job",
        "JobResult",
        "JobStatus",
    ),
    "naq_runtime.jobs.dead": (
        "DeadFilter",
        "DeadLetter",
    ),
    "naq_runtime.monitor": ("Monitor",),
    "naq_runtime.queue": (
        "JobHandle",
        "Queue",
    ),
    "naq_runtime.retry": (
        "Cancel",
        "Retry",
        "RetryPolicy",
        "Snooze",
    ),
    "naq_runtime.schedule": (
        "Schedule",
        "ScheduleConfig",
        "ScheduleState",
    ),
    "naq_runtime.scheduler.scheduler": ("Scheduler",),
    "naq_runtime.serializer": (
        "JsonSerializer",
        "Serializer",
    ),
    "naq_runtime.services.alerts": ("AlertService",),
    "naq_runtime.services.events": ("EventService",),
    "naq_runtime.services.jobs": (
        "JobService",
        "PartlyRefused",
    ),
    "naq_runtime.services.manager": ("ServiceManager",),
    "naq_runtime.services.queues": ("QueueService",),
    "naq_runtime.services.scheduler": (
        "ScheduleFilter",
        "SchedulerService",
    ),
    "naq_runtime.statistics.answer": (
        "EventStatistics",
        "GroupStatistics",
    ),
    "naq_runtime.tasks": (
        "Task",
        "TaskRegistry",
        "task",
    ),
    "naq_runtime.worker.worker": ("Worker",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "After",
    "AlertEvent",
    "AlertEventType",
    "AlertService",
    "AsyncJobEventLogger",
    "Cancel",
    "DeadFilter",
    "DeadLetter",
    "DependencyCycle",
    "DuplicateJob",
    "DuplicateSchedule",
    "EmbeddedServer",
    "Event",
    "EventFilter",
    "EventPage",
    "EventQueries",
    "EventService",
    "EventStatistics",
    "FilterError",
    "GroupStatistics",
    "InvalidSchedule",
    "Job",
    "JobCancelled",
    "JobContext",
    "JobEvent",
    "JobEventType",
    "JobFailed",
    "JobHandle",
    "JobRefused",
    "JobResult",
    "JobService",
    "JobStatus",
    "JsonSerializer",
    "MemoryEventStorage",
    "Monitor",
    "NAQConfig",
    "NATSJobEventStorage",
    "NaqError",
    "NotFound",
    "PartlyRefused",
    "Queue",
    "QueueService",
    "ResultTimeout",
    "Retry",
    "RetryPolicy",
    "Schedule",
    "ScheduleConfig",
    "ScheduleEvent",
    "ScheduleEventType",
    "ScheduleFilter",
    "ScheduleState",
    "Scheduler",
    "SchedulerService",
    "Serializer",
    "ServerError",
    "ServiceManager",
    "Snooze",
    "StoredEvent",
    "SystemEvent",
    "SystemEventType",
    "Task",
    "TaskRegistry",
    "TimedOut",
    "UnknownDependency",
    "Worker",
    "WorkerEvent",
    "WorkerEventType",
    "__version__",
    "current_job",
    "get_config",
    "middleware",
    "on_shutdown",
    "on_startup",
    "task",
]


def __getattr__(name: str) -> object:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return __all__
