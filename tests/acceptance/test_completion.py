"""What a shell is told when somebody presses Tab: the program is called as the scripts of the shells call it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from naq_runtime import EmbeddedServer, NAQConfig
from tests.support.filled import ALERT, DEAD, DONE, LATER, PROCESSOR, QUEUE, SCHEDULE, WORKER, filled
from tests.support.processes import ROOT, environment
from tests.support.server import SharedServer, config_for

BIN = Path(sys.executable).parent
ATTEMPTS = 8
"""A busy host may take too long for one; then nothing is completed, as it should be."""


async def told(program: str, config: NAQConfig | None, variables: Mapping[str, str]) -> str:
    """What a program prints with the variables of a shell's script; nothing is ever said on stderr."""
    env = environment(config, variables)
    process = await asyncio.create_subprocess_exec(
        BIN / program, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert err == b""
    return out.decode()


async def bash(line: str, config: NAQConfig | None = None, env: Mapping[str, str] | None = None) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    name = words[0].upper().replace("-", "_")
    variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), f"_{name}_COMPLETE": "complete_bash"}
    variables |= env or {}
    return (await told(words[0], config, variables)).split()


async def offered(line: str, config: NAQConfig) -> list[str]:
    """The same; asked again when there is nothing."""
    for _ in range(ATTEMPTS):
        if found := await bash(line, config):
            return found
    return []


async def test_names_of_what_there_is_are_completed(config: NAQConfig) -> None:
    async with filled(config):
        for line, names in {
            "naq queue show ": {QUEUE},
            "naq enqueue shop.charge --queue ma": {QUEUE},
            "naq run-worker ": {QUEUE},
            f"naq --namespace {config.namespace} worker stop ": {WORKER},
            "naq schedule pause mo": {SCHEDULE},
            "naq job show order-": {DONE, DEAD},
            "naq enqueue shop.charge --after rem": {LATER, "remind-18"},
            "naq dead show ": {DEAD},
            "naq alerts ack ": {ALERT},
            "naq processor dead ": {PROCESSOR},
            f"naq events stream --worker {WORKER},an": {f"{WORKER},{WORKER}"},
        }.items():
            assert set(await offered(line, config)) == names, line


async def test_the_options_that_are_typed_already_count(config: NAQConfig) -> None:
    async with filled(config):
        line = f"naq queue show --server {config.nats.url} --namespace {config.namespace} "
        elsewhere = config_for("nats://127.0.0.1:9")

        assert await offered(line, elsewhere) == [QUEUE]
        assert await bash("naq queue show ", config_for(config.nats.url)) == []


async def test_zsh_and_fish_are_told_in_their_own_words(config: NAQConfig) -> None:
    async with filled(config):
        typed = {"_TYPER_COMPLETE_ARGS": "naq queue show "}
        for _ in range(ATTEMPTS):
            zsh = await told("naq", config, {**typed, "_NAQ_COMPLETE": "complete_zsh"})
            fish = {**typed, "_NAQ_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
            lines = await told("naq", config, fish)
            if QUEUE in zsh and lines:
                break

    assert zsh.strip() == f"""_arguments '*: :(("{QUEUE}"))'"""
    assert lines.split() == [QUEUE]


async def test_what_no_server_knows_is_completed_without_one() -> None:
    assert await bash("naq events stream --event-type completed,can") == ["completed,cancelled"]
    assert await bash("naq queue show --form") == ["--format"]
    assert set(await bash("naq queue ")) >= {"list", "show", "pause"}
    assert await bash("naq-top --theme d") == ["day", "distinct"]


async def test_contexts_and_profiles_are_completed(tmp_path: Path) -> None:
    (tmp_path / "naq.toml").write_text("[profiles.staging]\n[profiles.live]\n", encoding="utf-8")
    (tmp_path / "nats" / "context").mkdir(parents=True)
    (tmp_path / "nats" / "context" / "work.json").write_text("{}", encoding="utf-8")
    env = {"XDG_CONFIG_HOME": str(tmp_path), "NAQ_CONFIG": str(tmp_path / "naq.toml")}

    assert await bash("naq queue list --profile ", env=env) == ["live", "staging"]
    assert await bash("naq queue list --context ", env=env) == ["work"]


@pytest.mark.parametrize(
    "url",
    ["nats://127.0.0.1:9", "nats://no-such-host.invalid:4222", "nats://10.255.255.1:4222", "nonsense"],
)
async def test_without_a_server_nothing_is_completed_and_nothing_is_said(url: str) -> None:
    assert await bash(f"naq queue show --server {url} ") == []


async def test_where_it_is_not_authorised_nothing_is_said() -> None:
    with SharedServer('authorization { user: "ada", password: "secret" }') as closed:
        assert await bash("naq queue show ", config_for(closed.url)) == []


async def test_a_server_that_hangs_is_not_waited_for_as_a_command_would() -> None:
    """How long it is waited for is measured by ``benchmarks/cold_start.py``."""
    async with EmbeddedServer() as server:
        config, patient = config_for(server.url), {"NAQ_NATS_CONNECT_TIMEOUT": "600", "NAQ_NATS_REQUEST_TIMEOUT": "600"}
        os.kill(server.pid, signal.SIGSTOP)
        try:
            assert await asyncio.wait_for(bash("naq queue show ", config, patient), 30) == []
        finally:
            os.kill(server.pid, signal.SIGCONT)


async def test_bash_itself_completes_with_the_script_that_is_installed(config: NAQConfig) -> None:
    shell = shutil.which("bash")
    assert shell is not None
    script = await told("naq", config, {"_NAQ_COMPLETE": "source_bash"})
    typed = 'COMP_WORDS=(naq queue show ""); COMP_CWORD=3; _naq_completion naq; echo "${COMPREPLY[@]}"'
    async with filled(config):
        for _ in range(ATTEMPTS):
            env = environment(config, {"PATH": f"{BIN}:{os.environ['PATH']}"})
            process = await asyncio.create_subprocess_exec(
                *(shell, "--norc", "-c", f"{script}\n{typed}"), env=env, cwd=ROOT, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            if out.strip():
                break

    assert out.decode().split() == [QUEUE]


async def test_no_name_that_a_shell_might_obey_is_offered(config: NAQConfig) -> None:
    async with filled(config) as services:
        await services.connection.publish(services.names.schedule("$(id)"), b"{}")
        await services.connection.publish(services.names.schedule("`id`"), b"{}")
        await services.connection.flush()

        assert await offered("naq schedule show ", config) == [SCHEDULE]
