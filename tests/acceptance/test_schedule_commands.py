"""``naq schedule`` and ``naq run-scheduler``: jobs that come again and again, and what can be done with them."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from naq_runtime import Job, NAQConfig, ScheduleConfig, SchedulerService, ServiceManager
from tests.acceptance.test_commands import worker_process
from tests.acceptance.test_dead_commands import in_terminal
from tests.support import sample_tasks as tasks
from tests.support.processes import naq, started
from tests.support.waiting import eventually
from tests.support.workers import MODULE

ADD = f"{MODULE}.add"
NAP = f"{MODULE}.nap"
NEXT_YEAR = f"{datetime.now(UTC) + timedelta(days=300):%Y-%m-%dT00:00}"
YEAR_AFTER = f"{datetime.now(UTC) + timedelta(days=600):%Y-%m-%dT00:00}"


@asynccontextmanager
async def scheduler_process(
    config: NAQConfig, name: str, *, leads: bool = True
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A scheduler that is up, and leads if it should."""
    async with started("naq_tui.cli.main", "run-scheduler", "--instance-id", name, config=config) as process:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while (b"term" if leads else b"scheduler " + name.encode()) not in await process.stderr.readline():
                assert process.returncode is None, "the scheduler has ended"
        yield process


async def fill(config: NAQConfig) -> None:
    """An hourly schedule, a paused daily one of another queue, and one for a moment far away."""
    async with ServiceManager(config) as services:
        schedules = await services.get_service(SchedulerService)
        await schedules.schedule_job(Job(tasks.add, (1,)), ScheduleConfig(every=3600, schedule_id="hourly", repeat=9))
        daily = ScheduleConfig(cron="0 9 * * *", timezone="Europe/Paris", schedule_id="daily", overlap="skip")
        await schedules.schedule_job(Job(tasks.nap, (0.0,), queue_name="mail"), daily)
        await schedules.pause("daily", "the data are \x1b[31mnot in")


async def schedules_of(config: NAQConfig, *arguments: str) -> dict[str, dict[str, Any]]:
    finished = await naq("schedule", "list", "--format", "json", *arguments, config=config)
    return {schedule["schedule_id"]: schedule for schedule in json.loads(finished.out)}


async def events_of(config: NAQConfig, schedule_id: str) -> list[dict[str, Any]]:
    finished = await naq("schedule", "show", schedule_id, "--format", "json", config=config)
    events: list[dict[str, Any]] = json.loads(finished.out)["events"]
    return events


# Schedulers


async def test_a_scheduler_fires_a_schedule_whose_jobs_a_worker_runs(config: NAQConfig) -> None:
    async with worker_process(config, "-m", MODULE), scheduler_process(config, "first"):
        added = await naq("schedule", "add", ADD, "41", "--every", "500ms", "--id", "pulse", config=config)

        async def ticked() -> dict[str, Any] | None:
            pulse = (await schedules_of(config))["pulse"]
            return pulse if pulse["ticks"] >= 2 else None

        pulse = await eventually(ticked, within=20)
        assert pulse is not None
        result = await naq("job", "result", pulse["last_job_id"], "--wait-timeout", "10s", config=config)

    assert added == (0, "pulse\n", "")
    assert pulse["last_job_id"].startswith("pulse-2")
    assert pulse["lag_ms"] >= 0
    assert (result.code, result.out) == (0, "42\n")


async def test_a_scheduler_resigns_on_sigterm_and_the_one_that_stands_by_leads(config: NAQConfig) -> None:
    async with scheduler_process(config, "first") as first:
        async with scheduler_process(config, "second", leads=False):
            before = await naq("schedule", "list", config=config)
            first.send_signal(signal.SIGTERM)
            await first.wait()

            async def taken_over() -> bool:
                return "scheduler second" in (await naq("schedule", "list", config=config)).err

            await eventually(taken_over)

    assert first.returncode == 0
    assert "naq: scheduler first on " in before.err


async def test_where_no_scheduler_runs_that_is_said(config: NAQConfig) -> None:
    added = await naq("schedule", "add", ADD, "1", "--every", "1h", "--id", "hourly", config=config)
    listed = await naq("schedule", "list", config=config)
    page = await naq("schedule", "show", "hourly", config=config)

    assert added.out == "hourly\n"
    assert "no scheduler runs, so nothing comes; 'naq run-scheduler' starts one" in added.err
    assert "no scheduler runs" in listed.err
    assert "leader      no scheduler runs" in page.out


