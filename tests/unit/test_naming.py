"""Names on the wire: what may be one, and what they are made into."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.errors import InvalidName, NaqError
from naq_runtime.naming import Names, check_name, new_id
from tests.unit.samples import token


@given(token)
def test_letters_digits_underscore_and_dash_make_a_name(name: str) -> None:
    assert check_name("queue", name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a.b", "a b", "*", ">", "a*", "naïve", "٣", "line\n", "\x00", "a" * 65, "$JS", "a/b", None, 7, b"bytes"],
    ids=repr,
)
def test_anything_else_is_refused_with_what_it_was_and_what_to_use(name: object) -> None:
    with pytest.raises(InvalidName) as refusal:
        check_name("queue", name)  # type: ignore[arg-type]  # what users do all the same
    assert f"queue {name!r} is not a valid name" in str(refusal.value)
    assert "1 to 64 letters, digits, '_' or '-'" in str(refusal.value)


def test_a_refused_name_is_a_value_error_and_an_error_of_naq() -> None:
    assert issubclass(InvalidName, ValueError)
    assert issubclass(InvalidName, NaqError)


@given(st.text(max_size=80))
def test_what_is_accepted_is_always_one_token_of_a_subject(name: str) -> None:
    try:
        accepted = check_name("job id", name)
    except InvalidName:
        return
    assert len(Names().job("q", accepted).split(".")) == 4
    assert not set(accepted) & set("*> \t\r\n")


@pytest.mark.parametrize("namespace", ["naq", "team-a", "t_1", "0", "a" * 32])
def test_a_namespace_of_lower_case_is_taken(namespace: str) -> None:
    assert Names(namespace).namespace == namespace


@pytest.mark.parametrize("namespace", ["", "Naq", "a.b", "a b", "a*", "a" * 33, "naq\n"])
def test_another_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(InvalidName, match="use 1 to 32 lower-case letters"):
        Names(namespace)


def test_the_names_on_the_wire_of_a_namespace() -> None:
    names = Names("team-a")

    assert names.jobs_stream == "TEAM-A_JOBS"
    assert names.job_states[:3] == ("team-a.jobs.*.*", "team-a.later.*.*", "team-a.waiting.*.*")
    assert names.job("mail", "j1") == "team-a.jobs.mail.j1"
    assert names.queue_consumer("mail") == "queue-mail"
    assert names.results_stream == "TEAM-A_RESULTS"
    assert names.results == "team-a.results.*"
    assert names.result("j1") == "team-a.results.j1"
    assert names.done("j1") == "team-a.done.j1"
    assert names.events_stream == "TEAM-A_EVENTS"
    assert names.events == "team-a.events.>"
    assert names.live == "team-a.live.>"
    assert names.job_event("j1", "mail", "failed", "i-1") == "team-a.events.job.j1.mail.failed.i-1"
    assert names.entity_event("worker", "w1", "busy", "i-2") == "team-a.events.worker.w1.busy.i-2"
    assert names.job_history("j1") == "team-a.events.job.j1.>"
    assert names.workers_bucket == "TEAM-A_WORKERS"
    assert names.bucket_stream(names.workers_bucket) == "KV_TEAM-A_WORKERS"
    assert names.bucket_key(names.workers_bucket, "w1") == "$KV.TEAM-A_WORKERS.w1"


@pytest.mark.parametrize("namespace", ["naq", "events", "live"])
def test_the_live_repetition_differs_from_the_event_in_the_second_token_only(namespace: str) -> None:
    names = Names(namespace)
    stored = names.job_event("events", "events", "started", "i-1")

    assert names.live_of(stored) == f"{namespace}.live.job.events.events.started.i-1"
    assert names.live_of(names.events) == names.live


@given(st.integers(1, 64))
def test_an_id_has_the_length_asked_for_and_is_a_name(length: int) -> None:
    made = new_id(length)

    assert re.fullmatch(r"[0-9a-z]+", made)
    assert len(made) == length
    assert check_name("job id", made) == made


def test_ids_do_not_repeat() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_every_letter_is_as_likely_at_every_place() -> None:
    made = [new_id(8) for _ in range(3_600)]

    for place in range(8):
        seen = [name[place] for name in made]
        assert len(set(seen)) == 36
        assert max(seen.count(letter) for letter in set(seen)) < 200  # 100 are expected
