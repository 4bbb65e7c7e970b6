"""Bytes to and from jobs and outcomes: versioned JSON.

`Serializer` is the seam for those who bring a form of their own; `JsonSerializer` is what everyone else uses.
Pickle is not offered: whoever may publish a message must not be able to run code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from pathlib import PurePath
from typing import Annotated, Any, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from naq_runtime.errors import ConfigError, NaqError, SerializationError
from naq_runtime.job import After, Job, JobResult, JobStatus
from naq_runtime.tasks import reference

__all__ = ["JsonSerializer", "Outcome", "Serializer", "load_serializer"]

VERSION = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is stored of a job that ended: the job itself, and what became of it."""

    job: Job
    result: JobResult
    value: bytes = b""
    """What the job returned, encoded; empty for a failure, and where that is not known."""


class Serializer(Protocol):
    """Bytes to and from jobs and outcomes."""

    def encode_job(self, job: Job) -> bytes:
        """Raises `SerializationError` when an argument has no such form."""
        ...

    def decode_job(self, data: bytes) -> Job:
        """Raises `SerializationError` when the bytes are no job. ``function`` is the name."""
        ...

    def encode_value(self, value: Any) -> bytes:
        """Raises `SerializationError` when the value has no such form."""
        ...

    def encode_outcome(self, job: bytes, result: JobResult, value: bytes) -> bytes:
        """Join an encoded job, what became of it, and its encoded result."""
        ...

    def decode_outcome(self, data: bytes) -> Outcome:
        """Raises `SerializationError` when the bytes are no outcome."""
        ...


_METHODS = ("encode_job", "decode_job", "encode_value", "encode_outcome", "decode_outcome")

Time = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _JobRecord(Struct, omit_defaults=True):
    v: int
    id: str
    function: Annotated[str, Meta(max_length=1000)]
    queue: str
    enqueued_at_ns: Time
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    attempt: Annotated[int, Meta(ge=1, le=2**31)] = 1
    result_ttl: float | None = None
    timeout: float | None = None
    retries: int | None = None
    retry_delay: float | tuple[float, ...] | None = None
    run_at_ns: Time = 0
    depends_on: tuple[After, ...] = ()
    on_dependency_failure: Literal["cancel", "run"] = "cancel"
    on_unknown_dependency: Literal["refuse", "wait"] = "refuse"
    unique_key: str | None = None
    unique_for: float | None = None
    headers: dict[str, str] | None = None


class _OutcomeRecord(Struct, omit_defaults=True):
    v: int
    job: Raw
    status: JobStatus
    start_time_ns: Time
    finish_time_ns: Time
    duration_ms: float
    result: Raw = Raw()
    error_type: str | None = None
    error: str | None = None
    traceback: str | None = None
    worker_id: str | None = None


def _encode_hook(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    raise NotImplementedError(f"a value of type {type(value).__name__} has no JSON form")


def load_serializer(path: str) -> Serializer:
    """Make the serializer of a name, ``module:Class``.

    Raises:
        ConfigError: it cannot be found, or not be made without arguments, or is no serializer.
    """
    module, _, name = path.partition(":")
    try:
        made: Serializer = attrgetter(name)(import_module(module))()
    except Exception as error:  # user code
        raise ConfigError(f"jobs.serializer: {path} cannot be made: {error}") from error
    missing = [name for name in _METHODS if not callable(getattr(made, name, None))]
    if missing:
        raise ConfigError(f"jobs.serializer: {path} is no serializer: it has no method {', '.join(missing)}")
    return made


R = TypeVar("R", _JobRecord, _OutcomeRecord)

_ENCODE_ERRORS = (msgspec.MsgspecError, NotImplementedError, TypeError, ValueError, UnicodeError, RecursionError)
_DECODE_ERRORS = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, NaqError)


