"""How long commands take before they do anything.

    python benchmarks/cold_start.py [--runs 15]

Each command runs as a whole process, in turn with bare Python, and its CPU time is what the operating system charged.
Read the last column: CPU above that of Python itself, in milliseconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

COMMANDS = {
    "python": ["-c", "pass"],
    "naq --help": ["-m", "naq_tui.cli.main", "--help"],
    "naq events stream --help": ["-m", "naq_tui.cli.main", "events", "stream", "--help"],
    "naq-top --help": ["-m", "naq_tui.cli.top", "--help"],
    "import naq_runtime": ["-c", "import naq_runtime"],
    "import naq_tui.app": ["-c", "import naq_tui.app"],
}


def cpu_ms(arguments: list[str]) -> float:
    """User and system time of one run."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (after.children_user - before.children_user + after.children_system - before.children_system) * 1000


def main() -> None:
    """Run all in turn, several times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    figures: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, arguments in COMMANDS.items():
            figures[name].append(cpu_ms(arguments))
    medians = {name: statistics.median(values) for name, values in figures.items()}
    print(f"{'command':<28}{'CPU ms':>8}{'above Python':>14}")
    for name, median in medians.items():
        print(f"{name:<28}{median:>8.0f}{median - medians['python']:>14.0f}")


if __name__ == "__main__":
    main()
