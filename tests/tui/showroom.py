"""A shop of which all is known: what pictures of every view are drawn from."""

from __future__ import annotations

from functools import cache

from msgspec.structs import replace

from naq_tui.sources.recorded import RecordedSource
from naq_tui.sources.recorded_past import MemoryRecording
from tests.tui import builders
from tests.tui.deeds import Deeds
from tests.tui.figures import consumers, detail
from tests.tui.recording import BACKLOGS, END_NS, Recording, shop

__all__ = ["showroom"]

_recorded = cache(shop)


def showroom(seconds: int = 400, *, alarmed: bool = False) -> RecordedSource:
    """The recording of so many seconds as a source, with answers, a past, and acts that do nothing.

    Args:
        alarmed: whether alerts fire.
    """
    recording: Recording = _recorded(seconds)
    *batches, last = recording.batches()
    if alarmed and last.snapshot is not None:
        last = replace(last, snapshot=replace(last.snapshot, alerts=builders.alerts(END_NS)))
    shown = recording.schedules
    source = RecordedSource(
        [*batches, last],
        jobs=recording.jobs,
        schedules=shown.schedules,
        details=shown.details(),
        leader=shown.leader,
    )
    source.questions.server_detail = detail(END_NS)
    source.questions.consumers_of = {"NAQ_JOBS": consumers()}
    source.questions.backlog = BACKLOGS
    source.actions = Deeds()
    source.past = MemoryRecording(recording.events, server=recording.snapshot.server, until_ns=END_NS)
    return source
