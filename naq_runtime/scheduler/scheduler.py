"""A scheduler: waits for the lead, and while it has it, sees to schedules in time."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from naq_runtime.errors import ServerError, ServerUnreachable
from naq_runtime.events.models import SystemEventType
from naq_runtime.events.retiring import Retiring
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.naming import check_name
from naq_runtime.nats.connection import listening
from naq_runtime.scheduler.chores import Chore, Chores, Rollups, chores_of
from naq_runtime.scheduler.leadership import Leadership
from naq_runtime.scheduler.store import AWAY_NS
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.scheduler import SchedulerService
from naq_runtime.snapshot import LeaderState
from naq_runtime.worker.amends import Amends

__all__ = ["Scheduler"]

log = logging.getLogger(__name__)

_LOOK_S = 10.0
"""How often schedules are looked at that nobody said have changed."""
_ROLLUPS_S = 5.0
"""How often it is looked whether a minute is over."""
_HELD_S = 0.5
"""How often the end of the job is looked for, for which a tick is held."""
_TROUBLE_S = 0.5


class Scheduler:
    """One of any number; one of them leads.

    Args:
        services: connection, event log and settings; entered.
        instance_id: unique among the schedulers; the manager's own when left out.

    Raises:
        InvalidName: the id cannot be used.
    """

    def __init__(self, services: ServiceManager, *, instance_id: str | None = None) -> None:
        self.instance_id = check_name("instance", instance_id or services.instance)
        self._services = services
        self._config = services.config.scheduler
        self._clock = services.clock
        who = LeaderState(
            instance_id=self.instance_id,
            term=0,
            lease_s=self._config.lease,
            hostname=socket.gethostname(),
            pid=os.getpid(),
        )
        self._leadership = Leadership(services.streams, services.names, who, clock=self._clock)
        self.adjustable: Mapping[str, Callable[[Any], None]] = {}
        """What applies a new value of a setting, by its key; nothing before it runs."""
        self.on_open: list[Callable[[], None]] = []
        """Called when it begins to work."""
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._vacated = asyncio.Event()
        """The lead may be free."""
        self._term = 0
        """Of the lead that others have heard of; 0 while we have none."""
        self._stale = True
        """Whether schedules may have changed since they were read."""
        self._looked_ns = 0
        """When they were read last, and of which stream."""
        self._created = ""
        self._anew = False
        """Whether they were read before an outage: a server that was killed forgets its last records."""
        self._idle = True
        """Whether ticks wait for the lead, and not for their time."""
        self._said: dict[str, str] = {}
        """What was last complained of."""

    def __repr__(self) -> str:
        return f"<Scheduler {self.instance_id} {'leads' if self.leads else 'stands by'}>"

    @property
    def leads(self) -> bool:
        """Whether it leads now."""
        return self._leadership.leads

    def request_stop(self) -> None:
        """Resign, and return from `run`; may be called twice."""
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until `request_stop`.

        Raises:
            ServerError: the server cannot be used, or ended the connection for good.
        """
        services = self._services
        self._events = await services.get_service(EventService)
        self._schedules = await services.get_service(SchedulerService)
        await services.topology.bucket(services.names.leader_bucket)
        self._schedules.act_for(self._leadership)
        self._overdue = Overdue(self._schedules.rules.streams, services.names, self._clock.time_ns)
        with listening(services.connection.on_restored, self._distrust):
            await self._look()
            try:
                await self._supervise()
            finally:
                await self._resign()

    async def _supervise(self) -> None:
        """Return when asked to stop; raise what a side task, or the end of the connection, makes of it."""
        connection = self._services.connection
        retiring = Retiring(connection, self._services.names, self._services.config.events.heartbeat_max_age)
        chores = Chores(
            (
                *chores_of(self._overdue, self._schedules.rules.dependencies),
                Chore("old heartbeats", retiring.sweep),
                Chore("events of lost workers", Amends(self._services, self._events).sweep),
            ),
            interval_s=self._config.chores_interval,
            may_act=lambda: self.leads,
        )
        rollups = Chores(self._rollups(), interval_s=_ROLLUPS_S, may_act=lambda: self.leads)
        self.adjustable = {"scheduler.chores_interval": partial(setattr, chores, "interval_s")}
        for listener in self.on_open:
            listener()
        ticks = asyncio.create_task(self._tick(), name="ticks")
        side = [
            *self._alerts(),
            asyncio.create_task(self._lead(), name="leadership"),
            asyncio.create_task(self._listen(), name="changes"),
            asyncio.create_task(chores.run(), name="chores"),
            asyncio.create_task(rollups.run(), name="roll-ups"),
        ]
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        closed = asyncio.create_task(connection.closed.wait(), name="closed")
        try:
            done, _ = await asyncio.wait({ticks, *side, stop, closed}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & {ticks, *side}:
                await task
            if closed in done:
                raise ServerUnreachable(
                    f"the server ended the connection: {connection.last_error or 'no reason given'}"
                )
        finally:
            await self._wind_up(ticks, [*side, stop, closed])

    def _rollups(self) -> Sequence[Chore]:
        services = self._services
        if not services.config.statistics.enabled:
            return ()
        return (Chore("roll-ups", Rollups(services, self._events, lambda: self.leads).do),)

    def _alerts(self) -> list[asyncio.Task[None]]:
        """What sees to alerts, or, where there are no rules, to those that were left behind."""
        who: dict[str, Any] = {"instance_id": self.instance_id, "may_act": lambda: self.leads}
        if not self._services.config.alerts:
            from naq_runtime.alerts.leftovers import end_leftovers

            return [asyncio.create_task(end_leftovers(self._services, self._events, **who), name="alerts")]
        from naq_runtime.alerts.watch import AlertWatch  # webhooks take a while to load

        return [asyncio.create_task(AlertWatch(self._services, self._events, **who).run(), name="alerts")]

    async def _wind_up(self, ticks: asyncio.Task[None], others: Sequence[asyncio.Task[Any]]) -> None:
        """End the tasks. What is being stored is waited for, so that it can be told; nothing else is begun."""
        self.request_stop()
        try:
            await _cancelled(others)
            self._note_lead()
            self._leadership.withhold()
            await asyncio.wait({ticks}, timeout=self._services.config.nats.request_timeout)
        finally:
            await _cancelled([ticks])

    # The lead

    async def _lead(self) -> None:
        while True:
            self._vacated.clear()
            try:
                await self._leadership.step(len(self._schedules.table))
                self._said.pop("lead", None)
            except ServerError as error:
                await self._mend_lead(error)
            self._note_lead()
            if self.leads and self._idle:  # a renewal came late, and ticks have gone to sleep
                self._wake.set()
            if self.leads:
                await asyncio.sleep(self._leadership.wait_s)
            else:
                await _happens(self._vacated, self._leadership.wait_s)

    async def _mend_lead(self, error: ServerError) -> None:
        """Where the record of the lead has its place, if that is what is wrong."""
        self._complain("lead", "it is uncertain who leads", error)
        if self._services.connection.is_connected:
            with suppress(ServerError):
                await self._services.topology.bucket(self._services.names.leader_bucket)

    def _note_lead(self) -> None:
        term = self._leadership.term if self._leadership.leads else 0
        if term == self._term:
            return
        if self._term:
            self._tell(SystemEventType.LEADER_LOST)
        self._term = term
        if term:
            self._tell(SystemEventType.LEADER_ELECTED)
        self._stale = True
        self._wake.set()

    async def _resign(self) -> None:
        resigned = False
        if self._services.connection.is_connected:  # else nobody would hear of it, and it would take a while to see so
            with suppress(ServerError):
                resigned = await self._leadership.resign()
        if self._term:
            self._tell(SystemEventType.LEADER_RESIGNED if resigned else SystemEventType.LEADER_LOST)
        self._term = 0

    def _tell(self, event_type: SystemEventType) -> None:
        said = {"action": event_type.value}
        log.info("%s: %s, term %d", self.instance_id, event_type.value, self._term, extra=said)
        self._events.system(event_type, term=self._term, reason=self.instance_id)

    # Schedules

    async def _listen(self) -> None:
        """Look when somebody says that schedules have changed, and now and then all the same."""
        while True:
            with suppress(ServerError):
                async with self._services.streams.heard(self._services.names.control_schedules) as changed:
                    while True:
                        await _happens(changed, _LOOK_S)
                        changed.clear()
                        self._stale = True
                        self._wake.set()
                        self._vacated.set()
            await asyncio.sleep(_TROUBLE_S)

    async def _distrust(self) -> None:
        self._anew = self._stale = True
        self._overdue.distrust()
        self._wake.set()

    async def _tick(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                if self._stale:
                    self._stale = False
                    await self._look()
                if self.leads:
                    await self._schedules.run_due()
                self._said.pop("schedules", None)
            except Exception as error:  # supervision: whatever was stumbled over, the other schedules are to go on
                self._stale = True
                self._complain("schedules", "schedules cannot be kept now", error)
                await _happens(self._stop, _TROUBLE_S)
                continue
            await self._sleep()

    async def _look(self) -> None:
        """Read what has changed, or all, when the end of a schedule may have been missed, or the stream is another."""
        now_ns, services = self._clock.monotonic_ns(), self._services
        bounds = await services.streams.bounds(services.names.jobs_stream)
        is_other = bounds.created != self._created or bounds.last < self._schedules.table.read
        anew, self._anew = self._anew or is_other or now_ns - self._looked_ns > AWAY_NS, False
        await self._schedules.catch_up(anew=anew)
        self._looked_ns, self._created = now_ns, bounds.created

    def _complain(self, about: str, said: str, error: Exception) -> None:
        """Once for as long as the same is wrong."""
        if self._said.get(about) == str(error):
            return
        self._said[about] = str(error)
        trace = None if isinstance(error, ServerError) else error
        log.warning("%s: %s", said, error, exc_info=trace, extra={"action": f"{about}_waiting"})

    async def _sleep(self) -> None:
        """Until the next one is due, or something has changed."""
        self._idle = not self.leads
        await _happens(self._wake, None if self._idle else self._until_due())

    def _until_due(self) -> float | None:
        table = self._schedules.table
        next_ns = table.next_ns
        wait_s = None if next_ns is None else max(0.0, (next_ns - self._schedules.now_ns()) / 1e9)
        if table.holding:
            return _HELD_S if wait_s is None else min(_HELD_S, wait_s)
        return wait_s


async def _happens(event: asyncio.Event, within_s: float | None) -> None:
    """Return when it does, or when the time is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()


async def _cancelled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
