"""``naq events stats`` as a shell sees it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import pytest

from naq_runtime import Job, NAQConfig, Queue, ServiceManager
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.models import Event
from naq_runtime.nats.publish import Outgoing, open_writer
from naq_runtime.services.statistics import writer_of
from tests.support.counted import job_event
from tests.support.processes import naq

MINUTE_NS = 60 * 10**9


async def store(config: NAQConfig, events: Sequence[Event], *, rolled_up: bool = False) -> None:
    async with ServiceManager(config) as services:
        stream = await services.topology.events()
        writer = await open_writer(services.connection, fast=stream.fast_ingest)
        await writer.store([Outgoing(event_subject(config.names, one), encode_event(one)) for one in events])
        await writer.close()
        if rolled_up:
            await writer_of(services, ahead_ns=2 * MINUTE_NS).catch_up()


def history(*, minutes_ago: int = 30) -> list[Event]:
    """Ten jobs of two queues at two workers; the durations are 100 ms to 1 s, and one has failed."""
    at_ns = time.time_ns() - minutes_ago * MINUTE_NS
    events: list[Event] = []
    for number in range(10):
        about = {"queue_name": "mail" if number < 6 else "print", "function_name": "shop.send"}
        worked = about | {"worker_id": f"w{number % 2}"}
        kind = "failed" if number == 9 else "completed"
        events += [
            job_event("enqueued", at_ns, **about),
            job_event("started", at_ns, wait_ms=20.0, **worked),
            job_event(kind, at_ns, duration_ms=100.0 * (number + 1), **worked),
        ]
    return events


@pytest.mark.parametrize("rolled_up", [False, True], ids=["without a leader", "rolled up"])
async def test_by_queue_and_worker_each_has_its_line_and_all_come_last(config: NAQConfig, rolled_up: bool) -> None:
    await store(config, history(), rolled_up=rolled_up)

    finished = await naq("events", "stats", "--hours", "24", "--by-queue", "--by-worker", config=config)

    header, *rows = [line.split() for line in finished.out.splitlines()]
    assert (finished.code, finished.err) == (0, "")
    assert header[:9] == [
        "Queue",
        "Worker",
        "Enqueued",
        "Started",
        "Completed",
        "Errors",
        "Retried",
        "Cancelled",
        "Dead",
    ]
    assert sorted(row[:6] for row in rows[:-1]) == [
        ["mail", "-", "6", "0", "0", "0"],
        ["mail", "w0", "0", "3", "3", "0"],
        ["mail", "w1", "0", "3", "3", "0"],
        ["print", "-", "4", "0", "0", "0"],
        ["print", "w0", "0", "2", "2", "0"],
        ["print", "w1", "0", "2", "1", "1"],
    ]
    assert rows[-1][:10] == ["(all)", "-", "10", "10", "9", "1", "0", "0", "0", "10.0%"]
    assert " ".join(rows[-1][10:]).startswith("20 ms 20 ms 20 ms")


@pytest.mark.parametrize("rolled_up", [False, True], ids=["without a leader", "rolled up"])
async def test_with_a_filter_only_what_matches_is_counted(config: NAQConfig, rolled_up: bool) -> None:
    await store(config, history(), rolled_up=rolled_up)

    long = await naq(
        "events", "stats", "--filter", "duration>=800ms worker:w1", "--by-queue", "-f", "raw", config=config
    )
    none = await naq("events", "stats", "--filter", "queue:nosuch", config=config)

    assert [line.split()[:10] for line in long.out.splitlines()] == [
        ["print", "0", "0", "1", "1", "0", "0", "0", "50.0%", "-"],
        ["(all)", "0", "0", "1", "1", "0", "0", "0", "50.0%", "-"],
    ]
    assert (long.code, long.err) == (0, "")
    assert (none.code, none.err) == (0, "naq: no such event of that time is in the log of this namespace\n")


async def test_as_json_all_that_is_known_is_one_document(config: NAQConfig) -> None:
    await store(config, history())

    finished = await naq("events", "stats", "--by-function", "--format", "json", config=config)

    said = json.loads(finished.out)
    assert said["total"]["completed"] == 9
    assert said["total"]["types"] == {"job.enqueued": 10, "job.started": 10, "job.completed": 9, "job.failed": 1}
    assert said["total"]["failure_share"] == pytest.approx(0.1)
    assert said["total"]["run"]["p50_ms"] == pytest.approx(500, rel=0.01)
    assert said["total"]["run"]["max_ms"] == 1000
    assert [group["function"] for group in said["groups"]] == ["shop.send"]
    assert "queue" not in said["groups"][0]
    assert (said["is_exact"], said["gaps"]) == (True, [])
    assert said["until_ns"] - said["since_ns"] == 24 * 3600 * 10**9


async def test_only_what_happened_in_the_time_that_was_asked_for_is_counted(config: NAQConfig) -> None:
    await store(config, [*history(minutes_ago=90), *history(minutes_ago=30)[:3]])

    lately, before = await asyncio.gather(
        naq("events", "stats", "--since", "1h", "--format", "raw", config=config),
        naq("events", "stats", "--since", "2h", "--until", "1h", "--format", "raw", config=config),
    )

    assert lately.out.split()[:4] == ["1", "1", "1", "0"]
    assert before.out.split()[:4] == ["10", "10", "9", "1"]


async def test_by_type_every_type_of_event_is_counted(config: NAQConfig) -> None:
    await store(config, history())

    finished = await naq("events", "stats", "--by-type", "--by-queue", "--format", "raw", config=config)

    lines = finished.out.splitlines()
    assert "mail job.completed 6" in lines
    assert "print job.failed 1" in lines
    assert "(all) job.enqueued 10" in lines


async def test_names_of_others_are_printed_inert(config: NAQConfig) -> None:
    at_ns = time.time_ns()
    await store(config, [job_event("started", at_ns, function_name="\x1b[31m[bold]evil\n")])

    for form in ("table", "raw", "json"):
        finished = await naq("events", "stats", "--by-function", "--format", form, config=config)
        assert "evil" in finished.out
        assert "\x1b" not in finished.out


async def test_of_nothing_there_is_nothing_to_say(config: NAQConfig) -> None:
    finished = await naq("events", "stats", "--format", "raw", config=config)

    assert (finished.code, finished.out.split()[:7]) == (0, ["0"] * 7)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--hours", "0"),
        ("--hours", "-1"),
        ("--since", "soon"),
        ("--since", "1h", "--until", "2h"),
        ("--hours", "1", "--since", "2h"),
        ("--hours", "x"),
    ],
)
async def test_a_time_that_makes_no_sense_is_a_usage_error(config: NAQConfig, arguments: tuple[str, ...]) -> None:
    finished = await naq("events", "stats", *arguments, config=config)

    assert (finished.code, finished.out) == (2, "")
    assert finished.err


async def test_what_was_lost_before_it_was_counted_is_said_beside_the_answer(config: NAQConfig) -> None:
    await store(config, history())
    async with ServiceManager(config) as services:
        await services.streams.delete(config.names.events_stream, range(1, 11))

    finished = await naq("events", "stats", "--format", "raw", config=config)

    assert finished.out.split()[0] == "6"
    assert "10 events, 1 to 10, were gone before they could be counted" in finished.err


# How the queues do


async def test_the_stats_of_the_queues_have_a_line_each_with_what_waits(config: NAQConfig) -> None:
    await store(config, history(minutes_ago=2))
    async with Queue("idle", config=config) as queue:
        await queue.enqueue_many(Job("shop.send", (number,)) for number in range(3))

    table = await naq("stats", config=config)
    lately = await naq("stats", "--window", "1m", "-f", "raw", config=config)
    functions = await naq("stats", "--by", "function", "-f", "json", config=config)

    assert [line.split()[:7] for line in table.out.splitlines()] == [
        ["Queue", "Waiting", "Running", "Enqueued", "Started", "Completed", "Errors"],
        ["idle", "3", "0", "3", "0", "0", "0"],
        ["mail", "0", "0", "6", "6", "6", "0"],
        ["print", "0", "0", "4", "4", "3", "1"],
        ["(all)", "3", "0", "13", "10", "9", "1"],
    ]
    waiting = ["3", "0", "3"]
    assert [line.split()[:4] for line in lately.out.splitlines()] == [["idle", *waiting], ["(all)", *waiting]]
    group = json.loads(functions.out)["groups"][0]
    assert (group["function"], group["enqueued"], "waiting" in group) == ("shop.send", 13, False)


async def test_what_holds_of_the_conditions_is_said_and_ends_with_5(config: NAQConfig) -> None:
    await store(config, history(minutes_ago=2))
    holding = ("--fail-if", "failed_rate>5%", "--fail-if", "run_p95{queue=print} > 500ms")

    bad = await naq("stats", *holding, "--fail-if", "failures{queue=mail} > 0", "-f", "raw", config=config)
    few = await naq("stats", *holding, "--min-samples", "20", config=config)
    before = await naq("stats", *holding, "--window", "1m", config=config)
    elsewhere = await naq("stats", "--fail-if", "queue_depth{queue=mial} > 0", config=config)

    assert (bad.code, len(bad.out.splitlines())) == (5, 3)
    assert bad.err.splitlines() == [
        "naq: failed_rate{queue=print} is 25 %, > 5 %",
        "naq: run_p95{queue=print} is 1.00 s, > 500 ms",
    ]
    assert [one.code for one in (few, before, elsewhere)] == [0, 0, 0]
    assert few.err == ""
    assert elsewhere.err == "naq: there is no queue mial, which --fail-if names\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail-if", "failed_rate>5"], "column 13: expected a share such as 5%"),
        (["--fail-if", "failed_rate > 5% for 2m"], "column 18: expected the end"),
        (["--fail-if", "failed_rate > 5%", "--window", "2h"], "column 13: expected a window from 10s to 1h"),
        (["--window", "soon"], "expected a span such as 90s"),
        (["--watch", "10ms"], "expected 0.1 s or more"),
    ],
)
async def test_a_condition_that_makes_no_sense_ends_with_2_before_the_server_is_asked(
    options: list[str], message: str
) -> None:
    finished = await naq("stats", *options, "--server", "nats://127.0.0.1:1")

    assert (finished.code, finished.out) == (2, "")
    assert message in finished.err