async def test_a_leader_that_was_killed_is_not_said_to_lead(config: NAQConfig) -> None:
    async with scheduler_process(config, "doomed") as doomed:
        doomed.kill()
        await doomed.wait()

        async def nobody_leads() -> bool:
            return "no scheduler runs" in (await naq("schedule", "list", config=config)).err

        await eventually(nobody_leads, within=20)


# Looking


async def test_schedules_are_listed_with_when_they_come_and_how_they_were_kept(config: NAQConfig) -> None:
    await fill(config)

    table = await naq("schedule", "list", config=config)
    raw = await naq("schedule", "list", "--format", "raw", config=config)
    document = await schedules_of(config)

    header, daily, hourly = table.out.splitlines()
    assert header.split() == (
        ["Schedule", "When", "State", "Due", "Next", "Queue", "Function", "Last", "Lag", "Missed", "Ticks", "Left"]
    )
    assert daily.split() == [
        *("daily", "cron", "0", "9", "*", "*", "*", "Europe/Paris", "‖", "paused", "-", "-", "mail", NAP),
        *("-", "-", "0", "0", "-"),
    ]
    assert hourly.split()[:9] == ["hourly", "every", "1", "h", "●", "active", "in", "59", "m"]
    assert hourly.split()[-7:] == ["default", ADD, "-", "-", "0", "0", "9"]
    assert raw.out.splitlines()[0] == (
        f"daily paused mail {NAP} next=- last=- ticks=0 missed=0 left=- cron 0 9 * * * Europe/Paris"
    )
    assert (document["hourly"]["every"], document["hourly"]["repeat"]) == (3600.0, 9)
    assert document["hourly"]["next_run_at_ns"] > document["hourly"]["created_at_ns"]
    assert (document["daily"]["cron"], document["daily"]["timezone"]) == ("0 9 * * *", "Europe/Paris")
    assert (document["daily"]["next_run_at"], document["daily"]["overlap"]) == (None, "skip")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--queue", "ma*"], ["daily"]),
        (["--function", "*.add"], ["hourly"]),
        (["--state", "active"], ["hourly"]),
        (["--state", "failed"], []),
        (["--queue", "*", "--state", "paused"], ["daily"]),
    ],
    ids=str,
)
async def test_a_list_has_only_what_is_meant(config: NAQConfig, arguments: list[str], found: list[str]) -> None:
    await fill(config)

    assert list(await schedules_of(config, *arguments)) == found


async def test_the_page_of_a_schedule_tells_all_about_it_inertly(config: NAQConfig) -> None:
    await fill(config)
    await naq("schedule", "modify", "daily", "--args", r'["\u001b[31mred"]', config=config)

    page = await naq("schedule", "show", "daily", config=config)
    raw = await naq("schedule", "show", "daily", "--format", "raw", config=config)
    document = json.loads((await naq("schedule", "show", "daily", "--format", "json", config=config)).out)

    lines = page.out.splitlines()
    assert "when        cron 0 9 * * * Europe/Paris" in lines
    assert "state       ‖ paused  the data are ␛[31mnot in" in lines
    assert sum(" 09:00:00 CE" in line for line in lines) == 5
    assert "\x1b" not in page.out + raw.out
    assert document["args"] == ["\x1b[31mred"]
    assert len(document["coming"]) == 5
    assert [event["event_type"] for event in document["events"]] == [
        "scheduled",
        "schedule_paused",
        "schedule_modified",
    ]


@pytest.mark.parametrize("form", ["table", "raw", "json"])
async def test_schedules_that_others_have_written_are_printed_inert(config: NAQConfig, form: str) -> None:
    evil = r"\u001b]0;pwn\u0007J\nforged line"
    names = ("queue_name", "function_name", "cron", "timezone", "reason")
    numbers = ("next_ns", "last_due_ns", "last_run_ns", "held_ns", "retry_at_ns", "jitter_ns", "errors")
    fields = [f'"{name}":"{evil}"' for name in names] + [f'"{name}":{2**63 - 1}' for name in numbers]
    record = '{"schedule_id":"evil","payload":"AAAA",' + ",".join(fields) + "}"
    async with ServiceManager(config) as services:
        await services.get_service(SchedulerService)
        await services.connection.request(config.names.schedule("evil"), record.encode())
        await services.connection.request(config.names.schedule("worse"), b"{no schedule")

    listed = await naq("schedule", "list", "--format", form, config=config)
    shown = await naq("schedule", "show", "evil", "--format", form, config=config)

    for finished in (listed, shown):
        assert (finished.code, "Traceback" in finished.err) == (0, False), finished.err
        assert "\x1b" not in finished.out + finished.err
        assert not any(line.startswith("forged") for line in finished.out.splitlines())


