"""Whether anything is lost while workers are killed and the server is restarted.

    python benchmarks/chaos.py [--jobs 20000] [--workers 5] [--seconds 120] [--kill-every 2] [--restart-every 20]

Jobs of all kinds (retries, dependencies, threads, snoozes, cancels) are enqueued while, every few seconds, a worker is
killed with SIGKILL, and now and then the server. At the end each job's outcome and events are compared with a ledger
that the jobs' functions write to a file of their own. Ends with status 1 when a job was lost, ended wrongly, ran twice
without a cause, or has events that cannot have happened in that order.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.chaos import Chaos, Findings, Plan
from tests.support.restarting import restartable
from tests.support.server import config_for

_SHOWN = 10


def show(findings: Findings) -> None:
    """As a table, and the first of what is wrong."""
    statuses = ", ".join(f"{number} {status}" for status, number in findings.statuses.most_common())
    rows = [
        ("jobs enqueued", f"{findings.accepted:,} ({statuses})"),
        ("workers killed", str(findings.kills)),
        ("server restarts", str(findings.restarts)),
        ("seconds", f"{findings.seconds:.0f}"),
        ("jobs lost", str(len(findings.lost))),
        ("jobs that ended wrongly", str(len(findings.wrong))),
        ("attempts made again", f"{findings.repeated}, of which unexplained: {len(findings.unexplained)}"),
        ("events told for killed workers", f"{findings.amended:,}"),
        ("jobs whose events have gaps", f"{findings.gaps}, of which without an end: {findings.endless}"),
        ("jobs that a server's death set back", str(findings.rewound)),
        ("illegal event sequences", str(len(findings.illegal))),
    ]
    for name, value in rows:
        print(f"{name:<38}{value}")
    for line in findings.faults[:_SHOWN]:
        print(f"  {line}")


async def run(plan: Plan, folder: Path) -> Findings:
    """One run, on a server of its own."""
    async with restartable(folder) as server:
        config = config_for(server.url, jobs__ack_wait=5.0, events__max_bytes=512 * 1024 * 1024)
        return await Chaos(plan, server, config, folder).run(print)


def main() -> int:
    """Run, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=Plan.jobs)
    parser.add_argument("--workers", type=int, default=Plan.workers)
    parser.add_argument("--concurrency", type=int, default=Plan.concurrency)
    parser.add_argument("--seconds", type=float, default=Plan.seconds)
    parser.add_argument("--kill-every", type=float, default=Plan.kill_every_s, dest="kill_every_s")
    parser.add_argument("--restart-every", type=float, default=Plan.restart_every_s, dest="restart_every_s")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--folder", type=Path, help="where ledger and logs are kept; a temporary one when left out")
    given = vars(parser.parse_args())
    folder = given.pop("folder")
    with tempfile.TemporaryDirectory() as temporary:
        findings = asyncio.run(run(Plan(**given), folder or Path(temporary)))
    show(findings)
    return bool(findings.faults)


if __name__ == "__main__":
    sys.exit(main())
