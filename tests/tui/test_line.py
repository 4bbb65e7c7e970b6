"""What an event says in the feed: its glyph, its short name, and how it stands out."""

from __future__ import annotations

import pytest

from naq_runtime.events.filters.matching import line_of
from naq_runtime.events.models import JobEventType, ScheduleEventType, StoredEvent, SystemEventType
from naq_tui.model.line import Said, said
from naq_tui.widgets.feed_line import feed_spans
from tests.tui.builders import batch, job_event, schedule_event, stored, system_event
from tests.tui.harness import watching

_KIND_CELLS = 11
"""The feed's column for the short name."""


def said_of(kind: str, **fields: object) -> Said:
    return said(StoredEvent(1, job_event(kind, **fields)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(JobEventType))
def test_every_type_of_a_job_has_a_glyph_and_a_name_that_fits(kind: JobEventType) -> None:
    line = said_of(kind.value)

    assert line.glyph not in ("?", "")
    assert 0 < len(line.kind) <= _KIND_CELLS


@pytest.mark.parametrize("kind", list(SystemEventType))
def test_every_type_of_a_process_has_a_glyph_and_a_name_that_fits(kind: SystemEventType) -> None:
    line = said(StoredEvent(1, system_event(kind.value)))

    assert line.glyph not in ("?", "")
    assert 0 < len(line.kind) <= _KIND_CELLS


@pytest.mark.parametrize("kind", list(ScheduleEventType))
def test_every_type_of_a_schedule_has_a_glyph_and_a_name_that_fits(kind: ScheduleEventType) -> None:
    line = said(StoredEvent(1, schedule_event(kind.value)))

    assert line.glyph not in ("?", "")
    assert 0 < len(line.kind) <= _KIND_CELLS


def test_no_two_types_of_a_schedule_look_the_same() -> None:
    lines = [said(StoredEvent(1, schedule_event(kind.value))) for kind in ScheduleEventType]

    assert len({line.glyph for line in lines}) == len(ScheduleEventType)


def test_no_two_types_of_a_job_look_the_same() -> None:
    lines = [said_of(kind.value) for kind in JobEventType]

    assert len({(line.glyph, line.kind) for line in lines}) == len(JobEventType)
    assert len({line.glyph for line in lines}) == len(JobEventType)


@pytest.mark.parametrize("kind", ["failed", "timed_out"])
def test_only_the_last_of_several_attempts_is_a_failure(kind: str) -> None:
    assert said_of(kind, final=True).mood == "bad"
    assert said_of(kind, final=False).mood == "warn"


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", None, "chatty"])
def test_what_a_job_logs_is_quiet(level: str | None) -> None:
    assert said_of("log", level=level, text="one of thousands").mood == "quiet"


def test_an_error_that_a_job_logs_stands_out() -> None:
    assert said_of("log", level="ERROR", text="no").mood == "warn"


def test_levels_have_glyphs_of_their_own() -> None:
    glyphs = {said_of("log", level=level).glyph for level in ("DEBUG", "INFO", "warning", "ERROR")}

    assert len(glyphs) == 4


def test_progress_is_quiet() -> None:
    assert said_of("progress", done=1.0, total=3.0).mood == "quiet"


def test_the_event_of_a_queue_names_the_queue() -> None:
    paused = StoredEvent(1, system_event("queue_paused", queue_name="mail"))

    assert said(paused).queue == "mail"
    assert " mail " in line_of(paused.event)


def test_the_event_of_a_schedule_names_the_schedule_where_a_job_is_named() -> None:
    tick = StoredEvent(1, schedule_event("schedule_triggered", "nightly-report", queue_name="mail"))

    assert (said(tick).job_id, said(tick).queue) == ("nightly-report", "mail")
    assert " nightly-report mail " in line_of(tick.event)


async def test_the_feed_shows_a_tick_and_who_leads() -> None:
    led = system_event("leader_elected", role="scheduler", term=3, reason="sch-1")
    tick = schedule_event("schedule_triggered", "nightly", queue_name="mail", job_id="nightly-1", tick=4, lag_ms=2.5)
    async with watching(batch(led, tick)) as watched:
        assert "★ leads" in watched.events()[0]
        assert "scheduler, term 3, sch-1" in watched.events()[0]
        assert "◶ tick" in watched.events()[1]
        assert watched.events()[1].split()[3:6] == ["nightly", "mail", "-"]
        assert "nightly-1, tick 4, late by 2.5 ms" in watched.events()[1]


async def test_a_schedule_that_could_not_be_kept_stands_out() -> None:
    failed = schedule_event("scheduler_error", "nightly", error_type="NotImportable", error_message="no module shop")
    missed = schedule_event("schedule_missed", "nightly", count=3, policy="once", caught_up=1)
    async with watching(batch(failed, missed)) as watched:
        assert "‼ sched error" in watched.events()[0]
        assert "NotImportable: no module shop" in watched.events()[0]
        assert "◌ tick missed" in watched.events()[1]
        assert "3 ticks, 1 made up for, once" in watched.events()[1]


async def test_one_tick_is_one_tick() -> None:
    missed = schedule_event("schedule_missed", "nightly", count=1, policy="overlap skip")
    async with watching(batch(missed)) as watched:
        assert "1 tick, overlap skip" in watched.events()[0]


async def test_the_feed_shows_a_retry() -> None:
    failed = job_event("failed", "job-1", error_type="OSError", attempt=1, final=False)
    retry = job_event("retry_scheduled", "job-1", retry_count=1, retry_delay=15.0)
    async with watching(batch(failed, retry)) as watched:
        assert "✗ failed" in watched.events()[0]
        assert "↻ retry" in watched.events()[1]
        assert "retry 1, in 15.00 s" in watched.events()[1]


async def test_the_feed_shows_who_cancelled_what() -> None:
    async with watching(batch(job_event("cancelled", "job-1", "mail", by="ada", state="queued"))) as watched:
        assert "⊘ cancelled" in watched.events()[0]
        assert "while queued, by ada" in watched.events()[0]


@pytest.mark.parametrize(("width", "named"), [(197, "shop.mail.send"), (117, "send"), (57, "send")])
def test_all_lines_of_a_feed_name_functions_in_one_form(width: int, named: str) -> None:
    events = (
        job_event("enqueued", function_name="shop.mail.send"),
        job_event("started", function_name="shop.mail.send", wait_ms=12.0),
    )
    lines = [feed_spans(said(one), width)[-1][0] for one in stored(events)]

    assert [line.split(",")[0] for line in lines] == [named, named]
