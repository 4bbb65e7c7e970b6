"""Who we are to a server, and how the connection to it is encrypted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from naq_runtime import EmbeddedServer, Job, NAQConfig, Queue
from naq_runtime.config import NatsConfig
from naq_runtime.errors import ConfigError, NotAuthorised, ServerUnreachable
from naq_runtime.nats.connection import Connection
from tests.support import sample_tasks as tasks
from tests.support.certificates import Certificates, made_in
from tests.support.credentials import seed_in, trusted_user
from tests.support.workers import running_worker

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority, a server and a client."""
    return made_in(tmp_path_factory.mktemp("certificates"))


def tls(certificates: Certificates, more: str = "") -> str:
    """The lines of a server that is reached with TLS alone."""
    files = f'cert_file: "{certificates.server}", key_file: "{certificates.server_key}"'
    return f'tls {{ {files}, ca_file: "{certificates.authority}", timeout: 5{more} }}'


async def connected(url: str, **settings: Any) -> str:
    """The name of the server that one is connected to."""
    async with await Connection.open(NatsConfig(url=url, connect_timeout=5, **settings), name="test") as connection:
        return connection.server_name


@needs_openssl
async def test_a_server_is_trusted_when_somebody_vouches_for_it_whom_the_settings_name(
    certificates: Certificates,
) -> None:
    async with EmbeddedServer(config=tls(certificates)) as server:
        assert await connected(server.url, tls_ca=str(certificates.authority))
        with pytest.raises(
            ServerUnreachable, match=r"the certificate of the server at .* is not trusted: .*nats.tls_ca"
        ):
            await connected(server.url)


@needs_openssl
async def test_a_server_that_asks_for_a_certificate_gets_that_of_the_settings(certificates: Certificates) -> None:
    trusted = {"tls_ca": str(certificates.authority)}
    ours = {"tls_cert": str(certificates.client), "tls_key": str(certificates.client_key)}
    async with EmbeddedServer(config=tls(certificates, ", verify: true, handshake_first: true")) as server:
        assert await connected(server.url, tls_first=True, **trusted, **ours)
        with pytest.raises(ServerUnreachable):
            await connected(server.url, tls_first=True, **trusted)


async def test_a_user_is_known_by_an_nkey(tmp_path: Path) -> None:
    ours, other = (seed_in(tmp_path / f"{name}.nk") for name in ("ours", "other"))
    users = f'authorization {{ users: [ {{ nkey: "{ours}" }} ] }}'
    async with EmbeddedServer(config=users) as server:
        assert ours != other
        assert await connected(server.url, nkey=str(tmp_path / "ours.nk"))
        with pytest.raises(NotAuthorised):
            await connected(server.url, nkey=str(tmp_path / "other.nk"))


async def test_a_user_is_known_by_a_file_of_credentials(tmp_path: Path) -> None:
    async with EmbeddedServer(config=trusted_user(tmp_path / "ours.creds")) as server:
        trusted_user(tmp_path / "other.creds")
        assert await connected(server.url, creds=str(tmp_path / "ours.creds"))
        with pytest.raises(NotAuthorised):
            await connected(server.url, creds=str(tmp_path / "other.creds"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"creds": "none"}, r"setting nats.creds: cannot read none: No such file or directory"),
        ({"creds": "text"}, r"setting nats.creds: .*text has no credentials in it, which 'nsc generate creds' writes"),
        ({"tls_ca": "text"}, r"setting nats.tls_ca: .*text has no certificates in it"),
        ({"tls_cert": "text"}, r"nats.tls_cert and nats.tls_key go together"),
        ({"tls_cert": "text", "tls_key": "text"}, r"are no certificate with its key"),
        ({"nkey": "text"}, r"setting nats.nkey: .*text has no seed of an nkey in it; it would begin with SU$"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_with_its_setting(
    tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    (tmp_path / "text").write_text("SUhunter2")
    paths = {name: str(tmp_path / file) if file == "text" else file for name, file in settings.items()}

    with pytest.raises(ConfigError, match=words) as error:
        await connected("nats://127.0.0.1:1", **paths)
    assert "hunter2" not in str(error.value)


async def test_jobs_run_over_a_domain_of_jetstream() -> None:
    async with EmbeddedServer(config="jetstream { domain: hub }") as server:
        config = NAQConfig.load(
            environ={},
            arguments={"nats.url": server.url, "nats.jetstream_domain": "hub", "events.max_bytes": 10_000_000},
        )
        async with running_worker(config, "default"), Queue(config=config) as queue:
            handle = await queue.enqueue_job(Job(tasks.add, (20, 22)))
            assert await handle.result(timeout=30) == 42
