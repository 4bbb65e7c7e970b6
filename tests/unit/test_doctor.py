"""The checks of the doctor, each over values: what is well, what is not, what that means and how to mend it."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from naq_runtime import NAQConfig
from naq_runtime.doctor.check import Check, State, Unknown
from naq_runtime.doctor.clocks import check_clocks, check_our_clock
from naq_runtime.doctor.examination import can_be_used, check_settings
from naq_runtime.doctor.facts import DeadLetters, Facts, FoundStream, ServerSkew
from naq_runtime.doctor.failures import check_alerts, check_dead, check_rules
from naq_runtime.doctor.roles import ROLES, check_permissions, tried_for
from naq_runtime.doctor.streams import check_limits, check_streams
from naq_runtime.doctor.work import check_processors, check_queues, check_scheduler, check_workers
from naq_runtime.jetstream import Account, Peer, Stream, Usage
from naq_runtime.nats.durable import ConsumerState
from naq_runtime.nats.probing import Refused
from naq_runtime.nats.wanted import Difference
from naq_runtime.processing.overview import ProcessorState
from naq_runtime.schedule import ScheduleState
from naq_runtime.skews import ClockSkew
from naq_runtime.snapshot import ScheduleMark, ScheduleNews
from naq_runtime.worker.record import WorkerState
from naq_runtime.worker.roll import LOST, WorkerStatus
from naq_tui.cli.doctor_page import print_checks
from naq_tui.cli.format import Format
from tests.support.processes import ROOT
from tests.tui.builders import NOW_NS, SECOND, alerts, leader, queue, schedule, worker

OK, WARN, BAD, SKIPPED = State


def facts(**known: Any) -> Facts:
    """What was asked for, as of now."""
    return Facts(now_ns=NOW_NS, **known)


def check(found: Check, state: State, words: str = "", *details: str) -> None:
    """It stands so, says so, and where something is wrong it says what that means and how to mend it."""
    assert found.state is state, found
    assert words in found.found
    for detail in details:
        assert any(detail in line for line in found.details), found.details
    assert bool(found.meaning) is bool(found.remedy) is (state in (WARN, BAD))


class TestStreams:
    def stream(self, name: str = "NAQ_JOBS", **fields: Any) -> Stream:
        return Stream(name=name, purpose="", **fields)

    def found(self, *streams: Stream, differences: tuple[Difference, ...] = ()) -> dict[str, Any]:
        return {"streams": {one.name: FoundStream(one, differences) for one in streams}}

    def test_what_is_missing_is_no_error(self) -> None:
        check(check_streams(facts(streams={"NAQ_JOBS": None})), OK, "there is none yet")
        there = {"NAQ_JOBS": FoundStream(self.stream()), "NAQ_DEAD": None}
        check(check_streams(facts(streams=there)), OK, "1 stream as needed, 1 not made yet")

    def test_each_wrong_setting_is_named(self) -> None:
        wrong = (Difference("retention", "'limits'", "'workqueue'"), Difference("allow_direct", "False", "True"))

        found = check_streams(facts(**self.found(self.stream(), differences=wrong)))

        check(
            found,
            BAD,
            "1 stream would lose or repeat something",
            "NAQ_JOBS has retention='limits', naq needs 'workqueue'",
            "NAQ_JOBS has allow_direct=False, naq needs True",
        )

    def test_what_a_server_would_lose_is_pointed_out(self) -> None:
        config = NAQConfig.load(environ={}, arguments={"streams.replicas": 3})
        weak = self.stream(storage="memory", is_clustered=True, leader="a", peers=(Peer(name="b", offline=True),))

        found = check_streams(facts(config=config, **self.found(weak)))

        check(found, WARN, "not as safe", "kept in memory", "has 1 replica, streams.replicas is 3", "b is offline")

    def test_what_could_not_be_seen_is_said(self) -> None:
        unseen = {"NAQ_DEAD": Unknown("no answer")}
        check(check_streams(facts(streams=unseen)), SKIPPED, "no answer")
        check(
            check_streams(facts(streams={**unseen, "NAQ_JOBS": FoundStream(self.stream())})),
            WARN,
            "not all could be seen",
            "NAQ_DEAD: no answer",
        )

    @pytest.mark.parametrize(("used", "state"), [(79, OK), (80, WARN), (94, WARN), (95, BAD), (100, BAD)])
    def test_a_limit_is_pointed_out_as_it_comes_nearer(self, used: int, state: State) -> None:
        stream = self.stream("NAQ_DEAD", bytes=used, max_bytes=100)
        account = Account(usages=(Usage("consumers", used, 100),))

        found = check_limits(facts(account=account, **self.found(stream)))

        check(found, state, "", *(("NAQ_DEAD", f"the account: {used} of 100 consumers") if state is not OK else ()))

    def test_a_log_that_is_full_only_reaches_back_less_far(self) -> None:
        log = self.stream("NAQ_EVENTS", messages=100, max_messages=100, max_age_s=7200, first_ns=NOW_NS - 3600 * SECOND)

        found = check_limits(facts(account=Account(), **self.found(log)))

        check(found, WARN, "1 log near the limit", "100 of 100 messages (100%), reaches back 1.0 h of 2.0 h")


class TestClocks:
    @pytest.mark.parametrize(
        ("skew_ms", "within_ms", "state", "words"),
        [
            (2.0, 1.0, OK, "within 3.0 ms"),
            (-600.0, 200.0, OK, "within"),
            (-900.0, 1.0, WARN, "this machine is 900 ms ahead of the server"),
            (300_000.0, 1.0, BAD, "this machine is 5 m 00 s behind the server"),
        ],
    )
    def test_ours_is_told_against_that_of_the_server(
        self, skew_ms: float, within_ms: float, state: State, words: str
    ) -> None:
        check(check_our_clock(facts(server_skew=ServerSkew(skew_ms, within_ms))), state, words)

    @pytest.mark.parametrize(("skew_ms", "state"), [(499.0, OK), (-501.0, WARN), (300_000.0, BAD)])
    def test_of_processes_those_that_are_wrong_are_named(self, skew_ms: float, state: State) -> None:
        skews = (ClockSkew("i", "worker", "app-1", 4711, skew_ms, NOW_NS), ClockSkew("j", "", "app-2", 1, 1.0, NOW_NS))

        found = check_clocks(facts(skews=skews))

        check(found, state, "", *(("worker app-1:4711",) if state is not OK else ()))
        assert not any("app-2" in line for line in found.details)


class TestWork:
    def test_jobs_that_nobody_takes_are_told_by_queue(self) -> None:
        queues = (
            queue("mail", 12, workers=0),
            queue("empty", 0, workers=0),
            queue("held", 5, workers=0, paused=True),
            queue("other", 3, workers=2),
            queue("foreign", 3, workers=0, pulls=1),
        )

        found = check_queues(facts(queues=queues))

        check(found, BAD, "1 queue with jobs and no worker", "mail: 12 jobs waiting")
        assert len(found.details) == 1
        assert "naq run-worker mail" in found.remedy
        check(check_queues(facts(queues=queues[1:])), OK, "4 queues, 11 jobs waiting, 1 paused", "held is paused")

    def status(self, name: str, *, seen_ago_s: float = 1, state: str = "busy", **fields: Any) -> WorkerStatus:
        record = worker(name, **fields)
        seen_ns = NOW_NS - int(seen_ago_s * SECOND)
        return WorkerStatus(worker_id=name, state=state, record=record, seen_ns=seen_ns)

    def test_workers_in_trouble_are_named(self) -> None:
        workers = (
            self.status("fine"),
            self.status("late", seen_ago_s=11),
            self.status("stuck", stuck_job_ids=("j",)),
            self.status("leaky", events_dropped=7),
            self.status("gone", seen_ago_s=60, state=LOST),
            self.status("ended", seen_ago_s=600, state=WorkerState.STOPPED),
        )

        found = check_workers(facts(workers=workers))

        check(
            found,
            WARN,
            "4 workers running, 4 troubles",
            "late is late: it was heard of 11.00 s ago",
            "stuck has 1 stuck job",
            "leaky has dropped 7 events",
            "gone was lost 1 m 00 s ago with 3 jobs",
        )
        check(check_workers(facts(workers=workers[:1])), OK, "1 worker running")

    def test_a_worker_whose_slots_are_all_stuck_is_bad(self) -> None:
        found = check_workers(facts(workers=(self.status("jammed", stuck_job_ids=("a", "b"), concurrency_limit=2),)))
        check(found, BAD, "can run nothing", "jammed has 2 stuck jobs")

    def news(self, *schedules: Any, **fields: Any) -> ScheduleNews:
        return ScheduleNews(mark=ScheduleMark("", 0, 0), whole=True, schedules=schedules, **fields)

    def test_schedules_without_a_scheduler_are_bad(self) -> None:
        paused = schedule("off", state=ScheduleState.PAUSED)

        for gone in (None, leader(silent_s=60)):
            news = self.news(schedule(), paused, leader=gone)
            check(check_scheduler(facts(schedules=news)), BAD, "1 schedule and no scheduler")
        check(check_scheduler(facts(schedules=self.news(schedule(), leader=leader()))), OK, "sch-1 leads, 1 schedule")
        check(check_scheduler(facts(schedules=self.news(paused))), OK, "none leads")

    def test_a_schedule_that_is_not_kept_is_named_with_the_reason(self) -> None:
        failed = schedule("nightly", state=ScheduleState.FAILED, reason="no such zone")

        found = check_scheduler(facts(schedules=self.news(failed, leader=leader(), unreadable=("odd",))))

        check(found, WARN, "2 schedules not kept", "nightly: no such zone", "odd cannot be read")

    def processor(self, name: str, behind: int = 0, dead: int = 0, *, is_running: bool = True) -> ProcessorState:
        return ProcessorState(name, ConsumerState(behind, 0, 0, 0), dead, is_running)

    def test_processors_that_stand_still_or_lag_are_named(self) -> None:
        still = self.processor("hook", 5, is_running=False)
        slow, given_up = self.processor("slow", 20_000), self.processor("sad", 3, dead=2)

        check(check_processors(facts(processors=(still, slow))), BAD, "no process", "hook: 5 events behind")
        check(
            check_processors(facts(processors=(slow, given_up))),
            WARN,
            "2 troubles",
            "slow: 20,000 events behind",
            "sad: 2 dead events",
        )
        check(check_processors(facts(processors=(self.processor("fine", 3),))), OK, "1 processor up to date")


class TestFailures:
    def test_dead_letters_are_pointed_out_while_they_become_more(self) -> None:
        check(check_dead(facts(dead=DeadLetters(9, 2))), WARN, "2 more in the last hour, 9 in all")
        check(check_dead(facts(dead=DeadLetters(9, 0))), OK, "9, none of the last hour")
        check(check_dead(facts(dead=DeadLetters(0, 0))), OK, "none")

    def test_a_critical_alert_is_bad_until_somebody_cares_for_it(self) -> None:
        firing = tuple(record for record in alerts() if record.firing)
        critical = next(record for record in firing if record.severity == "critical")
        seen = tuple(msgspec.structs.replace(alert, acknowledged_by="ada") for alert in critical.alerts)
        new = tuple(msgspec.structs.replace(alert, acknowledged_by="") for alert in critical.alerts)

        check(
            check_alerts(facts(alerts=(msgspec.structs.replace(critical, alerts=new),))), BAD, "firing", critical.name
        )
        acknowledged = msgspec.structs.replace(critical, alerts=seen)
        check(check_alerts(facts(alerts=(acknowledged,))), WARN, "firing", "acknowledged by ada")
        check(check_alerts(facts(alerts=())), OK, "no rule is watched")

    def test_a_rule_whose_webhook_has_no_secret_here_is_named_with_the_variable(self) -> None:
        config = NAQConfig.load(
            environ={}, arguments={"alerts.lost.rule": "worker_lost", "alerts.lost.webhook": "${ALERT_HOOK}"}
        )

        check(check_rules(facts(config=config, alerts=())), BAD, "1 rule cannot be", "variable ALERT_HOOK is not set")
        there = {"ALERT_HOOK": "https://there"}
        check(check_rules(facts(config=config, alerts=(), environ=there)), WARN, "1 rule not watched", "lost")

    def test_a_rule_that_no_scheduler_watches_is_named(self) -> None:
        watched = alerts()
        check(check_rules(facts(alerts=watched)), OK, "watched")
        check(check_rules(Facts(now_ns=NOW_NS + 3600 * SECOND, alerts=watched)), WARN, "not watched", watched[0].name)

    def test_mistakes_in_the_settings_are_all_told(self) -> None:
        check(check_settings(()), OK)
        check(check_settings(["setting a: b", "setting c: d"]), BAD, "2 mistakes", "setting a: b", "setting c: d")


class TestPermissions:
    def listed(self, role: str) -> tuple[set[str], set[str]]:
        """What SECURITY.md lists for a role: to publish, and to subscribe but for the inbox."""
        text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
        row = next(line for line in text.splitlines() if re.match(rf"\| {role}\b(?! with rules)", line))
        publish, subscribe = (set(re.findall(r"`([^`]+)`", cell)) for cell in row.split("|")[2:4])
        return publish, {subject for subject in subscribe if not subject.startswith("_INBOX")}

    @pytest.mark.parametrize("role", ROLES)
    def test_what_is_tried_is_what_the_page_of_permissions_lists(self, role: str) -> None:
        assert self.listed(role) == (set(ROLES[role].publish), set(ROLES[role].subscribe))

    def test_what_is_refused_is_bad_for_those_who_need_it(self) -> None:
        config = NAQConfig.load(environ={}, arguments={"namespace": "shop"})
        refused = Refused(frozenset({"shop.jobs.naq-doctor.naq-doctor"}))

        check(check_permissions(refused, config, "monitor"), OK, "suffice for: monitor, processor")
        for role in ("producer", "worker", "scheduler", "operator"):
            found = check_permissions(refused, config, role)
            check(found, BAD, f" of the subjects that a {role} needs", "publish shop.")
            assert "suffice for: monitor, processor" in found.meaning

    def test_an_inbox_that_cannot_be_listened_to_is_bad_for_all(self) -> None:
        config = NAQConfig.load(environ={}, arguments={"nats.inbox_prefix": "_INBOX_ada"})

        found = check_permissions(Refused(subscribe=frozenset({"_INBOX_ada.>"})), config, "monitor")

        check(found, BAD, "1 of the subjects", "subscribe _INBOX_ada.>")
        assert "suffice for: no role" in found.meaning

    def test_with_a_domain_its_own_api_is_tried(self) -> None:
        tried = tried_for(NAQConfig.load(environ={}, arguments={"nats.jetstream_domain": "hub"}))
        assert "$JS.hub.API.INFO" in tried.publish
        assert not [subject for subject in tried.publish if subject.startswith("$JS.API.")]

    def test_nothing_is_tried_that_somebody_could_hear_or_that_could_remove_anything(self) -> None:
        tried = tried_for(NAQConfig())
        assert not [subject for subject in tried.publish if ".control." in subject or "PURGE" in subject]
        assert not [subject for subject in tried.publish if "*" in subject or ">" in subject]


@pytest.mark.parametrize(
    "one",
    [
        check_our_clock, check_clocks, check_queues, check_workers, check_scheduler, check_processors, check_dead,
        check_alerts, check_rules, check_limits,
    ],
)  # fmt: skip
def test_what_could_not_be_asked_for_is_skipped_with_the_reason(one: Any) -> None:
    check(one(facts()), SKIPPED, "it was not asked for")


def test_a_long_list_is_cut_for_people_and_whole_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    found = check_queues(facts(queues=tuple(queue(f"q-{number}", 1, workers=0) for number in range(40))))

    print_checks([found], Format.TABLE)
    assert "and 20 more; --format json has all" in capsys.readouterr().out
    print_checks([found], Format.JSON)
    assert len(json.loads(capsys.readouterr().out)[0]["details"]) == 40


def test_text_of_others_is_shown_inert(capsys: pytest.CaptureFixture[str]) -> None:
    print_checks([check_queues(facts(queues=(queue("q\x1b[31m", 1, workers=0),)))], Format.TABLE)
    assert "\x1b" not in capsys.readouterr().out


def test_without_a_server_nothing_can_be_used() -> None:
    def checks(name: str) -> list[Check]:
        return [Check(name=name, state=BAD, found="")]

    assert [can_be_used(checks(name)) for name in ("server", "version", "jetstream", "queues")] == [
        False,
        False,
        False,
        True,
    ]
