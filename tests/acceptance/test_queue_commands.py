"""``naq queue``: how queues stand, and how they are held back and emptied."""

from __future__ import annotations

import json

import pytest

from naq_runtime import Job, NAQConfig, Queue
from tests.acceptance.test_dead_commands import in_terminal
from tests.support import sample_tasks as tasks
from tests.support.processes import naq
from tests.support.workers import running_worker


async def fill(config: NAQConfig) -> None:
    """Queue ``mail`` gets two jobs to add and one to nap, one for later, and one that waits for another."""
    async with Queue("mail", config=config) as queue:
        first = await queue.enqueue(tasks.add, 1)
        await queue.enqueue(tasks.add, 2)
        await queue.enqueue(tasks.nap, 0.0)
        await queue.enqueue_in(3600, tasks.add, 3)
        await queue.enqueue_job(Job(tasks.add, (4,), depends_on=first))


async def queues(config: NAQConfig) -> dict[str, dict[str, object]]:
    finished = await naq("queue", "list", "--format", "json", config=config)
    return {queue["name"]: queue for queue in json.loads(finished.out)}


async def test_queues_are_listed_with_what_waits_and_what_holds_them_back(config: NAQConfig) -> None:
    await fill(config)
    await naq("queue", "limit", "mail", "--concurrency", "4", "--rate", "100/min", config=config)
    await naq("queue", "pause", "mail", "--reason", "no server", config=config)
    async with running_worker(config, "post", name="anna"):
        table = await naq("queue", "list", config=config)
        raw = await naq("queue", "list", "--format", "raw", config=config)
        page = await naq("queue", "show", "mail", config=config)
        found = await queues(config)
        mail = json.loads((await naq("queue", "show", "mail", "--format", "json", config=config)).out)

    header, *rows = table.out.splitlines()
    assert header.split() == ["Queue", "State", "Waiting", "Running", "Scheduled", "Depending", "Workers", "Limits"]
    assert rows[0].split() == ["mail", "‖", "paused", "3", "0", "1", "1", "0", "4", "at", "once", "100/60s"]
    assert rows[1].split() == ["post", "active", "0", "0", "0", "0", "1", "-"]
    assert raw.out.splitlines()[0].split()[:3] == ["mail", "paused", "waiting=3"]
    assert "limits      4 at once  100/60s" in page.out.splitlines()
    assert found["mail"] == mail
    assert (mail["paused"], mail["concurrency_limit"], mail["rate_limit"]) == (True, 4, "100/60s")
    assert (mail["waiting"], mail["scheduled"], mail["depending"], mail["workers"]) == (3, 1, 1, [])
    assert found["post"]["workers"] == ["anna"]


async def test_a_paused_queue_begins_nothing_until_it_is_resumed(config: NAQConfig) -> None:
    async with Queue(config=config) as queue, running_worker(config):
        assert await naq("queue", "pause", "default", "--reason", "no server", config=config) == (0, "", "")
        handle = await queue.enqueue(tasks.add, 1)
        waited = await naq("job", "result", handle.job_id, "--wait-timeout", "500ms", config=config)
        assert await naq("queue", "resume", "default", config=config) == (0, "", "")
        assert await handle.result(timeout=30) == 2

    assert waited.code == 5
    events = await naq("events", "stream", "--no-follow", "--tail", "100", "--format", "json", config=config)
    told = [json.loads(line) for line in events.out.splitlines()]
    paused = next(event for event in told if event["event_type"] == "queue_paused")
    assert (paused["queue_name"], paused["reason"]) == ("default", "no server")


async def test_limits_change_only_where_they_are_said_and_can_be_lifted(config: NAQConfig) -> None:
    async def limits() -> tuple[object, object]:
        mail = (await queues(config))["mail"]
        return mail["concurrency_limit"], mail["rate_limit"]

    await naq("queue", "limit", "mail", "--concurrency", "4", "--rate", "10/30s", config=config)
    assert await limits() == (4, "10/30s")
    await naq("queue", "limit", "mail", "--concurrency", "0", config=config)
    assert await limits() == (0, "10/30s")
    await naq("queue", "limit", "mail", "--rate", "none", config=config)
    assert await limits() == (0, "")


async def test_a_dry_run_shows_what_a_purge_would_cancel(config: NAQConfig) -> None:
    await fill(config)

    plain = await naq("queue", "purge", "mail", "--dry-run", "--format", "raw", config=config)
    everything = ("purge", "mail", "--dry-run", "--scheduled", "--waiting", "--function", "*.add")
    document = json.loads((await naq("queue", *everything, "--format", "json", config=config)).out)
    old = await naq("queue", "purge", "mail", "--dry-run", "--older-than", "1h", config=config)

    assert plain.out.splitlines() == [
        "queued 2 tests.support.sample_tasks.add",
        "queued 1 tests.support.sample_tasks.nap",
    ]
    assert [(group["status"], group["jobs"]) for group in document] == [("queued", 2), ("scheduled", 1), ("waiting", 1)]
    assert old == (0, "", "naq: there are no such jobs\n")
    assert (await queues(config))["mail"]["waiting"] == 3


async def test_a_purge_cancels_what_is_meant_and_prints_how_many(config: NAQConfig) -> None:
    await fill(config)

    some = await naq("queue", "purge", "mail", "--function", "*.nap", "--yes", config=config)
    assert some == (0, "1\n", "")
    rest = await naq("queue", "purge", "mail", "--scheduled", "--waiting", "--yes", config=config)

    mail = (await queues(config))["mail"]
    assert rest.code == 0
    assert (mail["waiting"], mail["scheduled"], mail["depending"]) == (0, 0, 0)


async def test_a_purge_asks_in_a_terminal(config: NAQConfig) -> None:
    await fill(config)

    refused = await in_terminal(config, "queue", "purge", "mail", answer=b"n\n")
    agreed = await in_terminal(config, "queue", "purge", "mail", answer=b"yes\n")

    assert (refused.code, refused.out) == (130, "")
    assert "Cancel these 3 jobs of queue mail? [y/N]" in refused.err
    assert "tests.support.sample_tasks.nap" in refused.err
    assert (agreed.code, agreed.out) == (0, "3\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "nowhere"], 4, "there is no queue nowhere"),
        (["resume", "nowhere"], 4, "there is no queue nowhere"),
        (["purge", "nowhere", "--yes"], 4, "there is no queue nowhere"),
        (["purge", "mail"], 2, "there is no terminal to ask on: say --yes"),
        (["purge", "mail", "--older-than", "x", "--yes"], 2, "expected a span such as 90s"),
        (["pause", "a.b"], 2, "queue 'a.b' is not a valid name"),
        (["limit", "mail"], 2, "say --concurrency, --rate, or both"),
        (["limit", "mail", "--rate", "many"], 2, "'many' is not a rate"),
        (["limit", "mail", "--concurrency", "-1"], 2, "invalid value for '--concurrency'"),
        (["list", "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
    ],
)
async def test_what_is_wrong_is_said_by_line_and_exit_code(
    config: NAQConfig, arguments: list[str], code: int, message: str
) -> None:
    finished = await naq("queue", *arguments, config=config)

    assert (finished.code, finished.out) == (code, "")
    assert message in finished.err
    assert "Traceback" not in finished.err


async def test_where_there_is_no_queue_the_list_is_empty(config: NAQConfig) -> None:
    table = await naq("queue", "list", config=config)

    assert (table.code, table.out) == (0, "")
    assert "there is no queue yet" in table.err
    assert (await naq("queue", "list", "--format", "json", config=config)).out == "[]\n"
