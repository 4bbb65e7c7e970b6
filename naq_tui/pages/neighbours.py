"""How other runs of a function went, and where one job lies among them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from naq_runtime.events.messages import duration_text
from naq_runtime.events.models import JobEvent, JobEventType
from naq_runtime.statistics.sketch import RELATIVE_ERROR, Sketch, quantiles_of
from naq_runtime.surroundings import Neighbours
from naq_tui.pages.blocks import Block, Stop
from naq_tui.pages.code import plain_lines
from naq_tui.pages.history import History
from naq_tui.pages.phases import Phase
from naq_tui.text import age_text, clock_text, count_text, fit, inert, percent_text
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.line import EMPTY, Line, Span, Tone

__all__ = ["neighbours", "strip"]

_BARS = "▁▂▃▄▅▆▇█"
_LABEL = 8
_ROOMY = 84
_MOST_CELLS = 64
_FEW = 5
"""Runs to be compared with; of fewer no share is told."""
_LEAST_RATIO = 1 + 3 * RELATIVE_ERROR
"""Of the ends of a cell: what falls into it must not depend on the rounding of durations."""
_ENDS: dict[JobEventType, tuple[str, Tone]] = {
    JobEventType.COMPLETED: ("✓ completed", "good"),
    JobEventType.FAILED: ("✗ failed", "bad"),
    JobEventType.TIMED_OUT: ("⊗ timed out", "bad"),
}


def neighbours(history: History, found: Sequence[Phase], known: Neighbours, width: int) -> Block | None:
    """The count of runs lately, how long they waited and ran, and the last ones; ``None`` when there were none."""
    lines = list(_figures(history, found, known, width))
    stops: dict[int, Stop] = {}
    if known.runs:
        lines += [EMPTY] if lines else []
        for stored in reversed(known.runs):
            if isinstance(stored.event, JobEvent):
                stops[len(lines)] = Stop("job", stored.event.job_id)
                lines.append(_run_line(stored.event, width))
    if not lines:
        return None
    name = inert(known.function_name.rpartition(".")[2], 40)
    span = f" in the last {age_text((known.until_ns - known.since_ns) / 1e9)}" if known.until_ns else ""
    return Block("neighbours", "Neighbours", lines, f"{name}{span}", stops)


def _figures(history: History, found: Sequence[Phase], known: Neighbours, width: int) -> Iterator[Line]:
    ended = known.completed + known.failed
    if ended:
        share = percent_text(known.failed / ended)
        tone: Tone = "bad" if known.failed else "faint"
        yield Line(
            (
                (f"  {fit('runs', _LABEL)}", "dim"),
                (f"✓ {count_text(known.completed)}", "good"),
                (f"  ✗ {count_text(known.failed)}", tone),
                (f"  {share} failed", tone),
            )
        )
    elif not known.until_ns:
        yield from plain_lines("too much happened to be counted at once: a scheduler rolls it up", width, "dim")
    if known.run is not None and known.run.buckets:
        yield from _spread("ran", known.run, _ran_ms(found), ("faster", "slower"), width)
    if known.wait is not None and known.wait.buckets:
        yield from _spread("waited", known.wait, _waited_ms(history), ("shorter", "longer"), width)


def _ran_ms(found: Sequence[Phase]) -> float | None:
    runs = [phase for phase in found if phase.kind == "running"]
    return runs[-1].milliseconds if runs else None


def _waited_ms(history: History) -> float | None:
    started = history.last(JobEventType.STARTED)
    return started.wait_ms if started is not None else None


def _spread(label: str, sketch: Sketch, own_ms: float | None, words: tuple[str, str], width: int) -> Iterator[Line]:
    """Percentiles, and where this one lies, in words and on a scale."""
    p50, p95 = (min(one, sketch.max_ns / 1e6) for one in quantiles_of(sketch.buckets, (0.5, 0.95)))
    figures: list[Span] = []
    for name, value in (("p50", p50), ("p95", p95), ("max", sketch.max_ns / 1e6)):
        figures += [(f"{name} ", "dim"), (f"{duration_text(value)}   ", "text")]
    own: list[Span] = []
    if own_ms is not None:
        own = [("▲ ", "accent"), (duration_text(own_ms), "strong")]
        if sketch.count >= _FEW:
            own.append((f"  {_place(sketch, own_ms, words)}", "dim"))
    rows = [figures + own] if width >= _ROOMY else [figures, own]
    for lead, row in zip((label, ""), rows, strict=False):
        if row:
            yield Line(tuple(fitted([(f"  {fit(lead, _LABEL)}", "dim"), *row], width - 1)))
    if sketch.count > 1:
        yield from strip(sketch, own_ms, (p50, p95), width)


def _place(sketch: Sketch, own_ms: float, words: tuple[str, str]) -> str:
    below = sketch.share_below(own_ms)
    return f"{words[0]} than {(1 - below) * 100:.0f} %" if below <= 0.5 else f"{words[1]} than {below * 100:.0f} %"


def strip(sketch: Sketch, own_ms: float | None, marks: tuple[float, float], width: int) -> Iterator[Line]:
    """How many there were of each duration, from the shortest to the longest, on a logarithmic scale; a mark below.

    Args:
        marks: the median, and what only one in twenty is above; the bars change their colour there.
    """
    first, last = quantiles_of(sketch.buckets, (0.0, 1.0))
    low, high = (min(first, own_ms), max(last, own_ms)) if own_ms is not None else (first, last)
    low = max(low, 1e-3)
    high = max(high * 1.001, low * 1.02)
    ends = duration_text(low), duration_text(high)
    room = max(8, min(_MOST_CELLS, width - _LABEL - 8 - len(ends[0]) - len(ends[1])))
    cells = max(1, min(room, int(math.log(high / low) / math.log(_LEAST_RATIO))))
    step = math.log(high / low) / cells
    edges = [low * math.exp(step * place) for place in range(cells + 1)]
    edges[0] = 0.0
    counts = sketch.counts_between(edges)
    most = max(1, *counts)
    spans: list[Span] = [(" " * (_LABEL + 2), "text"), (f"{ends[0]} ", "dim")]
    for edge, count in zip(edges, counts, strict=False):
        tone: Tone = "good" if edge <= marks[0] else "begin" if edge <= marks[1] else "warn"
        bar = _BARS[math.ceil(count / most * 8) - 1] if count else "·"
        spans.append((bar, tone if count else "faint"))
    yield Line((*_joined(spans), (f" {ends[1]}", "dim")))
    if own_ms is not None:
        place = min(cells - 1, max(0, int(math.log(max(own_ms, low) / low) / step)))
        yield Line(((" " * (_LABEL + 3 + len(ends[0]) + place), "text"), ("▲", "accent")))


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Neighbours of one tone as one piece."""
    joined: list[Span] = []
    for text, tone in spans:
        if joined and joined[-1][1] == tone:
            joined[-1] = (joined[-1][0] + text, tone)
        else:
            joined.append((text, tone))
    return joined


def _run_line(event: JobEvent, width: int) -> Line:
    glyph, tone = _ENDS[event.event_type]
    spans: list[Span] = [
        (f"  {clock_text(event.moment_ns)}  ", "dim"),
        (fit(glyph, 12), tone),
        (fit(duration_text(event.duration_ms or 0.0), 10, "right") + "  ", "text"),
        (fit(inert(event.job_id, 64), 24), "name"),
        (f"  {inert(event.error_type or '', 40)}" if event.error_type else "", "bad"),
        (f"  {inert(event.worker_id or '', 40)}", "dim"),
    ]
    return Line(tuple(fitted(spans, width - 1)))