async def test_coming_ticks_are_told_in_the_zone_of_the_schedule(config: NAQConfig) -> None:
    await fill(config)

    table = await naq("schedule", "next", "daily", "-n", "2", config=config)
    raw = await naq("schedule", "next", "daily", "--format", "raw", config=config)
    document = json.loads((await naq("schedule", "next", "hourly", "-n", "20", "-f", "json", config=config)).out)

    header, *rows = table.out.splitlines()
    assert header.split() == ["Due", "Away"]
    assert [row.split()[2] for row in rows] == ["09:00:00", "09:00:00"]
    assert "schedule daily is paused" in table.err
    assert [line.split()[1][10:19] for line in raw.out.splitlines()] == ["T09:00:00"] * 5
    due = [tick["due_at_ns"] for tick in document]
    assert len(due) == 9, "so many jobs are left"
    assert {after - before for before, after in pairwise(due)} == {3600 * 10**9}


# Making and changing


async def test_a_schedule_has_what_was_asked_for(config: NAQConfig) -> None:
    options = (
        "--cron",
        "*/10 * * * * *",
        "--timezone",
        "Asia/Tokyo",
        "--repeat",
        "3",
        "--starts-at",
        f"{NEXT_YEAR}Z",
    )
    policies = ("--missed", "all", "--catch-up-limit", "7", "--catch-up-window", "2h", "--overlap", "buffer")
    job = ("--jitter", "5s", "--ends-at", f"{YEAR_AFTER}Z", "-q", "mail", "-k", "right=2", "--retries", "4")

    added = await naq("schedule", "add", ADD, "1", *options, *policies, *job, "--id", "full", config=config)

    document = json.loads((await naq("schedule", "show", "full", "--format", "json", config=config)).out)
    assert (added.code, added.out) == (0, "full\n")
    assert (document["cron"], document["timezone"]) == ("*/10 * * * * *", "Asia/Tokyo")
    assert (document["repeat"], document["jitter"]) == (3, 5.0)
    assert (document["missed"], document["catch_up_limit"], document["catch_up_window"]) == ("all", 7, 7200.0)
    assert (document["starts_at"], document["ends_at"]) == (
        f"{NEXT_YEAR}:00.000000Z",
        f"{YEAR_AFTER}:00.000000Z",
    )
    assert document["coming"][0] == f"{NEXT_YEAR}:00.000000Z"
    assert (document["overlap"], document["queue_name"]) == ("buffer", "mail")
    assert (document["args"], document["kwargs"], document["retries"]) == ([1], {"right": 2}, 4)


async def test_enqueue_with_cron_or_every_makes_a_schedule(config: NAQConfig) -> None:
    first = await naq("enqueue", ADD, "1", "--every", "30s", "--id", "often", "-q", "mail", config=config)
    second = await naq("enqueue", ADD, "1", "--cron", "@daily", "--timezone", "Europe/Paris", config=config)

    found = await schedules_of(config)
    assert (first.code, first.out) == (0, "often\n")
    assert (found["often"]["every"], found["often"]["queue_name"]) == (30.0, "mail")
    assert found[second.out.strip()]["timezone"] == "Europe/Paris"


async def test_a_modified_schedule_keeps_what_was_not_said(config: NAQConfig) -> None:
    await fill(config)

    changes = (
        "--cron",
        "30 8 * * *",
        "--args",
        "[5]",
        "--kwargs",
        '{"right": 6}',
        "--repeat",
        "none",
        "--queue",
        "post",
    )
    changed = await naq("schedule", "modify", "hourly", *changes, config=config)

    document = json.loads((await naq("schedule", "show", "hourly", "--format", "json", config=config)).out)
    assert (changed.code, changed.out) == (0, "hourly\n")
    assert (document["cron"], document["every"], document["repeat"]) == ("30 8 * * *", None, None)
    assert (document["args"], document["kwargs"], document["queue_name"]) == ([5], {"right": 6}, "post")
    assert document["overlap"] == "allow"


async def test_a_modified_schedule_makes_other_jobs(config: NAQConfig) -> None:
    await fill(config)

    job = ("--function", f"{MODULE}.fail", "--retries", "2", "--time-limit", "90s", "--result-ttl", "1h")
    changed = await naq("schedule", "modify", "hourly", *job, config=config)

    document = json.loads((await naq("schedule", "show", "hourly", "--format", "json", config=config)).out)
    assert changed == (0, "hourly\n", "")
    assert document["function_name"] == f"{MODULE}.fail"
    assert (document["retries"], document["timeout"], document["result_ttl"]) == (2, 90.0, 3600.0)


