"""Pictures of a job's page with what lies around the job."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from naq_runtime.clock import ManualClock
from naq_runtime.events.models import Event
from naq_runtime.job import After, Job, JobStatus
from naq_runtime.snapshot import JobDetail
from naq_runtime.surroundings import Family, Member
from naq_tui.app import NaqTop
from naq_tui.sources.recorded import RecordedSource
from tests.tui.builders import NOW_NS, batch, job_event, queue, snapshot, stored, system_event, worker
from tests.tui.harness import make_app

Compare = Callable[..., bool]
SIZES = ((60, 20), (80, 24), (120, 40))
LOAD = "shop.warehouse.load"

WAITING = (
    job_event("waiting_for_dependencies", "report", "reports", ago_s=200, depends_on=("join", "rates")),
    job_event("dependency_satisfied", "report", "reports", ago_s=150, dependency_id="rates", reason="completed"),
)
FAMILY = Family(
    members={
        "join": Member(JobStatus.WAITING, "shop.warehouse.join"),
        "rates": Member(JobStatus.COMPLETED, LOAD),
        "orders": Member(JobStatus.RUNNING, LOAD),
        "customers": Member(JobStatus.FAILED, LOAD),
        "archive": Member(JobStatus.WAITING, "shop.archive.keep"),
        **{f"mail-{number}": Member(JobStatus.WAITING, "shop.mail.send") for number in range(3)},
    },
    needs={"report": ("join", "rates"), "join": ("orders", "customers", "rates"), "orders": ("customers",)},
    needed_by={"report": ("archive", "mail-0", "mail-1", "mail-2"), "archive": ("mail-0",)},
)
QUEUED = job_event("enqueued", "invoice", "mail", ago_s=95, function_name="shop.mail.send", args_count=2)


def waiting() -> JobDetail:
    job = Job(
        "shop.reports.daily",
        ("2026-03-01",),
        {"formats": ["pdf", "csv"]},
        job_id="report",
        queue_name="reports",
        depends_on=(After("join"), After("rates", on="always")),
    )
    return JobDetail(job_id="report", status=JobStatus.WAITING, job=job, events=stored(WAITING))


def mails() -> list[Event]:
    """A hundred mails that were sent lately, one of which failed."""
    events: list[Event] = []
    for number in range(100):
        at, ms = 300 - number * 2, 40.0 + (number * 7919 % 97) ** 1.6
        one = {"function_name": "shop.mail.send", "worker_id": f"w-{number % 3}"}
        events.append(job_event("started", f"m-{number}", "mail", ago_s=at, wait_ms=ms / 4, **one))
        kind, error = ("failed", {"error_type": "SMTPError"}) if number == 97 else ("completed", {})
        events.append(job_event(kind, f"m-{number}", "mail", ago_s=at - ms / 1000, duration_ms=ms, **one, **error))
    return events


def source_of(*events: Event) -> RecordedSource:
    queues = [queue("mail", 12, paused=True), queue("reports")]
    workers = [worker(f"w-{number}", queue_names=("mail",), active_jobs=8) for number in range(3)]
    pause = system_event("queue_paused", queue_name="mail", ago_s=125, reason="the relay is down")
    source = RecordedSource(
        [batch(pause, *mails(), *events, snapshot=snapshot(queues, workers))], jobs={"report": waiting()}
    )
    source.questions.families["report"] = FAMILY
    return source


def opening(source: RecordedSource, *keys: str) -> Callable[[Pilot[None]], object]:
    async def open_it(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, NaqTop)
        await pilot.pause()
        await source.taken()
        for key in ("", "enter", "", *keys, ""):
            app.advance()
            await pilot.pause()
            if key:
                await pilot.press(key)
        await pilot.pause()

    return open_it


@pytest.mark.parametrize("size", SIZES)
def test_a_job_that_waits_for_others(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = source_of(*WAITING)
    app = make_app(source, ManualClock(NOW_NS))

    assert snap_compare(app, terminal_size=size, run_before=opening(source))


@pytest.mark.parametrize("size", SIZES)
def test_its_family(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = source_of(*WAITING)
    app = make_app(source, ManualClock(NOW_NS))

    assert snap_compare(app, terminal_size=size, run_before=opening(source, "tab", "tab", "tab", "j", "j"))


@pytest.mark.parametrize("size", SIZES)
def test_a_job_of_a_paused_queue_among_its_neighbours(snap_compare: Compare, size: tuple[int, int]) -> None:
    source = source_of(QUEUED)
    app = make_app(source, ManualClock(NOW_NS))

    assert snap_compare(app, terminal_size=size, run_before=opening(source))
