"""The page of one worker, as lines."""

from __future__ import annotations

import pytest

from naq_runtime.snapshot import WorkerDetail
from naq_runtime.worker.roll import LOST, WorkerStatus
from naq_tui.pages.worker import held_and_beats
from tests.tui.builders import NOW_NS, stored, worker, worker_event


@pytest.mark.parametrize("width", [60, 80, 118, 198])
def test_the_figures_of_the_heartbeats_are_shown_in_full(width: int) -> None:
    beats = [worker_event(cpu_percent=99.9, rss_bytes=159_600_000, loop_lag_ms=812.5, active_jobs=8) for _ in range(40)]
    status = WorkerStatus(worker_id="w-1", state="busy", record=worker(), seen_ns=NOW_NS)
    detail = WorkerDetail(status=status, beats=stored(beats))

    text = "\n".join("".join(piece for piece, _ in line.spans) for line in held_and_beats(detail, width, NOW_NS))
    assert "most 159.6 MB" in text


def test_of_a_lost_worker_that_told_of_no_job_it_is_not_known_what_it_held() -> None:
    status = WorkerStatus(worker_id="w-1", state=LOST, record=worker(active_jobs=0), seen_ns=NOW_NS)

    text = "\n".join(
        "".join(piece for piece, _ in line.spans) for line in held_and_beats(WorkerDetail(status=status), 80, NOW_NS)
    )
    assert "Held when it was lost  ?" in text
    assert "not known: it held nothing when it was heard last" in text
