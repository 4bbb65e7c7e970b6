"""Processors as real processes: killed, stopped, sharing their work, and looked at from the shell."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from naq_runtime import EventService, NAQConfig, ServiceManager
from naq_runtime.events.models import JobEventType
from tests.support.processes import naq, started
from tests.support.processing import dead_of
from tests.support.receiver import Reply, Request, receiving
from tests.support.waiting import eventually

DEAD = ("processor", "dead", "hook")

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def processor(
    config: NAQConfig, folder: Path, name: str, *more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running one, once it says that it runs."""
    arguments = ("run-processor", name, *more)
    if (folder / "naq.toml").exists():
        arguments += ("--config", str(folder / "naq.toml"))
    async with started("naq_tui.cli.main", *arguments, config=config, cwd=folder) as process:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            said = ""
            while f"processor {name}: " not in said:
                line = (await process.stderr.readline()).decode()
                assert line, said
                said += line
        yield process


async def log(services: ServiceManager, count: int, start: int = 0) -> set[str]:
    events = await services.get_service(EventService)
    ids = [f"job-{number}" for number in range(start, start + count)]
    for job_id in ids:
        events.job(JobEventType.COMPLETED, job_id=job_id, queue_name="mail")
    await events.flush()
    return set(ids)


def in_file(path: Path) -> list[str]:
    return [json.loads(line)["job_id"] for line in path.read_text().splitlines()] if path.exists() else []