async def test_a_schedule_that_is_declared_again_is_changed_to_what_is_said(config: NAQConfig) -> None:
    declare = ("schedule", "add", ADD, "1", "--id", "declared", "--replace")
    for every in ("1h", "1h", "2h"):
        declared = await naq(*declare, "--every", every, config=config)
        assert (declared.code, declared.out) == (0, "declared\n")

    events = await events_of(config, "declared")
    assert (await schedules_of(config))["declared"]["every"] == 7200.0
    assert [event["event_type"] for event in events] == ["scheduled", "schedule_modified"]


async def test_a_tick_can_be_put_out_of_turn(config: NAQConfig) -> None:
    await fill(config)

    await naq("schedule", "modify", "hourly", "--next-run-at", f"{NEXT_YEAR}Z", config=config)

    assert (await schedules_of(config))["hourly"]["next_run_at"] == f"{NEXT_YEAR}:00.000000Z"


# Acting


async def test_schedules_are_paused_and_resumed_by_name(config: NAQConfig) -> None:
    await fill(config)

    paused = await naq("schedule", "pause", "hourly", "--reason", "stocktaking", config=config)
    while_paused = (await schedules_of(config))["hourly"]
    resumed = await naq("schedule", "resume", "hourly", "daily", config=config)

    assert paused == (0, "hourly\n", "")
    assert (while_paused["state"], while_paused["reason"]) == ("paused", "stocktaking")
    assert sorted(resumed.out.split()) == ["daily", "hourly"]
    assert {schedule["state"] for schedule in (await schedules_of(config)).values()} == {"active"}


async def test_those_that_are_chosen_are_those_that_it_makes_sense_for(config: NAQConfig) -> None:
    await fill(config)

    to_pause = await naq("schedule", "pause", "--all", "--dry-run", "--format", "raw", config=config)
    to_resume = await naq("schedule", "resume", "--all", "--dry-run", "--format", "raw", config=config)
    resumed = await naq("schedule", "resume", "--all", "--yes", config=config)

    assert to_pause.out.split()[0] == "hourly"
    assert to_resume.out.split()[0] == "daily"
    assert resumed == (0, "daily\n", "")


async def test_a_cancelled_schedule_is_gone(config: NAQConfig) -> None:
    await fill(config)

    shown = await naq("schedule", "cancel", "--queue", "mail", "--dry-run", "--format", "json", config=config)
    cancelled = await naq("schedule", "cancel", "daily", "nightly", "--yes", config=config)

    assert [schedule["schedule_id"] for schedule in json.loads(shown.out)] == ["daily"]
    assert (cancelled.code, cancelled.out) == (1, "daily\n")
    assert "there is no schedule nightly" in cancelled.err
    assert list(await schedules_of(config)) == ["hourly"]
    assert (await naq("schedule", "next", "daily", config=config)).code == 4
    assert "⊘ cancelled" in (await naq("schedule", "show", "daily", config=config)).out


async def test_the_page_of_a_cancelled_schedule_does_not_take_its_job_for_broken(config: NAQConfig) -> None:
    await fill(config)
    await naq("schedule", "cancel", "hourly", "--yes", config=config)

    page = await naq("schedule", "show", "hourly", config=config)

    assert "⊘ cancelled" in page.out
    assert "they went with it" in page.out


async def test_cancelling_asks_in_a_terminal(config: NAQConfig) -> None:
    await fill(config)

    refused = await in_terminal(config, "schedule", "cancel", "--all", answer=b"n\n")
    agreed = await in_terminal(config, "schedule", "cancel", "hourly", answer=b"y\n")

    assert (refused.code, refused.out) == (130, "")
    assert "Cancel 2 schedules for good? [y/N]" in refused.err
    assert "every 1 h" in refused.err
    assert (agreed.code, agreed.out) == (0, "hourly\n")
    assert "Cancel 1 schedule for good?" in agreed.err


async def test_a_triggered_schedule_makes_a_job_at_once_without_a_scheduler(config: NAQConfig) -> None:
    await fill(config)
    async with worker_process(config, "-m", MODULE):
        triggered = await naq("schedule", "trigger", "hourly", config=config)
        result = await naq("job", "result", triggered.out.strip(), "--wait-timeout", "10s", config=config)

    assert triggered.out.startswith("hourly-now-")
    assert result.out == "2\n"
    hourly = (await schedules_of(config))["hourly"]
    assert (hourly["ticks"], hourly["lag_ms"], hourly["repeat"]) == (1, None, 9)
    assert (await events_of(config, "hourly"))[-1]["event_type"] == "schedule_triggered"


