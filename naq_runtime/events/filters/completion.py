"""What may come next, where somebody types a filter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain, islice

import msgspec

from naq_runtime.events.filters.fields import Field, Kind, Vocabulary, of_events

__all__ = ["Completion", "complete"]

_MOST = 50
_PART = re.compile(
    r"""
    "(?:\\.|[^"\\])*(?:"|$)                                         # a text, to its end or that of all
    |(?:[A-Za-z_]\w*[:=])?/(?:\\.|[^/\\])*(?:/(?=[\s),]|$)|$)      # a regular expression
    |[^\s()"]+
    |[\s()]
    """,
    re.DOTALL | re.VERBOSE,
)
_CONDITION = re.compile(r"([A-Za-z_]\w*)([<>]=?|[:=])(.*)", re.DOTALL)
_PLAIN = re.compile(r"[^\s()\",/*?]+")
_REST_OF_NAME = re.compile(r"\w*(?:[<>]=?|[:=])?")
_REST_OF_VALUE = re.compile(r"[^\s(),]*")
_FLAGS = ("true", "false")
_SIGNS = (">", ">=", "<", "<=", "=")


class Completion(msgspec.Struct, frozen=True):
    """What may stand in a place of the text."""

    start: int
    """Where the place begins in the text."""
    end: int
    """Where it ends."""
    options: tuple[str, ...]
    """What may be put there, the likeliest first."""

    def taken(self, text: str, option: str) -> tuple[str, int]:
        """The text with an option in the place, and where the cursor is then."""
        return text[: self.start] + option + text[self.end :], self.start + len(option)


def complete(
    text: str,
    cursor: int,
    known: Mapping[str, Iterable[str]] | None = None,
    vocabulary: Vocabulary | None = None,
) -> Completion:
    """What may come where the cursor is.

    Args:
        cursor: an index in the text, from 0 up to its length.
        known: values that there are, such as the names of queues, by the short name of their field.
        vocabulary: the fields that can be asked for, when it is not a filter of events.
    """
    vocabulary = vocabulary or of_events()
    start, term = _term(text[:cursor])
    condition = _CONDITION.fullmatch(term)
    asked = vocabulary.named(condition[1]) if condition else None
    if condition is None:
        return Completion(start, _end(_REST_OF_NAME, text, cursor), tuple(_names(term, vocabulary.fields)))
    if asked is None or not _fits(asked, condition[2]):
        return Completion(cursor, cursor, ())
    typed = condition[3].rpartition(",")[2] if condition[2] == ":" else condition[3]
    before = set(condition[3].split(",")[:-1]) if condition[2] == ":" else set()
    options = [value for value in _values(asked, typed.removeprefix('"'), known or {}) if value not in before]
    return Completion(cursor - len(typed), _end(_REST_OF_VALUE, text, cursor), tuple(options))


def _fits(asked: Field, sign: str) -> bool:
    """Whether values of which some are known can stand behind the sign."""
    return sign in (":", "=") and (asked.kind.is_text or asked.kind is Kind.FLAG)


def _end(rest: re.Pattern[str], text: str, cursor: int) -> int:
    found = rest.match(text, cursor)
    return found.end() if found else cursor


def _term(before: str) -> tuple[int, str]:
    """The run of signs that ends at the cursor, and where it begins; not the opposite's sign in front of it."""
    start = 0
    for part in _PART.finditer(before):
        if part[0].isspace() or part[0] in "()":
            start = part.end()
    while before[start : start + 1] == "!":
        start += 1
    return start, before[start:]


def _names(typed: str, fields: Mapping[str, Field]) -> list[str]:
    exact = fields.get(typed)
    if exact is not None and not exact.kind.is_text and exact.kind is not Kind.FLAG:
        return [f"{typed}{sign}" for sign in _SIGNS if sign != "=" or exact.kind is not Kind.TIME]
    found = [one for name, one in fields.items() if name.startswith(typed.lower())]
    return [f"{one.name}{_sign(one)}" for one in found][:_MOST]


def _sign(asked: Field) -> str:
    return ":" if asked.kind.is_text or asked.kind is Kind.FLAG else ">"


def _values(asked: Field, typed: str, known: Mapping[str, Iterable[str]]) -> list[str]:
    values = _FLAGS if asked.kind is Kind.FLAG else chain(known.get(asked.name, ()), asked.known)
    wanted = typed.lower()
    begin: dict[str, None] = {}
    contain: dict[str, None] = {}
    for value in values:
        place = value.lower().find(wanted)
        if place >= 0 and value != typed:
            (contain if place else begin)[value] = None
        if len(begin) == _MOST:
            break
    near = islice(chain(begin, contain), _MOST)
    return [value if _PLAIN.fullmatch(value) else _quoted(value) for value in near]


def _quoted(value: str) -> str:
    return '"' + re.sub(r'([*?"\\])', r"\\\1", value) + '"'
