"""Texts, wildcards and regular expressions, each as a test of a text that ends in time, whatever the text is."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from time import perf_counter
from typing import Any

from naq_runtime.events.filters.nodes import Pattern, Wanted

__all__ = ["Test", "check_pattern", "containing", "matching", "searching", "unescaped", "with_wildcards"]

log = logging.getLogger(__name__)

Test = Callable[[str], bool]

_LONGEST_PATTERN = 300
_MOST_PIECES = 5_000
"""Of a regular expression, with all that it repeats so often that it is compiled so often."""
_LONGEST_TEXT = 20_000
"""Characters of a text that a regular expression looks at."""
_PATIENCE_S = 0.02
"""A regular expression has so long for one text."""
_USUAL_S = 0.001
"""And so long for each of many."""
_TOO_LATE_S = 0.1
"""When it has taken so much longer in all, it is tried no more."""
_ESCAPED = re.compile(r'\\(["\\*?])')
_BACKSLASH = re.compile(r'\\(["\\*?])?')
_PIECE_OF_PATTERN = re.compile(r"\\.|\[(?:\\.|[^\]\\])+\]|\{(\d+)(?:,\d*)?\}|.", re.DOTALL | re.ASCII)
_PIECE = re.compile(r"\\(.)|([*?])|([^*?\\]+)|\\", re.DOTALL)


def unescaped(text: str) -> str:
    """The inside of quotes: a backslash lets ``"``, ``*``, ``?`` and itself stand for themselves; else it is one."""
    return _ESCAPED.sub(r"\1", text)


def with_wildcards(text: str, *, escapes: bool = False) -> Wanted:
    """A value whose ``*`` and ``?`` are wildcards.

    Args:
        escapes: whether a backslash lets what is behind it stand for itself, as in quotes; else it is one like any
            other.
    """
    text = _BACKSLASH.sub(_escaped, text) if escapes else text.replace("\\", "\\\\")
    if any(piece[2] for piece in _PIECE.finditer(text)):
        return Wanted(_ESCAPED.sub(lambda found: found[found[1] not in "*?\\"], text), wild=True)
    return Wanted(unescaped(text))


def _escaped(backslash: re.Match[str]) -> str:
    return backslash[0] if backslash[1] else "\\\\"


def matching(wanted: Wanted) -> Test:
    """Whether the whole of a text is as wanted."""
    if not wanted.wild:
        return wanted.text.__eq__
    start = wanted.text[:-1]
    if wanted.text.endswith("*") and not set("*?\\") & set(start):
        return lambda text: text.startswith(start)
    found = re.compile(_regex(wanted.text), re.DOTALL).fullmatch
    return lambda text: found(text) is not None


def containing(wanted: Wanted) -> Test:
    """Whether a text contains it; case counts when it has a capital letter."""
    exact = wanted.text != wanted.text.lower()
    if wanted.wild:
        flags = re.DOTALL if exact else re.DOTALL | re.IGNORECASE
        found = re.compile(_regex(f"*{wanted.text}*"), flags).fullmatch
        return lambda text: found(text) is not None
    needle = wanted.text
    if exact:
        return lambda text: needle in text
    return lambda text: needle in text.lower()


def _regex(wild: str) -> str:
    """The regular expression of a text with wildcards; it never goes back behind a piece that it has found."""
    pieces = [""]
    for piece in _PIECE.finditer(wild):
        if piece[2] == "*":
            pieces.append("")
        else:
            pieces[-1] += "." if piece[2] else re.escape(piece[1] or piece[3] or "\\")
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + ".*" + last


def check_pattern(source: str) -> None:
    """Refuse what is no regular expression.

    Raises:
        ValueError: it is none, or too long.
    """
    if len(source) > _LONGEST_PATTERN:
        raise ValueError(f"a regular expression has at most {_LONGEST_PATTERN} characters")
    if _pieces(source) > _MOST_PIECES:
        raise ValueError(f"the repeats of a regular expression come to at most {_MOST_PIECES:,} pieces")
    _compiled(source)


def _pieces(source: str) -> int:
    """How much there is to compile: what is repeated in a group that is repeated is multiplied.

    Nothing stops a compilation, and a few signs can ask for more memory than there is.
    """
    groups = [0]
    last = 0
    for piece in _PIECE_OF_PATTERN.finditer(source):
        if piece[1]:
            groups[-1] += last * (int(piece[1]) - 1)
            last *= int(piece[1])
        elif piece[0] == "(":
            groups.append(0)
        elif piece[0] == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        else:
            last = 1
            groups[-1] += 1
    return sum(groups)


def searching(pattern: Pattern) -> Test:
    """Whether a regular expression finds something in the first 20,000 characters of a text.

    It has 20 ms for each text, and finds nothing where it takes longer. Of many texts, it has 1 ms for each, and what
    it leaves of that is for those that follow: when it has taken 100 ms more, it finds nothing any more, and a warning
    is logged.
    """
    search = _compiled(pattern.source).search
    late_s = 0.0

    def found(text: str) -> bool:
        if late_s > _TOO_LATE_S:
            return False
        began = perf_counter()
        try:
            match = search(text[:_LONGEST_TEXT], timeout=_PATIENCE_S)
        except TimeoutError:
            match = None
        took_s = perf_counter() - began
        if late_s or took_s > _USUAL_S:
            count(took_s)
        return match is not None

    def count(took_s: float) -> None:
        nonlocal late_s
        late_s = max(0.0, late_s + took_s - _USUAL_S)
        if late_s > _TOO_LATE_S:
            log.warning("the regular expression /%s/ takes too long, and is given up", pattern.source)

    return found


def _compiled(source: str) -> Any:
    import regex  # the library's own cannot be stopped

    try:
        return regex.compile(source)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"the regular expression is wrong: {error}") from error
