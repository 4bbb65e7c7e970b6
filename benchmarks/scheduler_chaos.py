"""Whether a tick is missed or doubled while schedulers are killed and stopped, and the server is restarted.

    python benchmarks/scheduler_chaos.py [--seconds 120] [--schedules 50] [--schedulers 3] [--pause 2] [--lease 3]

Schedules of one to five seconds, half at a rate and half by cron, are kept by several schedulers, while in turn the
leader is killed, is stopped for longer than its lease, is sent home, the server is killed (as ticks are being stored),
a standby is killed, and the server is restarted in good order. At the end each tick's job is looked for. Ends with
status 1 when a tick has no job or two, a record says something else than its jobs, or a lead is taken over too late.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.restarting import restartable
from tests.support.scheduler_chaos import Findings, Plan, SchedulerChaos
from tests.support.server import config_for

_SHOWN = 10
_PROMISED_S = {"resign": 1.0, "kill leader": 5.0}
"""How soon another one has the lead."""


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed; not a number of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def lags(values: Sequence[float]) -> str:
    """In a cell."""
    p50, p99, most = percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)
    return f"p50 {p50:,.1f} ms, p99 {p99:,.1f} ms, most {most:,.1f} ms ({len(values):,} ticks)"


def spans(values: Sequence[float]) -> str:
    """In a cell."""
    return f"median {percentile(values, 0.5):.2f} s, most {max(values):.2f} s ({len(values)})"


def rows(findings: Findings) -> Iterator[tuple[str, str]]:
    """What is shown."""
    yield "ticks due", f"{findings.ticks:,}"
    yield "seconds", f"{findings.seconds:.0f}"
    yield "ticks missing", str(len(findings.missing))
    yield "ticks doubled", str(len(findings.doubled))
    yield "records that belie their jobs", str(len(findings.wrong))
    yield "ticks without an event", str(findings.unsaid)
    yield "lag outside of outages", lags(findings.calm_lags_ms)
    yield "lag of all", lags(findings.lags_ms)
    for harm, times in sorted(findings.takeovers_s.items()):
        yield f"lead taken over: {harm}", spans(times)
    for harm, times in sorted(findings.outages_s.items()):
        yield f"next job after: {harm}", spans(times)


def show(findings: Findings) -> None:
    """As a table, and the first of what is wrong."""
    for name, value in rows(findings):
        print(f"{name:<34}{value}")
    for line in [*findings.faults[:_SHOWN], *broken(findings)]:
        print(f"  {line}")


def broken(findings: Findings) -> list[str]:
    """Promises that were not kept."""
    return [
        f"{harm}: the lead was taken over after {taken_s:.2f} s, and {_PROMISED_S[harm]:g} s are promised"
        for harm, times in findings.takeovers_s.items()
        for taken_s in times
        if taken_s > _PROMISED_S.get(harm, float("inf"))
    ]


async def run(plan: Plan, folder: Path) -> Findings:
    """One run, on a server of its own."""
    async with restartable(folder) as server:
        config = config_for(server.url, events__max_bytes=256 * 1024 * 1024)
        return await SchedulerChaos(plan, server, config, folder).run(print)


def main() -> int:
    """Run, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=Plan.schedules)
    parser.add_argument("--schedulers", type=int, default=Plan.schedulers)
    parser.add_argument("--seconds", type=float, default=Plan.seconds)
    parser.add_argument("--pause", type=float, default=Plan.pause_s, dest="pause_s")
    parser.add_argument("--lease", type=float, default=Plan.lease_s, dest="lease_s")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--folder", type=Path, help="where the log is kept; a temporary one when left out")
    given = vars(parser.parse_args())
    folder = given.pop("folder")
    with tempfile.TemporaryDirectory() as temporary:
        findings = asyncio.run(run(Plan(**given), folder or Path(temporary)))
    show(findings)
    return bool(findings.faults or broken(findings))


if __name__ == "__main__":
    sys.exit(main())
