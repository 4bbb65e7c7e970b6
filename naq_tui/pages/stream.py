"""What there is to know of one stream, beside what its row says."""

from __future__ import annotations

from collections.abc import Iterator

from naq_runtime.jetstream import FULL, NEARLY_FULL, Peer, Stream, Usage
from naq_tui.model.seconds import SECOND_NS
from naq_tui.text import age_text, bytes_text, clip, count_text, fit, inert, percent_text, wrap
from naq_tui.widgets.columns import fitted
from naq_tui.widgets.line import Line, Span, Tone

__all__ = ["stream_page"]

_LABEL = 10
_RETENTION = {
    "limits": "until it is too old or too much",
    "workqueue": "until it is dealt with",
    "interest": "until all have seen it",
}


def stream_page(stream: Stream, width: int, now_ns: int) -> list[Line]:
    """Its limits, what happens when it is full, where it lies, and what is in it."""
    room = max(8, width - _LABEL - 2)
    lines = [_fact(label, spans, width) for label, spans in _facts(stream, now_ns)]
    for index, subject in enumerate(stream.subjects):
        for piece in wrap(inert(subject, 200), room):
            lines.append(_fact("subjects" if index == 0 else "", [(piece, "name")], width))
    return lines


def _fact(label: str, spans: list[Span], width: int) -> Line:
    return Line(tuple(fitted([(" " + fit(label, _LABEL), "dim"), *spans], width)))


def _facts(stream: Stream, now_ns: int) -> Iterator[tuple[str, list[Span]]]:
    for trouble in stream.troubles:
        yield "trouble", [(f"✗ {inert(trouble, 80)}", "bad")]
    for usage in stream.usages:
        yield usage.what, _usage(usage)
    yield "kept", [(_RETENTION.get(stream.retention, inert(stream.retention, 30)), "text")]
    if stream.max_age_s:
        yield "", [(f"and {age_text(stream.max_age_s)} at most", "text")]
    if any(usage.limit for usage in stream.usages):
        yield "when full", [("refuses what is new" if stream.discards_new else "the oldest goes first", "text")]
    yield "holds", _range(stream, now_ns)
    copies = "1 replica" if stream.replicas == 1 else f"{stream.replicas:,} replicas"
    yield "stored in", [(f"{inert(stream.storage, 20)}, {copies}", "text")]
    if stream.is_clustered:
        yield "leader", [(inert(stream.leader, 60), "good") if stream.leader else ("✗ none", "bad")]
        for peer in stream.peers:
            yield "follower", _peer(peer)


def _usage(usage: Usage) -> list[Span]:
    said = bytes_text if usage.what == "bytes" else count_text
    if not usage.limit:
        return [(said(usage.used), "text"), ("  no limit", "faint")]
    tone: Tone = "bad" if usage.share >= FULL else "warn" if usage.share >= NEARLY_FULL else "text"
    mark = "✗ " if tone == "bad" else "! " if tone == "warn" else ""
    return [(said(usage.used), "text"), (f" of {said(usage.limit)}  ", "dim"), (mark + percent_text(usage.share), tone)]


def _range(stream: Stream, now_ns: int) -> list[Span]:
    if not stream.messages:
        return [("nothing", "faint"), (f"  last was {count_text(stream.last_sequence)}", "dim")]
    age_s = (now_ns - stream.first_ns) / SECOND_NS
    spans: list[Span] = [
        (f"{stream.first_sequence:,} to {stream.last_sequence:,}", "text"),
        (f"  since {age_text(age_s)} ago", "dim"),
    ]
    if stream.deleted:
        spans.append((f"  {count_text(stream.deleted)} gone between", "dim"))
    return spans


def _peer(peer: Peer) -> list[Span]:
    name = clip(inert(peer.name, 60), 24)
    if peer.trouble:
        return [(f"✗ {name}", "bad"), (f"  {peer.trouble}", "text")]
    lag = f", {count_text(peer.lag)} behind" if peer.lag else ""
    return [(f"● {name}", "good"), (f"  follows{lag}", "dim")]