# What is wrong


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["schedule", "add", ADD], 2, "a schedule needs one of cron, every and at"),
        (
            ["schedule", "add", ADD, "--every", "1s", "--cron", "@daily"],
            2,
            "a schedule needs one of cron, every and at",
        ),
        (["schedule", "add", ADD, "--cron", "1 2 3"], 2, "has 3 fields, expected 5"),
        (["schedule", "add", ADD, "--cron", "0 0 30 2 *"], 2, "names a day that never comes"),
        (
            ["schedule", "add", ADD, "--cron", "@daily", "--timezone", "Mars/One"],
            2,
            "time zone 'Mars/One' is not known",
        ),
        (["schedule", "add", ADD, "--every", "soon"], 2, "expected a span such as 90s"),
        (["schedule", "add", ADD, "--every", "1ms"], 2, "every must be 0.1 to"),
        (["schedule", "add", ADD, "--every", "1s", "--repeat", "often"], 2, "expected a number or 'none'"),
        (["schedule", "add", ADD, "--every", "1s", "--repeat", "0"], 2, "repeat must be 1 to"),
        (["schedule", "add", ADD, "--every", "1s", "--overlap", "maybe"], 2, "'maybe' is not one of"),
        (["schedule", "add", ADD, "--every", "1s", "--id", "hourly"], 2, "schedule hourly is there already"),
        (["schedule", "add", ADD, "--every", "1s", "--id", "x" * 41], 2, "has too long a name"),
        (["schedule", "add", ADD, "--every", "1s", "--replace"], 2, "give it a schedule_id (--id)"),
        (["schedule", "modify", "hourly", "--retries", "-1"], 2, "retries"),
        (["schedule", "modify", "hourly", "--function", "noname"], 2, "'noname' is not the name of a function"),
        (["schedule", "add", "noname", "--every", "1s"], 2, "'noname' is not the name of a function"),
        (["schedule", "modify", "hourly"], 2, "say what is to change"),
        (["schedule", "modify", "hourly", "--args", "1"], 2, "--args: expected an array"),
        (["schedule", "modify", "hourly", "--kwargs", "[1]"], 2, "--kwargs: expected an object"),
        (["schedule", "modify", "nightly", "--every", "1s"], 4, "there is no schedule nightly"),
        (["schedule", "show", "nightly"], 4, "there is no schedule nightly"),
        (["schedule", "show", "a.b"], 2, "schedule 'a.b' is not a valid name"),
        (["schedule", "next", "nightly"], 4, "there is no schedule nightly"),
        (["schedule", "pause", "nightly"], 4, "there is no schedule nightly"),
        (["schedule", "pause"], 2, "name schedules, or else choose: --all"),
        (["schedule", "pause", "hourly", "--all"], 2, "name schedules, or else choose: --all"),
        (["schedule", "pause", "--all"], 2, "there is no terminal to ask on: say --yes"),
        (["schedule", "cancel", "hourly"], 2, "there is no terminal to ask on: say --yes"),
        (["schedule", "trigger", "nightly"], 4, "there is no schedule nightly"),
        (["schedule", "list", "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
        (["enqueue", ADD, "--every", "1s", "--wait"], 2, "--wait does not go with --cron and --every"),
        (["enqueue", ADD, "--cron", "@daily", "--in", "5s"], 2, "--in does not go with --cron and --every"),
        (["enqueue", ADD, "--cron", "@daily", "--after", "x"], 2, "--after does not go with --cron and --every"),
        (["enqueue", ADD, "--timezone", "Europe/Paris"], 2, "--timezone goes with --cron"),
        (["run-scheduler", "--instance-id", "a b"], 2, "instance 'a b' is not a valid name"),
        (["run-scheduler", "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_what_is_wrong_is_said_by_line_and_exit_code(
    config: NAQConfig, arguments: list[str], code: int, message: str
) -> None:
    await fill(config)

    finished = await naq(*arguments, config=config)

    assert (finished.code, finished.out) == (code, "")
    assert message in finished.err
    assert "Traceback" not in finished.err


async def test_where_there_is_no_schedule_the_list_is_empty(config: NAQConfig) -> None:
    table = await naq("schedule", "list", config=config)

    assert (table.code, table.out) == (0, "")
    assert "there are no such schedules" in table.err
    assert (await naq("schedule", "list", "--format", "json", config=config)).out == "[]\n"
