"""The demo's schedules: one of each kind, of the demo's own jobs."""

from __future__ import annotations

from pathlib import Path

from naq_runtime import Job, ScheduleConfig, SchedulerService
from naq_tui.demo import tasks

__all__ = ["SCHEDULES", "arrange"]

SCHEDULES: tuple[tuple[Job, ScheduleConfig], ...] = (
    (
        Job(tasks.hash_file, (Path("os.py"),), queue_name="default"),
        ScheduleConfig(every=5, phase=0, schedule_id="checksum"),
    ),
    (
        Job(tasks.send_mail, ("ada@example.org", "Digest"), {"words": 40}, queue_name="mail"),
        ScheduleConfig(cron="*/20 * * * * *", jitter=3, schedule_id="digest"),
    ),
    (
        # It takes longer than the time between two of them: every other one is left out.
        Job(tasks.watch_folder, (Path(), 7.0), queue_name="default"),
        ScheduleConfig(every=4, overlap="skip", schedule_id="watch-library"),
    ),
    (
        Job(tasks.count_tokens, (Path("typing.py"),), queue_name="reports"),
        ScheduleConfig(cron="0 3 * * *", timezone="Europe/Paris", missed="all", schedule_id="nightly-count"),
    ),
    (
        Job(tasks.longest_functions, (Path("argparse.py"),), {"top": 10}, queue_name="reports"),
        ScheduleConfig(cron="0 9 * * mon-fri", timezone="Europe/Paris", schedule_id="morning-report"),
    ),
)
"""The jobs, and when they come."""

_PAUSED = "morning-report"


async def arrange(schedules: SchedulerService) -> None:
    """Make them all, and pause one."""
    for job, when in SCHEDULES:
        await schedules.schedule_job(job, when, replace=True)
    await schedules.pause(_PAUSED, "its readers are on holiday")
