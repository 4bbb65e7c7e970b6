"""A worker with several queues: whose jobs it begins first, when there are more than it has slots."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from naq_runtime import Job, NAQConfig, Queue
from tests.conftest import MakeConfig
from tests.support import sample_tasks as tasks
from tests.support.workers import running_worker

EACH = 40


async def begun(config: NAQConfig, begins: Path, *queues: str, enqueued: tuple[str, ...]) -> list[str]:
    """The names of the queues of the jobs that one worker begins, all of which wait when it starts."""
    async with Queue(config=config) as queue:
        handles = await queue.enqueue_many(
            Job(tasks.append, (begins, name, 0.01), queue_name=name) for name in enqueued for _ in range(EACH)
        )
        async with running_worker(config, *queues, concurrency=2):
            for handle in handles:
                await handle.outcome(timeout=20)
    return begins.read_text().split()


async def test_in_strict_order_a_queue_waits_until_those_before_it_are_empty(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    strict = make_config(worker__queue_order="strict")

    names = await begun(strict, tmp_path / "begins", "first", "second", enqueued=("second", "first"))

    assert Counter(names[:EACH]) == {"first": EACH}
    assert Counter(names[EACH:]) == {"second": EACH}


@pytest.mark.parametrize("heavy", ["mail", "other"])
async def test_by_weight_a_queue_gets_its_share_while_others_wait_too(
    make_config: MakeConfig, tmp_path: Path, heavy: str
) -> None:
    weighted = make_config(worker__queue_order="weighted")
    shares = [f"{name}=3" if name == heavy else name for name in ("mail", "other")]

    names = await begun(weighted, tmp_path / "begins", *shares, enqueued=("mail", "other"))

    early = Counter(names[: EACH + EACH // 3])
    assert early[heavy] == pytest.approx(EACH, abs=4)
    assert Counter(names) == {"mail": EACH, "other": EACH}


async def test_fairly_all_get_the_same(config: NAQConfig, tmp_path: Path) -> None:
    names = await begun(config, tmp_path / "begins", "left", "right", enqueued=("left", "right"))

    assert Counter(names[:EACH])["left"] == pytest.approx(EACH / 2, abs=4)