class JsonSerializer:
    """JSON by msgspec: dataclasses, structs, dates, UUIDs, decimals, bytes, enums and paths come back by annotation."""

    def __init__(self) -> None:
        encoder = msgspec.json.Encoder(enc_hook=_encode_hook)
        self._encode = encoder.encode
        self._decode_job = msgspec.json.Decoder(_JobRecord).decode
        self._decode_outcome = msgspec.json.Decoder(_OutcomeRecord).decode
        self._decode_any = msgspec.json.Decoder().decode

    def encode_job(self, job: Job) -> bytes:
        """One JSON object."""
        record = _JobRecord(
            v=VERSION,
            id=job.job_id,
            function=reference(job.function),
            queue=job.queue_name or "default",
            enqueued_at_ns=job.enqueued_at_ns,
            args=tuple(job.args),
            kwargs=dict(job.kwargs),
            attempt=job.attempt,
            result_ttl=job.result_ttl,
            timeout=job.timeout,
            retries=job.retries,
            retry_delay=tuple(job.retry_delay) if isinstance(job.retry_delay, Sequence) else job.retry_delay,
            run_at_ns=job.run_at_ns,
            depends_on=job.needs,
            on_dependency_failure=job.on_dependency_failure,
            on_unknown_dependency=job.on_unknown_dependency,
            unique_key=job.unique_key,
            unique_for=job.unique_for,
            headers=None if job.headers is None else dict(job.headers),
        )
        try:
            return self._finite(self._encode(record), (record.args, record.kwargs))
        except _ENCODE_ERRORS as error:
            raise SerializationError(f"the arguments of {record.function} cannot be enqueued: {error}") from error

    @staticmethod
    def _finite(encoded: bytes, value: Any) -> bytes:
        """What was encoded, unless a number turned into ``null`` on the way."""
        if b"null" in encoded and _has_no_number(msgspec.to_builtins(value, enc_hook=_encode_hook)):
            raise ValueError("JSON has no form for nan and infinity")
        return encoded

    def decode_job(self, data: bytes) -> Job:
        """The job of one JSON object."""
        try:
            return _job(_of_our_version(self._decode_job(data)))
        except _DECODE_ERRORS as error:
            raise SerializationError(f"the message is not a job: {error}") from error

    def encode_value(self, value: Any) -> bytes:
        """The JSON of a result."""
        if value is None:
            return b"null"
        try:
            return self._finite(self._encode(value), value)
        except _ENCODE_ERRORS as error:
            raise SerializationError(f"the result cannot be stored: {error}") from error

    def encode_outcome(self, job: bytes, result: JobResult, value: bytes) -> bytes:
        """One JSON object; ``job`` and ``value`` are taken over as they are."""
        return self._encode(
            _OutcomeRecord(
                v=VERSION,
                job=Raw(job),
                status=result.status,
                start_time_ns=result.start_time_ns,
                finish_time_ns=result.finish_time_ns,
                duration_ms=result.duration_ms,
                result=Raw(value or b"null"),
                error_type=result.error_type,
                error=result.error,
                traceback=result.traceback,
                worker_id=result.worker_id,
            )
        )

    def decode_outcome(self, data: bytes) -> Outcome:
        """The outcome of one JSON object."""
        try:
            record = _of_our_version(self._decode_outcome(data))
            job = _job(_of_our_version(self._decode_job(record.job)))
            value = self._decode_any(record.result)
        except _DECODE_ERRORS as error:
            raise SerializationError(f"the message is not an outcome: {error}") from error
        result = JobResult(
            job_id=job.job_id,
            status=record.status,
            result=value,
            error_type=record.error_type,
            error=record.error,
            traceback=record.traceback,
            worker_id=record.worker_id,
            attempt=job.attempt,
            start_time_ns=record.start_time_ns,
            finish_time_ns=record.finish_time_ns,
            duration_ms=record.duration_ms,
        )
        value_json = bytes(record.result)
        return Outcome(job, result, b"" if value_json == b"null" else value_json)


def _of_our_version(record: R) -> R:
    if record.v > VERSION:
        raise SerializationError(f"it was written in version {record.v}, this naq reads up to {VERSION}: upgrade it")
    return record


def _has_no_number(value: Any) -> bool:
    """Whether plain JSON has a float in it that JSON does not know."""
    match value:
        case float():
            return not math.isfinite(value)
        case dict():
            return any(map(_has_no_number, value.values()))
        case list() | tuple():
            return any(map(_has_no_number, value))
        case _:
            return False


def _job(record: _JobRecord) -> Job:
    return Job(
        function=reference(record.function),
        args=record.args,
        kwargs=record.kwargs,
        queue_name=record.queue,
        job_id=record.id,
        result_ttl=record.result_ttl,
        attempt=record.attempt,
        enqueued_at_ns=record.enqueued_at_ns,
        timeout=record.timeout,
        retries=record.retries,
        retry_delay=record.retry_delay,
        run_at_ns=record.run_at_ns,
        depends_on=record.depends_on,
        on_dependency_failure=record.on_dependency_failure,
        on_unknown_dependency=record.on_unknown_dependency,
        unique_key=record.unique_key,
        unique_for=record.unique_for,
        headers=record.headers,
    )
