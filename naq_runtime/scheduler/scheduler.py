"""A scheduler: waits for the lead, and while it has it, sees to schedules in time."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress

from naq_runtime.errors import ServerError, ServerUnreachable
from naq_runtime.events.models import SystemEventType
from naq_runtime.jobs.overdue import Overdue
from naq_runtime.naming import check_name
from naq_runtime.nats.direct import stream_bounds
from naq_runtime.scheduler.chores import Chores, DependencyRelease, DueRetries, ExpiredRecords
from naq_runtime.scheduler.leadership import Leadership
from naq_runtime.services.events import EventService
from naq_runtime.services.manager import ServiceManager
from naq_runtime.services.scheduler import SchedulerService
from naq_runtime.snapshot import LeaderState

__all__ = ["Scheduler"]

log = logging.getLogger(__name__)

_LOOK_S = 10.0
"""How often schedules are looked at that nobody said have changed."""
_HELD_S = 0.5
"""How often the end of the job is looked for, for which a tick is held."""
_TROUBLE_S = 0.5
_AWAY_NS = 45_000_000_000
"""After a pause of so long, the end of a schedule may have been missed."""


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
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._term = 0
        """Of the lead that others have heard of; 0 while we have none."""
        self._stale = True
        """Whether schedules may have changed since they were read."""
        self._looked_ns = 0
        """When they were read last, and of which stream."""
        self._created = ""
        self._said = ""

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
        await self._look()
        try:
            await self._supervise()
        finally:
            await self._resign()

    async def _supervise(self) -> None:
        """Return when asked to stop; raise what a side task, or the end of the connection, makes of it."""
        connection = self._services.connection
        rules = self._schedules.rules
        overdue = Overdue(rules.streams, self._services.names, self._clock.time_ns)
        chores = Chores(
            (DueRetries(overdue), DependencyRelease(rules.dependencies), ExpiredRecords(rules.dependencies)),
            interval_s=self._config.chores_interval,
            may_act=lambda: self.leads,
        )
        side = [
            asyncio.create_task(self._lead(), name="leadership"),
            asyncio.create_task(self._tick(), name="ticks"),
            asyncio.create_task(self._listen(), name="changes"),
            asyncio.create_task(chores.run(), name="chores"),
        ]
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        closed = asyncio.create_task(connection.closed.wait(), name="closed")
        try:
            done, _ = await asyncio.wait({*side, stop, closed}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & set(side):
                await task
            if closed in done:
                raise ServerUnreachable(
                    f"the server ended the connection: {connection.last_error or 'no reason given'}"
                )
        finally:
            for task in (*side, stop, closed):
                task.cancel()
            await asyncio.gather(*side, stop, closed, return_exceptions=True)

    # The lead

    async def _lead(self) -> None:
        while True:
            try:
                await self._leadership.step(len(self._schedules.table))
            except ServerError as error:
                log.debug("lead: %s", error, extra={"action": "lead_uncertain"})
            self._note_lead()
            await asyncio.sleep(self._leadership.wait_s)

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
        self._note_lead()
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
                        with suppress(TimeoutError):
                            async with asyncio.timeout(_LOOK_S):
                                await changed.wait()
                        changed.clear()
                        self._stale = True
                        self._wake.set()
            await asyncio.sleep(_TROUBLE_S)

    async def _tick(self) -> None:
        while True:
            self._wake.clear()
            try:
                if self._stale:
                    self._stale = False
                    await self._look()
                if self._leadership.leads:
                    await self._schedules.run_due()
                self._said = ""
            except ServerError as error:
                self._stale = True
                self._complain(error)
                await asyncio.sleep(_TROUBLE_S)
                continue
            await self._sleep()

    async def _look(self) -> None:
        """Read what has changed, or all, when the end of a schedule may have been missed, or the stream is another."""
        now_ns, services = self._clock.monotonic_ns(), self._services
        bounds = await stream_bounds(services.connection, services.names.jobs_stream)
        anew = now_ns - self._looked_ns > _AWAY_NS or bounds.created != self._created
        await self._schedules.catch_up(anew=anew)
        self._looked_ns, self._created = now_ns, bounds.created

    def _complain(self, error: ServerError) -> None:
        if str(error) != self._said:
            self._said = str(error)
            log.warning("schedules cannot be kept now: %s", error, extra={"action": "schedules_waiting"})

    async def _sleep(self) -> None:
        """Until the next one is due, or something has changed."""
        wait_s = self._until_due() if self._leadership.leads else None
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()

    def _until_due(self) -> float | None:
        table = self._schedules.table
        next_ns = table.next_ns
        wait_s = None if next_ns is None else max(0.0, (next_ns - self._clock.time_ns()) / 1e9)
        if table.holding:
            return _HELD_S if wait_s is None else min(_HELD_S, wait_s)
        return wait_s
