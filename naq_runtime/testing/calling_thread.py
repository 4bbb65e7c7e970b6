"""Plain functions that run where the test runs: what is bound to a thread, such as a transaction, is there for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["CallingThread"]

T = TypeVar("T")


class CallingThread(Executor):
    """Runs what is submitted by other threads in the one that calls `serve`."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `concurrent.futures.Executor.submit`."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:  # it is whoever waits that it belongs to
                future.set_exception(error)

        self._work.put(run)
        return future

    def serve(self, until: Future[T]) -> T:
        """Run what comes until the other one is done, and return its result."""
        until.add_done_callback(lambda _: self._work.put(None))
        while (run := self._work.get()) is not None:
            run()
        return until.result()
