"""The monitor in a real browser: a key that is pressed in its page is answered there."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from tests.tui.test_serving import serving

needs_chromium = pytest.mark.skipif(
    find_spec("PyQt6") is None, reason="a browser of 200 MB: pip install -e '.[browser]' brings it"
)


@needs_chromium
@pytest.mark.timeout(180)
async def test_a_key_that_is_pressed_in_the_page_is_answered_there(tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    async with serving(tmp_path) as served:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.chromium", served.url, str(picture), "?", "Go to the next pane."),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
    assert picture.stat().st_size > 20_000
