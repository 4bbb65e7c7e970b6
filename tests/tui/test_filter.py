"""The filter of the feed: a grammar, with what is wrong, and what may come next, while it is typed."""

from __future__ import annotations

from naq_tui.widgets.feed import Feed
from naq_tui.widgets.filter import EventFilterInput
from naq_tui.widgets.filter_hint import FilterHint
from tests.tui.builders import batch, job_event, queue, snapshot, worker
from tests.tui.harness import Watched, watching

EVENTS = batch(
    job_event("enqueued", "job-1", queue_name="mail"),
    job_event("started", "job-1", queue_name="mail"),
    job_event("failed", "job-1", queue_name="mail", duration_ms=700.0, error_type="TimeoutError", error_message="late"),
    job_event("enqueued", "job-2", queue_name="reports"),
    job_event("completed", "job-2", queue_name="reports", duration_ms=3_000.0),
    snapshot=snapshot([queue("mail", 3, 1), queue("reports", 0, 0)], [worker("w-1")]),
)


def feed_of(watched: Watched) -> Feed:
    return watched.app.screen.query_one(Feed)


def typed(watched: Watched) -> str:
    return watched.app.screen.query_one(EventFilterInput).value


def hint(watched: Watched) -> str:
    """What is said under the filter."""
    return "".join(text for text, _ in watched.app.screen.query_one(FilterHint).line(0).spans).strip()


async def test_fields_and_values_are_filtered_by_while_one_types() -> None:
    async with watching(EVENTS) as watched:
        await watched.write("/queue:mail duration>500ms")
        assert "Events 1 of 5" in watched.text
        await watched.press("enter")
        assert "/ queue:mail duration>500ms ─╯" in watched.text


async def test_while_it_is_no_filter_what_was_shown_stays_and_it_is_said_where_it_is_wrong() -> None:
    async with watching(EVENTS) as watched:
        await watched.write("/queue:mail")
        assert hint(watched).startswith("✓")
        await watched.write(" )")
        assert "Events 3 of 5" in watched.text
        assert hint(watched).startswith("✗ column 12: expected the end, found ')'")


async def test_what_may_have_been_meant_is_said() -> None:
    async with watching(EVENTS) as watched:
        await watched.write("/quue:x")
        assert hint(watched) == "✗ column 1: unknown field 'quue', did you mean queue?"


async def test_a_filter_that_goes_on_is_no_mistake_yet() -> None:
    async with watching(EVENTS) as watched:
        await watched.write("/type:")
        assert hint(watched).startswith("… column 6: expected a value")


async def test_tab_takes_a_field_and_then_a_value_that_is_there() -> None:
    async with watching(EVENTS) as watched:
        await watched.write("/que")
        assert hint(watched).endswith("Tab queue:  queues:")
        await watched.press("tab")
        assert typed(watched) == "queue:"
        assert hint(watched).endswith("Tab mail  reports")
        await watched.press("tab")
        assert typed(watched) == "queue:mail"
        assert "Events 3 of 5" in watched.text
        assert isinstance(watched.app.focused, EventFilterInput)


async def test_tab_with_nothing_to_take_changes_nothing() -> None:
    async with watching(EVENTS) as watched:
        await watched.write("/zzz")
        await watched.press("tab")
        assert typed(watched) == "zzz"
        assert isinstance(watched.app.focused, EventFilterInput)


async def test_enter_keeps_no_mistake_but_goes_to_it() -> None:
    async with watching(EVENTS) as watched:
        await watched.write("/duration>x")
        await watched.press("enter")
        assert watched.app.screen.query_one(EventFilterInput).cursor_position == 9
        assert "duration>x" in watched.lines[-3]
        await watched.press("escape")
        assert feed_of(watched).has_focus
        assert "Events 5 " in watched.text


async def test_a_row_filters_by_its_name_whatever_signs_are_in_it() -> None:
    async with watching(EVENTS) as watched:
        watched.app.screen.filter_by('"a:b"')  # type: ignore[attr-defined]  # the overview
        assert feed_of(watched).needle == '"a:b"'


async def test_the_schedules_are_still_filtered_by_text() -> None:
    async with watching(EVENTS) as watched:
        await watched.press("6")
        await watched.write("/quue:x")
        assert not watched.app.screen.query(FilterHint)
        await watched.press("enter")
        assert "/ quue:x ─╯" in watched.text


async def test_hostile_names_are_not_offered() -> None:
    hostile = batch(job_event("enqueued", "job-1", function_name="evil\x1b[31m.task"), EVENTS.events[0].event)
    async with watching(hostile) as watched:
        await watched.write("/function:")
        assert "\x1b" not in hint(watched)
        assert "evil" not in hint(watched)
