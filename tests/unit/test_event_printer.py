"""Events as commands print them where there is no terminal."""

from __future__ import annotations

import pytest

from naq_runtime.events.models import AlertEvent, AlertEventType, Event, StoredEvent
from naq_tui.cli.format import Format
from naq_tui.cli.output import EventPrinter
from tests.tui.builders import job_event, system_event, worker_event

LONG_ID = "order-" + "7" * 40


def printed(capsys: pytest.CaptureFixture[str], form: Format, *events: Event) -> list[str]:
    printer = EventPrinter(form)
    for sequence, event in enumerate(events, 1):
        printer.print(StoredEvent(sequence, event))
    return capsys.readouterr().out.splitlines()


def test_a_table_in_a_pipe_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    event = job_event("waiting_for_dependencies", LONG_ID, "a-queue-of-a-long-name", depends_on=("x" * 600,))
    _, row = printed(capsys, Format.TABLE, event)

    assert row.split()[1:4] == [LONG_ID, "waiting_for_dependencies", "a-queue-of-a-long-name"]
    assert row.endswith("x" * 600)


def test_what_fits_stands_below_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    header, row = printed(capsys, Format.TABLE, job_event("started", "k" * 20, "mail", worker_id="anna"))

    assert [row.index(cell) for cell in ("started", "mail", "anna")] == [
        header.index(name) for name in ("Event", "Queue", "Worker")
    ]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (worker_event("heartbeat", "anna", active_jobs=0, concurrency_limit=5), "- heartbeat worker=anna 0/5 running"),
        (
            job_event("started", "j1", "mail", worker_id="anna", function_name="shop.f"),
            "j1 started queue=mail worker=anna shop.f",
        ),
        (system_event("queue_paused", queue_name="mail", reason="down"), "- queue_paused queue=mail queue mail, down"),
        (
            AlertEvent(event_type=AlertEventType.FIRING, timestamp_ns=1, alert="late", labels={"queue": "mail"}),
            "late alert_firing late queue=mail",
        ),
    ],
)
def test_a_raw_line_says_of_whom_it_is(capsys: pytest.CaptureFixture[str], event: Event, words: str) -> None:
    (line,) = printed(capsys, Format.RAW, event)

    assert line.partition(" ")[2] == words
