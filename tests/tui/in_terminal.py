"""The application in a real terminal: ``python -m tests.tui.in_terminal [crash | paint | noise]``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from naq_tui.app import run_app
from naq_tui.look import look_for
from naq_tui.sources.recorded import RecordedSource
from naq_tui.widgets.queues import Queues
from tests.tui.builders import batch, queue, snapshot


def main() -> int:
    source = RecordedSource([batch(snapshot=snapshot([queue("letters", 3, 1)]))])
    if "crash" in sys.argv:
        source.fail(ZeroDivisionError("a mistake of ours"))
    if "paint" in sys.argv:
        break_painting()
    if "noise" in sys.argv:
        make_noise()
    log_file = Path(sys.argv[-1]) if sys.argv[-1].endswith(".log") else None
    return asyncio.run(run_app(source, title="test", look=look_for(os.environ), log_file=log_file))


def break_painting() -> None:
    """Have a widget fail while it draws."""

    def line(self: Queues, y: int) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    setattr(Queues, "line", line)  # noqa: B010  # mypy knows no other way


def make_noise() -> None:
    """Have code log, warn and print to both streams while the screen is drawn."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    show = Queues.show

    def noisily(self: Queues, *args: Any) -> None:
        logging.getLogger("noise").error("noise of a log")
        warnings.warn("noise of a warning", stacklevel=1)
        print("noise of a print")  # noqa: T201
        print("noise of an error", file=sys.stderr)  # noqa: T201
        show(self, *args)

    setattr(Queues, "show", noisily)  # noqa: B010


if __name__ == "__main__":
    sys.exit(main())
