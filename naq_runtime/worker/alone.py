"""One attempt of a job where there is no worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from msgspec import structs

from naq_runtime.clock import Clock
from naq_runtime.errors import SerializationError
from naq_runtime.job import Execution, Job, JobResult, JobStatus
from naq_runtime.serializer import Serializer
from naq_runtime.tasks import Task, TaskRegistry
from naq_runtime.worker.calling import ProcessRunner
from naq_runtime.worker.children import Children
from naq_runtime.worker.execution import Emit, Executor, failed

__all__ = ["child_for", "run_alone"]


async def run_alone(
    task: Task | None,
    job: Job,
    serializer: Serializer,
    dependencies: Mapping[str, JobResult] | None,
    *,
    worker_id: str,
    clock: Clock,
    emit: Emit,
    processes: ProcessRunner | None,
) -> Execution:
    """Run one attempt here; every error of it ends up in the execution.

    Args:
        task: the job's function; ``None`` when it is known by name only, and cannot be run.
        job: with the name of its function.
        processes: runs what is to run in a process.
    """
    registry = TaskRegistry([] if task is None else [task])
    executor = Executor(
        registry.get, serializer, worker_id=worker_id, threads=1, clock=clock, emit=emit, processes=processes
    )
    try:
        payload = serializer.encode_job(job) if task is not None and task.options.process else b""
        execution = await executor.run_apart(job, payload, dependencies)
        return _with_value(execution, payload, serializer) if payload else execution
    except SerializationError as error:
        return failed(job, error, worker_id=worker_id, now_ns=clock.time_ns())
    finally:
        executor.close()


@asynccontextmanager
async def child_for(task: Task, serializer: Serializer) -> AsyncIterator[ProcessRunner]:
    """A process that may run this one function, for as long as it is needed."""
    children = Children([task.function.__module__], [task.name], serializer, most=1)
    try:
        yield children
    finally:
        await children.close()


def _with_value(execution: Execution, payload: bytes, serializer: Serializer) -> Execution:
    """What came encoded out of a process, decoded."""
    if execution.result.status is not JobStatus.COMPLETED:
        return execution
    outcome = serializer.encode_outcome(payload, execution.result, execution.value)
    return structs.replace(execution, result=serializer.decode_outcome(outcome).result)
