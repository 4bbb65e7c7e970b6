"""Writes the pages that are made of the commands: ``python -m naq_tui.cli.pages docs``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from naq_tui.cli.man import man_page
from naq_tui.cli.reference import woven
from naq_tui.cli.schema import json_schema
from naq_tui.cli.tree import PROGRAMS

__all__ = ["pages", "write"]

MANUAL = "cli.md"


def pages(folder: Path) -> Mapping[str, str]:
    """What each page is to be, by its place in the folder; what is written by hand in one stays."""
    schema = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    manual = woven((folder / MANUAL).read_text(encoding="utf-8"))
    return {MANUAL: manual, "cli.schema.json": schema} | {f"man/{program}.1": man_page(program) for program in PROGRAMS}


def write(folder: Path) -> None:
    """Write them."""
    for name, text in pages(folder).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
