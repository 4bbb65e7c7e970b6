"""The watch of the leader: it evaluates the rules, writes down what that changes, and sees that everybody is told.

What an evaluation decides counts once its record is written, which holds only while the record is as it was read. The
record names those transitions of which not everybody has been told. So whoever leads next tells the rest:

- in the log each transition is told once. Its event has an id that follows from the alert, and is stored on the
  condition that there is none of this id yet, so that a leader that was stopped and goes on repeats nothing;
- a webhook is called at least once: again, when its leader dies between the answer and the record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from naq_runtime.alerts.delivery import Deliveries, line_of
from naq_runtime.alerts.evaluation import GAP_NS, Transition, alert_key, evaluate, withdraw
from naq_runtime.alerts.observing import Observer
from naq_runtime.alerts.readings import Observed, values_of
from naq_runtime.alerts.record import AlertRecord, Notice
from naq_runtime.alerts.settings import WatchedRule, rules_of
from naq_runtime.alerts.store import Board, Kept, read_board, write_records
from naq_runtime.alerts.wording import fill
from naq_runtime.errors import NaqError, ServerError
from naq_runtime.events.models import AlertEvent, AlertEventType
from naq_runtime.events.once import store_once
from naq_runtime.nats.publish import is_conflict
from naq_runtime.processors.words import one_line
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager

__all__ = ["AlertWatch"]

log = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000
_REWRITE_NS = 5 * _SECOND_NS
"""How old the figures in a record with alerts may be, and that of one without any, when nothing else has changed."""
_REWRITE_QUIET_NS = 30 * _SECOND_NS
_MOST_WAITING = 200
"""Transitions of a rule that wait for its webhook: a record is one message, and must not become too large for one."""


class AlertWatch:
    """Evaluates the rules of the config at intervals, for as long as it is on us.

    Args:
        instance_id: who we are.
        may_act: whether it is on us.

    Raises:
        ConfigError: a webhook cannot be used.
    """

    def __init__(
        self, services: ServiceManager, events: EventService, *, instance_id: str, may_act: Callable[[], bool]
    ) -> None:
        self.rules = rules_of(services.config)
        self._services = services
        self._events = events
        self._instance_id = instance_id
        self._may_act = may_act
        self._interval_s = services.config.scheduler.alerts_interval
        self._gap_ns = max(GAP_NS, int(3 * self._interval_s * _SECOND_NS))
        self._deliveries = Deliveries(self.rules, services.config.webhooks)
        self._observer: Observer | None = None
        self._is_ready = False
        """Whether the bucket and the log are there, as far as we know."""
        self._now: dict[str, Kept] = {}
        """The records as they were evaluated last, and the sequences of those that are stored."""
        self._said = ""

    def __repr__(self) -> str:
        return f"<AlertWatch rules={len(self.rules)} {'watches' if self._observer else 'rests'}>"

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                if self._may_act() and self._services.connection.is_connected:
                    await self.look()
                elif not self._may_act():
                    await self._rest()
                await asyncio.sleep(self._interval_s if self._observer else min(1.0, self._interval_s))
        finally:
            await self._rest()

    async def evaluate(self) -> None:
        """Evaluate all rules once.

        Raises:
            ServerError: nothing is certain; call again.
        """
        services = self._services
        if not self._is_ready:
            await services.topology.bucket(services.names.alerts_bucket)
            await services.topology.events()
            self._is_ready = True
        observer = self._observer
        if observer is None or observer.has_failed:
            observer = await self._begin()
        observed = await observer.observe()
        board = await read_board(services.streams, services.names)
        if not self._may_act():
            return
        self._now = {name: self._latest(name, kept) for name, kept in board.kept.items()}
        for watched in self.rules:
            self._evaluate(watched, observed)
        for name in self._removed:
            record = replace(self._now[name].record, due_ns=0)
            self._take(name, *withdraw(record, "its rule was removed"), observed.now_ns)
        refused = await self._write(observed.now_ns)
        await self._tell(board, observed.now_ns)
        if refused is not None:
            raise refused

    async def look(self) -> None:
        """Evaluate all rules once; what goes wrong is logged."""
        try:
            await self.evaluate()
            self._said = ""
        except Exception as error:  # supervision: schedules are to go on, whatever it stumbled over
            self._is_ready = False
            if str(error) != self._said:
                self._said = str(error)
                trace = None if isinstance(error, ServerError) else error
                log.warning("alerts cannot be evaluated now: %s", error, exc_info=trace, extra=_WAITING)

    async def _begin(self) -> Observer:
        if self._observer is not None:
            await self._observer.stop()
        observer = Observer(self._services, (watched.rule for watched in self.rules))
        try:
            await observer.start()
        except BaseException:
            await observer.stop()
            raise
        self._observer = observer
        return observer

    async def _rest(self) -> None:
        """Know nothing any more: when it is on us again, others may have changed all of it."""
        observer, self._observer = self._observer, None
        self._now = {}
        await self._deliveries.stop()
        if observer is not None:
            with suppress(ServerError):
                await observer.stop()

    def _latest(self, name: str, kept: Kept) -> Kept:
        """What we know of a rule; another leader's record counts more than what we had in mind."""
        known = self._now.get(name)
        return known if known is not None and known.sequence == kept.sequence else kept

    @property
    def _removed(self) -> set[str]:
        """The rules of which there are records, and which are in the config no more."""
        names = {watched.name for watched in self.rules}
        return {name for name, kept in self._now.items() if name not in names and kept.record.rule}

    # Deciding

    def _evaluate(self, watched: WatchedRule, observed: Observed) -> None:
        name, rule, config = watched
        known = self._now.get(name)
        before = known.record if known and known.record.rule else AlertRecord(name=name, rule=rule.text)
        values = values_of(rule, observed, config.min_samples)
        record, transitions = evaluate(before, rule, values, observed.now_ns, self._gap_ns)
        self._take(name, replace(record, severity=config.severity, text=config.message), transitions, observed.now_ns)

    def _take(self, name: str, record: AlertRecord, transitions: list[Transition], now_ns: int) -> None:
        """Note a record, with those still to be told of."""
        waiting = _latest([notice for notice in record.notices if not (notice.told and notice.posted)])
        fresh = tuple(Notice(event=self._event(record, transition, now_ns)) for transition in transitions)
        known = self._now.get(name)
        noted = replace(record, notices=waiting + fresh, by=self._instance_id)
        self._now[name] = Kept(noted, known.sequence if known else 0, known.written if known else None)

    def _event(self, record: AlertRecord, transition: Transition, now_ns: int) -> AlertEvent:
        kind, alert, reason = transition
        rule = next((watched.rule for watched in self.rules if watched.name == record.name), None)
        is_over = kind is AlertEventType.RESOLVED
        word = "resolved" if is_over else "firing"
        event = AlertEvent(
            event_type=kind,
            timestamp_ns=now_ns,
            event_id=f"{alert_key(alert.labels)}-{alert.fired_ns:x}-{word}",
            alert=record.name,
            rule=record.rule,
            severity=record.severity,
            labels=alert.labels or None,
            value=alert.value,
            threshold=rule and rule.breach.threshold,
            unit=rule and rule.metric.unit.value,
            since_ns=alert.since_ns,
            duration_ms=(now_ns - alert.fired_ns) / 1e6 if is_over else None,
            reason=reason or None,
            by=self._instance_id,
        )
        # What is measured when an alert is over says nothing of why it fired.
        text = "" if is_over else fill(record.text, event.labels, event.unit, event.value, event.threshold)
        return replace(event, text=text or None)

    # Writing down

    async def _write(self, now_ns: int) -> NaqError | None:
        """Write the records that have changed, or that are old; of those that do not hold nobody is told.

        Returns:
            Why one of them could not be written; that is no reason to keep quiet about the others.
        """
        due_ns = now_ns + max(_REWRITE_QUIET_NS, int(2 * self._interval_s * _SECOND_NS))
        removed = self._removed
        writing: dict[str, Kept] = {}
        for name, kept in self._now.items():
            if name in removed and not kept.record.notices:
                writing[name] = kept._replace(record=AlertRecord(name=name, rule=""))
            elif name not in removed and not kept.record.rule:
                continue
            elif kept.written is None or _is_old(kept.written, kept.record):
                writing[name] = kept._replace(record=replace(kept.record, due_ns=0 if name in removed else due_ns))
        answers = await write_records(self._services.streams, self._services.names, list(writing.values()))
        refused: NaqError | None = None
        for (name, kept), answer in zip(writing.items(), answers, strict=True):
            if isinstance(answer, int):
                self._now[name] = Kept(kept.record, answer, kept.record)
                continue
            del self._now[name]  # what is stored of it is read the next time
            if not is_conflict(answer):  # and no other leader was faster
                refused = answer
        return refused

    # Telling

    async def _tell(self, board: Board, now_ns: int) -> None:
        """Tell the log and the webhooks of what is written down."""
        named = {watched.name for watched in self.rules}
        for name, kept in self._now.items():
            if kept.record.notices:
                is_silent = name not in named or board.is_silenced(name, now_ns)
                notices = [await self._logged(notice) for notice in kept.record.notices]
                posted = self._posted(notices, now_ns, is_silent=is_silent)
                self._now[name] = kept._replace(record=replace(kept.record, notices=posted))
        self._deliveries.forget(but=[one.event for kept in self._now.values() for one in kept.record.notices])

    async def _logged(self, notice: Notice) -> Notice:
        return replace(notice, told=notice.told or await self._log(notice.event))

    def _posted(self, notices: list[Notice], now_ns: int, *, is_silent: bool) -> tuple[Notice, ...]:
        """Have them posted, of each alert one after the other."""
        after: list[Notice] = []
        busy: list[object] = []
        for notice in notices:
            event = notice.event
            if not notice.posted and event.labels not in busy:
                is_over = is_silent or not self._deliveries.has(event.alert)
                notice = replace(notice, posted=is_over or self._deliveries.offer(event, now_ns))
            if not notice.posted:
                busy.append(event.labels)
            after.append(notice)
        return tuple(after)

    async def _log(self, event: AlertEvent) -> bool:
        """Store an event, unless it is stored."""
        if not self._events.enabled:
            return True
        if await store_once(self._services.streams, self._services.names, [event]):
            said = one_line(line_of(event), _LINE)  # jobs may have named its labels
            log.warning("alert %s", said, extra={"action": event.event_type.value})
            self._events.show(event)
        return True


