"""The page of one event, as lines."""

from __future__ import annotations

from naq_tui.pages.event import event_page
from tests.tui.builders import NOW_NS, stored, worker_event


def test_every_label_is_apart_from_its_value_and_every_value_is_as_one_writes_it() -> None:
    lost = worker_event(
        "lost", "w-1", pid=54_321, queue_names=("mail", "reports"), concurrency_limit=3, running_job_ids=("job-1",)
    )
    lines = ["".join(text for text, _ in line.spans).rstrip() for line in event_page(stored([lost])[0], 100, NOW_NS)]

    assert "  concurrency limit  3" in lines
    assert "  pid                54321" in lines
    assert "  running job ids    job-1" in lines
    at = lines.index("  queue names        mail")
    assert lines[at + 1] == "                     reports"
