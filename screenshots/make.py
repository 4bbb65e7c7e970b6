"""Draws the pictures in this folder from a recording, with no server: ``python screenshots/make.py``.

Each is an SVG as Textual exports it, and a PNG of it. The PNG needs DejaVu Sans Mono; its braille is drawn as dots,
since that font has none.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ["TZ"] = "UTC"
time.tzset()

import cairosvg  # noqa: E402

from naq_runtime.clock import ManualClock  # noqa: E402
from naq_tui.app import NaqTop  # noqa: E402
from naq_tui.look import LOOKS, Look  # noqa: E402
from naq_tui.source import Batch, ConnectionState, Link  # noqa: E402
from tests.tui.recording import END_NS, TROUBLED_JOB  # noqa: E402
from tests.tui.showroom import showroom  # noqa: E402

CELL = 12.2
"""The width of a cell in the exported SVG."""
FONT_SIZE = 20.265
"""At which DejaVu Sans Mono fills a cell."""
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a braille character."""

TEXT = re.compile(r"<text ([^>]*)>([^<]*)</text>")


@dataclass(frozen=True)
class Picture:
    """What to do before the picture is taken."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    lost_for_s: int = 0
    alarmed: bool = False
    wait_s: float = 0.3
    look: Look = Look()  # noqa: RUF009  # it cannot change


PICTURES = (
    Picture("overview-120x40", (120, 40)),
    Picture("overview-80x24", (80, 24)),
    Picture("overview-60x20", (60, 20)),
    Picture("job", (120, 40), ("slash", *TROUBLED_JOB[:5], "enter", "enter")),
    Picture("filter", (120, 40), ("slash", *"failed")),
    Picture("events", (120, 40), ("2", "k")),
    Picture("jobs", (120, 40), ("3",)),
    Picture("failures", (120, 40), ("3", "F")),
    Picture("retry", (120, 40), ("3", "slash", *"state:dead", "enter", "R")),
    Picture("queues", (120, 40), ("4", "j", "j")),
    Picture("workers", (120, 40), ("5",)),
    Picture("worker", (120, 40), ("5", "enter")),
    Picture("schedules", (120, 40), ("6",)),
    Picture("schedule", (120, 40), ("6", "down", "enter")),
    Picture("statistics", (120, 40), ("7",)),
    Picture("server", (120, 40), ("8", "end")),
    Picture("alerts", (120, 40), ("a",), alarmed=True),
    Picture("past", (120, 40), ("t", *"-30s", "enter"), wait_s=3.0),
    Picture("columns", (120, 40), ("o",)),
    Picture("day", (120, 40), look=Look(LOOKS["day"])),
    Picture("distinct", (120, 40), look=Look(LOOKS["distinct"])),
    Picture("ascii", (120, 40), look=Look(ascii=True)),
    Picture("help", (120, 40), ("question_mark",)),
    Picture("disconnected", (120, 40), lost_for_s=12),
)


async def take(picture: Picture) -> str:
    """The picture as SVG."""
    source = showroom(alarmed=picture.alarmed)
    clock = ManualClock(END_NS)
    app = NaqTop(source=source, clock=clock, title="shop", version="0.1.0", look=picture.look)
    async with app.run_test(size=picture.size) as pilot:

        async def settle() -> None:
            await pilot.pause()
            await source.taken()
            app.advance()
            await pilot.pause(picture.wait_s)

        await settle()
        for key in picture.keys:
            await pilot.press(key)
            await pilot.pause()
        await settle()
        if picture.lost_for_s:
            source.feed(Batch(Link(ConnectionState.RECONNECTING, END_NS, "connection refused")))
            await source.taken()
            clock.advance(picture.lost_for_s)
        await settle()
        return app.export_screenshot(title="naq-top")


def for_cairo(svg: str) -> str:
    """The SVG with every character at its own place, in a font that is there."""
    svg = TEXT.sub(_placed, svg)
    return svg.replace("Fira Code", "DejaVu Sans Mono").replace("font-size: 20px", f"font-size: {FONT_SIZE}px")


def _placed(match: re.Match[str]) -> str:
    attributes, text = match.group(1), html.unescape(match.group(2))
    if "clip-path" not in attributes:
        return match.group()
    place = {name: float(value) for name, value in re.findall(r'\b(x|y)="([\d.]+)"', attributes)}
    style = re.search(r'class="([^"]+)"', attributes)
    name = style.group(1) if style else ""
    if any("\u2800" <= character <= "\u28ff" for character in text):
        return "".join(_dots(text, place["x"], place["y"], name))
    columns = " ".join(f"{place['x'] + index * CELL:.1f}" for index in range(len(text)))
    return f'<text class="{name}" x="{columns}" y="{place["y"]}">{html.escape(text)}</text>'


def _dots(text: str, x: float, y: float, name: str) -> list[str]:
    lit = [
        (x + index * CELL + 3.4 + column * 5.6, y - 15.5 + row * 6.1)
        for index, character in enumerate(text)
        for bit, (column, row) in enumerate(DOTS)
        if (ord(character) - 0x2800) >> bit & 1
    ]
    return [f'<circle class="{name}" cx="{cx:.1f}" cy="{cy:.1f}" r="2"/>' for cx, cy in lit]


def main() -> None:
    """Draw all of them."""
    for picture in PICTURES:
        svg = asyncio.run(take(picture))
        (HERE / f"{picture.name}.svg").write_text(svg)
        cairosvg.svg2png(bytestring=for_cairo(svg).encode(), write_to=str(HERE / f"{picture.name}.png"))
        print(picture.name)


if __name__ == "__main__":
    main()
