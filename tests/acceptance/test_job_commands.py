"""``naq job`` and what ``naq enqueue`` can ask for, as a shell sees them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from naq_runtime import Job, NAQConfig, Queue
from naq_runtime.job import JobStatus
from tests.acceptance.test_commands import worker_process
from tests.support.processes import naq
from tests.support.waiting import eventually

TASKS = r"""
import asyncio
from pathlib import Path
from naq_runtime import task
from naq_runtime.context import current_job

@task
async def add(left: int, right: int = 1) -> int:
    return left + right

@task
async def bake(loaves: int) -> None:
    job = current_job()
    for done in range(1, loaves + 1):
        job.log(f"loaf {done} is in \x1b[31mthe oven", "WARNING" if done == loaves else "INFO")
    await job.progress(loaves - 1, loaves, "nearly \x9b31m there")
    raise ValueError("the oven \x1b]0;pwn\x07 is cold\nforged line")

@task
async def nap(seconds: float, mark: Path | None = None) -> str:
    if mark:
        mark.touch()
    await asyncio.sleep(seconds)
    return "rested"

@task
async def greet(name: str) -> str:
    return f"hello {name}"

@task
async def csi() -> str:
    return "a\x9b31m\u202eb"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of a user, with a module of tasks."""
    (tmp_path / "bakery.py").write_text(TASKS)
    return tmp_path


async def show(config: NAQConfig, job_id: str) -> dict[str, object]:
    finished = await naq("job", "show", job_id, "--format", "json", config=config)
    assert finished.code == 0, finished.err
    document = json.loads(finished.out)
    assert isinstance(document, dict)
    return document


async def failed_bake(config: NAQConfig, project: Path) -> None:
    """A job ``bread`` that has failed, with one that it depended on."""
    async with worker_process(config, "-m", "bakery", "--name", "baker", cwd=project):
        await naq("enqueue", "bakery.add", "1", "2", "--id", "flour", config=config)
        finished = await naq(
            *("enqueue", "bakery.bake", "4", "--id", "bread", "--after", "flour", "--wait"), config=config
        )
        assert finished.code == 5, finished


async def test_all_about_a_failed_job_on_a_page_without_anything_that_a_terminal_obeys(
    config: NAQConfig, project: Path
) -> None:
    await failed_bake(config, project)

    page = (await naq("job", "show", "bread", config=config)).out
    lines = [line.rstrip() for line in page.splitlines()]

    for expected in (
        "status      ✗ failed  † dead letter",
        "function    bakery.bake",
        "queue       default",
        "attempt     1",
        "worker      baker",
        "Depends on  1 of 1 ended",
        "  ✓ flour  completed",
        "Arguments",
        "  4",
    ):
        assert expected in lines
    assert any("━━" in line and "3/4  75 %" in line and line.endswith("there") for line in lines)
    assert any(line.startswith("  ValueError: the oven ") for line in lines)
    assert "  Traceback (most recent call last):" in lines
    assert any(" WARNING  loaf 4 is in " in line for line in lines)
    assert any("⊕ dep met" in line and line.endswith("flour, completed") for line in lines)
    assert any("✗ failed" in line and "ValueError: the oven" in line for line in lines)
    assert not any(line.startswith("forged") for line in lines)
    assert not set(page) & {"\x1b", "\x07", "\x9b"}


async def test_all_about_a_failed_job_as_one_document(config: NAQConfig, project: Path) -> None:
    before = time.time_ns()
    await failed_bake(config, project)

    bread = await show(config, "bread")

    assert (bread["status"], bread["dead_letter"], bread["attempt"]) == ("failed", True, 1)
    assert (bread["function_name"], bread["queue_name"], bread["worker_id"]) == ("bakery.bake", "default", "baker")
    assert (bread["args"], bread["kwargs"], bread["result"]) == ([4], {}, None)
    assert bread["error_type"] == "ValueError"
    assert bread["depends_on"] == [{"job_id": "flour", "on": "success", "status": "completed", "met": True}]
    assert isinstance(bread["progress"], dict)
    assert (bread["progress"]["done"], bread["progress"]["total"]) == (3, 4)
    for name in ("enqueued_at", "started_at", "finished_at"):
        moment = datetime.fromisoformat(str(bread[name]))
        time_ns = bread[f"{name}_ns"]
        assert isinstance(time_ns, int)
        assert time_ns > before
        assert moment.tzinfo == UTC
        assert round(moment.timestamp() * 1e6) == time_ns // 1000
    events = bread["events"]
    assert isinstance(events, list)
    kinds = [event["event_type"] for event in events]
    assert [kind for kind in kinds if kind not in ("log", "result_fetched")][-3:] == [
        "failed",
        "dead_lettered",
        "result_stored",
    ]
    assert all(datetime.fromisoformat(event["time"]).tzinfo == UTC for event in events)


async def test_the_raw_form_has_a_line_for_each_fact(config: NAQConfig) -> None:
    await naq("enqueue", "bakery.add", "1", "--kwarg", "right=2", "--id", "sum", "--retries", "3", config=config)

    finished = await naq("job", "show", "sum", "--format", "raw", config=config)
    told = [line.partition(" ")[::2] for line in finished.out.splitlines()]

    assert ("status", "queued") in told
    assert ("args", "[1]") in told
    assert ("kwargs", '{"right":2}') in told
    assert ("retries", "3") in told
    assert told[-1][0] == "event"
    assert told[-1][1].split()[1:] == ["enqueued", "bakery.add"]


async def test_a_job_that_waits_tells_what_for(config: NAQConfig) -> None:
    await naq("enqueue", "bakery.add", "1", "--id", "first", config=config)
    await naq("enqueue", "bakery.add", "2", "--id", "second", "--after-any", "first", config=config)

    page = (await naq("job", "show", "second", config=config)).out

    assert "status      ⋯ waiting for other jobs" in page
    assert "Depends on  0 of 1 ended" in page
    assert "  ⋯ first  queued  may end in any way" in page


async def test_the_result_is_printed_as_json_and_can_be_waited_for(config: NAQConfig, project: Path) -> None:
    await naq("enqueue", "bakery.add", "1", "2", "--id", "sum", config=config)
    early = await naq("job", "result", "sum", config=config)
    in_vain = await naq("job", "result", "sum", "--wait-timeout", "300ms", config=config)
    async with worker_process(config, "-m", "bakery", cwd=project):
        waited = await naq("job", "result", "sum", "--wait", "--wait-timeout", "20s", config=config)
        late = await naq("job", "result", "sum", config=config)

    assert (early.code, early.out) == (5, "")
    assert "job sum has not ended, it is queued; --wait waits for it" in early.err
    assert (in_vain.code, in_vain.out) == (5, "")
    assert "has not ended within 0.3 s" in in_vain.err
    assert waited == late == (0, "3\n", "")


async def test_a_job_can_wait_for_one_that_is_to_come(config: NAQConfig, project: Path) -> None:
    early = await naq(
        "enqueue", "bakery.add", "2", "--id", "sum", "--after", "later", "--on-unknown-dependency", "wait",
        config=config,
    )  # fmt: skip
    await naq("enqueue", "bakery.add", "1", "--id", "later", config=config)
    async with worker_process(config, "-m", "bakery", cwd=project):
        finished = await naq("job", "result", "sum", "--wait-timeout", "20s", config=config)

    assert (early.code, finished.out) == (0, "3\n")


async def test_a_result_that_is_text_is_raw_without_quotes(config: NAQConfig, project: Path) -> None:
    async with worker_process(config, "-m", "bakery", cwd=project):
        await naq("enqueue", "bakery.greet", "ada", "--id", "text", "--wait", config=config)
        await naq("enqueue", "bakery.add", "4", "--id", "number", "--wait", config=config)
        await naq("enqueue", "bakery.csi", "--id", "hostile", "--wait", config=config)
    raw = [(await naq("job", "result", i, "-f", "raw", config=config)).out for i in ("text", "number", "hostile")]

    assert raw[:2] == ["hello ada\n", "5\n"]
    assert "\x9b" not in raw[2]
    assert "\u202e" not in raw[2]


async def test_what_a_terminal_would_obey_in_a_result_is_escaped(config: NAQConfig, project: Path) -> None:
    async with worker_process(config, "-m", "bakery", cwd=project):
        finished = await naq("enqueue", "bakery.csi", "--wait", config=config)

    assert finished.out == '"a\\u009b31m\\u202eb"\n'
    assert json.loads(finished.out) == "a\x9b31m\u202eb"


async def test_the_result_of_a_job_that_runs_again_is_that_of_the_new_run(config: NAQConfig, project: Path) -> None:
    await failed_bake(config, project)
    (project / "bakery.py").write_text(TASKS.replace('raise ValueError("the oven', 'return "bread"\n    raise E("'))

    assert (await naq("job", "result", "bread", config=config)).code == 5
    assert await naq("job", "retry", "bread", config=config) == (0, "bread\n", "")
    assert (await naq("job", "result", "bread", config=config)).code == 5
    async with worker_process(config, "-m", "bakery", cwd=project):
        finished = await naq("job", "result", "bread", "--wait-timeout", "20s", config=config)

    assert (finished.code, finished.out) == (0, '"bread"\n')


async def test_jobs_are_cancelled_wherever_they_stand_and_say_by_whom_and_why(config: NAQConfig, project: Path) -> None:
    mark = project / "mark"
    async with worker_process(config, "-m", "bakery", cwd=project):
        await naq("enqueue", "bakery.nap", "60", json.dumps(str(mark)), "--id", "runs", config=config)
        await eventually(mark.exists)
        await naq("enqueue", "bakery.nap", "1", "--in", "1h", "--id", "later", config=config)
        await naq("enqueue", "bakery.nap", "1", "--in", "1h", "--id", "other", config=config)
        await naq("enqueue", "bakery.nap", "1", "--after", "other", "--id", "waits", config=config)

        finished = await naq("job", "cancel", "waits", "later", "runs", "--reason", "ordered twice", config=config)
        result = await naq("job", "result", "runs", "--wait-timeout", "20s", config=config)

    assert finished == (0, "waits\nlater\nruns\n", "")
    assert (result.code, result.out) == (5, "")
    assert "job runs was cancelled: ordered twice" in result.err
    for job_id in ("runs", "later", "waits"):
        document = await show(config, job_id)
        assert document["status"] == "cancelled"
        assert str(document["cancelled_because"]).startswith("ordered twice")
    assert "@" in str(document["cancelled_by"]), "the one that waited"
    assert "ordered twice" in (await naq("job", "show", "runs", config=config)).out


async def test_what_cannot_be_cancelled_or_retried_has_a_line_each(config: NAQConfig) -> None:
    await naq("enqueue", "bakery.add", "1", "--id", "one", config=config)

    mixed = await naq("job", "cancel", "unheard-of", "one", config=config)
    again = await naq("job", "cancel", "one", config=config)
    unknown = await naq("job", "cancel", "unheard-of", "never-was", config=config)
    no_letter = await naq("job", "retry", "one", config=config)

    assert (mixed.code, mixed.out) == (1, "one\n")
    assert mixed.err.splitlines() == [
        "naq: nothing is known of job unheard-of: it never was, or its outcome has expired"
    ]
    assert (again.code, again.out, again.err) == (5, "", "naq: job one had ended already\n")
    assert (unknown.code, len(unknown.err.splitlines())) == (4, 2)
    assert (no_letter.code, no_letter.err) == (4, "naq: there is no dead letter of job one\n")


async def test_the_events_of_a_job_are_its_history(config: NAQConfig) -> None:
    async with Queue(config=config) as queue:
        await queue.enqueue_job(Job("bakery.add", (1,), job_id="one"))

    events = await naq("job", "events", "one", "--format", "json", config=config)
    others = await naq("job", "events", "one", "--filter", "!type:enqueued", "--format", "json", config=config)

    assert others.out == "[]\n"
    assert events == await naq("events", "history", "one", "--format", "json", config=config)
    assert [event["event_type"] for event in json.loads(events.out)] == ["enqueued"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "unheard-of"], 4, "nothing is known of job unheard-of"),
        (["show", "a b"], 2, "job id 'a b' is not a valid name"),
        (["show", "*"], 2, "job id '*' is not a valid name"),
        (["show", "one", "--server", "nats://127.0.0.1:1"], 3, "connection refused"),
        (["show"], 2, "missing argument 'ID'"),
        (["result", "unheard-of", "--wait"], 4, "nothing is known of job unheard-of"),
        (["result", "one", "--wait-timeout", "soon"], 2, "expected a span such as 90s"),
        (["cancel", "one", "*"], 2, "job id '*' is not a valid name"),
        (["retry", "*"], 2, "job id '*' is not a valid name"),
        (["events", "unheard-of"], 4, "no events of job unheard-of"),
    ],
)
async def test_what_is_wrong_is_said_by_line_and_exit_code(
    config: NAQConfig, arguments: list[str], code: int, message: str
) -> None:
    finished = await naq("job", *arguments, config=config)

    assert (finished.code, finished.out) == (code, "")
    assert message in finished.err
    assert "Traceback" not in finished.err


async def test_a_job_that_stores_no_outcome_is_not_waited_for(config: NAQConfig) -> None:
    await naq("enqueue", "bakery.add", "1", "--id", "mute", "--result-ttl", "0", config=config)

    finished = await naq("job", "result", "mute", "--wait", config=config)

    assert finished.code == 4
    assert "stores no outcome" in finished.err


# What a job is enqueued with


async def enqueued(config: NAQConfig, *arguments: str) -> dict[str, object]:
    finished = await naq("enqueue", "bakery.add", "1", "--id", "one", *arguments, config=config)
    assert finished == (0, "one\n", "")
    return await show(config, "one")


async def test_a_job_for_later_is_scheduled(config: NAQConfig) -> None:
    now_ns = time.time_ns()

    document = await enqueued(config, "--in", "1h30m")

    assert document["status"] == JobStatus.SCHEDULED
    assert isinstance(document["run_at_ns"], int)
    assert 5400 <= (document["run_at_ns"] - now_ns) / 1e9 < 5430
    page = (await naq("job", "show", "one", config=config)).out
    assert " in 1 h 29 m" in page or " in 1 h 30 m" in page


async def test_a_job_for_a_moment_is_scheduled_for_it(config: NAQConfig) -> None:
    year = datetime.now(UTC).year + 1

    document = await enqueued(config, "--at", f"{year}-06-01T12:00+02:00")

    assert document["status"] == JobStatus.SCHEDULED
    assert document["run_at"] == f"{year}-06-01T10:00:00.000000Z"


async def test_a_moment_that_is_over_means_at_once(config: NAQConfig) -> None:
    assert (await enqueued(config, "--at", "2020-01-01T00:00Z"))["status"] == JobStatus.QUEUED


async def test_limits_of_a_job_reach_it(config: NAQConfig) -> None:
    limits = ("--retries", "3", "--time-limit", "90s", "--result-ttl", "2h")

    document = await enqueued(config, *limits, "--unique-key", "a b", "--unique-for", "10m")

    assert [document[name] for name in ("retries", "timeout", "result_ttl")] == [3, 90.0, 7200.0]
    assert [document[name] for name in ("unique_key", "unique_for")] == ["a b", 600.0]
    other = await naq("enqueue", "bakery.add", "2", "--unique-key", "a b", "--unique-for", "10m", config=config)
    assert (other.code, other.out) == (2, "")
    assert "the unique key 'a b' is taken by job one" in other.err


async def test_what_a_job_depends_on_decides_whether_it_runs(config: NAQConfig, project: Path) -> None:
    async with worker_process(config, "-m", "bakery", cwd=project):
        for job_id, function in (("good", "bakery.add"), ("bad", "bakery.bake")):
            await naq("enqueue", function, "1", "--id", job_id, "--in", "1s", config=config)
        await naq("enqueue", "bakery.add", "1", "--id", "a", "--after", "good", config=config)
        await naq("enqueue", "bakery.add", "2", "--id", "b", "--after-failure", "bad", "--after", "good", config=config)
        await naq("enqueue", "bakery.add", "3", "--id", "c", "--after-any", "bad", config=config)
        never = await naq("enqueue", "bakery.add", "4", "--after-failure", "good", "--wait", config=config)
        results = [await naq("job", "result", job_id, "--wait-timeout", "20s", config=config) for job_id in "abc"]

    assert [result.out for result in results] == ["2\n", "3\n", "4\n"]
    assert (never.code, never.out) == (5, "")
    assert "was cancelled: job good completed, and failure was asked for" in never.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--in", "soon"], "expected a span such as 90s, 5m, 2h, 1d or 1h30m, got 'soon'"),
        (["--at", "2026-03-01T10:00"], "does not say its zone"),
        (["--in", "5m", "--at", "10:00"], "the time is said twice"),
        (["--after", "x", "--after-any", "x"], "named twice among the dependencies"),
        (["--after", "unheard-of"], "job unheard-of is not known"),
        (["--after", "a b"], "job id 'a b' is not a valid name"),
        (["--retries", "-1"], "retries must be 0 to"),
        (["--unique-key", "x"], "--unique-key and --unique-for go together"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(config: NAQConfig, arguments: list[str], message: str) -> None:
    finished = await naq("enqueue", "bakery.add", "1", *arguments, config=config)

    assert (finished.code, finished.out) == (2, "")
    assert message in " ".join(finished.err.split())


async def test_jobs_are_found_by_what_they_are(config: NAQConfig, project: Path) -> None:
    async with worker_process(config, "-m", "bakery", cwd=project):
        await naq("enqueue", "bakery.add", "20", "22", "--id", "sum", "--wait", config=config)
        await naq("enqueue", "bakery.bake", "2", "--id", "bread", "--wait", config=config)
        await naq("enqueue", "bakery.add", "1", "--id", "later", "--in", "1h", config=config)

        dead = await naq("job", "find", "state:dead", "--format", "raw", config=config)
        by_argument = await naq("job", "find", "args:22", "--format", "json", config=config)
        table = await naq("job", "find", config=config)
        first = await naq("job", "find", "--limit", "1", "--format", "raw", config=config)
        nothing = await naq("job", "find", "queue:other", config=config)

    assert dead.out.startswith("bread dead default bakery.bake ValueError: the oven")
    assert "\x1b" not in dead.out
    assert dead.out.count("\n") == 1
    (document,) = json.loads(by_argument.out)
    assert [document[name] for name in ("job_id", "state", "arguments")] == ["sum", "completed", "20, 22"]
    assert [line.split()[3] for line in table.out.splitlines()[1:]] == ["later", "bread", "sum"]
    assert (first.out.count("\n"), "there may be older ones" in first.err) == (1, True)
    assert (nothing.out, nothing.err) == ("", "naq: there are no such jobs\n")


async def test_a_filter_of_jobs_with_a_mistake_is_refused(config: NAQConfig) -> None:
    finished = await naq("job", "find", "state:lost", config=config)

    assert (finished.code, finished.out) == (2, "")
    assert "unknown state 'lost'" in finished.err


async def test_why_a_job_waits_is_told_with_how_that_is_known(config: NAQConfig) -> None:
    await naq("enqueue", "bakery.add", "1", "--id", "first", config=config)
    await naq("queue", "pause", "default", "--reason", "the oven is cold", config=config)
    await naq("enqueue", "bakery.add", "1", "--after", "first", "--id", "second", config=config)

    page = (await naq("job", "show", "first", config=config)).out
    document, waits = await show(config, "first"), await show(config, "second")
    reasons = document["waits_because"]

    assert "‖ the queue default is paused  since " in page
    assert 'ago: "the oven is cold"' in page
    assert isinstance(reasons, list)
    assert [reason["cause"] for reason in reasons] == ["paused", "worker"]
    assert waits["waits_because"] == [
        {"cause": "jobs", "text": "job first must complete first", "evidence": "it is queued"}
    ]
