"""Every command ends with the exit code of what went wrong, and says so in a line or two.

A command is called as its own example says, so that a new one is among them.
"""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
import pytest

from naq_runtime import Job, NAQConfig, ServiceManager
from naq_runtime.events.archive import ArchiveHeader, ArchiveWriter
from naq_runtime.nats.bucket import LeaseBucket
from naq_runtime.nats.connection import Msg
from naq_runtime.services.jobs import JobService
from naq_runtime.worker.record import WorkerRecord, WorkerState, encode_worker
from naq_tui.cli import main
from naq_tui.cli.tree import Command, commands
from tests.support.in_process import called, called_top
from tests.support.processes import Finished, naq, started
from tests.support.server import SharedServer
from tests.support.waiting import eventually

ALL = {command.name: command for command in commands()}
WITHOUT_SERVER = {"naq alerts check", "naq config check", "naq config show", "naq server"}
"""Those that ask none."""
SERVICES = {"naq run-worker", "naq run-scheduler", "naq run-processor", "naq metrics", "naq server"}
"""Those that run until they are told to end, which is no failure: they are processes here, as they set up signals."""
WAITING = {
    "naq enqueue": "shop.remind 17 --wait",
    "naq job result": "waiting --wait",
    "naq worker stop": "anna --wait",
    "naq events stream": "",
    "naq job events": "waiting --follow",
    "naq events history": "waiting --follow",
    "naq worker events": "anna",
    **{
        f"naq {name}": "--watch"
        for name in (
            *(
                "job find",
                "job list",
                "dead list",
                "schedule list",
                "queue list",
                "worker list",
                "alerts list",
                "stream list",
            ),
            "stats",
        )
    },
}
"""Those that may go on for ever, and so that they do."""
REPORTING = {"naq doctor"}
"""Those whose data say what was wrong."""
MADE_BY_NAME = {"naq queue pause": 0, "naq queue limit": 0}
"""Those that make what they are told of when it is not there yet."""
OF_THE_CONFIG = {"naq run-processor": 2}
"""Those whose names are a mistake in the command line when the config does not have them."""
ANNA = encode_worker(
    WorkerRecord(
        worker_id="anna",
        state=WorkerState.IDLE,
        hostname="build-7",
        pid=1,
        queue_names=("mail",),
        concurrency_limit=1,
        started_at_ns=1,
        beat_at_ns=1,
        heartbeat_interval=10,
    )
)
"""A worker that says yes to everything, and does nothing."""
CONFIG = '[processors.audit]\nkind = "logfile"\npath = "audit.jsonl"\n'


