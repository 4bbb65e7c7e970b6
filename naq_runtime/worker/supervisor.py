"""Several worker processes as one: started together, replaced when they die, and ended together.

The processes are groups of their own, so that a Ctrl-C in the terminal reaches them once, by way of the supervisor.
All hold the reading end of one pipe, the lifeline: when its other end is gone, so is the supervisor, however it went.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from threading import Thread

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_runtime.hangup import hangups_waiting, heed_hangups
from naq_runtime.worker.signals import SIGNALS, Wishes

__all__ = ["SENT_HOME", "Backoff", "Supervisor", "end_with_supervisor"]

log = logging.getLogger(__name__)

SENT_HOME = 79
"""The exit code of a process that somebody has asked to stop, and that is not to be replaced."""

_FIRST_DELAY_S = 1.0
_MOST_DELAY_S = 30.0
_GOOD_RUN_S = 60.0
_HOPELESS = (2, 3)
"""Exit codes of a process that will not do better next time: something it was given is wrong, or there is no server."""
_PATIENCE_S = 20.0
"""Processes that were told twice to end are killed after so long."""
_ENDED_WELL = (0, SENT_HOME, 130, *(-number for number in SIGNALS))
"""After a stop. One that was still starting is ended by the signal itself, or by a KeyboardInterrupt."""


class Backoff:
    """How long to wait before a process is started again: 1 s, doubling to 30 s; 1 s again after a good minute."""

    def __init__(self) -> None:
        self._next_s = _FIRST_DELAY_S

    def after(self, ran_s: float) -> float:
        """Seconds to wait, now that it has died after so many."""
        delay = _FIRST_DELAY_S if ran_s >= _GOOD_RUN_S else self._next_s
        self._next_s = min(2 * delay, _MOST_DELAY_S)
        return delay


class Supervisor:
    """Keeps processes running until SIGTERM or SIGINT, which it passes on, every time; kills them after the second.

    Args:
        command: makes the command line of a process from its name and the descriptor of the lifeline; the process is
            to call `end_with_supervisor` with it.
        names: one process each.
        burst: a process that ends with 0 has done its work, and is not replaced. One that was asked to stop never is.
        patience_s: what has not ended so long after the second signal is killed.
        called_off: returns once somebody does not want the process of this name to be started again; it is asked
            between the death of one and the start of the next, and cancelled then.
    """

    def __init__(
        self,
        command: Callable[[str, int], Sequence[str]],
        names: Sequence[str],
        *,
        burst: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience_s: float = _PATIENCE_S,
        called_off: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._command = command
        self._names = tuple(names)
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._patience_s = patience_s
        self._called_off = called_off or _never
        self._wishes = Wishes()
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._signal = signal.SIGTERM
        self._exit_code = 0

    def __repr__(self) -> str:
        return f"<Supervisor {len(self._running)} of {len(self._names)} running>"

    async def run(self) -> int:
        """Return once all have ended.

        Returns:
            0 when all ended well; the exit code of one that did not, or 128 and the number of what killed it.
        """
        with _lifeline() as lifeline, self._handling_signals():
            async with asyncio.TaskGroup() as group:
                for name in self._names:
                    group.create_task(self._keep(name, lifeline), name=name)
        return self._exit_code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Pass a signal on to every process; from now on none is replaced. May be called again."""
        log.info(
            "%s: passed on to %d workers%s",
            number.name, len(self._running), "" if self._stopping.is_set() else "; once more hands their jobs back",
            extra={"action": "supervisor_stopping"},
        )  # fmt: skip
        self._signal = number
        self._stopping.set()
        self._send_all(number)
        if self._wishes.is_new(self._clock.monotonic_ns() / 1e9) and self._wishes.count == 2:
            asyncio.get_running_loop().call_later(self._patience_s, self._send_all, signal.SIGKILL)

    def _send_all(self, number: signal.Signals) -> None:
        for process in tuple(self._running.values()):
            _send(process, number)

    async def _keep(self, name: str, lifeline: int) -> None:
        """One process after another."""
        backoff, first = Backoff(), True
        while not self._stopping.is_set():
            begun_ns = self._clock.monotonic_ns()
            code = await self._run(name, lifeline)
            ran_s = (self._clock.monotonic_ns() - begun_ns) / 1e9
            if self._stopping.is_set():
                self._note(0 if code in _ENDED_WELL else code)
            elif code == SENT_HOME or (self._burst and code == 0):
                return
            elif first and ran_s < _GOOD_RUN_S and code in _HOPELESS:
                log.error("worker %s cannot start: ending them all", name, extra={"action": "supervisor_gives_up"})
                self._note(code)
                self.stop()
            else:
                delay_s = backoff.after(ran_s)
                log.warning(
                    "worker %s is started again in %g s", name, delay_s, extra={"action": "worker_process_delayed"}
                )
                if await self._pause(name, delay_s):
                    log.info("worker %s %s", name, _end(SENT_HOME), extra={"action": "worker_process_called_off"})
                    return
            first = False

    async def _run(self, name: str, lifeline: int) -> int:
        """Start a process and wait for its end; returns its exit code, or the number of a signal with a minus."""
        try:
            with hangups_waiting():  # which would end it before it can heed them
                process = await asyncio.create_subprocess_exec(
                    *self._command(name, lifeline),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(lifeline,),
                    process_group=0,
                )
        except OSError as error:
            log.error("worker %s cannot be started: %s", name, error, extra={"action": "worker_process_not_started"})
            return 1
        log.info("worker %s runs as pid %d", name, process.pid, extra={"action": "worker_process_started"})
        self._running[name] = process
        if self._stopping.is_set():
            _send(process, self._signal)
        try:
            code = await process.wait()
        finally:
            del self._running[name]
        well = code == SENT_HOME or (code == 0 and (self._burst or self._stopping.is_set()))
        log.log(
            logging.INFO if well else logging.WARNING,
            "worker %s (pid %d) %s", name, process.pid, _end(code),
            extra={"action": "worker_process_ended", "exit_code": code},
        )  # fmt: skip
        return code

    async def _pause(self, name: str, seconds: float) -> bool:
        """Wait so long, or until the stop; whether the next process of this name was called off meanwhile."""
        called_off = asyncio.ensure_future(self._is_called_off(name))
        waits = {called_off, asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._stopping.wait())}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return called_off in done

    async def _is_called_off(self, name: str) -> None:
        """Return once it is; whatever goes wrong in finding that out, the process is started again."""
        try:
            await self._called_off(name)
        except Exception:  # supervision: a worker that is not replaced for a fault of ours would be missed
            log.exception("nobody can call off worker %s", name, extra={"action": "absence_unheard"})
            await _never(name)

    def _note(self, code: int) -> None:
        """The first end that was not well is what all is judged by."""
        self._exit_code = self._exit_code or (128 - code if code < 0 else code)

    @contextlib.contextmanager
    def _handling_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop, number)
        heed_hangups(partial(self._send_all, signal.SIGHUP), partial(self.stop, signal.SIGTERM))
        try:
            yield
        finally:
            for number in (*SIGNALS, signal.SIGHUP):
                loop.remove_signal_handler(number)


def end_with_supervisor(lifeline: int, grace_s: float) -> None:
    """Have this process end once its supervisor is gone, however that went: by SIGTERM, then once more, then killed.

    Args:
        lifeline: the descriptor that came with the command line.
        grace_s: how long running jobs may take after the first signal, and hooks after them.
    """
    os.set_inheritable(lifeline, False)

    def watch() -> None:
        while os.read(lifeline, 1):
            pass  # nothing is ever written
        log.warning("the supervisor is gone: ending too", extra={"action": "supervisor_gone"})
        for number, wait_s in ((signal.SIGTERM, 2 * grace_s + 1), (signal.SIGTERM, _PATIENCE_S), (signal.SIGKILL, 0)):
            os.kill(os.getpid(), number)
            time.sleep(wait_s)

    Thread(target=watch, name="lifeline", daemon=True).start()


@contextlib.contextmanager
def _lifeline() -> Iterator[int]:
    """The reading end of a pipe whose other end no process but this one has."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


async def _never(_: str) -> None:
    await asyncio.Event().wait()


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)  # its own `send_signal` reaps one that has just ended: the loop would see code 255


def _end(code: int) -> str:
    if code == SENT_HOME:
        return "was asked to stop, and is not replaced"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
