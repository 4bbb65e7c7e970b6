"""Who reads and who writes roll-ups, with the streams and the settings of a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from naq_runtime.errors import SerializationError
from naq_runtime.events.codec import decode_event
from naq_runtime.services.manager import ServiceManager
from naq_runtime.statistics.reader import EventLog, StatisticsReader, StreamLog, Wanted
from naq_runtime.statistics.store import RollupStore
from naq_runtime.statistics.writer import RollupWriter

if TYPE_CHECKING:
    from naq_runtime.events.filters import EventFilter
    from naq_runtime.nats.direct import StoredMessage

__all__ = ["reader_of", "writer_of"]


def reader_of(
    services: ServiceManager, log: EventLog | None = None, *, wanted: EventFilter | None = None
) -> StatisticsReader:
    """Answers from the roll-ups and the log of events, or from another log.

    Args:
        wanted: which events count; all of them, when left out.
    """
    streams, names = services.streams, services.names
    store = RollupStore(streams, names, services.config.statistics)
    return StatisticsReader(log or StreamLog(streams, names), store, now_ns=_now_of(services), wanted=_matching(wanted))


def writer_of(
    services: ServiceManager,
    may_act: Callable[[], bool] = lambda: True,
    *,
    mended: Callable[[SerializationError], object] = lambda _: None,
    ahead_ns: int = 0,
) -> RollupWriter:
    """Rolls up the log of events.

    Args:
        may_act: whether it is on us.
        mended: see `RollupWriter`.
        ahead_ns: goes by a later time than it is, so that nothing has to be waited for.
    """
    now_ns = _now_of(services)
    streams, names, config = services.streams, services.names, services.config.statistics
    return RollupWriter(
        streams,
        names,
        RollupStore(streams, names, config),
        ready=services.topology.stats,
        now_ns=lambda: now_ns() + ahead_ns,
        most_groups=config.most_groups,
        may_act=may_act,
        mended=mended,
    )


def _matching(wanted: EventFilter | None) -> Wanted | None:
    if wanted is None or wanted.is_empty:
        return None

    def matches(message: StoredMessage) -> bool:
        try:
            return wanted.matches(decode_event(message.data))
        except SerializationError:
            return False

    return matches


def _now_of(services: ServiceManager) -> Callable[[], int]:
    """The clock of the server."""
    return lambda: services.clock.time_ns() + services.streams.skew_ns
