"""Items side by side, of which the least important give way when there is no room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from naq_tui.widgets.columns import fitted
from naq_tui.widgets.line import Span

__all__ = ["Item", "flow", "justified", "width_of"]


class Item(NamedTuple):
    """Something that is shown whole or not at all."""

    spans: tuple[Span, ...]
    rank: int
    """A high one gives way first; 0 never does, and is cut when it must be."""


def width_of(spans: Sequence[Span]) -> int:
    """Cells of the terminal."""
    return sum(cell_len(text) for text, _ in spans)


def flow(items: Sequence[Item], width: int, gap: int = 3, *, strictly: bool = False) -> list[Item]:
    """The items that fit side by side, in their order.

    Args:
        strictly: whether whatever ranks behind one that does not fit gives way, too, so that always the same do; else
            the room that an item cannot use goes to the next.
    """
    kept: list[int] = []
    for index in sorted(range(len(items)), key=lambda index: items[index].rank):
        if items[index].rank == 0 or _needed([items[other] for other in (*kept, index)], gap) <= width:
            kept.append(index)
        elif strictly:
            break
    return [items[index] for index in sorted(kept)]


def _needed(items: Sequence[Item], gap: int) -> int:
    return sum(width_of(item.spans) for item in items) + gap * max(0, len(items) - 1)


def justified(
    left: Sequence[Item], right: Sequence[Item], width: int, gap: int = 3, *, strictly: bool = False
) -> tuple[Span, ...]:
    """Items from the left edge and items to the right edge, in one line of exactly ``width`` cells; see `flow`."""
    kept = flow([*left, *right], width - 2, gap, strictly=strictly)
    head = _joined([item for item in kept if item in left], gap)
    tail = _joined([item for item in kept if item in right], gap)
    head = fitted(head, width - 2 - width_of(tail))
    blank = width - 2 - width_of(head) - width_of(tail)
    return ((" ", "text"), *head, (" " * blank, "text"), *tail, (" ", "text"))


def _joined(items: Sequence[Item], gap: int) -> list[Span]:
    spans: list[Span] = []
    for item in items:
        if spans:
            spans.append((" " * gap, "text"))
        spans += item.spans
    return spans
