"""The demo's traffic: schedules, and waves of jobs over the files of Python's standard library, until it is ended."""

from __future__ import annotations

import asyncio
import math
import os
import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from naq_runtime import Job, JobService, NAQConfig, NaqError, SchedulerService, ServerError, ServiceManager
from naq_tui.demo import tasks
from naq_tui.demo.schedules import arrange

__all__ = ["Traffic", "main"]

_TICK_S = 0.2
_MEAN_RATE = 14.0
"""Jobs a second."""
_WAVE_S = 60.0
_BURST_EVERY_S = 45.0
_BURST = 120
_PEOPLE = ("ada", "grace", "edsger", "barbara", "donald", "margaret", "dennis", "radia")


class Traffic:
    """Makes jobs up, of input that is really there."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)
        files = list(_files(Path(sysconfig.get_path("stdlib"))))
        self._modules = [path for path in files if path.suffix == ".py"]
        self._texts = [path for path in files if path.suffix in (".txt", ".rst", ".cfg") or "badsyntax" in path.name]
        self._folders = sorted({path.parent for path in self._modules})

    def jobs(self, count: int) -> Iterator[Job]:
        """So many jobs, of all kinds."""
        for _ in range(count):
            yield self._job()

    def burst(self) -> Iterator[Job]:
        """A nightly report that comes all at once."""
        for _ in range(_BURST):
            yield Job(tasks.count_tokens, (self._module(),), queue_name="reports")

    def _job(self) -> Job:
        pick = self._random.random()
        if pick < 0.34:
            algorithm = self._random.choice(("sha256", "blake2b", "md5"))
            return Job(tasks.hash_file, (self._module(),), {"algorithm": algorithm}, queue_name="default")
        if pick < 0.48:
            method = self._random.choice(("zlib", "zlib", "bz2", "lzma"))
            return Job(tasks.compress_file, (self._module(), method), queue_name="default")
        if pick < 0.54:
            seconds = round(self._random.uniform(0.5, 6), 1)
            return Job(tasks.watch_folder, (self._random.choice(self._folders), seconds), queue_name="default")
        if pick < 0.70:
            return Job(tasks.parse_module, (self._parsed(),), queue_name="reports")
        if pick < 0.78:
            return Job(tasks.longest_functions, (self._module(),), {"top": 5}, queue_name="reports")
        return self._mail()

    def _mail(self) -> Job:
        person = self._random.choice(_PEOPLE)
        address = f"{person}@example.org" if self._random.random() > 0.03 else f"{person} at example"
        subject = f"Report on {self._module().stem}"
        return Job(tasks.send_mail, (address, subject), {"words": self._random.randrange(5, 200)}, queue_name="mail")

    def _module(self) -> Path:
        return self._random.choice(self._modules)

    def _parsed(self) -> Path:
        """Mostly a module; now and then a text, on which a parser fails."""
        if self._texts and self._random.random() < 0.12:
            return self._random.choice(self._texts)
        return self._module()


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder, told from there on."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("site-packages", "__pycache__", "idlelib")]
        yield from (Path(parent, name).relative_to(folder) for name in names)


async def produce(config: NAQConfig) -> None:
    """Make the schedules, then enqueue in waves, with a burst now and then, for ever."""
    traffic = Traffic()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    next_burst, owed = begun + _BURST_EVERY_S / 3, 0.0
    async with ServiceManager(config, role="producer") as services:
        service = await services.get_service(JobService)
        await arrange(await services.get_service(SchedulerService))
        while True:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            wave = 1 + 0.7 * math.sin(2 * math.pi * (now - begun) / _WAVE_S)
            owed += _MEAN_RATE * wave * _TICK_S
            jobs = list(traffic.jobs(int(owed)))
            owed -= len(jobs)
            if now >= next_burst:
                next_burst += _BURST_EVERY_S
                jobs += traffic.burst()
            try:
                await service.enqueue_jobs(jobs)
            except ServerError:
                owed = 0.0  # nobody makes up for what was not asked for in an outage


def main() -> None:
    """Produce until the guard ends this process."""
    try:
        asyncio.run(produce(NAQConfig.load()))
    except (NaqError, KeyboardInterrupt):
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
