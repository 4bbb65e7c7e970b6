"""A filter as a tree of values; its text is written back from it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from naq_runtime.events.filters.fields import Field, Kind
from naq_runtime.events.filters.values import Moment, number_text, size_text, span_text

__all__ = ["EVERYTHING", "All", "Compared", "Either", "Matched", "Node", "Not", "Pattern", "Text", "Wanted", "depth_of"]

_PLAIN_WORD = re.compile(r"[^\s()\"!/,:<>=][^\s()\"]*")
_PLAIN_VALUE = re.compile(r"[^\s()\",/][^\s()\",]*")
_LIKE_A_FIELD = re.compile(r"-?[A-Za-z_]\w*[:<>=]")
_WORDS = ("AND", "OR", "NOT")


class Text(msgspec.Struct, frozen=True):
    """The line of the event contains this; case counts when it has a capital letter."""

    text: str

    def __str__(self) -> str:
        is_plain = _PLAIN_WORD.fullmatch(self.text) and self.text not in _WORDS and not _LIKE_A_FIELD.match(self.text)
        return self.text if is_plain else _quoted(self.text)


class Pattern(msgspec.Struct, frozen=True):
    """A regular expression that is looked for, in the line of the event or in a field."""

    source: str

    def __str__(self) -> str:
        return "/" + self.source.replace("/", "\\/") + "/"


class Wanted(msgspec.Struct, frozen=True):
    """A value of a name or a text."""

    text: str
    wild: bool = False
    """Whether ``*`` and ``?`` stand for other characters; a backslash takes that from the one behind it."""


Value = Wanted | Pattern | Moment | float | bool


class Matched(msgspec.Struct, frozen=True):
    """A field has one of some values."""

    asked: Field
    values: tuple[Value, ...]

    def __str__(self) -> str:
        sign = "=" if self.asked.kind is Kind.TIME else ":"  # a time has colons in it
        return f"{self.asked.name}{sign}{','.join(_value_text(self.asked, value) for value in self.values)}"


class Compared(msgspec.Struct, frozen=True):
    """A field is greater or less than a value."""

    asked: Field
    sign: str
    """``>``, ``>=``, ``<`` or ``<=``."""
    value: Moment | float

    def __str__(self) -> str:
        return f"{self.asked.name}{self.sign}{_value_text(self.asked, self.value)}"


class Not(msgspec.Struct, frozen=True):
    """It is not so."""

    node: Node

    def __str__(self) -> str:
        return f"!{_grouped(self.node)}"

    @staticmethod
    def of(node: Node) -> Node:
        """The opposite; of an opposite, what it was."""
        return node.node if isinstance(node, Not) else Not(node)


class All(msgspec.Struct, frozen=True):
    """All of them hold; without any, always."""

    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " ".join(_grouped(node) if isinstance(node, Either) else str(node) for node in self.nodes)

    @staticmethod
    def of(nodes: Iterable[Node]) -> Node:
        """All of them, in one level."""
        flat = [inner for node in nodes for inner in (node.nodes if isinstance(node, All) else (node,))]
        return flat[0] if len(flat) == 1 else All(tuple(flat))


class Either(msgspec.Struct, frozen=True):
    """At least one of them holds."""

    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.nodes))

    @staticmethod
    def of(nodes: Iterable[Node]) -> Node:
        """One of them, in one level."""
        flat = [inner for node in nodes for inner in (node.nodes if isinstance(node, Either) else (node,))]
        return flat[0] if len(flat) == 1 else Either(tuple(flat))


Node = Text | Pattern | Matched | Compared | Not | All | Either


def depth_of(node: Node) -> int:
    """How many groups and opposites lie within each other."""
    match node:
        case Not(inner):
            return depth_of(inner) + 1
        case All(nodes) | Either(nodes):
            return max(map(depth_of, nodes), default=0) + 1
    return 0


def _grouped(node: Node) -> str:
    return f"({node})" if isinstance(node, All | Either) else str(node)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return '"' + re.sub(r'([*?"\\])', r"\\\1", text) + '"'


def _value_text(asked: Field, value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Wanted(text, True):
            return text if _PLAIN_VALUE.fullmatch(text) and "\\" not in text else '"' + text.replace('"', '\\"') + '"'
        case Wanted(text):
            is_plain = _PLAIN_VALUE.fullmatch(text) and not set("*?") & set(text)
            is_slip = asked.closed and text not in asked.known
            return text if is_plain and not is_slip else _escaped(text)
        case float():
            return _number_text(asked, value)
    return str(value)


def _number_text(asked: Field, value: float) -> str:
    match asked.kind:
        case Kind.SPAN:
            return span_text(value)
        case Kind.SIZE:
            return size_text(value)
    return number_text(value)


EVERYTHING = All(())
"""Matches each event."""
