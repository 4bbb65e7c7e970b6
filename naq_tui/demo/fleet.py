"""Everything the demo needs: a server, three workers, a scheduler and a producer, all of which end when we do."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from naq_runtime.config import NAQConfig
from naq_runtime.embedded import EmbeddedServer, Guard

__all__ = ["DemoFleet"]

_WORKERS = (
    ("worker-1", ("default", "mail"), 6),
    ("worker-2", ("default", "reports"), 4),
    ("worker-3", ("reports", "mail"), 4),
)
"""Name, queues, and jobs at a time."""


_RULES = """
[scheduler]
alerts_interval = 2

[alerts.mail-refused]
rule = "failed_rate[1m]{queue=mail} > 8% for 10s clear < 5% for 30s"
message = "the mail server of the demo turns one mail in eight away"
min_samples = 15

[alerts.reports-late]
rule = "wait_p95[30s]{queue=reports} > 250ms clear < 100ms for 5s"
severity = "info"

[alerts.worker-lost]
rule = "worker_lost"
severity = "critical"
"""
"""What the scheduler watches: two that come and go by themselves, and one for those who kill a worker."""


class DemoFleet:
    """A nats-server with a temporary store, workers, a scheduler and traffic.

    ::

        async with DemoFleet() as fleet:
            source = LiveSource(fleet.config)
    """

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self.config = NAQConfig()
        self.pids: list[int] = []
        """The processes of workers, scheduler and producer."""

    async def __aenter__(self) -> Self:
        """Start everything; the workers may still be connecting.

        Raises:
            ServerError: there is no nats-server, or it did not start.
        """
        try:
            guard = await self._stack.enter_async_context(Guard())
            server = await self._stack.enter_async_context(EmbeddedServer(guard=guard))
            self.config = NAQConfig.load(
                arguments={"nats.url": server.url, "worker.heartbeat_interval": 2, "worker.shutdown_grace": 1},
                environ={},
            )
            await self._start_processes(guard, server.url)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start_processes(self, guard: Guard, url: str) -> None:
        work = Path(mkdtemp(prefix="naq-demo-"))
        await guard.remove_at_end(work)
        env = {
            "NAQ_NATS_URL": url,
            "NAQ_WORKER_HEARTBEAT_INTERVAL": "2",
            "NAQ_WORKER_SHUTDOWN_GRACE": "1",
            "NAQ_DEMO_MAILBOX": str(work / "mail"),
        }
        naq = [sys.executable, "-m", "naq_tui.cli.main"]
        for name, queues, concurrency in _WORKERS:
            command = [*naq, "run-worker", *queues, "-m", "naq_tui.demo.tasks", "--name", name, "-c", str(concurrency)]
            self.pids.append(await guard.start(command, env=env, log=work / f"{name}.log"))
        (work / "naq.toml").write_text(_RULES, encoding="utf-8")
        scheduler = [*naq, "run-scheduler", "--instance-id", "scheduler-1", "--config", str(work / "naq.toml")]
        self.pids.append(await guard.start(scheduler, env=env, log=work / "scheduler-1.log"))
        producer = [sys.executable, "-m", "naq_tui.demo.producer"]
        self.pids.append(await guard.start(producer, env=env, log=work / "producer.log"))
