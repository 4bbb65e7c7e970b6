"""The command ``naq`` on a host whose clock is wrong.

python -m tests.support.wrong_naq SECONDS ARGUMENT …   so many seconds ahead
"""

from __future__ import annotations

import sys
import time

ahead_s = int(sys.argv.pop(1))
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + ahead_s
time.time_ns = lambda: _time_ns() + ahead_s * 10**9

from naq_tui.cli.main import run  # noqa: E402 - it is to see no other clock

if __name__ == "__main__":
    run()
