"""Who does the work: queues, workers, schedulers and processors."""

from __future__ import annotations

from collections.abc import Iterator

from naq_runtime.doctor.check import Check, Unknown, bad, named, ok, skipped, warn
from naq_runtime.doctor.facts import Facts
from naq_runtime.events.messages import duration_text
from naq_runtime.processing.overview import ProcessorState
from naq_runtime.schedule import ScheduleState
from naq_runtime.snapshot import QueueState
from naq_runtime.worker.roll import LOST, WorkerStatus

__all__ = ["check_processors", "check_queues", "check_scheduler", "check_workers"]

_LATE_BEATS = 2
"""Whoever has missed so many heartbeats is late; with the third the lease ends."""
_LAG = 10_000
"""Events that a processor may be behind."""


def check_queues(facts: Facts) -> Check:
    """Whether somebody takes the jobs of each queue."""
    queues = facts.queues
    if isinstance(queues, Unknown):
        return skipped("queues", queues.why)
    left = [queue for queue in queues if queue.waiting and not queue.paused and not _has_workers(queue)]
    if left:
        return bad(
            "queues",
            f"{named(len(left), 'queue')} with jobs and no worker",
            meaning="these jobs wait until a worker of their queue runs",
            remedy=f"start one: naq run-worker {left[0].name} -m MODULE; or see whether the name of the queue is right",
            details=[f"{queue.name}: {named(queue.waiting, 'job')} waiting" for queue in left],
        )
    if not queues:
        return ok("queues", "there is none yet")
    paused = [queue for queue in queues if queue.paused]
    waiting = sum(queue.waiting for queue in queues)
    return ok(
        "queues",
        f"{named(len(queues), 'queue')}, {named(waiting, 'job')} waiting"
        + (f", {len(paused)} paused" if paused else ""),
        [f"{queue.name} is paused, {named(queue.waiting, 'job')} waiting" for queue in paused],
    )


def _has_workers(queue: QueueState) -> bool:
    """Workers of another version may not be counted, but ask for jobs."""
    return bool(queue.workers or queue.pulls)


def check_workers(facts: Facts) -> Check:
    """Whether they live, and can work."""
    workers = facts.workers
    if isinstance(workers, Unknown):
        return skipped("workers", workers.why)
    troubles = [line for worker in workers for line in _troubles(worker, facts.now_ns)]
    active = [worker for worker in workers if worker.is_active]
    if any(_is_jammed(worker) for worker in active):
        return bad(
            "workers",
            "a worker can run nothing any more",
            meaning="each of its slots has a job that was given up, and whose thread still runs",
            remedy="restart it, and have these tasks heed their time limit: async, or @task(process=True)",
            details=troubles,
        )
    if troubles:
        return warn(
            "workers",
            f"{named(len(active), 'worker')} running, {named(len(troubles), 'trouble')}",
            meaning="jobs of a worker that is lost run again elsewhere; one that is late may be stopped, or its event "
            "loop blocked; one with stuck jobs has fewer slots; what was dropped of the log is missing in it",
            remedy="look at its log and its host ('naq worker show NAME'); one that was lost is forgotten after a day",
            details=troubles,
        )
    return ok("workers", f"{named(len(active), 'worker')} running" if active else "none runs")


def _is_jammed(worker: WorkerStatus) -> bool:
    return len(worker.record.stuck_job_ids) >= worker.record.concurrency_limit > 0


def _troubles(worker: WorkerStatus, now_ns: int) -> Iterator[str]:
    record, name = worker.record, worker.worker_id
    silent_s = max(0, now_ns - worker.seen_ns) / 1e9
    if worker.state == LOST:
        held = named(record.active_jobs, "job")
        yield f"{name} was lost {duration_text(silent_s * 1000)} ago" + (f" with {held}" if record.active_jobs else "")
    if not worker.is_active:
        return
    if silent_s > _LATE_BEATS * record.heartbeat_interval:
        yield f"{name} is late: it was heard of {duration_text(silent_s * 1000)} ago"
    if record.stuck_job_ids:
        yield f"{name} has {named(len(record.stuck_job_ids), 'stuck job')}"
    if record.events_dropped:
        yield f"{name} has dropped {named(record.events_dropped, 'event')}"


def check_scheduler(facts: Facts) -> Check:
    """Whether somebody keeps the schedules there are."""
    news = facts.schedules
    if isinstance(news, Unknown):
        return skipped("scheduler", news.why)
    active = sum(one.state is ScheduleState.ACTIVE for one in news.schedules)
    failed = [one for one in news.schedules if one.state is ScheduleState.FAILED]
    leads = news.leader is not None and news.leader.leads
    if active and not leads:
        return bad(
            "scheduler",
            f"{named(active, 'schedule')} and no scheduler",
            meaning="their jobs do not come, alerts are not evaluated, and nobody cleans up after crashed processes",
            remedy="start one: naq run-scheduler; several stand by for each other",
        )
    if failed or news.unreadable:
        return warn(
            "scheduler",
            f"{named(len(failed) + len(news.unreadable), 'schedule')} not kept",
            meaning="no jobs come of them",
            remedy="'naq schedule show ID' says why; mend it, then 'naq schedule resume ID'",
            details=[
                *(f"{one.schedule_id}: {one.reason or 'failed'}" for one in failed),
                *(f"{one} cannot be read by this version" for one in news.unreadable),
            ],
        )
    leader = news.leader.instance_id if news.leader is not None and leads else ""
    return ok(
        "scheduler", f"{leader} leads, {named(active, 'schedule')}" if leader else "none leads; no schedule needs one"
    )


def check_processors(facts: Facts) -> Check:
    """Whether processors keep up."""
    processors = facts.processors
    if isinstance(processors, Unknown):
        return skipped("processors", processors.why)
    stopped = [one for one in processors if not one.is_running and _behind(one)]
    if stopped:
        return bad(
            "processors",
            f"{named(len(stopped), 'processor')} with events and no process",
            meaning="its events wait; those that are older than events.max_age are lost to it",
            remedy=f"start one: naq run-processor {stopped[0].name}; or end it: naq processor remove {stopped[0].name}",
            details=[f"{one.name}: {named(_behind(one), 'event')} behind" for one in stopped],
        )
    slow = [f"{one.name}: {named(_behind(one), 'event')} behind" for one in processors if _behind(one) >= _LAG]
    dead = [f"{one.name}: {named(one.dead, 'dead event')}" for one in processors if one.dead]
    if slow or dead:
        return warn(
            "processors",
            f"{named(len(slow) + len(dead), 'trouble')} with processors",
            meaning="one that lags tells late; dead events were given up, and wait for somebody",
            remedy="run more processes of it, or raise its batch; 'naq processor dead NAME' lists what was given up",
            details=[*slow, *dead],
        )
    return ok("processors", f"{named(len(processors), 'processor')} up to date" if processors else "there is none")


def _behind(one: ProcessorState) -> int:
    return one.progress.waiting + one.progress.unacknowledged
