"""Alerts on the screen: in the strip, in the feed, as they begin, and on a page of their own."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from naq_runtime.alerts.record import AlertRecord, AlertState
from naq_tui.screens.view import View
from naq_tui.source import ConnectionState
from naq_tui.sources.recorded import RecordedSource
from naq_tui.widgets.alerts import Alerts
from tests.tui.builders import NOW_NS, SECOND, alert_event, alerts, batch, job_event, link, snapshot
from tests.tui.harness import Watched, watching
from tests.tui.test_hostile import HOSTILE, assert_harmless


def renamed(record: AlertRecord, text: str) -> AlertRecord:
    return replace(record, name=text, rule=text, text=text, alerts=tuple(_labelled(record, text)))


def acknowledged(record: AlertRecord, at_ns: int) -> AlertRecord:
    seen = (replace(alert, acknowledged_ns=at_ns) if alert.acknowledged_by else alert for alert in record.alerts)
    return replace(record, alerts=tuple(seen))


async def go_to_alerts(watched: Watched) -> None:
    await watched.press("a")
    await watched.settle()


def _labelled(record: AlertRecord, text: str) -> list[object]:
    return [replace(alert, labels={"queue": text}) for alert in record.alerts]


async def test_the_strip_counts_what_fires_by_severity() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
        strip = watched.lines[0]

    assert "⚑ 1 critical" in strip
    assert "⚑ 1 warning" in strip


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_alerts_leave_all_figures_in_their_places(size: tuple[int, int]) -> None:
    async with watching(batch(job_event("completed", duration_ms=4.0), snapshot=snapshot()), size=size) as watched:
        quiet = watched.lines[1]
        await watched.feed(batch(snapshot=snapshot(alerts=alerts())))

        assert watched.lines[1] == quiet
        assert "⚑ 1 critical" in watched.lines[0]


async def test_without_alerts_the_strip_is_silent() -> None:
    quiet = [record for record in alerts() if not record.alerts]
    async with watching(batch(snapshot=snapshot(alerts=quiet))) as watched:
        assert "⚑" not in watched.text
        assert "unwatched" not in watched.text


async def test_rules_that_nobody_evaluates_any_more_are_told_of() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts(NOW_NS - 120 * SECOND)))) as watched:
        assert "? alerts unwatched" in watched.lines[0]

        await watched.press("a")
        await watched.settle()

        assert "some rules are watched by nobody: naq run-scheduler" in watched.text

        await watched.press("enter")
        await watched.settle()
        assert "Nobody evaluates this rule now" in watched.text


async def test_the_list_shows_what_fires_then_what_is_about_to_then_what_is_quiet() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts())), size=(200, 40)) as watched:
        await go_to_alerts(watched)
        table = watched.app.screen.query_one(Alerts)
        failing = watched.line_with("│ ⚑ firing   mail-failures")
        lost, late = watched.line_with("worker-lost "), watched.line_with("│ ◔ pending  late")

        await watched.press("a")
        await watched.settle()
        assert "Queues" in watched.text

    assert [row.record.name for row in table.rows] == ["worker-lost", "mail-failures", "late", "quiet", "depth"]
    for said in ("queue=mail", " 3.4 %  > 5 % ", "15 m", "warning", "clear now", "failed_rate{queue=mail} > 5% for 2m"):
        assert said in failing, said
    assert "seen by ada, silenced 10 m" in lost
    assert "1 m 12 s  > 1 m 00 s" in late


async def test_the_title_counts_them() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
        await go_to_alerts(watched)

        assert "Alerts  ⚑ 2 firing  ◔ 1 pending  2 quiet" in watched.text


async def test_one_that_ends_leaves_the_list_and_its_rule_is_quiet() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
        await go_to_alerts(watched)
        await watched.press("j")
        ended = [replace(record, alerts=(), state=AlertState.OK) for record in alerts()]
        await watched.feed(batch(snapshot=snapshot(alerts=ended)))

        assert "⚑ firing" not in watched.text
        assert "✓ ok" in watched.line_with(" mail-failures ")


class TestOneAlert:
    async def test_enter_tells_all_that_is_known_of_it(self) -> None:
        async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
            await go_to_alerts(watched)
            await watched.press("j", "enter")
            await watched.settle()
            text = watched.text

        for said in (
            "⚑ firing",
            "queue=mail",
            "3.4 %, not > 5 %",
            "08:45:00  15 m 00 s ago",
            "by nobody yet",
            "failed_rate{queue=mail} > 5% for 2m clear < 4%",
            "look at the relay: 3.4 % of mail",
            "It is clear now, and over when it stays so.",
            "sch-1",
        ):
            assert said in text, said

    async def test_it_tells_who_has_seen_it_and_when(self) -> None:
        seen = [acknowledged(record, NOW_NS - 30 * SECOND) for record in alerts()]
        async with watching(batch(snapshot=snapshot(alerts=seen))) as watched:
            await go_to_alerts(watched)
            await watched.press("enter")
            await watched.settle()

            assert "by ada  08:59:30  30 s ago" in watched.text
            assert "silenced for 10 m" in watched.text

    async def test_its_ages_go_on(self) -> None:
        async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
            await go_to_alerts(watched)
            await watched.press("j", "enter")
            await watched.pass_time(5)

            assert "15 m 05 s ago" in watched.text

    async def test_when_it_is_over_its_page_says_so(self) -> None:
        async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
            await go_to_alerts(watched)
            await watched.press("j", "enter")
            ended = [replace(record, alerts=(), state=AlertState.OK) for record in alerts()]
            await watched.feed(batch(snapshot=snapshot(alerts=ended)))
            assert "⚐ mail-failures queue=mail is over." in watched.text

            await watched.feed(batch(snapshot=snapshot()))
            assert "Its rule is not there any more." in watched.text

            await watched.press("escape")
            await watched.settle()
            assert "no rules of alerts are evaluated" in watched.text


@pytest.mark.parametrize("key", ["escape", "backspace"])
async def test_each_page_is_left_for_the_one_before(key: str) -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
        overview = watched.app.screen
        await go_to_alerts(watched)
        listed = watched.app.screen
        await watched.press("enter")
        assert watched.app.screen not in (overview, listed)

        await watched.press(key)
        assert watched.app.screen is listed
        await watched.press(key)
        assert watched.app.screen is overview


async def test_what_is_shown_can_be_copied_and_written() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts()))) as watched:
        await go_to_alerts(watched)
        await watched.press("j")
        view = watched.app.screen
        assert isinstance(view, View)

        assert view.row_text() == "mail-failures queue=mail 3.4 %, not > 5 % (firing)"
        assert view.equivalent() == "naq alerts list"
        assert [record["alert"] for record in view.records()][:2] == ["worker-lost", "mail-failures"]


async def test_without_rules_the_page_says_how_to_have_some() -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        await go_to_alerts(watched)

        assert "[alerts.mail-failures]" in watched.text
        assert "naq run-scheduler" in watched.text


async def test_an_alert_that_begins_is_told_of_and_stands_out_in_the_feed() -> None:
    fields: dict[str, Any] = {"severity": "critical", "labels": {"queue": "mail"}, "value": 0.12, "unit": "share"}
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.feed(batch(alert_event(rule="failed_rate > 5%", **fields)))
        (toast,) = watched.app._notifications

        assert "⚑ alert" in watched.line_with("mail-failures queue=mail: 12 %")

    assert (toast.title, toast.severity) == ("⚑ mail-failures", "error")
    assert toast.message == "queue=mail 12 % > 5 %"


async def test_alerts_that_began_before_we_came_and_those_that_are_over_are_no_news() -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.feed(batch(alert_event(ago_s=300), alert_event("alert_resolved")))

        assert len(watched.app._notifications) == 0


async def test_what_is_news_goes_by_the_time_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RecordedSource, "time_of", lambda _, now_ns: now_ns - 300 * SECOND)  # our clock is ahead
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.feed(batch(alert_event(alert="old", ago_s=600), alert_event(alert="new", ago_s=301)))

        assert [toast.title for toast in watched.app._notifications] == ["⚑ new"]


async def test_of_many_alerts_at_once_only_some_are_told_of_by_themselves() -> None:
    async with watching(batch(snapshot=snapshot())) as watched:
        await watched.feed(batch(*(alert_event(alert=f"alert-{number}") for number in range(40))))
        messages = [toast.message for toast in watched.app._notifications]

    assert len(messages) == 4
    assert messages[-1] == "37 more alerts begin"


@pytest.mark.parametrize("size", [(60, 20), (120, 40), (200, 60)])
@pytest.mark.parametrize("text", HOSTILE)
async def test_whatever_an_alert_is_called_stays_in_its_place(text: str, size: tuple[int, int]) -> None:
    records = [replace(renamed(record, text), severity=text, by=text) for record in alerts()]
    async with watching(batch(snapshot=snapshot(alerts=records)), size=size) as watched:
        await watched.feed(batch(alert_event(alert=text, rule=text, labels={text: text}, text=text)))
        watched.app.clear_notifications()
        await go_to_alerts(watched)
        assert_harmless(watched.lines, size[0])
        for key in ("enter", "pagedown"):
            await watched.press(key)
            await watched.settle()
            assert_harmless(watched.lines, size[0])


async def test_what_alerts_say_is_inert() -> None:
    hostile = "[red]\x1b[31mx[/]\u202e"
    records = [renamed(record, hostile) for record in alerts()]
    async with watching(batch(snapshot=snapshot(alerts=records))) as watched:
        await watched.feed(batch(alert_event(alert=hostile, rule=hostile, labels={"queue": hostile}, text=hostile)))
        await go_to_alerts(watched)
        text = watched.text
        await watched.press("enter")
        await watched.settle()
        text += watched.text
        (toast,) = watched.app._notifications

    assert text.count("[red]") > 10
    for sign in ("\x1b", "\u202e"):
        assert sign not in text
        assert sign not in toast.message + toast.title
    assert not toast.markup


async def test_a_note_that_is_too_long_says_so() -> None:
    async with watching(batch(snapshot=snapshot(alerts=alerts())), size=(120, 40)) as watched:
        await go_to_alerts(watched)

        assert "seen by ada,…" in watched.line_with("worker-lost")


async def test_values_and_limits_have_one_form_in_all_rows() -> None:
    lost = next(record for record in alerts() if record.name == "worker-lost")
    others = [record for record in alerts() if record is not lost and record.name != lost.name]
    (alert,) = lost.alerts
    lost = replace(lost, alerts=(replace(alert, value=1.0),))
    async with watching(batch(snapshot=snapshot(alerts=(lost, *others))), size=(80, 24)) as watched:
        await go_to_alerts(watched)
        rows = [watched.line_with(f" {name} ") for name in ("worker-lost", "mail-failures")]
        heading = watched.line_with(" limit ").index(" limit ")

    assert [row[heading - 7 : heading + 7].split() for row in rows] == [["1", ">", "0"], ["3.4", "%", ">", "5", "%"]]


async def test_in_the_past_nothing_is_said_of_rules_that_may_have_been_there() -> None:
    replayed = link(ConnectionState.REPLAYING)
    async with watching(batch(job_event(), alert_event(), snapshot=snapshot(), link=replayed)) as watched:
        await go_to_alerts(watched)

        assert "no event tells of an alert up to then" in watched.text
        assert "[alerts.mail-failures]" not in watched.text
        await watched.press("2", "slash")
        await watched.write("type:alert_*")
        await watched.settle()
        assert "Events 1 of 2" in watched.text
