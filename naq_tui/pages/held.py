"""What holds back a job that could run: its queue, its limits, the workers, and the jobs that came before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEvent, JobEventType, SystemEvent, SystemEventType, WorkerEvent, WorkerEventType
from naq_runtime.snapshot import QueueState
from naq_runtime.surroundings import QueueStory
from naq_runtime.worker.record import WorkerRecord, WorkerState
from naq_tui.pages.history import History
from naq_tui.pages.phases import Phase
from naq_tui.pages.reasons import Reason, Situation
from naq_tui.text import age_text, inert, moment_text

__all__ = ["Held", "of_queue"]

_SATURATED = 0.8
"""A rate that was used up to this share was in the way."""


class Held:
    """Looks for what held a runnable job back."""

    def __init__(self, history: History, found: Sequence[Phase], wait: Phase, around: Situation, now_ns: int) -> None:
        self._history, self._found, self._wait, self._around = history, found, wait, around
        self._now_ns = now_ns
        self._queue = history.queue_name
        self._since_ns = wait.planned_until_ns
        self._until_ns = now_ns if wait.open else wait.end_ns
        self._story = around.story or QueueStory()

    def now(self) -> Iterator[Reason]:
        """What does so now."""
        queue, workers = self._around.queue, self._around.workers
        found: list[Reason] = []
        if queue is not None:
            found += self._paused(queue)
            found += _limited(queue)
        if workers is not None and self._queue:
            found += self._manned(of_queue(workers, self._queue))
        if queue is not None:
            found += self._rated(queue.rate_limit, "is")
            found += self._in_line(queue)
        yield from found or [self._free(workers)]
        yield from self._returned()

    def then(self) -> Iterator[Reason]:
        """What did so while it waited."""
        found = [*self._was_paused(), *self._was_unmanned(), *self._was_left(), *self._was_limited()]
        found += self._was_in_line()
        if found:
            yield from found
        elif self._around.story is not None:
            yield Reason("unknown", "no event that is kept tells what held it back")
        yield from self._returned()

    # Now

    def _paused(self, queue: QueueState) -> Iterator[Reason]:
        if not queue.paused:
            return
        holds = [one.event for one in self._story.holds if isinstance(one.event, SystemEvent)]
        pause = next((one for one in reversed(holds) if one.event_type is SystemEventType.QUEUE_PAUSED), None)
        yield Reason("paused", f"the queue {inert(queue.name, 64)} is paused", self._pause_text(pause) if pause else "")

    def _pause_text(self, pause: SystemEvent) -> str:
        since = moment_text(pause.moment_ns, self._now_ns)
        reason = f': "{inert(pause.reason, 120)}"' if pause.reason else ""
        return f"since {since}, {age_text((self._now_ns - pause.moment_ns) / 1e9)} ago{reason}"

    def _manned(self, here: Sequence[WorkerRecord]) -> Iterator[Reason]:
        able = [one for one in here if one.state not in (WorkerState.STOPPING, WorkerState.STARTING)]
        if not here:
            yield Reason("worker", f"no worker works on the queue {inert(self._queue, 64)}", self._last_shift())
        elif not able:
            states = ", ".join(f"{inert(one.worker_id, 40)} is {one.state.value}" for one in here[:3])
            yield Reason("worker", "none of its workers takes jobs now", states)
        elif all(one.active_jobs >= one.concurrency_limit > 0 for one in able):
            taken, all_slots = sum(one.active_jobs for one in able), sum(one.concurrency_limit for one in able)
            who = (
                f"all {len(able):,} workers have" if len(able) > 1 else f"its worker {inert(able[0].worker_id, 40)} has"
            )
            yield Reason("full", f"{who} no free slot", f"{taken:,} of {all_slots:,} are taken")

    def _last_shift(self) -> str:
        """Who was the last to leave."""
        if lost := of_queue(self._around.lost, self._queue):
            last = max(lost, key=lambda one: one.on_server(one.beat_at_ns))
            heard = f"last heard {age_text((self._now_ns - last.on_server(last.beat_at_ns)) / 1e9)} ago"
            others = f" and {_some(len(lost) - 1, 'other')}" if len(lost) > 1 else ""
            return f"{inert(last.worker_id, 40)}{others} {'were' if others else 'was'} lost, {heard}"
        here = {event.worker_id for event in self._shifts() if self._queue in event.queue_names}
        ends = [
            one for one in self._shifts() if one.event_type is not WorkerEventType.STARTED and one.worker_id in here
        ]
        if not ends:
            return "none has stopped lately"
        end = ends[-1]
        how = "was lost" if end.event_type is WorkerEventType.LOST else "stopped"
        return f"the last one, {inert(end.worker_id, 40)}, {how} at {moment_text(end.moment_ns, self._now_ns)}"

    def _shifts(self) -> list[WorkerEvent]:
        return [one.event for one in self._story.shifts if isinstance(one.event, WorkerEvent)]

    def _rated(self, limit: str, verb: str) -> Iterator[Reason]:
        """A rate, when it was used up."""
        count, period_s = _rate(limit)
        if not count:
            return
        begun = self._begun(self._until_ns - int(period_s * 1e9) if self._wait.open else self._since_ns)
        periods = 1.0 if self._wait.open else max(1.0, (self._until_ns - self._since_ns) / 1e9 / period_s)
        if self._story.has_more or len(begun) >= count * periods * _SATURATED:
            span = f"in the latest {duration_text(period_s * 1000)}" if self._wait.open else "meanwhile"
            text = f"the rate of its queue {verb} limited to {inert(limit, 20)}"
            yield Reason("rate", text, f"{self._number(len(begun))} of its jobs began {span}")

    def _begun(self, since_ns: int) -> list[JobEvent]:
        events = [one.event for one in self._story.begun if isinstance(one.event, JobEvent)]
        return [one for one in events if since_ns <= one.moment_ns <= self._until_ns and not self._is_own(one)]

    def _is_own(self, event: JobEvent) -> bool:
        return event.job_id == self._history.detail.job_id

    def _number(self, count: int) -> str:
        return f"more than {count:,}" if self._story.has_more else f"{count:,}"

    def _in_line(self, queue: QueueState) -> Iterator[Reason]:
        others = max(0, queue.waiting - 1)
        if not others:
            return
        begun = self._begun(self._since_ns)
        since = f"{self._number(len(begun))} of its jobs began since it waits" if self._around.story is not None else ""
        yield Reason(
            "line", f"{others:,} other job{'s' * (others > 1)} of its queue wait{'s' * (others == 1)} too", since
        )

    def _free(self, workers: Sequence[WorkerRecord] | None) -> Reason:
        able = of_queue(workers or (), self._queue)
        free = sum(max(0, one.concurrency_limit - one.active_jobs) for one in able)
        if not free:
            return Reason("unknown", "what it waits for is not known yet")
        slots = f"{_some(free, 'slot')} of {_some(len(able), 'worker')} {'is' if free == 1 else 'are'} free"
        return Reason("unknown", "nothing that is known holds it back", slots)

    def _returned(self) -> Iterator[Reason]:
        """It ran before, and was handed back, or its worker was lost."""
        for event in self._history.all(JobEventType.INTERRUPTED):
            if event.moment_ns == self._wait.start_ns:
                why = f": {inert(event.reason, 80)}" if event.reason else ""
                yield Reason("returned", f"worker {inert(event.worker_id or '-', 40)} handed it back", why.lstrip(": "))

    # Then

    def _was_paused(self) -> Iterator[Reason]:
        paused_ns, pause = 0, None
        for begin, end_ns in self._pauses():
            shared = min(end_ns, self._until_ns) - max(begin.moment_ns, self._since_ns)
            if shared > 0:
                paused_ns, pause = paused_ns + shared, begin
        if pause is not None:
            reason = f': "{inert(pause.reason, 120)}"' if pause.reason else ""
            when = moment_text(pause.moment_ns, self._now_ns)
            text = f"its queue was paused for {duration_text(paused_ns / 1e6)} of it"
            yield Reason("paused", text, f"at {when}{reason}")

    def _pauses(self) -> Iterator[tuple[SystemEvent, int]]:
        """When the queue was paused, and until when."""
        begin: SystemEvent | None = None
        for stored in self._story.holds:
            event = stored.event
            if not isinstance(event, SystemEvent):
                continue
            if event.event_type is SystemEventType.QUEUE_PAUSED:
                begin = begin or event
            elif event.event_type is SystemEventType.QUEUE_RESUMED and begin is not None:
                yield begin, event.moment_ns
                begin = None
        if begin is not None:
            yield begin, self._until_ns

    def _was_unmanned(self) -> Iterator[Reason]:
        """The worker that took it came late, and nobody took any of its queue before."""
        run = next((one for one in self._found if one.kind == "running" and one.start_ns >= self._until_ns), None)
        starts = [
            one
            for one in self._shifts()
            if one.event_type is WorkerEventType.STARTED and run is not None and one.worker_id == run.worker
        ]
        if not starts or not self._since_ns < starts[-1].moment_ns <= self._until_ns:
            return
        came_ns = starts[-1].moment_ns
        if any(one.moment_ns < came_ns for one in self._begun(self._since_ns)):
            return
        late = _span(self._since_ns, came_ns)
        text = f"the worker that took it, {inert(starts[-1].worker_id, 40)}, came {late} later"
        yield Reason("worker", text, "no other began a job of its queue before")

    def _was_left(self) -> Iterator[Reason]:
        """Workers of its queue were lost: one of them may have had it in its hands."""
        lost = [
            one
            for one in self._shifts()
            if one.event_type is WorkerEventType.LOST
            and self._queue in one.queue_names
            and self._since_ns <= one.moment_ns <= self._until_ns
        ]
        if lost:
            who = ", ".join(
                f"{inert(one.worker_id, 40)} at {moment_text(one.moment_ns, self._now_ns)}" for one in lost[-3:]
            )
            yield Reason("worker", f"{_some(len(lost), 'worker')} of its queue {_was(len(lost))} lost meanwhile", who)

    def _was_limited(self) -> Iterator[Reason]:
        limits = [
            one.event
            for one in self._story.holds
            if isinstance(one.event, SystemEvent)
            and one.event.event_type is SystemEventType.QUEUE_LIMITED
            and one.event.moment_ns <= self._until_ns
        ]
        if not limits:
            return
        yield from self._rated(limits[-1].rate_limit or "", "was")
        if limits[-1].concurrency_limit:
            most, since = limits[-1].concurrency_limit, moment_text(limits[-1].moment_ns, self._now_ns)
            text = f"no more than {_some(most, 'job')} of its queue could run at a time"
            yield Reason("limit", text, f"so limited since {since}")

    def _was_in_line(self) -> Iterator[Reason]:
        begun = self._begun(self._since_ns)
        if begun:
            workers = len({one.worker_id for one in begun})
            count = f"{self._number(len(begun))} other job{'s' * (len(begun) > 1)} of its queue began meanwhile"
            yield Reason("line", count, f"at {_some(workers, 'worker')}")


def _limited(queue: QueueState) -> Iterator[Reason]:
    if queue.concurrency_limit and queue.running >= queue.concurrency_limit:
        most = queue.concurrency_limit
        yield Reason(
            "limit", f"its queue may run {most:,} job{'s' * (most > 1)} at a time", f"{queue.running:,} run now"
        )


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _some(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _rate(limit: str) -> tuple[int, float]:
    """Starts, and in how many seconds, of ``100/60s``; 0 for none."""
    count, _, period = limit.partition("/")
    try:
        return int(count), float(period.removesuffix("s"))
    except ValueError:
        return 0, 0.0


def _span(since_ns: int, until_ns: int) -> str:
    return duration_text(max(0, until_ns - since_ns) / 1e6)


def of_queue(workers: Collection[WorkerRecord], queue: str) -> list[WorkerRecord]:
    """Those that work on a queue."""
    return [one for one in workers if queue in one.queue_names and one.state is not WorkerState.STOPPED]
