"""The snapshot that is printed says what holds queues and workers back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from naq_runtime.schedule import Schedule, ScheduleState
from naq_runtime.snapshot import LeaderState, ScheduleMark, ScheduleNews
from naq_tui.cli.format import Format
from naq_tui.once import document, print_once
from naq_tui.state import Dashboard
from tests.tui.builders import NOW_NS, batch, job_event, leader, queue, schedule, snapshot, worker

HELD = snapshot(
    [queue("mail", 7, 1, paused=True, concurrency_limit=4, rate_limit="100/60s"), queue("other")],
    [worker("w-1", stuck_job_ids=("job-a", "job-b")), worker("w-2")],
)


def seen(*events: Any) -> Dashboard:
    dashboard = Dashboard()
    dashboard.apply(batch(*events, snapshot=HELD), NOW_NS)
    return dashboard


def test_the_document_tells_pauses_and_limits() -> None:
    mail, other = document(seen(), NOW_NS)["queues"]

    assert (mail["paused"], mail["concurrency_limit"], mail["rate_limit"]) == (True, 4, "100/60s")
    assert (other["paused"], other["concurrency_limit"], other["rate_limit"]) == (False, 0, "")


def test_a_queue_whose_jobs_nobody_takes_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    dashboard = Dashboard()
    dashboard.apply(batch(snapshot=snapshot([queue("mail", 7, workers=0), queue("other", 7, workers=2)])), NOW_NS)

    print_once(dashboard, Format.TABLE)
    mail, other = (line for line in capsys.readouterr().out.splitlines() if line.startswith(("mail", "other")))

    assert (mail.endswith("! no worker"), "worker" in other) == (True, False)
    assert [one["workers"] for one in document(dashboard, NOW_NS)["queues"]] == [0, 2]


def test_the_document_counts_retries_and_cancellations_apart() -> None:
    events = [job_event("failed", queue_name="mail", ago_s=3, final=False), job_event("cancelled", queue_name="mail")]
    content = document(seen(*events), NOW_NS)

    assert [content["queues"][0][name] for name in ("failed", "retried", "cancelled")] == [0, 1, 1]
    assert content["rates"]["retried_per_s"] > 0


def test_the_document_names_stuck_jobs() -> None:
    stuck = document(seen(), NOW_NS)["workers"][0]

    assert list(stuck["stuck_job_ids"]) == ["job-a", "job-b"]


def test_the_table_marks_what_is_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    print_once(seen(), Format.TABLE)
    lines = capsys.readouterr().out.splitlines()

    assert next(line for line in lines if line.startswith("mail")).endswith("‖ paused  4 at once  100/60s")
    assert next(line for line in lines if line.startswith("w-1")).endswith("! 2 stuck")
    assert not next(line for line in lines if line.startswith("w-2")).endswith("stuck")


def test_raw_lines_say_it_in_words_that_scripts_can_split(capsys: pytest.CaptureFixture[str]) -> None:
    print_once(seen(), Format.RAW)
    out = capsys.readouterr().out

    assert "queue mail waiting=7 running=1 paused=yes workers=-\n" in out
    assert "queue other waiting=0 running=0 paused=no workers=-\n" in out
    assert "worker w-1 busy 3/8 stuck=2\n" in out


def test_events_of_every_new_type_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ("scheduled", "progress", "log", "timed_out", "retry_scheduled", "cancelled", "dead_lettered", "requeued")
    print_once(seen(*(job_event(kind) for kind in kinds)), Format.JSON)

    printed = json.loads(capsys.readouterr().out)["events"]
    assert [event["event_type"] for event in printed] == list(kinds)


def kept(*schedules: Schedule, by: LeaderState | None = None) -> Dashboard:
    dashboard = seen()
    news = ScheduleNews(mark=ScheduleMark("s", 1, 0), whole=True, schedules=schedules, leader=by)
    dashboard.take_schedules(news)
    return dashboard


def test_the_document_tells_who_leads_and_what_is_due_first() -> None:
    paused = schedule("paused", state=ScheduleState.PAUSED)
    content = document(kept(paused, schedule("later", in_s=90), schedule("soon"), by=leader()), NOW_NS)

    assert (content["leader"]["instance_id"], content["leader"]["leads"]) == ("sch-1", True)
    assert [content["schedules"][name] for name in ("total", "active", "paused", "failed")] == [3, 2, 1, 0]
    assert [one["schedule_id"] for one in content["schedules"]["soonest"]] == ["soon", "later", "paused"]
    assert content["schedules"]["soonest"][0]["every"] == "30"


def test_the_document_holds_only_the_soonest_of_many() -> None:
    content = document(kept(*(schedule(f"s-{number:03}", in_s=number) for number in range(250))), NOW_NS)

    assert content["leader"] is None
    assert content["schedules"]["total"] == 250
    assert [one["schedule_id"] for one in content["schedules"]["soonest"]] == [f"s-{n:03}" for n in range(100)]


def test_the_table_tells_when_schedules_are_due_and_who_keeps_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_once(kept(schedule("soon"), by=leader(silent_s=9)), Format.TABLE)
    out = capsys.readouterr().out

    assert "Scheduler  ! none runs" in out
    assert next(line for line in out.splitlines() if line.startswith("soon")).endswith("every 30 s")


def test_raw_lines_name_schedules(capsys: pytest.CaptureFixture[str]) -> None:
    print_once(kept(schedule("paused", state=ScheduleState.PAUSED, ticks=3), by=leader()), Format.RAW)
    out = capsys.readouterr().out

    assert "leader sch-1 leads term=3\n" in out
    assert "schedule paused paused next_ns=- ticks=3 missed=0\n" in out
