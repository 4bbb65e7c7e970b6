"""Alerts on the screen: in the strip, in the feed, as they begin, and on a page of their own."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from naq_runtime.alerts.record import AlertRecord
from tests.tui.builders import NOW_NS, SECOND, alert_event, alerts, batch, snapshot
from tests.tui.harness import watching


def renamed(record: AlertRecord, text: str) -> AlertRecord:
    return replace(record, name=text, rule=text, text=text, alerts=tuple(_labelled(record, text)))


def _labelled(record: AlertRecord, text: str) -> list[object]:
    return [replace(alert, labels={"queue": text}) for alert in record.alerts]


async def test_the_strip_counts_what_fires_by_severity() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
        strip = watched.lines[1]

    assert "⚑ 1 critical" in strip
    assert "⚑ 1 warning" in strip


async def test_without_alerts_the_strip_is_silent() -> None:
    quiet = [record for record in alerts() if not record.alerts]
    async with watching(batch(snapshot=snapshot(alerts=quiet))) as watched:
        assert "⚑" not in watched.text
        assert "unwatched" not in watched.text


async def test_rules_that_nobody_evaluates_any_more_are_told_of() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts(NOW_NS - 120 * SECOND)))) as watched:
        assert "? alerts unwatched" in watched.lines[1]

        await watched.press("a")
        await watched.settle()

        assert "Nobody evaluates some of these rules now" in watched.text


async def test_the_page_shows_what_fires_what_is_about_to_and_what_is_quiet() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
        await watched.press("a")
        await watched.settle()
        text = watched.text

        await watched.press("a")
        await watched.settle()
        assert "Queues" in watched.text

    firing, pending, quiet = (text.index(heading) for heading in ("Firing", "Pending", "Quiet"))
    assert firing < text.index("worker-lost") < text.index("mail-failures") < pending
    assert pending < text.index("late") < quiet < text.rindex("no data")
    for said in (
        "3.4 % > 5 %",
        "queue=mail",
        "look at the relay: 3.4 % of mail",
        "clear now",
        "seen by ada",
        "silenced for 10 m",
    ):
        assert said in text, said


async def test_without_rules_the_page_says_how_to_have_some() -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.press("a")
        await watched.settle()

        assert "[alerts.NAME]" in watched.text


async def test_an_alert_that_begins_is_told_of_and_stands_out_in_the_feed() -> None:
    fields: dict[str, Any] = {"severity": "critical", "labels": {"queue": "mail"}, "value": 0.12, "unit": "share"}
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.feed(batch(alert_event(rule="failed_rate > 5%", **fields)))
        (toast,) = watched.app._notifications

        assert "⚑ alert" in watched.line_with("mail-failures queue=mail: 12 %")

    assert (toast.title, toast.severity) == ("⚑ mail-failures", "error")
    assert toast.message == "mail-failures queue=mail: 12 %, failed_rate > 5%"


async def test_alerts_that_began_before_we_came_and_those_that_are_over_are_no_news() -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.feed(batch(alert_event(ago_s=300), alert_event("alert_resolved")))

        assert len(watched.app._notifications) == 0


async def test_of_many_alerts_at_once_only_some_are_told_of_by_themselves() -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.feed(batch(*(alert_event(alert=f"alert-{number}") for number in range(40))))
        messages = [toast.message for toast in watched.app._notifications]

    assert len(messages) == 4
    assert messages[-1] == "37 more alerts begin"


async def test_what_alerts_say_is_inert() -> None:
    hostile = "[red]\x1b[31mx[/]\u202e"
    records = [renamed(record, hostile) for record in alerts()]
    async with watching(batch(snapshot=snapshot(alerts=records))) as watched:
        await watched.feed(batch(alert_event(alert=hostile, rule=hostile, labels={"queue": hostile}, text=hostile)))
        await watched.press("a")
        await watched.settle()
        text = watched.text
        (toast,) = watched.app._notifications

    assert "[red]" in text
    for sign in ("\x1b", "\u202e"):
        assert sign not in text
        assert sign not in toast.message + toast.title
    assert not toast.markup
