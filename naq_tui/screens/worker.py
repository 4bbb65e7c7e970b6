"""One worker: what it has in its hands, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from naq_runtime.events.models import JobEvent, StoredEvent, WorkerEvent, WorkerEventType
from naq_runtime.snapshot import WorkerDetail
from naq_tui.acts import Act, ActKind
from naq_tui.commands import Scope, bindings
from naq_tui.equivalents import worker_command
from naq_tui.pages.worker import worker_page
from naq_tui.questions import Questions
from naq_tui.screens.detail import DetailScreen
from naq_tui.state import Dashboard
from naq_tui.widgets.line import Line
from naq_tui.widgets.status import Badge

__all__ = ["WorkerScreen"]

_LOOKED_AT = 20_000
"""Events, the newest, that are looked through for those of the worker: some milliseconds of work, once a question."""
_MOST = 30
_EVERY_NS = 2_000_000_000
"""The least time between two questions."""


class WorkerScreen(DetailScreen[WorkerDetail]):
    """The page of a worker; the ages of its jobs go on."""

    BINDINGS = bindings(Scope.WORKER)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.WORKER, Scope.WORKER_ACTS, Scope.BACK)
    NOUN: ClassVar[str] = "worker"

    _lately: Sequence[StoredEvent] = ()
    _looked_at = -1

    def __init__(self, thing_id: str, *, questions: Callable[[], Questions], badge: Badge) -> None:
        super().__init__(thing_id, fetch=lambda worker_id: questions().worker(worker_id), badge=badge)

    def happened(self, dashboard: Dashboard) -> int:
        """A worker beats all the time: it is asked for anew every other second."""
        moment = dashboard.snapshot.taken_at_ns // _EVERY_NS if dashboard.snapshot is not None else 0
        if moment != self._looked_at:
            self._looked_at, self._lately = moment, _events_of(self.thing_id, dashboard)
        return moment

    def lines(self, detail: WorkerDetail, width: int, now_ns: int) -> Sequence[Line]:
        """See `worker_page`."""
        return worker_page(detail, self._lately, width, now_ns)

    def act(self, kind: ActKind) -> Act | None:
        """The worker is stopped."""
        return Act(kind, "worker", (self.thing_id,)) if kind is ActKind.STOP else None

    def row_text(self) -> str:
        """Its id."""
        return self.thing_id

    def equivalent(self) -> str:
        """What shows the worker in a shell."""
        return worker_command(self.thing_id)

    def records(self) -> Iterable[Mapping[str, object]]:
        """The jobs in its hands."""
        return [msgspec.structs.asdict(job) for job in self.detail.jobs] if self.detail is not None else []

    def action_open(self) -> None:
        """Open the job that it has had for longest."""
        jobs = self.detail.jobs if self.detail is not None else ()
        if jobs:
            self.post_message(self.JobWanted(jobs[0].job_id))
        else:
            self.app.bell()


def _events_of(worker_id: str, dashboard: Dashboard) -> list[StoredEvent]:
    """The latest of a worker and of its jobs, oldest first; without heartbeats."""
    log, found = dashboard.log, []
    for stored in reversed(log.between(log.end - _LOOKED_AT, log.end)):
        if _is_of(worker_id, stored):
            found.append(stored)
            if len(found) == _MOST:
                break
    return found[::-1]


def _is_of(worker_id: str, stored: StoredEvent) -> bool:
    event = stored.event
    if isinstance(event, WorkerEvent):
        return event.worker_id == worker_id and event.event_type is not WorkerEventType.HEARTBEAT
    return isinstance(event, JobEvent) and event.worker_id == worker_id
