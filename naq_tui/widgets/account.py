"""The lines above the streams: which server it is, and how much of what the account may have is used."""

from __future__ import annotations

from collections.abc import Iterator

from naq_runtime.jetstream import Account, ServerDetail, Usage
from naq_tui.text import age_text, bytes_text, clip, count_text, inert
from naq_tui.widgets.flow import Item, justified
from naq_tui.widgets.line import EMPTY, Line, LineWidget, Span
from naq_tui.widgets.streams import share_spans

__all__ = ["AccountLines"]

_IN_BYTES = ("storage", "set aside", "memory")


class AccountLines(LineWidget):
    """Two lines."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[tuple[list[Item], list[Item]], ...] = ()

    def show(self, detail: ServerDetail | None, age_s: float, trouble: str) -> None:
        """Show how it is."""
        age = [Item(((f"{age_text(age_s)} old", "dim"),), 6)] if detail is not None else []
        self._lines = (
            (list(_server(detail, trouble)), age),
            (list(_account(detail)) if detail is not None else [], list(_missing(detail))),
        )
        self.repaint()

    def line(self, y: int) -> Line:
        """One of them."""
        return Line(justified(*self._lines[y], self.size.width)) if y < len(self._lines) else EMPTY


def _server(detail: ServerDetail | None, trouble: str) -> Iterator[Item]:
    if trouble:
        yield Item(((f"! {clip(inert(trouble), 70)}", "warn"),), 0)
    if detail is None:
        return
    server = detail.server
    yield Item(((inert(server.name, 40), "strong"), (f"  nats-server {inert(server.version, 20)}", "text")), 1)
    cluster = f"cluster {inert(server.cluster, 40)}" if server.cluster else "one server, no cluster"
    yield Item(((cluster, "text" if server.cluster else "dim"),), 3)
    yield Item((("round trip ", "dim"), (f"{server.rtt_ms:.1f} ms", "text")), 4)
    if detail.account is not None and detail.account.domain:
        yield Item((("domain ", "dim"), (inert(detail.account.domain, 30), "text")), 5)


def _account(detail: ServerDetail) -> Iterator[Item]:
    account = detail.account
    if account is None:
        return
    yield Item((("account", "dim"),), 2)
    for usage in account.usages:
        if usage.used or usage.limit or usage.what == "storage":
            rank = 0 if usage.share >= 0.8 else 1 if usage.what == "storage" else 4 if usage.limit else 5
            yield Item(tuple(_usage(usage)), rank)
    yield _calls(account)


def _usage(usage: Usage) -> Iterator[Span]:
    yield f"{usage.what} ", "dim"
    said = bytes_text if usage.what in _IN_BYTES else count_text
    yield said(usage.used), "text"
    if usage.limit:
        yield f" of {said(usage.limit)} ", "dim"
        yield from share_spans(usage.share, limited=True)


def _calls(account: Account) -> Item:
    calls = f" of {count_text(account.api_calls)} calls"
    return Item((("API errors ", "dim"), (count_text(account.api_errors), "text"), (calls, "dim")), 6)


def _missing(detail: ServerDetail | None) -> Iterator[Item]:
    if detail is not None and detail.missing:
        more = f"  (+{len(detail.missing) - 1})" if len(detail.missing) > 1 else ""
        yield Item(((f"! {clip(inert(detail.missing[0]), 90)}{more}", "warn"),), 2)
