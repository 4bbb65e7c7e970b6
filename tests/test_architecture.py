"""What may load what, seen from outside: a fresh process, and its ``sys.modules``."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import naq_runtime

HEAVY = {
    *("aiohttp", "croniter", "lark", "opentelemetry", "prometheus_client"),
    *("psutil", "regex", "rich.console", "textual"),
}
TERMINAL = ("naq_tui", "textual", "rich", "typer")


def loaded_by(code: str, *arguments: str) -> set[str]:
    """The top-level names of the modules that a fresh process has loaded after some code, however that ended."""
    program = f"""
import json, sys
sys.argv = {["naq", *arguments]!r}
try:
    {code}
except SystemExit:
    pass
print("LOADED" + json.dumps(sorted(sys.modules)))
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = json.loads(finished.stdout.rpartition("LOADED")[2])
    return {name.partition(".")[0] for name in modules} | set(modules)


def test_the_runtime_loads_nothing_of_the_terminal() -> None:
    modules = [found.name for found in pkgutil.walk_packages(naq_runtime.__path__, "naq_runtime.")]
    assert "naq_runtime.worker.worker" in modules

    loaded = loaded_by(f"import {', '.join(modules)}")

    assert loaded.isdisjoint(TERMINAL)


def test_importing_the_package_loads_neither_the_client_nor_asyncio() -> None:
    assert loaded_by("import naq_runtime").isdisjoint({"nats", "asyncio", "msgspec"})


@pytest.mark.parametrize(
    "arguments", [["--help"], ["events", "stream", "--help"], ["enqueue", "--help"], ["--version"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_by("from naq_tui.cli.main import run; run()", *arguments)

    assert loaded.isdisjoint({"textual", "nats", "msgspec", "asyncio", "croniter", "psutil"})


def test_one_shot_queries_load_no_textual() -> None:
    loaded = loaded_by(
        "from naq_tui.cli.main import run; run()", "events", "stream", "--no-follow", "--server", "nats://127.0.0.1:1"
    )

    assert "nats" in loaded
    assert "textual" not in loaded


def test_the_history_of_a_job_loads_neither_filters_nor_the_rules_of_jobs() -> None:
    loaded = loaded_by(
        "from naq_tui.cli.main import run; run()", "events", "history", "j1", "--server", "nats://127.0.0.1:1"
    )

    assert "naq_runtime.events.reading" in loaded
    assert loaded.isdisjoint(HEAVY | {"naq_runtime.events.filters", "naq_runtime.jobs", "zstandard"})


def test_what_a_shell_completes_loads_no_more_than_the_connection() -> None:
    typed = {"_NAQ_COMPLETE": "complete_bash", "COMP_WORDS": "naq job show ", "COMP_CWORD": "3"}
    typed["NAQ_NATS_URL"] = "nats://127.0.0.1:1"

    loaded = loaded_by(f"import os; os.environ |= {typed!r}; from naq_tui.cli.main import run; run()")

    assert "nats" in loaded
    assert loaded.isdisjoint(HEAVY | {"naq_runtime.monitor", "naq_runtime.services", "naq_tui.cli.output", "zstandard"})


def test_the_guard_loads_only_what_python_brings() -> None:
    loaded = loaded_by("import runpy; runpy.run_path('naq_runtime/guard.py')")

    assert {name for name in loaded if not name.startswith("_")} - {
        name for name in loaded if name.partition(".")[0] in sys.stdlib_module_names
    } <= {"sitecustomize", "__main__"}


def test_who_only_logs_events_loads_no_filters() -> None:
    loaded = loaded_by(
        "import naq_runtime.queue, naq_runtime.services.events, naq_runtime.monitor, naq_runtime.worker.worker"
    )
    assert {
        name for name in loaded if name.startswith("naq_runtime.events.filters") or name in ("lark", "regex")
    } == set()


def test_a_filter_of_values_by_field_needs_no_grammar() -> None:
    make = "from naq_runtime.events.filters import EventFilter; EventFilter(queue_name='a*', duration_ms=5)"
    assert not {"lark", "regex"} & loaded_by(make)
