"""What a filter lets through."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.events.filters import EventFilter
from naq_runtime.events.filters.grammar import LONGEST, parse
from naq_runtime.events.filters.matching import compiled
from naq_runtime.events.filters.values import moment
from naq_runtime.events.models import (
    AlertEvent,
    Event,
    JobEvent,
    JobEventType,
    OtherEvent,
    ScheduleEvent,
    ScheduleEventType,
    SystemEvent,
    SystemEventType,
    WorkerEvent,
)
from tests.unit.samples import a_job_event, a_system_event, a_worker_event, any_event
from tests.unit.test_event_filters import a_schedule_event, texts

FAILED = a_job_event(
    JobEventType.FAILED,
    timestamp_ns=1_700_000_000_000_000_000,
    job_id="j1",
    queue_name="email",
    worker_id="w-12",
    function_name="shop.orders.confirm",
    attempt=2,
    wait_ms=2_000.0,
    duration_ms=700.0,
    error_type="TimeoutError",
    error_message="no such file\nin /tmp",
    final=False,
)


@pytest.mark.parametrize(
    "text",
    [
        *("queue:email", "queue:mail,email", "queue:e*", "queue:?mail", "queue=email", "queue:/^em/", "!queue:mail"),
        *("type:failed", "category:job", "job:j1", "worker:w-1*", "worker:*", "worker_id:w-12"),
        *("function:shop.orders.confirm", "function:confirm", "function:orders.confirm", "function:*.orders.*"),
        *("function:conf*", "function:/^shop/"),
        *("error:Timeout", "error:timeout", 'error:"no such"', "error:Time*ror", "error:NO?SUCH,such", "error:/f.le/"),
        *("error_type:TimeoutError", "error_type:Timeout*", "error_message:such*tmp"),
        *("duration>500ms", "duration>=700ms", "duration<1s", "duration:700ms", "duration=0.7s", "duration_ms:700"),
        *("wait>=2s", "wait<1m", "attempt>1", "attempt:1,2", "attempt=2", "final:false", "final:no", "!final:true"),
        *("time>2023-11-14", "time<2023-11-15T12:00", "time=1700000000000000000"),
        *("failed", "w-12", "email", '"no such"', "/fail.*no/", "timeouterror", "TimeoutError"),
        *("xx OR failed", "(xx OR yy) OR queue:email", "failed !started", "!(xx failed)"),
    ],
)
def test_what_is_so(text: str) -> None:
    assert EventFilter(text).matches(FAILED)


@pytest.mark.parametrize(
    "text",
    [
        *("queue:mail", "queue:Email", "queue:emai", "queue:e?", "queue:/^x/", "!queue:email", "type:started"),
        *("category:worker", "job:j2", "worker:w-2*", "function:onfirm", "function:shop", "function:orders"),
        *("error:TIMEOUT", "error:absent", r'error:"no\*such"', "error_type:Timeout", "error:/^file/"),
        *("duration>700ms", "duration<700ms", "wait>2s", "attempt>2", "attempt:1,3", "final:true"),
        *("traceback:*", "delay>0s", "!duration>1ms", "cpu>0", "schedule:*", "time>2023-11-16", "time>-10m"),
        *("TIMEOUTerror", "started", "/shop$/", "failed started", "xx OR yy", "!failed", "!(failed OR xx)"),
    ],
)
def test_what_is_not_so(text: str) -> None:
    assert not EventFilter(text).matches(FAILED)


def test_a_type_is_found_in_every_category() -> None:
    wanted = EventFilter("type:started")

    assert wanted.matches(a_job_event(JobEventType.STARTED))
    assert wanted.matches(a_worker_event(event_type="started"))  # type: ignore[arg-type]  # as it comes from JSON
    assert wanted.matches(OtherEvent(timestamp_ns=1, event_type="started", category="schedule"))
    assert not wanted.matches(FAILED)


def test_a_job_is_found_by_its_own_events_and_not_by_those_that_name_it() -> None:
    assert not EventFilter("job:j1").matches(a_worker_event(worker_id="j1", running_job_ids=("j1",)))
    assert not EventFilter("job:j1").matches(a_schedule_event(ScheduleEventType.TRIGGERED, job_id="j1"))
    assert EventFilter("tick_job:j1").matches(a_schedule_event(ScheduleEventType.TRIGGERED, job_id="j1"))
    assert not EventFilter("tick_job:j1").matches(FAILED)
    assert EventFilter("running:j1,j2").matches(a_worker_event(running_job_ids=("j0", "j2")))
    assert EventFilter("running:j*").matches(a_worker_event(running_job_ids=("x", "j2")))


def test_a_worker_is_found_by_its_own_events_and_by_those_of_its_jobs() -> None:
    wanted = EventFilter("worker:w-12")

    assert wanted.matches(a_worker_event(worker_id="w-12"))
    assert wanted.matches(FAILED)
    assert not wanted.matches(a_job_event(worker_id=None))
    assert not wanted.matches(a_system_event())


def test_a_queue_is_found_by_all_that_happens_to_it_and_not_by_the_workers_that_serve_it() -> None:
    wanted = EventFilter("queue:mail")

    assert wanted.matches(a_job_event(queue_name="mail"))
    assert wanted.matches(a_schedule_event(queue_name="mail"))
    assert wanted.matches(a_system_event(SystemEventType.QUEUE_PAUSED, queue_name="mail"))
    assert not wanted.matches(a_worker_event(queue_names=("reports", "mail")))
    assert EventFilter("queues:mail").matches(a_worker_event(queue_names=("reports", "mail")))


def test_what_was_dropped_or_changed_is_found_by_name_and_value() -> None:
    assert EventFilter("dropped:job.started").matches(a_system_event(dropped={"job.started": 2}))
    assert EventFilter("changes:cron=5*").matches(a_schedule_event(changes={"every": "1", "cron": "5 * * * *"}))
    assert not EventFilter("changes:zone").matches(a_schedule_event(changes={"cron": "5 * * * *"}))


@given(st.integers(-(10**12), 10**12), st.floats(0, 1e6, allow_nan=False))
def test_what_a_program_read_from_an_event_finds_that_event(offset_ns: int, delay_s: float) -> None:
    event = a_job_event(clock_offset_ns=offset_ns, retry_delay=delay_s)

    assert EventFilter(clock_offset_ns=offset_ns).matches(event)
    assert EventFilter(str(EventFilter(retry_delay=delay_s))).matches(event)


def test_a_filter_of_very_many_words_is_one_like_any_other() -> None:
    assert EventFilter("a " * (LONGEST // 2)).matches(FAILED)
    assert not EventFilter("a " * (LONGEST // 2 - 1) + "~").matches(FAILED)
    assert EventFilter("~ OR " * 390 + "failed").matches(FAILED)


def test_an_age_is_counted_from_now() -> None:
    now_ns = 10**18
    for text, matches in (("time>-10m", True), ("time>-5m", False), ("time<-5m", True), ("time<+1h", True)):
        wanted = compiled(parse(text), now_ns)
        assert wanted(a_job_event(timestamp_ns=now_ns - 6 * 60 * 10**9)) is matches


def test_a_time_of_day_is_the_last_one() -> None:
    now = datetime(2026, 11, 27, 10, 0).timestamp()
    today = datetime(2026, 11, 27, 9, 30).timestamp()
    yesterday = datetime(2026, 11, 26, 14, 30).timestamp()

    def is_after(text: str, second: float) -> bool:
        return compiled(parse(f"time>{text}"), int(now * 10**9))(a_job_event(timestamp_ns=int(second * 10**9)))

    assert is_after("09:00", today)
    assert not is_after("09:31", today)
    assert is_after("14:02", yesterday)
    assert not is_after("14:31", yesterday)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clocks show the time of Berlin."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("now", "clock", "last"),
    [
        ("2026-10-25T12:00+01:00", "02:30", "2026-10-25T02:30+01:00"),  # shown twice that night
        ("2026-10-25T02:10+01:00", "02:30", "2026-10-25T02:30+02:00"),
        ("2026-10-25T02:10+01:00", "02:05", "2026-10-25T02:05+01:00"),
        ("2026-03-29T12:00+02:00", "02:30", "2026-03-28T02:30+01:00"),  # not shown that night
        ("2026-03-29T01:00+01:00", "14:02", "2026-03-28T14:02+01:00"),
        ("2026-11-27T00:01+01:00", "23:59", "2026-11-26T23:59+01:00"),
    ],
)
def test_a_time_of_day_is_the_last_one_whatever_is_done_to_clocks(now: str, clock: str, last: str) -> None:
    now_ns = int(datetime.fromisoformat(now).timestamp()) * 10**9

    assert moment(clock).at_ns(now_ns) == int(datetime.fromisoformat(last).timestamp()) * 10**9


MODELS: tuple[type[msgspec.Struct], ...] = (JobEvent, WorkerEvent, ScheduleEvent, SystemEvent, AlertEvent)
IDENTITIES: dict[type, dict[str, Any]] = {
    JobEvent: {"event_type": JobEventType.LOG, "job_id": "x", "queue_name": "x"},
    WorkerEvent: {"event_type": "busy", "worker_id": "x"},
    ScheduleEvent: {"event_type": ScheduleEventType.PAUSED, "schedule_id": "x"},
    SystemEvent: {"event_type": "metrics", "instance": "x"},
    AlertEvent: {"event_type": "alert_firing", "alert": "x"},
}
FIELDS = [(model, one) for model in MODELS for one in msgspec.structs.fields(model) if one.name != "event_type"]


def sample(kind: Any) -> tuple[Any, str]:
    """A value that a field of this type can have, and its text in a filter."""
    plain = {getattr(part, "__origin__", part) for part in (*get_args(kind), kind)}
    if bool in plain:
        return True, "true"
    if int in plain:
        return 1_700_000_000, "1700000000"
    if float in plain:
        return 1_500.0, "1500"
    if dict in plain:
        return {"k": "v"}, "k=v"
    return (("v1", "v2"), '"v2"') if tuple in plain else ("v1", '"v1"')


@pytest.mark.parametrize(("model", "field"), FIELDS, ids=lambda one: getattr(one, "name", getattr(one, "__name__", "")))
def test_every_field_of_every_event_can_be_asked_for(
    model: type[msgspec.Struct], field: msgspec.structs.FieldInfo
) -> None:
    value, text = sample(field.type)
    value = 1_700_000_000 * 10**6 if field.name == "clock_offset_ns" else value
    usual: dict[str, Any] = {"timestamp_ns": 1} | IDENTITIES[model]
    event: Any = model(**(usual | {field.name: value}))
    other: Any = model(**usual)
    name = "tick_job" if (model, field.name) == (ScheduleEvent, "job_id") else field.name
    text += {"retry_delay": "s", "interval": "s", "clock_offset_ns": "ms"}.get(field.name, "")

    wanted = EventFilter(f"{name}={text}")

    assert wanted.matches(event)
    assert not wanted.matches(other)


@given(texts, texts, any_event())
def test_and_or_and_not_are_what_logic_says(one: str, other: str, event: Event) -> None:
    a, b = EventFilter(one).matches(event), EventFilter(other).matches(event)

    assert EventFilter(f"({one}) ({other})").matches(event) is (a and b)
    assert EventFilter(f"({one}) OR ({other})").matches(event) is (a or b)
    assert EventFilter(f"!({one})").matches(event) is (not a)
    assert EventFilter(f"!!({one})") == EventFilter(one)


@given(st.text("ab.*?", min_size=1, max_size=8), st.text("ab.\n", max_size=8))
def test_wildcards_are_those_of_a_shell(pattern: str, text: str) -> None:
    wanted = EventFilter(by=pattern)
    assert wanted.matches(a_job_event(by=text)) is fnmatch.fnmatchcase(text, pattern)


@given(st.text("ab*?", min_size=1, max_size=6), st.text("abAB\n", max_size=8))
def test_a_text_is_found_by_wildcards_anywhere_in_it_and_case_counts_only_for_capitals(pattern: str, text: str) -> None:
    wanted = EventFilter(reason=pattern)
    assert wanted.matches(a_job_event(reason=text)) is fnmatch.fnmatchcase(text.lower(), f"*{pattern}*")


def test_many_wildcards_end_in_time_on_a_long_text() -> None:
    wanted = EventFilter(traceback="*".join("a" * 30) + "*b")
    began = time.process_time()

    assert not wanted.matches(a_job_event(traceback="a" * 8_000))

    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a|a?)+b", ".*.*.*.*.*.*b"])
def test_a_pattern_that_would_take_for_ever_is_given_up(pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    wanted = EventFilter(f"traceback:/{pattern}/")
    hostile = a_job_event(traceback="a" * 5_000 + "!")
    began = time.process_time()

    assert not any(wanted.matches(hostile) for _ in range(1_000))

    assert time.process_time() - began < 2


def test_a_pattern_that_takes_a_few_milliseconds_for_each_of_many_texts_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wanted = EventFilter("traceback:/a.*b/")
    long = a_job_event(traceback="a" * 3_000)
    began = time.process_time()

    assert not any(wanted.matches(long) for _ in range(1_000))

    assert time.process_time() - began < 2
    assert caplog.messages == ["the regular expression /a.*b/ takes too long, and is given up"]


def test_a_pattern_that_took_long_now_and_then_is_not_given_up() -> None:
    wanted = EventFilter("traceback:/a.*b/")
    long, short = a_job_event(traceback="a" * 3_000), a_job_event(traceback="a b")

    for _ in range(20):
        wanted.matches(long)
        assert all(wanted.matches(short) for _ in range(200))