def each(names: Iterable[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("command", [ALL[name] for name in names], ids=lambda command: command.name)


def has_name(command: Command) -> bool:
    """Whether its first argument names something that must be there."""
    first = next(iter(command.arguments), None)
    return first is not None and first.human_readable_name.strip("[].") in ("ID", "NAME")


def filter_of(command: Command) -> list[str]:
    """A filter that nobody understands, where it takes one."""
    if command.has("--filter"):
        return ["--filter", "duration>)"]
    return ["duration>)"] if any("FILTER" in one.human_readable_name for one in command.arguments) else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Has what the examples name."""
    (tmp_path / "naq.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "tasks.py").touch()
    record(tmp_path / "incident.jsonl.zst")
    return tmp_path


@pytest.fixture(scope="module")
def closed_server() -> Iterator[SharedServer]:
    """A server that lets nobody in without a password."""
    with SharedServer('authorization { user: "ada", password: "secret" }') as running:
        yield running


def as_in_example(command: Command) -> list[str]:
    """What follows the name of a command; without a question, and where it needs no terminal."""
    words = shlex.split(command.example)[len(command.name.split()) :]
    for option in ("--yes", "--once"):
        if command.has(option):
            words.append(option)
    return words


def record(file: Path) -> None:
    """Write a recording that has no event."""
    with file.open("wb") as opened:
        ArchiveWriter(opened, ArchiveHeader(naq_events=1, namespace="naq"), compress=True).end(complete=True)


async def end_of(command: Command, *arguments: str, config: NAQConfig | None = None, folder: Path) -> Finished:
    """How a call ends."""
    words = command.name.split()[1:]
    if command.name == "naq-top":
        return await called_top(*arguments, config=config, cwd=folder)
    if command.name in SERVICES:
        return await naq(*words, *arguments, config=config, cwd=folder)
    return await called(*words, *arguments, config=config, cwd=folder)


def is_short(told: str) -> bool:
    """Whether an error is as it should be: a line or two, and no traceback."""
    return 0 < len(told.splitlines()) <= 2 and "Traceback" not in told


def told_by(command: Command, finished: Finished) -> str:
    """What was said of the failure: on stderr, in a line or two, and nothing on stdout, but for who reports it."""
    if command.name in REPORTING:
        return " ".join(finished.out.split())
    assert finished.out == ""
    assert is_short(finished.err), finished.err
    return finished.err


@each(name for name in ALL if name not in WITHOUT_SERVER)
async def test_without_a_server_it_ends_with_3(command: Command, folder: Path) -> None:
    finished = await end_of(command, *as_in_example(command), "--server", "nats://127.0.0.1:9", folder=folder)

    assert finished.code == 3, finished.err
    told = told_by(command, finished)
    assert "cannot reach a NATS server at nats://127.0.0.1:9" in told


@each(name for name in ALL if name not in WITHOUT_SERVER)
async def test_where_it_is_not_authorised_it_ends_with_3(
    command: Command, folder: Path, closed_server: SharedServer
) -> None:
    finished = await end_of(command, *as_in_example(command), "--server", closed_server.url, folder=folder)

    assert finished.code == 3, finished.err
    told = told_by(command, finished)
    assert "refused the credentials" in told


@each(name for name in ALL if name not in SERVICES)
async def test_a_usage_mistake_ends_it_with_2(command: Command, folder: Path) -> None:
    unknown = await end_of(command, *as_in_example(command), "--no-such-option", folder=folder)
    required = any(one.required for one in [*command.arguments, *command.options])
    short = await end_of(command, folder=folder) if required else unknown

    assert (unknown.code, unknown.out) == (2, "")
    assert "no such option: --no-such-option" in unknown.err
    assert f"\nUsage: {command.name.removeprefix('naq-')} " in unknown.err  # a program alone has no name in here
    assert (short.code, short.out) == (2, "")
    assert is_short(unknown.err)
    assert is_short(short.err)


@each(name for name, command in ALL.items() if filter_of(command))
async def test_a_filter_that_cannot_be_understood_ends_it_with_2(
    command: Command, config: NAQConfig, folder: Path
) -> None:
    before = as_in_example(command)[:1] if command.arguments and "--filter" in filter_of(command) else []
    finished = await end_of(command, *before, *filter_of(command), config=config, folder=folder)

    assert (finished.code, finished.out) == (2, ""), finished.err
    assert "filter" in finished.err


@each(name for name, command in ALL.items() if has_name(command))
async def test_what_is_not_there_ends_it_with_4(command: Command, config: NAQConfig, folder: Path) -> None:
    words = as_in_example(command)
    words = ["unheard-of", *([] if words[0].startswith("-") else words[1:])]
    words += [option for option in ("--yes", "--no-follow") if command.has(option)]
    finished = await end_of(command, *words, config=config, folder=folder)

    wanted = (MADE_BY_NAME | OF_THE_CONFIG).get(command.name, 4)
    assert (finished.code, finished.out) == (wanted, ""), finished.err
    assert wanted == 0 or ("unheard-of" in finished.err and is_short(finished.err))


def test_all_that_may_go_on_for_ever_is_interrupted_here() -> None:
    going_on = {name for name, one in ALL.items() if any(one.has(o) for o in ("--follow", "--wait", "--watch"))}

    assert going_on == set(WAITING)


@each(name for name in ALL if name in WAITING or name in SERVICES - {"naq server"})
async def test_interrupted_it_ends_with_130_and_what_serves_with_0(
    command: Command, config: NAQConfig, folder: Path
) -> None:
    words = shlex.split(WAITING[command.name]) if command.name in WAITING else as_in_example(command)
    port = int(config.nats.url.rpartition(":")[2])
    async with ServiceManager(config) as services:
        await (await services.get_service(JobService)).enqueue_job(Job("shop.remind", job_id="waiting"), "nowhere")
        await services.topology.workers()
        await services.connection.subscribe(services.names.control_worker("anna"), answer)
        await LeaseBucket(services.connection, services.names, services.names.workers_bucket).put("anna", ANNA, 60)
        async with started("naq_tui.cli.main", *command.name.split()[1:], *words, config=config, cwd=folder) as process:
            await eventually(lambda: is_up(command, process.pid, port))
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()

    assert process.returncode == (0 if command.name in SERVICES else 130), err.decode()
    assert "Traceback" not in err.decode()


async def answer(message: Msg) -> None:
    """Say yes."""
    await message.respond(b"")


def is_up(command: Command, pid: int, port: int) -> bool:
    """Whether a process is connected, and one that serves has its signals."""
    process = psutil.Process(pid)
    peers = [peer for peer in process.net_connections() if peer.raddr and peer.raddr.port == port]
    return bool(peers) and (command.name not in SERVICES or heeds(process, signal.SIGTERM))


def heeds(process: psutil.Process, number: int) -> bool:
    """Whether a process catches a signal."""
    caught = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    return bool(caught and int(caught[1], 16) >> (number - 1) & 1)


async def test_interrupted_while_it_is_loaded_it_ends_with_130(
    config: NAQConfig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "import_module", interrupt)

    finished = await called("queue", "list", config=config, cwd=folder)

    assert finished == (130, "", "")
