"""The last events that match, in a log that is many times as long as what is looked at first."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from naq_runtime.events.codec import encode_event, event_subject
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.found import SequenceRange
from naq_runtime.events.models import Event, JobEventType, StoredEvent, WorkerEventType
from naq_runtime.events.storage import NATSJobEventStorage
from naq_runtime.nats import direct
from naq_runtime.nats.connection import Connection
from naq_runtime.nats.direct import Page
from naq_runtime.nats.publish import Outgoing
from naq_runtime.services.manager import ServiceManager
from tests.unit.samples import a_job_event, a_worker_event

EVENTS = 24_000


def made_up(number: int) -> Event:
    """One of many: failures everywhere, timeouts and cancelled jobs only long ago; more of these than fit an answer."""
    kind = JobEventType.STARTED
    if number % 5_000 == 4_000:
        return a_worker_event(WorkerEventType.STOPPED, event_id=f"n{number}", worker_id="w7")
    if number % 97 == 50:
        kind = JobEventType.FAILED
    elif number < 1_500 and number % 2:
        kind = JobEventType.TIMED_OUT
    elif number < 8_000:
        kind = JobEventType.CANCELLED
    failed = kind is JobEventType.FAILED
    return a_job_event(
        kind,
        event_id=f"n{number}",
        job_id=f"j{number // 4}",
        queue_name=f"q{number % 5}",
        worker_id=f"w{number * 7 % 50}",
        duration_ms=number % 3_000 + 0.5 if failed else None,
        error_message="the mail server is away" if failed else None,
    )


@pytest.fixture
async def storage(services: ServiceManager) -> AsyncIterator[NATSJobEventStorage]:
    """A log of so many events."""
    storage = NATSJobEventStorage(services.connection, services.config, services.topology)
    for first in range(0, EVENTS, 1_000):
        events = map(made_up, range(first, first + 1_000))
        await storage.store([Outgoing(event_subject(services.names, one), encode_event(one)) for one in events])
    yield storage
    await storage.close()


@pytest.mark.parametrize(
    "text",
    [
        "type:failed",
        "type:failed duration>2900ms",
        "type:timed_out",
        "type:cancelled",
        "type:cancelled worker:w7",
        "type:cancelled,stopped worker:w7",
        "type:started worker:w7",
        "type:started",
        "type:failed,cancelled queue:q1,q2",
        "error:mail",
        "j777",
        "",
    ],
)
async def test_they_are_those_of_a_plain_search_wherever_they_lie(storage: NATSJobEventStorage, text: str) -> None:
    wanted = EventFilter(text)
    matching = [number + 1 for number in range(EVENTS) if wanted.matches(made_up(number))]
    assert matching, "the filter finds something"

    for limit in (1, 100, 2_500):
        for within in (SequenceRange(1, EVENTS), SequenceRange(701, 15_000)):
            found = await storage.recent(limit, wanted, within)

            inside = [sequence for sequence in matching if within.first <= sequence <= within.last]
            assert sequences(found) == inside[-limit:]


def sequences(found: list[StoredEvent]) -> list[int]:
    """Their places in the log."""
    return [one.sequence for one in found]


async def test_what_lies_behind_a_range_is_not_fetched_with_it(
    services: ServiceManager, storage: NATSJobEventStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [a_job_event(JobEventType.STARTED, event_id=f"late{number}", queue_name="q1") for number in range(4_000)]
    await storage.store([Outgoing(event_subject(services.names, one), encode_event(one)) for one in late])
    by_subject: list[int] = []
    ask = direct.page_from

    async def page_from(connection: Connection, stream: str, sequence: int, size: int, subject: str | None) -> Page:
        page = await ask(connection, stream, sequence, size, subject)
        if subject is not None:
            by_subject.append(len(page.messages))
        return page

    monkeypatch.setattr(direct, "page_from", page_from)
    wanted, within = EventFilter("type:started queue:q1"), SequenceRange(1, 20_000)
    found = await storage.recent(1_500, wanted, within)

    matching = [number + 1 for number in range(within.last) if wanted.matches(made_up(number))]
    assert sequences(found) == matching[-1_500:]
    assert 1_000 < sum(by_subject) < 3_000
