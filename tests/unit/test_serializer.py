"""Jobs and outcomes to bytes and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naq_runtime.errors import NotImportable, SerializationError
from naq_runtime.job import Job, JobResult, JobStatus
from naq_runtime.serializer import JsonSerializer
from tests.unit.samples import json_value, token
from tests.unit.workload import add

SERIALIZER = JsonSerializer()

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)

jobs = st.builds(
    Job,
    function=st.just("shop.tasks.send"),
    args=st.lists(json_value, max_size=3).map(tuple),
    kwargs=st.dictionaries(KEYS, json_value, max_size=3),
    queue_name=token,
    job_id=token,
    result_ttl=st.none() | st.floats(0, 1e6),
    attempt=st.integers(1, 1000),
    enqueued_at_ns=st.integers(0, 2**63 - 1),
)


def a_record(**fields: object) -> bytes:
    """The bytes of a job as another process would send them."""
    usual = {"v": 1, "id": "j1", "function": "shop.send", "queue": "mail", "enqueued_at_ns": 1}
    return msgspec.json.encode(usual | fields)


class TestJobs:
    @given(jobs)
    def test_a_job_comes_back_as_it_went(self, job: Job) -> None:
        assert SERIALIZER.decode_job(SERIALIZER.encode_job(job)) == job

    def test_a_function_travels_as_its_name(self) -> None:
        decoded = SERIALIZER.decode_job(SERIALIZER.encode_job(Job(add, (1, 2))))
        assert decoded.function == "tests.unit.workload.add"

    def test_a_function_that_no_worker_can_import_is_refused(self) -> None:
        with pytest.raises(NotImportable):
            SERIALIZER.encode_job(Job(lambda: None))

    def test_a_job_without_a_queue_goes_to_the_default_one(self) -> None:
        assert SERIALIZER.decode_job(SERIALIZER.encode_job(Job(add))).queue_name == "default"

    def test_the_bytes_are_one_json_object_that_any_language_can_read(self) -> None:
        job = Job(add, (1,), {"right": 2}, queue_name="mail", job_id="j1", enqueued_at_ns=5)

        assert msgspec.json.decode(SERIALIZER.encode_job(job)) == {
            "v": 1,
            "id": "j1",
            "function": "tests.unit.workload.add",
            "queue": "mail",
            "enqueued_at_ns": 5,
            "args": [1],
            "kwargs": {"right": 2},
        }

    def test_fields_of_a_later_minor_version_are_passed_over(self) -> None:
        assert SERIALIZER.decode_job(a_record(priority=3)).job_id == "j1"

    def test_a_job_of_a_newer_version_is_refused_rather_than_misread(self) -> None:
        with pytest.raises(SerializationError, match="version 2"):
            SERIALIZER.decode_job(a_record(v=2))


def _endless() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


NO_JSON: dict[str, Callable[[], object]] = {
    "object": object,
    "function": lambda: print,
    "generator": lambda: (number for number in (1, 2)),
    "complex": lambda: 1j,
    "lone surrogate": lambda: "\ud800",
    "tuple as key": lambda: {(1, 2): 3},
    "contains itself": _endless,
    "class": lambda: dict,
    "exception": lambda: ValueError("no"),
}
NOT_FINITE = {"nan": math.nan, "infinity": math.inf, "minus infinity": -math.inf}


class TestRefusals:
    @pytest.mark.parametrize("make", NO_JSON.values(), ids=NO_JSON)
    def test_an_argument_without_json_form_is_refused_by_the_name_of_the_function(
        self, make: Callable[[], object]
    ) -> None:
        with pytest.raises(SerializationError, match=r"the arguments of tests\.unit\.workload\.add cannot be enqueued"):
            SERIALIZER.encode_job(Job(add, (1, make())))
        with pytest.raises(SerializationError):
            SERIALIZER.encode_job(Job(add, (1,), {"right": [make()]}))

    @pytest.mark.parametrize("make", NO_JSON.values(), ids=NO_JSON)
    def test_a_result_without_json_form_is_refused(self, make: Callable[[], object]) -> None:
        with pytest.raises(SerializationError, match="the result cannot be stored"):
            SERIALIZER.encode_value({"inner": make()})

    def test_the_type_that_has_no_json_form_is_named(self) -> None:
        with pytest.raises(SerializationError, match="a value of type complex has no JSON form"):
            SERIALIZER.encode_value([1j])

    @pytest.mark.parametrize("number", NOT_FINITE.values(), ids=NOT_FINITE)
    def test_a_number_that_json_does_not_have_is_refused_rather_than_turned_into_null(self, number: float) -> None:
        with pytest.raises(SerializationError):
            SERIALIZER.encode_job(Job(add, (number,)))
        with pytest.raises(SerializationError):
            SERIALIZER.encode_value({"mean": number})


class TestHostileBytes:
    @given(st.binary(max_size=200))
    def test_random_bytes_are_refused_in_one_way(self, data: bytes) -> None:
        for decode in (SERIALIZER.decode_job, SERIALIZER.decode_outcome):
            with pytest.raises(SerializationError):
                decode(data)

    @given(st.dictionaries(st.sampled_from(["v", "id", "function", "queue", "enqueued_at_ns", "args"]), json_value))
    def test_records_of_other_shapes_are_decoded_or_refused_in_one_way(self, record: dict[str, Any]) -> None:
        data = msgspec.json.encode(record)
        try:
            assert isinstance(SERIALIZER.decode_job(data), Job)
        except SerializationError as error:
            assert str(error).startswith("the message is not a job: ")  # noqa: PT017  # either may be right

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b'"job"',
            b"\xff\xfe",
            b'{"v":1' + b"[" * 100_000,
            a_record()[:-1] + b',"args":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            a_record()[:-1] + b',"args":[' + b"9" * 10_000 + b"]}",
            a_record()[:-1] + b',"result_ttl":1e400}',
            a_record(id="a.b"),
            a_record(id="*"),
            a_record(id=""),
            a_record(queue="no way"),
            a_record(args="text"),
            a_record(args={"0": 1}),
            a_record(kwargs=[1]),
            a_record(function=None),
            a_record(attempt="first"),
        ],
        ids=lambda data: repr(data[:60]),
    )
    def test_what_is_no_job_is_refused_in_one_way(self, data: bytes) -> None:
        with pytest.raises(SerializationError, match="the message is not a job: "):
            SERIALIZER.decode_job(data)

    def test_a_job_without_a_version_is_refused(self) -> None:
        record = msgspec.json.decode(a_record())
        del record["v"]
        with pytest.raises(SerializationError, match="`v`"):
            SERIALIZER.decode_job(msgspec.json.encode(record))


def a_result(**fields: Any) -> JobResult:
    usual: dict[str, Any] = {
        "job_id": "j1",
        "status": JobStatus.COMPLETED,
        "worker_id": "w1",
        "start_time_ns": 10,
        "finish_time_ns": 20,
        "duration_ms": 1.5,
    }
    return JobResult(**(usual | fields))


class TestOutcomes:
    @given(jobs, json_value)
    def test_a_completed_outcome_comes_back_with_the_job_and_the_value(self, job: Job, value: Any) -> None:
        result = a_result(job_id=job.job_id, attempt=job.attempt)

        data = SERIALIZER.encode_outcome(SERIALIZER.encode_job(job), result, SERIALIZER.encode_value(value))
        outcome = SERIALIZER.decode_outcome(data)

        assert outcome.job == job
        assert outcome.result == a_result(job_id=job.job_id, attempt=job.attempt, result=value)

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_a_failed_outcome_comes_back_with_its_error(self, text: str) -> None:
        result = a_result(status=JobStatus.FAILED, error_type="ValueError", error=text, traceback=text)

        data = SERIALIZER.encode_outcome(SERIALIZER.encode_job(Job(add, job_id="j1")), result, b"")

        assert SERIALIZER.decode_outcome(data).result == result

    def test_job_and_value_are_taken_over_byte_for_byte(self) -> None:
        job, value = a_record(args=[1.50, {"b": 1, "a": 2}]), b'{"total": 3.10}'

        data = SERIALIZER.encode_outcome(job, a_result(), value)

        assert job in data
        assert value in data

    @settings(max_examples=50)
    @given(st.integers(0, 400))
    def test_a_truncated_outcome_is_refused(self, length: int) -> None:
        data = SERIALIZER.encode_outcome(a_record(args=[list(range(40))]), a_result(), b'{"pages":[1,2,3]}')
        with pytest.raises(SerializationError, match="the message is not an outcome: "):
            SERIALIZER.decode_outcome(data[: min(length, len(data) - 1)])

    @pytest.mark.parametrize("job", [b"{}", b"null", a_record(id="a.b"), b"[[["])
    def test_an_outcome_around_something_that_is_no_job_is_refused(self, job: bytes) -> None:
        data = SERIALIZER.encode_outcome(job, a_result(), b"1")
        with pytest.raises(SerializationError, match="the message is not an outcome: "):
            SERIALIZER.decode_outcome(data)

    def test_an_outcome_of_a_newer_version_is_refused_rather_than_misread(self) -> None:
        data = SERIALIZER.encode_outcome(a_record(), a_result(), b"1").replace(b'{"v":1,"job"', b'{"v":2,"job"')
        with pytest.raises(SerializationError, match="version 2"):
            SERIALIZER.decode_outcome(data)


def test_headers_go_with_the_job_and_one_without_is_as_it_was_before_there_were_any() -> None:
    serializer = JsonSerializer()
    plain, traced = Job("shop.f", job_id="a"), Job("shop.f", job_id="a", headers={"traceparent": "00-1"})

    assert b"headers" not in serializer.encode_job(plain)
    assert serializer.decode_job(serializer.encode_job(plain)).headers is None
    assert serializer.decode_job(serializer.encode_job(traced)).headers == {"traceparent": "00-1"}
