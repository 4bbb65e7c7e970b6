"""Records a tour of the demo: ``python screenshots/cast.py`` writes ``demo.cast`` and ``demo.gif``.

The cast is a recording of a real terminal in which ``naq-top --demo`` runs and keys are pressed (asciicast, version 2);
the animation is drawn from it. It needs DejaVu Sans Mono; its braille is drawn as dots, since that font has none.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import sysconfig
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyte
from PIL import Image, ImageColor, ImageDraw, ImageFont

HERE = Path(__file__).resolve().parent
COLUMNS, LINES = 120, 40
WARM_UP_S = 45
"""So long the demo runs before the tour, so that there is something to see."""
FRAME_S = 0.4
"""The time between two looks at the screen."""

TOUR: tuple[tuple[float, str], ...] = (
    (4.0, ""),
    (0.8, "\t\t"),
    *((0.15, key) for key in "/type:failed"),
    (1.5, "\r"),
    (1.0, "k"),
    (4.0, "\r"),
    (0.8, "\x1b"),
    (0.8, "\x1b"),
    (2.0, "3"),
    (3.0, "F"),
    (2.0, "\r"),
    (3.5, "R"),
    (1.0, "n"),
    (3.5, "4"),
    (3.5, "5"),
    (3.5, "7"),
    (1.5, "\t"),
    (1.0, "1"),
    *((0.15, key) for key in "t-15s"),
    (4.0, "\r"),
    (0.6, "["),
    (0.6, "["),
    (0.6, "["),
    (2.0, "L"),
)
"""Keys, and for how long is looked at what they do."""


Row = tuple[pyte.screens.Char, ...]


class Frame(NamedTuple):
    """What was on the screen."""

    at_s: float
    rows: tuple[Row, ...]


# Recording


def record() -> list[Frame]:
    """Run the demo in a terminal, take the tour, and tell what was on the screen whenever that was something else."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environ = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TZ": "UTC",
        "XDG_CONFIG_HOME": os.devnull,
    }
    command = [sys.executable, "-m", "naq_tui.cli.top", "--demo"]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=HERE.parent, env=environ)
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    seen: list[Frame] = []

    def read(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([master], [], [], left)[0]:
                stream.feed(os.read(master, 65_536))

    try:
        read(WARM_UP_S)
        begun = time.monotonic()
        for seconds, keys in TOUR:
            os.write(master, keys.encode())
            for _ in range(max(1, round(seconds / FRAME_S))):
                read(min(seconds, FRAME_S))
                rows = tuple(anonymous(tuple(screen.buffer[y][x] for x in range(COLUMNS))) for y in range(LINES))
                if not seen or rows != seen[-1].rows:
                    seen.append(Frame(time.monotonic() - begun, rows))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        os.close(master)
        os.close(slave)
    return seen


def anonymous(row: Row) -> Row:
    """A line that tells paths from the project's folder, or that of Python's library, on; what is behind moves up."""
    for folder in (f"{HERE.parent}/", f"{sysconfig.get_path('stdlib')}/"):
        while (at := "".join(cell.data for cell in row).find(folder)) >= 0:
            end, edge = at + len(folder), len(row) - 3  # before the scroll bar and the border
            row = (*row[:at], *row[end:edge], *(row[edge - 1]._replace(data=" "),) * len(folder), *row[edge:])
    return row


def write_cast(frames: Sequence[Frame]) -> None:
    """Write the recording as asciicast, version 2: of each picture the lines that are others than before."""
    header = {"version": 2, "width": COLUMNS, "height": LINES, "title": "naq-top --demo"}
    lines = [json.dumps(header)]
    before: tuple[Row, ...] = ((),) * LINES
    for at_s, rows in frames:
        drawn = [f"\x1b[{y};1H{text_of(row)}" for y, row in enumerate(rows, 1) if row != before[y - 1]]
        lines.append(json.dumps([round(at_s - frames[0].at_s, 3), "o", "\x1b[?25l" + "".join(drawn)]))
        before = rows
    told = "\n".join(lines) + "\n"
    if any(str(folder) in told for folder in (HERE.parent, Path.home())):
        raise SystemExit("the recording tells a folder of this machine: look at the tour, and record again")
    (HERE / "demo.cast").write_text(told)


def text_of(row: Row) -> str:
    """What draws a line."""
    pieces, style = [], ""
    for cell in row:
        if (wanted := _sgr(cell)) != style:
            pieces.append(style := wanted)
        pieces.append(cell.data)
    return "".join(pieces)


def _sgr(cell: pyte.screens.Char) -> str:
    codes = ["0", *(code for code, on in (("1", cell.bold), ("3", cell.italics), ("7", cell.reverse)) if on)]
    for ground, colour in (("38", cell.fg), ("48", cell.bg)):
        if colour != "default":
            codes += [ground, "2", *map(str, ImageColor.getrgb(f"#{colour}")[:3])]
    return f"\x1b[{';'.join(codes)}m"


# Drawing

CELL = (8, 17)
FONT = "DejaVuSansMono.ttf"
FONT_SIZE = 13
COLOURS = 96
INK, PAPER = "#d8dee9", "#11141a"
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of each bit of a braille character."""


def drawn(rows: Sequence[Row]) -> Image.Image:
    """The picture of a screen."""
    image = Image.new("RGB", (COLUMNS * CELL[0], LINES * CELL[1]), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, FONT_SIZE)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            ink, paper = _colour(cell.fg, INK), _colour(cell.bg, PAPER)
            if cell.reverse:
                ink, paper = paper, ink
            left, top = x * CELL[0], y * CELL[1]
            if paper != PAPER:
                draw.rectangle((left, top, left + CELL[0] - 1, top + CELL[1] - 1), paper)
            if "\u2800" <= cell.data <= "\u28ff":
                _dots(draw, ord(cell.data) - 0x2800, left, top, ink)
            elif cell.data.strip():
                draw.text((left, top), cell.data, ink, font)
    return image


def _colour(name: str, default: str) -> str:
    return default if name == "default" else f"#{name}"


def _dots(draw: ImageDraw.ImageDraw, bits: int, left: int, top: int, ink: str) -> None:
    for bit, (column, row) in enumerate(DOTS):
        if bits >> bit & 1:
            x, y = left + 1 + column * 4, top + 1 + row * 4
            draw.rectangle((x, y, x + 1, y + 1), ink)


def write_animation(frames: Sequence[Frame]) -> None:
    """Draw the recording, in few colours."""
    pictures = [drawn(frame.rows) for frame in frames]
    some = pictures[:: max(1, len(pictures) // 8)]
    sheet = Image.new("RGB", (pictures[0].width, pictures[0].height * len(some)))
    for number, picture in enumerate(some):
        sheet.paste(picture, (0, number * picture.height))
    palette = sheet.quantize(COLOURS)
    first, *rest = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    times = [*(frame.at_s for frame in frames), frames[-1].at_s + 2]
    milliseconds = [max(20, round(1000 * (end - begin))) for begin, end in itertools.pairwise(times)]
    first.save(HERE / "demo.gif", save_all=True, append_images=rest, duration=milliseconds, loop=0, optimize=True)


def main() -> None:
    """Record, and draw."""
    frames = record()
    write_cast(frames)
    write_animation(frames)


if __name__ == "__main__":
    main()
