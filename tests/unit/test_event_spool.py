"""Events on disk: in order, bounded, of one process at a time, and readable after whatever happened to it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from naq_runtime.config import EventsConfig
from naq_runtime.errors import ServerUnreachable
from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.drops import DroppedEvents
from naq_runtime.events.logger import AsyncJobEventLogger
from naq_runtime.events.models import Event, SystemEvent, SystemEventType
from naq_runtime.events.spool import Spool
from naq_runtime.naming import Names
from naq_runtime.nats.publish import Outgoing
from tests.support.waiting import eventually
from tests.unit.samples import a_job_event, a_worker_event
from tests.unit.storages import TroubledStorage

NAMES = Names()


def a_spool(folder: Path, most_bytes: int = 1_000_000) -> Spool:
    """One that has looked for what others have left."""
    spool = Spool(folder, most_bytes, NAMES)
    spool.open()
    return spool


def entries(first: int, number: int) -> list[Outgoing]:
    """Encoded events ``n-<first>`` and so on."""
    events: list[Event] = [
        a_job_event(event_id=f"n-{place}", text="ä\n\r\u2028") for place in range(first, first + number)
    ]
    return [Outgoing(event_subject(NAMES, event), encode_event(event)) for event in events]


def all_of(spool: Spool, most: int = 7) -> list[Outgoing]:
    """Read to the end."""
    found = []
    while (batch := spool.read(most)) is not None:
        assert spool.read(most) == batch, "the same again until it is done"
        found += batch
        spool.done()
    assert spool.count == 0
    return found


def files(folder: Path) -> list[Path]:
    """Those of the spool."""
    return sorted(folder.glob("*/*.jsonl"))


class TestFiles:
    def test_what_was_written_is_read_in_its_order_and_then_the_file_is_gone(self, tmp_path: Path) -> None:
        spool = a_spool(tmp_path)
        given = entries(0, 40)
        assert spool.write(given[:30])
        assert spool.write(given[30:])
        assert spool.count == 40

        assert all_of(spool) == given
        assert files(tmp_path) == []

    def test_what_comes_while_it_is_read_is_read_behind_it(self, tmp_path: Path) -> None:
        spool, given = a_spool(tmp_path), entries(0, 20)
        spool.write(given[:10])
        first = spool.read(4)
        assert first is not None
        spool.write(given[10:])
        spool.done()

        assert first + all_of(spool) == given

    def test_it_takes_no_more_bytes_than_it_may(self, tmp_path: Path) -> None:
        spool, written = a_spool(tmp_path, 10_000), 0
        while spool.write(entries(written, 3)):
            written += 3

        (file,) = files(tmp_path)
        assert file.stat().st_size <= 10_000
        assert spool.count == written
        all_of(spool)
        assert spool.write(entries(0, 3)), "there is room again"

    def test_the_next_process_takes_over_what_was_left_and_no_process_what_another_has(self, tmp_path: Path) -> None:
        dead, living = a_spool(tmp_path), a_spool(tmp_path)
        given = entries(0, 10)
        dead.write(given[:5])
        living.write(entries(100, 5))
        dead.close()

        heir = a_spool(tmp_path)
        heir.write(given[5:])

        assert heir.count == 10
        assert all_of(heir) == given
        assert living.count == 5
        assert len(files(tmp_path)) == 1

    def test_what_dead_processes_have_left_counts_for_the_bound(self, tmp_path: Path) -> None:
        dead = a_spool(tmp_path, 10_000)
        while dead.write(entries(0, 1)):
            pass
        dead.close()

        assert not a_spool(tmp_path, 10_000).write(entries(0, 1))

    def test_a_file_in_which_nothing_was_written_is_removed(self, tmp_path: Path) -> None:
        (tmp_path / "naq").mkdir()
        (tmp_path / "naq" / "1-a.jsonl").touch()
        assert a_spool(tmp_path).count == 0
        assert files(tmp_path) == []

    def test_only_the_user_of_the_process_can_read_it(self, tmp_path: Path) -> None:
        spool = a_spool(tmp_path)
        spool.write(entries(0, 1))
        (file,) = files(tmp_path)
        assert file.stat().st_mode & 0o777 == 0o600


class TestDamage:
    @pytest.mark.parametrize("torn_at", [1, 30, 100, -1])
    def test_a_line_that_was_torn_by_the_end_of_its_process_is_left_out(self, tmp_path: Path, torn_at: int) -> None:
        dead, given = a_spool(tmp_path), entries(0, 10)
        dead.write(given)
        dead.close()
        (file,) = files(tmp_path)
        whole = file.read_bytes()
        last = whole.rstrip(b"\n").rfind(b"\n") + 1
        os.truncate(file, last + torn_at if torn_at > 0 else len(whole) - 1)

        heir = a_spool(tmp_path)

        assert heir.count == 10
        assert all_of(heir) == given[:9]

    @pytest.mark.parametrize(
        "rubbish",
        [
            b"rubbish\n",
            b'{"subject":"other.events.job.a.b.started.c","event":{}}\n',
            b'{"subject":"naq.events.>","event":{}}\n',
            b'{"subject":"naq.jobs.mail.j1","event":{}}\n',
            b"\x00" * 20_000_000,
            b"[" * 100_000 + b"\n",
            b"\n",
        ],
        ids=["text", "other namespace", "wildcard", "other stream", "zeros", "deep", "nothing"],
    )
    def test_what_is_no_event_is_left_out_and_what_comes_behind_it_is_not(self, tmp_path: Path, rubbish: bytes) -> None:
        dead, given = a_spool(tmp_path), entries(0, 4)
        dead.write(given)
        dead.close()
        (file,) = files(tmp_path)
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(
            b"".join(lines[:2]) + rubbish + (b"" if rubbish.endswith(b"\n") else b"\n") + b"".join(lines[2:])
        )

        assert all_of(a_spool(tmp_path)) == given


def a_logger(storage: TroubledStorage, folder: Path) -> AsyncJobEventLogger:
    """One with room for 20 events, and a folder."""

    def report(dropped: DroppedEvents) -> SystemEvent:
        kind = SystemEventType.EVENTS_DROPPED
        return SystemEvent(event_type=kind, timestamp_ns=1, event_id="r", instance="i", dropped=dropped.counts)

    config = EventsConfig(batch_size=5, flush_interval=0.01, max_buffer_size=20, spool=str(folder))
    return AsyncJobEventLogger(storage, config, NAMES, report=report)


class TestLogger:
    async def test_an_outage_longer_than_the_buffer_loses_nothing(self, tmp_path: Path) -> None:
        storage = TroubledStorage()
        storage.errors.extend([ServerUnreachable("away")] * 3)
        storage.stores_before_failing = 3
        logger = a_logger(storage, tmp_path)
        await logger.start()
        for part in range(3):
            for number in range(15):
                assert logger.append(a_job_event(event_id=f"n-{part * 15 + number}"))
            await eventually(lambda part=part: logger.statistics().failed_flushes > part)  # type: ignore[misc]
            await eventually(lambda: logger.statistics().buffered < 5)
        await logger.flush()

        found = logger.statistics()
        assert storage.ids == [f"n-{number}" for number in range(45)]
        assert (found.stored, found.spooled, found.buffered, found.dropped) == (45, 0, 0, 0)
        assert files(tmp_path) == []
        await logger.stop()

    async def test_what_is_left_at_the_end_is_stored_by_the_next_one_before_its_own(self, tmp_path: Path) -> None:
        storage = TroubledStorage()
        storage.errors.extend([ServerUnreachable("away")] * 100)
        first = a_logger(storage, tmp_path)
        await first.start()
        for number in range(8):
            first.append(a_job_event(event_id=f"n-{number}"))
        assert await first.stop(deadline_s=0.05) == 0
        storage.errors.clear()

        second = a_logger(storage, tmp_path)
        second.append(a_worker_event(event_id="newer"))
        await second.start()
        await second.flush()

        assert storage.ids == [*(f"n-{number}" for number in range(8)), "newer"]
        await second.stop()

    async def test_one_that_is_started_again_stores_what_it_had_left(self, tmp_path: Path) -> None:
        storage = TroubledStorage()
        storage.errors.extend([ServerUnreachable("away")] * 100)
        logger = a_logger(storage, tmp_path)
        await logger.start()
        for number in range(8):
            logger.append(a_job_event(event_id=f"n-{number}"))
        assert await logger.stop(deadline_s=0.05) == 0
        storage.errors.clear()

        await logger.start()
        await eventually(lambda: logger.statistics().stored == 8)
        await logger.stop()

        assert storage.ids == [f"n-{number}" for number in range(8)]
        assert logger.statistics().spooled == 0

    async def test_damaged_lines_are_counted_and_told(self, tmp_path: Path) -> None:
        (tmp_path / "naq").mkdir()
        (tmp_path / "naq" / "1-a.jsonl").write_bytes(b'{"subject":"naq.events.job.j')
        storage = TroubledStorage()
        logger = a_logger(storage, tmp_path)
        await logger.start()
        await eventually(lambda: storage.ids == ["r"])

        (report,) = [stored.event for stored in storage.events]
        assert isinstance(report, SystemEvent)
        assert report.dropped == {"other.damaged": 1}
        await logger.stop()

    async def test_a_folder_that_cannot_be_used_costs_nothing_but_the_spool(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        storage = TroubledStorage()
        logger = a_logger(storage, tmp_path / "file")
        await logger.start()
        logger.append(a_job_event(event_id="n-1"))
        await logger.flush()
        await logger.stop()

        assert storage.ids == ["n-1"]
        assert [record.action for record in caplog.records] == ["spool_failed"]  # type: ignore[attr-defined]


async def test_a_child_of_a_fork_does_not_hold_the_files_of_its_dead_parent(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from tests.unit.test_event_spool import *
logger = a_logger(TroubledStorage(), Path({str(tmp_path)!r}))
spool = logger._overflow._spool
spool.open()
spool.write(entries(0, 3))
child = os.fork()
if not child:
    sys.stdin.read()
    os._exit(0)
print("forked", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.readline() == b"forked\n"
    taken_over = await eventually(lambda: a_spool(tmp_path).count)

    process.stdin.close()  # which ends the child
    async with asyncio.timeout(30):
        await process.stdout.read()
        await process.wait()
    assert taken_over == 3