_WAITING = {"action": "alerts_waiting"}
_LINE = 1_000


def _latest(notices: Sequence[Notice]) -> tuple[Notice, ...]:
    """Those that can be kept: all that the log has not been told of, and of others no more than so many."""
    excess = len(notices) - _MOST_WAITING
    if excess <= 0:
        return tuple(notices)
    over = {id(notice) for notice in [notice for notice in notices if notice.told][:excess]}
    if over:
        name = notices[0].event.alert
        log.warning("alert %s: %d calls of its webhook are given up, too many wait", name, len(over), extra=_WAITING)
    return tuple(notice for notice in notices if id(notice) not in over)


def _is_old(written: AlertRecord, record: AlertRecord) -> bool:
    """Whether a record says something else than the one that is written, or should be written again."""
    age_ns = record.as_of_ns - written.as_of_ns
    limit_ns = _REWRITE_NS if record.alerts else _REWRITE_QUIET_NS
    return age_ns >= limit_ns or age_ns < 0 or _essence(written) != _essence(record)


def _essence(record: AlertRecord) -> object:
    alerts = [(alert.labels, alert.state, alert.fired_ns, bool(alert.clear_since_ns)) for alert in record.alerts]
    return record.rule, record.severity, record.text, record.state, record.by, record.hidden, record.notices, alerts
