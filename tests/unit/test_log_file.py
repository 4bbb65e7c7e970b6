"""The file that events are written to: whole lines, put aside when it is time, and never two writers."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import msgspec
import pytest

from naq_runtime.errors import NameTaken, Unavailable
from naq_runtime.events.models import JobEvent, JobEventType, StoredEvent
from naq_runtime.processors.logfile import LogFile
from naq_runtime.processors.settings import LogFileSettings


def some(*sequences: int) -> list[StoredEvent]:
    made = JobEvent(event_type=JobEventType.LOG, timestamp_ns=1, job_id="j", queue_name="q", text="a\nb\x1b[31m")
    return [StoredEvent(sequence, made) for sequence in sequences]


def sequences(path: Path) -> list[int]:
    return [msgspec.json.decode(line)["sequence"] for line in path.read_bytes().splitlines()]


def opened(path: Path, **settings: object) -> LogFile:
    return LogFile(LogFileSettings(path=str(path), **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("fsync", [False, True])
async def test_each_event_is_one_line_of_json(tmp_path: Path, fsync: bool) -> None:
    file = opened(tmp_path / "new" / "events.jsonl", fsync=fsync)

    await file(some(1, 2))
    await file(some(3))

    lines = (tmp_path / "new" / "events.jsonl").read_text().splitlines()
    assert [msgspec.json.decode(line)["text"] for line in lines] == ["a\nb\x1b[31m"] * 3
    assert sequences(tmp_path / "new" / "events.jsonl") == [1, 2, 3]
    await file.close()


async def test_what_was_there_stays_and_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"sequence":1}\n{"sequence":2,"text":"to')
    file = opened(path)

    await file(some(2))

    assert path.read_bytes().splitlines()[1] == b'{"sequence":2,"text":"to'
    assert [msgspec.json.decode(line)["sequence"] for line in path.read_bytes().splitlines()[::2]] == [1, 2]
    await file.close()


async def test_one_that_is_large_enough_is_put_aside_and_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = len(b'{"sequence":1,"category":"job","timestamp_ns":1') + 100
    file = opened(path, rotate_bytes=2 * line, keep=2)

    for sequence in range(1, 9):
        await file(some(sequence))

    files = [path.with_name("events.jsonl.2"), path.with_name("events.jsonl.1"), path]
    kept = [sequences(one) for one in files]
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(one.name for one in files)
    assert [one for some_ in kept for one in some_] == list(range(9 - sum(map(len, kept)), 9))
    assert all(one.stat().st_size <= 2 * line for one in files)
    await file.close()


async def test_it_is_put_aside_at_each_multiple_of_a_span_also_by_a_later_process(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    now_s = 1_000_090.0
    settings = LogFileSettings(path=str(path), rotate_every=100.0)

    async def write(sequence: int) -> None:
        file = LogFile(settings, now_s=lambda: now_s)
        await file(some(sequence))
        await file.close()
        os.utime(path, (now_s, now_s))

    await write(1)
    now_s = 1_000_099.0
    await write(2)
    now_s = 1_000_101.0
    await write(3)

    assert sequences(path.with_name("events.jsonl.1")) == [1, 2]
    assert sequences(path) == [3]


@pytest.mark.parametrize("how", ["moved", "deleted", "hung up"])
async def test_one_that_was_moved_away_is_opened_anew(tmp_path: Path, how: str) -> None:
    path = tmp_path / "events.jsonl"
    file = opened(path)
    await file(some(1))

    if how == "moved":
        path.rename(tmp_path / "archive")
    elif how == "deleted":
        path.unlink()
    else:
        file.reopen()
    await file(some(2))

    assert sequences(path) == ([1, 2] if how == "hung up" else [2])
    await file.close()


async def test_two_do_not_write_to_one_file(tmp_path: Path) -> None:
    first = opened(tmp_path / "events.jsonl")

    with pytest.raises(NameTaken, match="written by another process"):
        opened(tmp_path / "events.jsonl")
    await first.close()
    await opened(tmp_path / "events.jsonl").close()


async def test_of_what_the_disk_has_no_room_for_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    file = opened(path)
    await file(some(1))
    write = os.write

    def half(number: int, data: memoryview) -> int:
        if len(data) < 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(number, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(Unavailable, match="No space left"):
        await file(some(2, 3))
    monkeypatch.undo()
    await file(some(2, 3))

    assert sequences(path) == [1, 2, 3]
    await file.close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Unavailable, match="cannot be opened: "):
        opened(tmp_path / "file" / "events.jsonl")


async def test_one_that_another_process_has_taken_meanwhile_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    file = opened(path)
    path.rename(tmp_path / "away")
    other = opened(path)

    with pytest.raises(Unavailable, match="written by another process"):
        await file(some(1))
    await other.close()
    await file(some(1))

    assert sequences(path) == [1]
    await file.close()


async def test_a_full_disk_is_not_taken_for_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"sequence":1')

    def full(number: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Unavailable, match="No space left"):
        opened(path)


async def test_the_beginning_of_a_line_that_cannot_be_taken_back_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    file, write = opened(path), os.write

    def half(number: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(errno.EIO, "Input/output error")
        return write(number, data[: len(data) // 2])

    def refuse(number: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", half)
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(Unavailable):
        await file(some(1))
    monkeypatch.undo()
    await file(some(1))

    assert msgspec.json.decode(path.read_bytes().splitlines()[-1])["sequence"] == 1
    assert path.read_bytes().count(b"\n") == 2
    await file.close()


async def test_it_is_not_closed_under_a_thread_that_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, begun, go_on = opened(tmp_path / "events.jsonl", fsync=True), threading.Event(), threading.Event()
    synced: list[bool] = []

    def slow(number: int) -> None:
        begun.set()
        go_on.wait(30)
        synced.append(os.fstat(number).st_size > 0)

    monkeypatch.setattr(os, "fsync", slow)
    writing = asyncio.create_task(file(some(1)))
    await asyncio.to_thread(begun.wait, 30)
    writing.cancel()
    closing = asyncio.create_task(file.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing

    assert synced == [True]
