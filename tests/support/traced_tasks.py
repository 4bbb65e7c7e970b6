"""Tasks that make spans of their own."""

from __future__ import annotations

from opentelemetry import trace

from naq_runtime import current_job, task

__all__ = ["fail_at_first", "in_a_process", "in_a_thread", "on_the_loop"]

_TRACER = trace.get_tracer("tasks")


@task
async def on_the_loop() -> int:
    """Async."""
    with _TRACER.start_as_current_span("inner"):
        return 42


@task
def in_a_thread() -> int:
    """Plain."""
    with _TRACER.start_as_current_span("inner"):
        return 42


@task(process=True)
def in_a_process() -> int:
    """In a process of its own."""
    with _TRACER.start_as_current_span("inner"):
        return 42


@task
async def fail_at_first() -> int:
    """Its attempt, but for the first one."""
    attempt = current_job().attempt
    if attempt == 1:
        raise LookupError("not yet")
    return attempt
