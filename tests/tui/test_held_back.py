"""Queues that are paused or limited, and workers whose threads are stuck: said in their panes at every size."""

from __future__ import annotations

import pytest

from tests.tui.builders import batch, job_event, queue, snapshot, worker
from tests.tui.harness import SIZES, Watched, watching


def row_of(watched: Watched, name: str) -> str:
    """The row of a queue or worker, without its neighbours."""
    return next(line for line in watched.lines if line.startswith(f"│ {name} ")).split("│")[1]


@pytest.mark.parametrize("size", SIZES)
async def test_a_paused_queue_says_so(size: tuple[int, int]) -> None:
    queues = [queue("mail", 7, paused=True), queue("other", 7)]
    async with watching(batch(snapshot=snapshot(queues)), size=size) as watched:
        assert "‖ paused" in row_of(watched, "mail")
        assert "paused" not in row_of(watched, "other")
        assert "Queues 2 ‖ 1 paused" in watched.lines[2]


@pytest.mark.parametrize("size", SIZES)
async def test_a_queue_whose_jobs_nobody_takes_says_so(size: tuple[int, int]) -> None:
    queues = [queue("mail", 7, workers=0), queue("none", 0, workers=0), queue("other", 7, workers=1)]
    async with watching(batch(snapshot=snapshot(queues)), size=size) as watched:
        assert "! nobody" in row_of(watched, "mail")
        assert "nobody" not in row_of(watched, "none") + row_of(watched, "other")
        assert "Queues 3 ! 1 without a worker" in watched.lines[2]


async def test_a_queue_that_is_resumed_shows_its_rate_again() -> None:
    async with watching(batch(snapshot=snapshot([queue("mail", paused=True)]))) as watched:
        await watched.feed(batch(snapshot=snapshot([queue("mail")])))
        assert "paused" not in watched.text


async def test_the_jobs_that_run_stand_beside_those_that_may() -> None:
    async with watching(batch(snapshot=snapshot([queue("mail", 7, 3, concurrency_limit=4)]))) as watched:
        assert row_of(watched, "mail").split()[1:3] == ["7", "3/4"]


async def test_a_limit_for_which_there_is_no_room_is_left_out() -> None:
    held = queue("mail", 7, 1234, concurrency_limit=5000)
    async with watching(batch(snapshot=snapshot([held])), size=(60, 20)) as watched:
        assert row_of(watched, "mail").split()[2] == "1,234"


async def test_a_rate_limit_is_shown_where_there_is_room() -> None:
    async with watching(batch(snapshot=snapshot([queue("mail", rate_limit="100/60s")])), size=(200, 60)) as watched:
        assert " limit " in watched.lines[3]
        assert "100/60s" in row_of(watched, "mail")


async def test_a_wide_pane_counts_retries_and_cancellations() -> None:
    events = [
        *(job_event("failed", f"f{number}", "mail", final=False) for number in range(3)),
        *(job_event("cancelled", f"c{number}", "mail") for number in range(2)),
    ]
    taken = snapshot([queue("mail")])
    async with watching(batch(*events, snapshot=taken), size=(200, 60)) as watched:
        assert "retries" in watched.lines[3]
        assert "cancelled" in watched.lines[3]
        assert row_of(watched, "mail").split()[-3:-1] == ["3", "2"]


async def test_the_chart_says_how_many_are_retried_and_cancelled() -> None:
    events = [job_event("timed_out", ago_s=3, final=False), job_event("cancelled", ago_s=3)]
    async with watching(batch(*events, snapshot=snapshot([queue()]))) as watched:
        border = watched.line_with("✓ 0/s")
        assert "↻ 0.3/s" in border
        assert "⊘ 0.3/s" in border


@pytest.mark.parametrize("size", SIZES)
async def test_threads_that_are_stuck_are_counted(size: tuple[int, int]) -> None:
    workers = [worker("w-1", stuck_job_ids=("job-aaaaaaaa", "job-b")), worker("w-2")]
    async with watching(batch(snapshot=snapshot(workers=workers)), size=size) as watched:
        await watched.press("shift+tab")
        assert "! 2 stuck" in row_of(watched, "w-1")
        assert "stuck" not in row_of(watched, "w-2")
        assert "Workers 2 ! 2 stuck" in watched.text


async def test_a_wide_pane_names_the_jobs_that_are_stuck() -> None:
    stuck = worker("w-1", stuck_job_ids=("aaaaaaaaaaaa", "bbbbbbbbbbbb"))
    async with watching(batch(snapshot=snapshot(workers=[stuck])), size=(200, 60)) as watched:
        assert "aaaaaaaa bbbbbbbb" in row_of(watched, "w-1")


@pytest.mark.parametrize("size", [*SIZES, (80, 24)])
async def test_the_page_of_a_worker_says_in_full_what_is_stuck(size: tuple[int, int]) -> None:
    stuck = worker("w-1", stuck_job_ids=("job-a",))
    async with watching(batch(snapshot=snapshot(workers=[stuck])), size=size) as watched:
        await watched.press("5", "enter")
        await watched.settle()
        assert "given up, its thread runs on" in watched.text


async def test_a_lost_worker_is_lost_before_it_is_stuck() -> None:
    stuck = worker("w-1", stuck_job_ids=("job-a",))
    async with watching(batch(snapshot=snapshot(workers=[stuck])), batch(snapshot=snapshot())) as watched:
        assert "✗ lost" in row_of(watched, "w-1")
