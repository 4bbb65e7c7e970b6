"""One job, from the moment it was enqueued, and what lies around it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from naq_runtime.errors import NaqError
from naq_runtime.events.models import JobEventType
from naq_runtime.job import JobStatus
from naq_runtime.snapshot import JobDetail, Snapshot
from naq_runtime.worker.record import WorkerRecord
from naq_tui.acts import Act, ActKind, job_text
from naq_tui.commands import Scope, bindings
from naq_tui.model.seconds import SECOND_NS
from naq_tui.pages.blocks import Block
from naq_tui.pages.events import as_stored
from naq_tui.pages.history import History
from naq_tui.pages.job import Around, job_page
from naq_tui.pages.life import ENDED
from naq_tui.pages.phases import phases
from naq_tui.pages.reasons import Situation
from naq_tui.pages.waits import wait_to_explain
from naq_tui.questions import Questions
from naq_tui.screens.detail import DetailScreen
from naq_tui.screens.view import FilteredView
from naq_tui.state import Dashboard
from naq_tui.widgets.document import Document
from naq_tui.widgets.filter import FilterBar
from naq_tui.widgets.sections import Sections
from naq_tui.widgets.status import Badge

__all__ = ["JobScreen"]

_LOOK_AGAIN_NS = 10 * SECOND_NS
"""So often it is looked around anew while the job waits."""
_NEWS = (JobEventType.STARTED, JobEventType.DEPENDENCY_SATISFIED, JobEventType.DEPENDENCY_FAILED)
"""After these, as after another status, things look different around it."""


class JobScreen(DetailScreen[JobDetail], FilteredView):
    """The page of a job; the bars of a running one grow. What lies around the job comes when it is known.

    Args:
        thing_id: its id.
        questions: what is asked for all of it, at the time.
    """

    BINDINGS = bindings(Scope.JOB)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.JOB, Scope.JOB_ACTS, Scope.BACK)
    NOUN: ClassVar[str] = "job"

    def __init__(self, thing_id: str, *, questions: Callable[[], Questions], badge: Badge) -> None:
        self._sections = Sections(classes="pane")
        super().__init__(thing_id, fetch=lambda job_id: questions().job(job_id), badge=badge)
        self._questions = questions
        self._around = Around()
        self._snapshot: Snapshot | None = None
        self._lost: tuple[WorkerRecord, ...] = ()
        self._looked: tuple[object, ...] = ()
        """What told that it is time to look around, when that was done last."""
        self._looked_at_ns = 0
        self._now_ns = 0

    def make_page(self) -> Document:
        """Sections, which fold."""
        return self._sections

    def compose(self) -> ComposeResult:
        """The strip, the page, the line in which a text to look for is typed, and the footer."""
        *above, footer = super().compose()
        yield from (*above, FilterBar("text to look for in the page"), footer)

    @property
    def filtered(self) -> Sections:
        """The page, in which a text can be looked for."""
        return self._sections

    @property
    def needle(self) -> str:
        """The text that is looked for."""
        return self._sections.needle

    def filter_by(self, needle: str) -> None:
        """Look for a text in the page."""
        self._sections.look_for(needle)

    def action_back(self) -> None:
        """Look for nothing any more, or else go back."""
        if self.needle:
            self.filter_by("")
        else:
            super().action_back()

    def happened(self, dashboard: Dashboard) -> int:
        """Events of the job; those that came while another one was watched are not known."""
        if dashboard.watch(self.thing_id):
            self._asked_version = -1
        return dashboard.versions.job

    def show(self, dashboard: Dashboard, now_ns: int, behind: int | None) -> bool:
        """See `DetailScreen.show`; of queue and workers, what the latest snapshot says."""
        if behind is None or self.detail is None:
            self._snapshot, self._now_ns = dashboard.snapshot, dashboard.as_of(now_ns)
            self._lost = tuple(worker.record for worker in dashboard.workers(now_ns) if worker.lost)
            self._look_around_again(now_ns)
        return super().show(dashboard, now_ns, behind)

    def lay_out(self, detail: JobDetail, now_ns: int) -> None:
        """See `job_page`."""
        self._laid_out_s = now_ns // SECOND_NS

        def blocks(width: int) -> list[Block]:
            return job_page(detail, width, now_ns, self._as_it_stands(detail))

        self._sections.set_blocks(blocks)

    def answered(self, detail: JobDetail) -> None:
        """Look around, when that may be different now."""
        news = (detail.status, sum(stored.event.event_type in _NEWS for stored in detail.events))
        if news != self._looked:
            self._looked = news
            self._look_around(detail)

    # Around it

    def _as_it_stands(self, detail: JobDetail) -> Around:
        """What is known around it, with the queue and the workers of the latest snapshot."""
        snapshot = self._snapshot
        if snapshot is None:
            return self._around
        name = History(detail).queue_name
        queue = next((one for one in snapshot.queues if one.name == name), None)
        return self._situated(queue=queue, workers=snapshot.workers, lost=self._lost)

    def _look_around_again(self, now_ns: int) -> None:
        """While it waits, nothing happens to it, but around it."""
        waits = self.detail is not None and self.detail.status not in (*ENDED, JobStatus.RUNNING)
        if self.detail is not None and waits and now_ns - self._looked_at_ns >= _LOOK_AGAIN_NS:
            self._look_around(self.detail)

    def _look_around(self, detail: JobDetail) -> None:
        self._looked_at_ns = self._now_ns
        self.run_worker(self._ask_around(detail), group="around", exclusive=True)

    async def _ask_around(self, detail: JobDetail) -> None:
        """Ask for all of it at once, and show each answer when it comes."""
        questions, history, found = self._questions(), History(detail), phases(detail, self._now_ns)
        function, queue = history.function_name, history.queue_name
        before_ns = found[-1].end_ns if found and detail.status in ENDED else self._now_ns
        wait = wait_to_explain(found)

        async def family() -> Around:
            return self._situated(family=await questions.family(detail))

        async def story() -> Around:
            if wait is None:
                return self._around
            told = await questions.queue_story(queue, wait.start_ns, None if wait.open else wait.end_ns)
            return self._situated(story=told)

        async def neighbours() -> Around:
            known = await questions.neighbours(function, queue, but=detail.job_id, before_ns=before_ns)
            return replace(self._around, neighbours=known)

        self._around = replace(self._around, trouble="")
        asked = [family(), *([story()] if queue else []), *([neighbours()] if function and queue else [])]
        await asyncio.gather(*(self._take(answer) for answer in asked))

    def _situated(self, **known: object) -> Around:
        situation: Situation = replace(self._around.situation, **known)  # type: ignore[arg-type]  # its own fields
        return replace(self._around, situation=situation)

    async def _take(self, answer: Awaitable[Around]) -> None:
        try:
            self._around = await answer
        except NaqError as error:
            self._around = replace(self._around, trouble=str(error))
        self._show_anew()

    def _show_anew(self) -> None:
        if self.detail is not None:
            self.lay_out(self.detail, self._now_ns)

    # What can be done

    @on(Sections.Entered)
    def _entered(self, event: Sections.Entered) -> None:
        event.stop()
        if event.entered.kind == "job":
            self.post_message(self.JobWanted(event.entered.target))
        else:
            self._around = replace(self._around, wanted=frozenset((*self._around.wanted, event.entered.target)))
            self._show_anew()

    def action_raw(self) -> None:
        """Show the events as JSON, or as a list again."""
        self._around = replace(self._around, raw=not self._around.raw)
        self._show_anew()
        self._sections.go_to("raw" if self._around.raw else "events")

    def act(self, kind: ActKind) -> Act | None:
        """Retry what has failed, cancel what has not ended, delete a dead letter."""
        detail = self.detail
        may: Mapping[ActKind, Callable[[JobDetail], bool]] = {
            ActKind.RETRY: lambda detail: detail.status is JobStatus.FAILED,
            ActKind.CANCEL: lambda detail: detail.status not in ENDED,
            ActKind.DELETE: _may_be_dead,
        }
        if detail is None or kind not in may or not may[kind](detail):
            return None
        return Act(kind, "job", (detail.job_id,), about=_about(detail))

    def row_text(self) -> str:
        """The section with the cursor, the id of the job that it is on, or all of the page."""
        return self._sections.text()

    def equivalent(self) -> str:
        """The command that prints the same."""
        job_id = shlex.quote(self.thing_id)
        return f"naq job events {job_id} --format json" if self._around.raw else f"naq job show {job_id}"

    def records(self) -> Iterable[Mapping[str, object]]:
        """Its events."""
        return [as_stored(stored) for stored in self.detail.events] if self.detail else []


def _may_be_dead(detail: JobDetail) -> bool:
    """Whether it lies among the dead letters, by its events; where these are gone, who is asked to delete it knows."""
    return detail.status is JobStatus.FAILED and (not detail.events or History(detail).burial is not None)


def _about(detail: JobDetail) -> dict[str, str]:
    if detail.job is None:
        return {}
    return {detail.job_id: job_text(str(detail.job.function), detail.job.queue_name or "default")}
