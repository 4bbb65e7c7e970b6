"""A page as blocks: sections with a heading that can be folded, and lines in them on which Enter does something."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from naq_tui.text import count_text
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.line import EMPTY, Line

__all__ = ["Block", "Laid", "Stop", "lay_out", "plain_text"]


class Stop(NamedTuple):
    """What can be done on a line."""

    kind: Literal["fold", "more", "job"]
    """Fold or unfold a block, show more of it, or open a job."""
    target: str
    """The key of the block, or the id of the job."""


@dataclass(frozen=True, slots=True)
class Block:
    """A section of a page."""

    key: str
    """Tells it from the others, whatever it shows."""
    title: str
    """Empty for what stands above the first section, and cannot be folded."""
    lines: Sequence[Line]
    about: str = ""
    """Beside the title."""
    stops: Mapping[int, Stop] = field(default_factory=dict)
    """By the place of their line."""
    folded: bool = False
    """Whether it is so until somebody wants to see it."""
    text: Callable[[], str] | None = None
    """All of it as inert text to be copied; the lines, unless there is something better."""


class Laid(NamedTuple):
    """A page, line by line."""

    lines: list[Line]
    stops: dict[int, Stop]
    starts: dict[str, int]
    """The line of the heading of each block, by key."""


def lay_out(blocks: Iterable[Block], turned: Collection[str], width: int) -> Laid:
    """One block below the other.

    Args:
        turned: the keys of those that are folded or unfolded, against how they are by themselves.
    """
    laid = Laid([], {}, {})
    for block in blocks:
        laid.lines.append(EMPTY)
        laid.starts[block.key] = len(laid.lines)
        folded = block.folded != (block.key in turned)
        if block.title:
            laid.stops[len(laid.lines)] = Stop("fold", block.key)
            laid.lines.append(_heading(block, folded, width))
        if folded and block.title:
            continue
        first = len(laid.lines)
        laid.stops.update((first + place, stop) for place, stop in block.stops.items())
        laid.lines.extend(block.lines)
    return laid


def plain_text(block: Block) -> str:
    """What is copied of a block."""
    if block.text is not None:
        return block.text()
    return "\n".join("".join(piece for piece, _ in line.spans).strip() for line in block.lines).strip()


def _heading(block: Block, folded: bool, width: int) -> Line:
    count = len(block.lines)
    hidden = f"  {count_text(count)} line{'s' * (count != 1)}" if folded else ""
    about = (f"  {block.about}" if block.about else "") + hidden
    rule = " " + "─" * max(0, width - len(block.title) - len(about) - 4)
    glyph = "▸ " if folded else "▾ "
    return Line(tuple(fitted([(glyph, "dim"), (block.title, "accent"), (about, "dim"), (rule, "faint")], width)))
