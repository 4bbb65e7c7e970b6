"""The examples in ``docs/processors.md`` do what it says there that they do."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import fields

from naq_runtime import EventService, NAQConfig, ServiceManager
from naq_runtime.events.models import JobEventType
from tests.support.processes import ROOT, environment, naq
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import eventually

PAGE = (ROOT / "docs" / "processors.md").read_text(encoding="utf-8")
PRINTED = {"invoices": b"charged j1", "traces": b'"name": "job shop.send"'}
SECRETS = {"HOOK_TOKEN": "tok-1", "HOOK_SECRET": "hush", "OTEL_TRACES_EXPORTER": "console"}

pytestmark = pytest.mark.timeout(120)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Has the module and the config of the page."""
    (tmp_path / "billing.py").write_text(blocks("python")[0])
    (tmp_path / "naq.toml").write_text("\n".join(blocks("toml")))
    return tmp_path


@asynccontextmanager
async def running(*command: str, config: NAQConfig, folder: Path) -> AsyncIterator[Process]:
    env = environment(config, SECRETS) | {"NAQ_TRACING_ENABLED": "0"}
    with (folder / "err").open("wb") as err:
        process = await create_subprocess_exec(sys.executable, *command, stdout=PIPE, stderr=err, cwd=folder, env=env)
    try:
        yield process
    finally:
        process.terminate()
        assert await process.wait() == (0 if "-m" in command else -15), (folder / "err").read_text()


async def story(services: ServiceManager) -> None:
    """A job that completed, one that is not to be charged, and one that failed."""
    events = await services.get_service(EventService)
    for job_id, ended in (("j1", "completed"), ("gift-1", "completed"), ("j2", "failed")):
        common = {"job_id": job_id, "queue_name": "mail", "function_name": "shop.send"}
        events.job(JobEventType.ENQUEUED, **common)
        events.job(JobEventType.STARTED, **common, wait_ms=5.0)
        events.job(JobEventType(ended), **common, duration_ms=5.0, final=True)
    events.job(JobEventType.DEAD_LETTERED, job_id="j2", queue_name="mail")
    await events.flush()


@pytest.mark.parametrize("how", ["python", "sh"])
async def test_the_function_of_the_page_charges_once_what_is_to_be_charged(
    config: NAQConfig, services: ServiceManager, folder: Path, how: str
) -> None:
    (folder / "naq.toml").unlink()
    command = ["billing.py"]
    if how == "sh":
        command = ["-m", "naq_tui.cli.main", *shlex.split(blocks("sh")[0])[1:]]
    await story(services)

    async with running(*command, config=config, folder=folder) as process:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()

        async def refused() -> bool:
            dead = json.loads((await naq("processor", "dead", "billing", "--format", "json", config=config)).out)
            return [one["error_message"] for one in dead] == ["gifts are free"]

        await eventually(refused, within=20)

    assert re.fullmatch(r"charged j1, event \d+ of the log\n", line)


@pytest.mark.parametrize("name", list(tomllib.loads("\n".join(blocks("toml")))["processors"]))
async def test_a_processor_of_the_page_runs_and_processes(
    config: NAQConfig, services: ServiceManager, folder: Path, name: str
) -> None:
    with receiving() as receiver:
        text = (folder / "naq.toml").read_text().replace("https://hooks.example.com", receiver.url)
        (folder / "naq.toml").write_text(text)
        async with running("-m", "naq_tui.cli.main", "run-processor", name, config=config, folder=folder) as process:
            await eventually(lambda: f"processor {name}: " in (folder / "err").read_text(), within=20)
            await story(services)
            if name in PRINTED:
                await said(PRINTED[name], process)
            else:
                await eventually(lambda: did(name, folder, receiver), within=20)

    assert not [secret for secret in ("tok-1", "hush") if secret in (folder / "err").read_text()]


def did(name: str, folder: Path, receiver: Receiver) -> bool:
    """Whether it has done what it is for."""
    if name == "alerts":
        return [(one.path, one.json["job_id"], one.headers["authorization"]) for one in receiver.requests] == [
            ("/services/tok-1", "j2", "Bearer tok-1")
        ]
    path = folder / ("paged.jsonl" if name == "page" else "audit.jsonl")
    types = [json.loads(line)["event_type"] for line in path.read_text().splitlines()] if path.exists() else []
    return types == ["dead_lettered"] if name == "page" else types.count("enqueued") == 3


async def said(wanted: bytes, process: Process) -> None:
    """Wait for a line that it prints."""
    assert process.stdout is not None
    while wanted not in (line := await process.stdout.readline()):
        assert line


async def test_every_command_of_the_page_is_there() -> None:
    text = "".join(blocks("sh"))

    for command in set(re.findall(r"^naq (processor \w+|[\w-]+)", text, re.MULTILINE)):
        assert (await naq(*command.split(), "--help")).code == 0, command


def test_every_metric_and_setting_is_described() -> None:
    from naq_runtime.processors import settings

    for kind in (
        settings.WebhookSettings,
        settings.CommandSettings,
        settings.LogFileSettings,
        settings.FunctionSettings,
    ):
        for field in fields(kind):
            assert field.name in PAGE, field.name
    code = "".join(
        (ROOT / "naq_runtime" / "prometheus" / f"{name}.py").read_text() for name in ("counting", "standing")
    )
    for metric in re.findall(r'"(naq_\w+)"', code):
        assert f"`{metric}" in PAGE, metric
