"""Traces across processes: a job carries the context of who enqueued it, and its attempts go on with that.

Nothing of OpenTelemetry is imported unless ``tracing.enabled`` is set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from naq_runtime.errors import ConfigError
from naq_runtime.job import Job

if TYPE_CHECKING:
    from naq_runtime.hooks import Middleware

__all__ = ["Tracing", "resumed", "tracing_of"]


class Tracing(Protocol):
    """Makes spans of what this process does with jobs."""

    @property
    def middleware(self) -> Middleware:
        """Makes a span around each attempt."""
        ...

    def enqueuing(self, jobs: Sequence[Job]) -> AbstractContextManager[list[Job]]:
        """Spans of the enqueuing of jobs; the jobs with their contexts."""
        ...

    async def close(self) -> None:
        """Export what there is."""
        ...


def tracing_of(role: str) -> Tracing:
    """The tracing of a process, which exports as the variables ``OTEL_…`` say, unless the program has set it up.

    Raises:
        ConfigError: the extra ``otel`` is not installed, or an exporter is not known.
    """
    try:
        from naq_runtime.tracing.telemetry import Telemetry
    except ImportError as error:
        raise ConfigError("setting tracing.enabled: needs OpenTelemetry: pip install 'naq-top[otel]'") from error
    return Telemetry.of(role)


@contextmanager
def resumed(trace: Mapping[str, str]) -> Iterator[None]:
    """Spans in here are below that of an attempt in another process; what they are is exported at the end."""
    from naq_runtime.tracing.telemetry import Telemetry

    with Telemetry.of("worker").resumed(trace):
        yield
