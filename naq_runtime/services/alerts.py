"""Alerts as people deal with them: seeing how they stand, having them keep quiet, saying who cares."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from naq_runtime.alerts.readings import values_of
from naq_runtime.alerts.record import Alert, AlertRecord
from naq_runtime.alerts.rules import Rule
from naq_runtime.alerts.store import Note, acknowledge, read_board, silence
from naq_runtime.errors import NotFound
from naq_runtime.events.models import AlertEventType
from naq_runtime.naming import check_name
from naq_runtime.services.events import EventService

if TYPE_CHECKING:
    from naq_runtime.alerts.evaluation import Values
    from naq_runtime.services.manager import ServiceManager

__all__ = ["AlertService"]


class AlertService:
    """Reads what the leader of the schedulers has found, and says to it what people want."""

    def __init__(self, services: ServiceManager) -> None:
        self._services = services
        self._streams = services.streams
        self._names = services.names

    @classmethod
    async def create(cls, services: ServiceManager) -> Self:
        """Ready at once: nothing is made."""
        return cls(services)

    async def stop(self) -> None:
        """Nothing is held."""

    def now_ns(self) -> int:
        """The time of the server, as far as it is known, by which alerts are dated."""
        return self._services.clock.time_ns() + self._streams.skew_ns

    async def alerts(self) -> tuple[AlertRecord, ...]:
        """The rules that a leader has evaluated within the last day, by name, with their alerts.

        Raises:
            ServerError: they cannot be read now.
        """
        return (await read_board(self._streams, self._names)).records()

    async def values(self, rule: Rule, *, min_samples: int = 20) -> Values | None:
        """Measure now what a rule watches: the value for each set of labels, ``None`` where there is no data.

        Args:
            min_samples: of how many jobs shares and percentiles say something.

        Returns:
            ``None`` when it cannot be told, since events come faster than they can be read.

        Raises:
            ServerError: it cannot be read now.
        """
        async with self.measuring([rule], min_samples=min_samples) as measure:
            return (await measure())[0]

    @asynccontextmanager
    async def measuring(
        self, rules: Sequence[Rule], *, min_samples: int = 20
    ) -> AsyncIterator[Callable[[], Awaitable[list[Values | None]]]]:
        """Measure again and again: what the block gets is asked for what each rule watches; see `values`.

        Events are read once, and then as they come.
        """
        from naq_runtime.alerts.observing import Observer

        observer = Observer(self._services, rules)

        async def measure() -> list[Values | None]:
            observed = await observer.observe()
            return [values_of(rule, observed, min_samples) for rule in rules]

        try:
            await observer.start()
            yield measure
        finally:
            await observer.stop()

    async def silence(self, name: str, for_s: float, *, by: str = "", reason: str = "") -> None:
        """Have the webhook of a rule not called for so many seconds; 0 ends that. The log is told all the same.

        Raises:
            NotFound: no leader has evaluated a rule of this name.
            ServerError: it is uncertain.
        """
        await self._record(name)
        note = Note(until_ns=self.now_ns() + int(for_s * 1e9), by=by, reason=reason)
        await silence(self._streams, self._names, name, note, for_s)

    async def acknowledge(self, name: str, labels: Mapping[str, str] | None = None, *, by: str = "") -> list[Alert]:
        """Say that somebody cares for the alerts of a rule that fire, or for those of some labels; returns them.

        The log is told, too.

        Raises:
            NotFound: none of them fires.
            ServerError: it is uncertain.
        """
        record = await self._record(name)
        wanted = dict(labels or {})
        found = [alert for alert in record.firing if wanted.items() <= alert.labels.items()]
        if not found:
            raise NotFound(f"no such alert of {name} fires now; 'naq alerts list' shows those that do")
        events = await self._services.get_service(EventService)  # who only looks needs none
        for alert in found:
            await acknowledge(self._streams, self._names, name, alert, by or "somebody", self.now_ns())
            events.alert(
                AlertEventType.ACKNOWLEDGED,
                alert=name,
                rule=record.rule,
                severity=record.severity,
                labels=alert.labels or None,
                since_ns=alert.since_ns,
                by=by or "somebody",
            )
        return found

    async def _record(self, name: str) -> AlertRecord:
        check_name("alert", name)
        record = next((record for record in await self.alerts() if record.name == name), None)
        if record is None:
            raise NotFound(f"no scheduler watches a rule named {name}; 'naq alerts list' shows those that are watched")
        return record
