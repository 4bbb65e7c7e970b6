"""The scripts in ``docs/scripts.md`` do what it says there that they do."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from naq_runtime import Job, NAQConfig, Queue
from tests.acceptance.test_commands import worker_process
from tests.support.processes import ROOT, Finished, environment, naq
from tests.support.waiting import eventually

PAGE = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
MAIL = '#!/bin/sh\n{ echo "to $3: $2"; cat; } >>"$MAILBOX"\n'

pytestmark = pytest.mark.timeout(120)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


SCRIPTS = {name: text for text in blocks("sh") for name in re.findall(r"^# (\w+\.sh)\b", text, re.MULTILINE)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Has the module and the scripts of the page, and a program that keeps mails."""
    (tmp_path / "shop.py").write_text(blocks("python")[0])
    for name, text in {**SCRIPTS, "mail": MAIL}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.fixture
async def worker(config: NAQConfig, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    async with worker_process(config, "default", "mail", "-m", "shop", cwd=folder) as process:
        yield process


async def started(config: NAQConfig, folder: Path, command: str) -> asyncio.subprocess.Process:
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = environment(config, {"PATH": path, "MAILBOX": str(folder / "mailbox")})
    return await create_subprocess_exec(
        "sh", "-c", command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=folder, env=env, start_new_session=True
    )


async def run(config: NAQConfig, folder: Path, command: str) -> Finished:
    process = await started(config, folder, command)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


async def test_a_backup_can_be_imported_and_old_ones_go(config: NAQConfig, folder: Path) -> None:
    await naq("enqueue", "shop.ready", config=config)
    old = folder / "2020-01-01.jsonl.zst"
    old.touch()
    os.utime(old, (0, 0))

    finished = await run(config, folder, "backup.sh .")
    (backup,) = folder.glob("*.jsonl.zst")
    imported = await naq("events", "import", str(backup), "--namespace", f"{config.namespace}x", config=config)

    assert finished.code == 0, finished.err
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.jsonl\.zst", backup.name)
    assert re.search(r"^naq: [1-9]\d* events? imported, 0 were", imported.err), imported.err


async def test_a_deployment_fails_when_it_is_not_fit(
    config: NAQConfig, folder: Path, worker: asyncio.subprocess.Process
) -> None:
    fit = await run(config, folder, "check.sh")
    await naq("enqueue", "shop.send", "ada", "--queue", "mail", "--wait", config=config)
    unfit = await run(config, folder, "check.sh")

    assert (fit.code, fit.out.splitlines()[0]) == (0, '"ready"')
    assert unfit.code == 5
    assert "naq: failed_rate{queue=mail} is 100 %, > 20 %" in unfit.err


async def test_a_queue_is_waited_for_and_a_report_says_how_it_went(
    config: NAQConfig, folder: Path, worker: asyncio.subprocess.Process
) -> None:
    good, bad = await run(config, folder, "report.sh monday"), await run(config, folder, "report.sh sunday")
    away = await run(config, folder, "NAQ_NATS_URL=nats://127.0.0.1:1 report.sh monday")
    drained = await run(config, folder, "drained.sh default")

    assert (good.code, good.out) == (0, "42 rows\n")
    assert (bad.code, bad.err.splitlines()[-1]) == (
        1,
        "the report of sunday has failed, or takes more than ten minutes",
    )
    assert (away.code, away.err.splitlines()[-1]) == (75, "try again later")
    assert drained == (0, "", "")


async def test_what_failed_for_good_is_mailed_and_gets_another_chance(
    config: NAQConfig, folder: Path, worker: asyncio.subprocess.Process
) -> None:
    mailing = await started(config, folder, "mails.sh ops@example.com")
    mailbox = folder / "mailbox"
    try:
        number = 0

        async def mailed() -> bool:  # the first ones may come before it listens
            nonlocal number
            number += 1
            await naq("enqueue", "shop.send", "ada", "-q", "mail", "--id", f"m{number}", "--wait", config=config)
            return mailbox.exists() and mailbox.read_text().count("\n") >= 2

        await eventually(mailed, within=30)
    finally:
        os.killpg(mailing.pid, 15)
        await mailing.communicate()
    again = await run(config, folder, "again.sh")

    assert re.search(r"^to ops@example\.com: dead_lettered: m\d+\n.*ConnectionError", mailbox.read_text())
    assert sorted(again.out.split()) == sorted(f"m{one}" for one in range(1, number + 1))


async def test_long_queues_are_named_and_a_record_is_kept(config: NAQConfig, folder: Path) -> None:
    async with Queue("long", config=config) as long, Queue("short", config=config) as short:
        await long.enqueue_many(Job("shop.ready") for _ in range(101))
        await short.enqueue_many(Job("shop.ready") for _ in range(100))
    watching = re.findall(r"`(naq queue list --watch.*)`", PAGE)[0].replace("10s", "0.2s")

    named = await run(config, folder, "depths.sh")
    await run(config, folder, f"timeout -s INT 3 {watching}")

    assert named == (0, "long 101\n", "")
    lines = [json.loads(line) for line in (folder / "depths.jsonl").read_text().splitlines()]
    assert len(lines) >= 2
    assert {one["name"]: one["waiting"] for one in lines[-1]} == {"long": 101, "short": 100}


async def test_the_crontab_is_silent_while_all_is_well(config: NAQConfig, folder: Path) -> None:
    await naq("enqueue", "shop.ready", config=config)
    lines = [line for line in blocks("cron")[0].splitlines() if not line.startswith("NAQ_")]

    for line in lines:
        command = line.split(maxsplit=5)[5].replace("/var/backups/naq", ".")
        finished = await run(config, folder, command)
        assert (finished.code, finished.out) == (0, ""), line
        assert re.fullmatch(r"(naq: \d+ events exported\n)?", finished.err), line


def test_every_script_of_the_page_is_run() -> None:
    here = Path(__file__).read_text(encoding="utf-8")

    assert len(SCRIPTS) == len(blocks("sh"))
    for name in SCRIPTS:
        assert f'"{name}' in here or f" {name}" in here