async def test_one_that_is_killed_in_the_middle_loses_nothing(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    with receiving() as receiver:
        (tmp_path / "naq.toml").write_text(
            f'[processors.hook]\nkind = "webhook"\nurl = "{receiver.url}"\nack_wait = 1\nstart = "beginning"\n'
            'filter = { queue_name = "mail" }\nbatch = 7\n'
        )
        ids = await log(services, 1000)

        def got() -> list[str]:
            return [event["job_id"] for request in receiver.requests for event in request.json]

        for enough in (100, 300, 500):
            async with processor(config, tmp_path, "hook") as process:
                await eventually(lambda least=enough: len(got()) >= least, within=20)  # type: ignore[misc]
                process.kill()
                await process.wait()

        async with processor(config, tmp_path, "hook") as process:
            await eventually(lambda: set(got()) >= ids, within=30)
            process.terminate()
            _, err = await process.communicate()

    assert process.returncode == 0
    assert b"processor hook stopped: " in err
    assert len(got()) <= 1000 + 3 * 100  # of each killed one, what it had and had not acknowledged


async def test_two_processes_share_the_work_and_the_one_that_is_left_does_all_of_it(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "naq.toml").write_text(
            '[processors.audit]\nkind = "logfile"\npath = "events"\nack_wait = 1\nbatch = 5\n'
            'filter = { queue_name = "mail" }\nstart = "beginning"\n'
        )
    first, second = tmp_path / "a" / "events", tmp_path / "b" / "events"
    async with (
        processor(config, tmp_path / "a", "audit") as killed,
        processor(config, tmp_path / "b", "audit"),
    ):
        ids = set()
        for round_ in range(20):
            ids |= await log(services, 50, 50 * round_)
        await eventually(lambda: len(in_file(first)) > 0 and len(in_file(second)) > 0)
        killed.kill()
        ids |= await log(services, 500, 1000)
        await eventually(lambda: set(in_file(first) + in_file(second)) == ids, within=20)


async def test_sigterm_lets_what_is_in_work_end_and_what_follows_is_for_the_next(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(
        "import asyncio\n"
        "async def note(stored):\n"
        "    open('begun', 'a').write(stored.event.job_id + '\\n')\n"
        "    await asyncio.sleep(0.5)\n"
        "    open('got', 'a').write(stored.event.job_id + '\\n')\n"
    )
    more = ("--processor", "slow:note", "--filter", "queue_name=mail", "--start", "beginning")
    ids = await log(services, 3)
    async with processor(config, tmp_path, "slow", *more) as process:
        await eventually(lambda: (tmp_path / "begun").exists())
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert (tmp_path / "got").read_text() == (tmp_path / "begun").read_text() == "job-0\n"

    async with processor(config, tmp_path, "slow", *more) as process:
        await eventually(lambda: len((tmp_path / "got").read_text().splitlines()) == 3)
        await eventually(lambda: (tmp_path / "got").read_text() == (tmp_path / "begun").read_text())

    assert sorted((tmp_path / "got").read_text().splitlines()) == sorted(ids)


async def test_sighup_opens_the_file_anew(config: NAQConfig, services: ServiceManager, tmp_path: Path) -> None:
    (tmp_path / "naq.toml").write_text(
        '[processors.audit]\nkind = "logfile"\npath = "events"\nfilter = { queue_name = "mail" }\n'
    )
    path = tmp_path / "events"
    async with processor(config, tmp_path, "audit") as process:
        first = await log(services, 2)
        await eventually(lambda: set(in_file(path)) == first)
        path.rename(tmp_path / "old")
        process.send_signal(signal.SIGHUP)
        second = await log(services, 2, 2)
        await eventually(lambda: set(in_file(path)) == second)
        assert process.returncode is None


async def test_what_is_refused_is_listed_retried_and_deleted(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    with receiving() as receiver:
        refused = {"job-1", "job-2"}

        def judge(request: Request) -> Reply:
            return Reply(422, body=b"no \x1b[31mred") if request.json["job_id"] in refused else Reply()

        receiver.judge = judge
        (tmp_path / "naq.toml").write_text(
            f'[processors.hook]\nkind = "webhook"\nurl = "{receiver.url}"\nfilter = {{ queue_name = "mail" }}\n'
        )

        async def listed() -> list[dict[str, object]]:
            dead: list[dict[str, object]] = json.loads((await naq(*DEAD, "--format", "json", config=config)).out)
            return dead

        async with processor(config, tmp_path, "hook"):
            await log(services, 4)
            await eventually(lambda: len(receiver.requests) == 4)

            async def two() -> bool:
                return len(await listed()) == 2

            await eventually(two)
            shown = await naq(*DEAD, config=config)
            states = json.loads((await naq("processor", "list", "--format", "json", config=config)).out)
            first, second = await listed()
            refused.clear()
            retried = await naq("processor", "retry", "hook", str(first["sequence"]), config=config)
            await eventually(lambda: len(receiver.requests) == 5)
            unsure = await naq("processor", "delete", "hook", "--all", config=config)
            deleted = await naq("processor", "delete", "hook", str(second["sequence"]), "--yes", config=config)
            left = await listed()
        missing = await naq("processor", "retry", "hook", "4711", config=config)
        removed = await naq("processor", "remove", "hook", "--yes", config=config)
        gone = await naq("processor", "remove", "hook", "--yes", config=config)

    assert [state["name"] for state in states] == ["hook"]
    assert (states[0]["running"], states[0]["dead"], states[0]["waiting"]) == (True, 2, 0)
    assert first["error_type"] == "Rejected"
    assert first["attempts"] == 1
    assert first["event"]["job_id"] == "job-1"  # type: ignore[index]
    assert "job.completed job-1" in shown.out
    assert "answered 422" in shown.out
    assert "\x1b" not in shown.out
    assert retried.out.strip() == str(first["sequence"])
    assert receiver.requests[-1].json["job_id"] == "job-1"
    assert unsure.code == 2
    assert (deleted.code, left) == (0, [])
    assert (missing.code, removed.code, gone.code) == (4, 0, 4)


async def test_an_event_that_kills_its_process_again_and_again_becomes_a_dead_event_and_no_other_does(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    (tmp_path / "lethal.py").write_text(
        "import os\n"
        "async def note(events):\n"
        "    for stored in events:\n"
        "        if stored.event.job_id == 'job-3':\n"
        "            os._exit(9)\n"
        "        open('got', 'a').write(stored.event.job_id + '\\n')\n"
    )
    (tmp_path / "naq.toml").write_text(
        '[processors.lethal]\nkind = "function"\nfunction = "lethal:note"\nbatch = 10\nretries = 1\nack_wait = 1\n'
        'start = "beginning"\nfilter = { queue_name = "mail" }\n'
    )
    ids = await log(services, 8)
    deaths = 0

    async def dead() -> list[dict[str, Any]]:
        shown = await naq("processor", "dead", "lethal", "-f", "json", config=config)
        found: list[dict[str, Any]] = json.loads(shown.out)
        return found

    while True:
        async with processor(config, tmp_path, "lethal") as process:
            settled = asyncio.create_task(eventually(lambda: is_done(config, tmp_path, ids), within=30))
            ended = asyncio.create_task(process.wait())
            await asyncio.wait({settled, ended}, return_when=asyncio.FIRST_COMPLETED)
            settled.cancel()
            if not ended.done():
                break
            deaths += 1
            assert deaths < 6

    (one,) = await dead()
    assert (one["event"]["job_id"], one["error_type"]) == ("job-3", "ProcessCrashed")
    assert deaths == 3
    assert set((tmp_path / "got").read_text().split()) == ids - {"job-3"}


async def is_done(config: NAQConfig, folder: Path, ids: set[str]) -> bool:
    """Whether all that can be processed is, and nothing waits."""
    (state,) = json.loads((await naq("processor", "list", "-f", "json", config=config)).out)
    got = set((folder / "got").read_text().split())
    return ids - got == {"job-3"} and (state["dead"], state["waiting"], state["in_work"]) == (1, 0, 0)


async def test_its_log_says_in_plain_words_what_it_does_and_what_a_receiver_answers(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    with receiving() as receiver:
        receiver.judge = lambda request: Reply(500)
        (tmp_path / "naq.toml").write_text(
            f'[processors.hook]\nkind = "webhook"\nurl = "{receiver.url}/in"\nretries = 0\nstart = "beginning"\n'
            'filter = { queue_name = "mail" }\n'
        )
        await log(services, 1)
        async with started("naq_tui.cli.main", "run-processor", "hook", config=config, cwd=tmp_path) as process:
            await eventually(lambda: dead_of(services, "hook"), within=20)
            process.terminate()
            assert process.stderr is not None
            said = (await process.stderr.read()).decode()

    assert f"processor hook: posts to {receiver.url}" in said
    assert re.search(r"processor hook failed with event \d+: http://127\S+ answered 500", said)
    assert "Traceback" not in said


async def test_what_a_function_repeats_of_a_job_is_logged_inert(
    config: NAQConfig, services: ServiceManager, tmp_path: Path
) -> None:
    (tmp_path / "repeating.py").write_text("async def note(stored):\n    raise LookupError(stored.event.text)\n")
    (tmp_path / "naq.toml").write_text(
        '[processors.repeating]\nkind = "function"\nfunction = "repeating:note"\nretries = 0\nstart = "beginning"\n'
        'filter = { queue_name = "mail" }\n'
    )
    events = await services.get_service(EventService)
    evil = "no \x1b]0;pwn\x07 customer\nforged line"
    events.job(JobEventType.LOG, job_id="job-0", queue_name="mail", text=evil)
    await events.flush()

    async with processor(config, tmp_path, "repeating") as process:
        await eventually(lambda: dead_of(services, "repeating"))
        process.terminate()
        assert process.stderr is not None
        said = (await process.stderr.read()).decode()

    assert "LookupError: no " in said
    assert not {"\x1b", "\x07"} & set(said)
    assert "\nforged" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("none",), "there is no [processors.none] in the config (there is hook)"),
        (("hook", "--batch", "5"), "--filter, --batch and --start go with --processor"),
        (("one", "--processor", "nowhere:f"), "setting processors.one.function: nowhere:f cannot be imported"),
        (("one", "--processor", "json:dumps"), "json:dumps is no async function"),
        (("one", "--processor", "x"), "setting processors.one.function: expected a text matching"),
        (("one", "--processor", "asyncio:sleep", "--filter", "color=red"), "setting processors.one.filter: unknown"),
        (("hook",), "setting processors.hook.headers.A: the environment variable HUSH is not set"),
    ],
)
async def test_what_cannot_be_run_is_told_in_one_line(
    config: NAQConfig, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    file = tmp_path / "naq.toml"
    file.write_text('[processors.hook]\nkind = "webhook"\nurl = "http://127.0.0.1:1"\nheaders = { A = "${HUSH}" }\n')

    ended = await naq("run-processor", *arguments, "--config", str(file), config=config)

    assert ended.code == 2
    assert says in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("arguments", [("dead", "nosuch"), ("retry", "nosuch", "--all"), ("remove", "nosuch", "--yes")])
async def test_a_processor_that_there_is_not_is_not_found(config: NAQConfig, arguments: tuple[str, ...]) -> None:
    ended = await naq("processor", *arguments, config=config)

    assert ended.code == 4
    assert "there is no processor nosuch" in ended.err
