"""The application in a real terminal, for the tests of how it ends: ``python -m tests.tui.in_terminal [crash]``."""

from __future__ import annotations

import asyncio
import sys

from naq_tui.app import run_app
from naq_tui.sources.recorded import RecordedSource
from tests.tui.builders import batch, queue, snapshot


def main() -> int:
    source = RecordedSource([batch(snapshot=snapshot([queue("default", 3, 1)]))])
    if "crash" in sys.argv:
        source.fail(ZeroDivisionError("a mistake of ours"))
    return asyncio.run(run_app(source, title="test"))


if __name__ == "__main__":
    sys.exit(main())
