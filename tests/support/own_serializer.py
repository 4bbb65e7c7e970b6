"""A form of jobs and results as a user may bring it: what everyone has, reversed."""

from __future__ import annotations

from typing import Any

from naq_runtime.job import Job, JobResult
from naq_runtime.serializer import JsonSerializer, Outcome

__all__ = ["Forgetful", "Reversed"]


class Reversed:
    """Every message backwards."""

    def __init__(self) -> None:
        self._inner = JsonSerializer()

    def encode_job(self, job: Job) -> bytes:
        """See `Serializer`."""
        return self._inner.encode_job(job)[::-1]

    def decode_job(self, data: bytes) -> Job:
        """See `Serializer`."""
        return self._inner.decode_job(data[::-1])

    def encode_value(self, value: Any) -> bytes:
        """See `Serializer`."""
        return self._inner.encode_value(value)[::-1]

    def encode_outcome(self, job: bytes, result: JobResult, value: bytes) -> bytes:
        """See `Serializer`."""
        return self._inner.encode_outcome(job[::-1], result, value[::-1])[::-1]

    def decode_outcome(self, data: bytes) -> Outcome:
        """See `Serializer`."""
        return self._inner.decode_outcome(data[::-1])


class Forgetful(Reversed):
    """One that lacks something."""

    decode_outcome = None  # type: ignore[assignment]
