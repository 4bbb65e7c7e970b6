"""The text of a filter, read into its tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from naq_runtime.errors import FilterError
from naq_runtime.events.filters.fields import Field, Kind, Vocabulary, near, of_events
from naq_runtime.events.filters.nodes import (
    EVERYTHING,
    All,
    Compared,
    Either,
    Matched,
    Node,
    Not,
    Pattern,
    Text,
    Value,
    Wanted,
    depth_of,
)
from naq_runtime.events.filters.patterns import check_pattern, unescaped, with_wildcards
from naq_runtime.events.filters.values import Moment, finite, moment, number, size, span
from naq_runtime.naming import check_name

if TYPE_CHECKING:
    from lark import Token, UnexpectedInput

__all__ = ["LONGEST", "parse", "value_of"]

LONGEST = 2_000
"""Characters of a filter."""
_DEEPEST = 30
"""Groups within groups."""

# A field is told from a word by the sign behind it.
_GRAMMAR = r"""
?start: either
?either: all (_OR all)*
?all: one (_AND? one)*
?one: _NOT one -> opposite
    | "(" either ")" -> group
    | FIELD SIGN value (COMMA value)* -> condition
    | WORD -> word
    | QUOTED -> quoted
    | REGEX -> regex
?value: VALUE | QUOTED | REGEX

_OR.4: /OR(?=[\s()]|$)/
_AND.4: /AND(?=[\s()]|$)/
_NOT.4: /!|NOT(?=[\s()]|$)/
FIELD.3: /[A-Za-z_]\w*(?=[:<>=])/
QUOTED.3: /"(?:\\.|[^"\\])*"(?=[\s),]|$)/s
REGEX.3: /\/(?:\\.|[^\/\\])+\/(?=[\s),]|$)/
SIGN: /[<>]=?|[:=]/
COMMA.5: ","
WORD: /(?!(?:OR|AND|NOT)(?:[\s()]|$))[^\s()"!\/,:<>=][^\s()"]*(?=[\s)]|$)/
VALUE: /[^\s()",\/][^\s()",]*(?=[\s),]|$)/
%ignore /\s+/
"""
_NAMES_ON_THE_WIRE = {"job": "job id", "queue": "queue", "worker": "worker", "schedule": "schedule", "type": "type"}
_OPPOSITE_ELSEWHERE = re.compile(r"-([A-Za-z_]\w*)[:<>=]")
_RUN_ON = re.compile(r'"(?:\\.|[^"\\])*"(?=[^\s),])|[^\s()",/][^\s()",]*(?=["(])', re.DOTALL)
"""A text with something behind it that neither belongs to it nor is parted from it."""
_SIGNS = (":", "=", "<", ">")
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


def parse(text: str, vocabulary: Vocabulary | None = None) -> Node:
    """The tree of a filter; `EVERYTHING` of an empty text.

    Args:
        vocabulary: the fields that can be asked for, when it is not a filter of events.

    Raises:
        FilterError: the text is no filter; it says where, and what was expected there.
    """
    if len(text) > LONGEST:
        raise FilterError(f"a filter has at most {LONGEST:,} characters", text, LONGEST)
    if not text.strip():
        return EVERYTHING
    from lark import UnexpectedInput

    try:
        node: Node = _parser(vocabulary or of_events())(text)
    except UnexpectedInput as error:
        raise _explained(text, error) from None
    except _Wrong as wrong:
        raise FilterError(wrong.reason, text, wrong.position) from None
    return node


class _Wrong(Exception):
    """What is wrong with a part of the text."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


@cache
def _parser(vocabulary: Vocabulary) -> Callable[[str], Any]:
    from lark import Lark, Transformer, v_args

    # lark finds the builders of nodes by the names of the rules.
    builders = {rule: staticmethod(build) for rule, build in _BUILDERS.items()}
    for rule, build in _BUILDERS_BY_FIELDS.items():
        builders[rule] = staticmethod(partial(build, vocabulary))
    transformer = v_args(inline=True)(type("Builders", (Transformer,), builders))()
    return Lark(_GRAMMAR, parser="lalr", transformer=transformer, maybe_placeholders=False).parse


def _explained(text: str, error: UnexpectedInput) -> FilterError:
    token = getattr(error, "token", None)
    if token is None:
        at = error.pos_in_stream or 0
        if run_on := _RUN_ON.match(text, at):
            end = run_on.end()
            return FilterError(f"put a space before {text[end]!r}, or all of it into quotes", text, end)
        return FilterError(_unreadable(text[at]), text, at)
    at = len(text.rstrip()) if token.type == "$END" else token.start_pos
    if text[at : at + 1] in _SIGNS and "SIGN" not in error.expected:  # type: ignore[attr-defined]
        return FilterError("a condition has no spaces in it: duration>5s; a text with signs goes into quotes", text, at)
    found = "the end" if token.type == "$END" else repr(str(token))
    return FilterError(f"expected {_expected(error.accepts or error.expected)}, found {found}", text, at)  # type: ignore[attr-defined]


def _unreadable(character: str) -> str:
    if character == '"':
        return 'a text that begins with " has no end'
    if character == "/":
        return "a regular expression ends with / and a space; a text with a slash in front goes into quotes"
    return f"unexpected {character!r}; put a text with signs in it into quotes"


def _expected(terminals: Iterable[str]) -> str:
    terminals = set(terminals)
    if "VALUE" in terminals:
        return "a value"
    if "SIGN" in terminals:
        return "one of : = > >= < <="
    if "WORD" in terminals:
        return "a condition or a text"
    return "')'" if "RPAR" in terminals else "the end"


def _either(*nodes: Node) -> Node:
    return Either.of(nodes)


def _all(*nodes: Node) -> Node:
    return All.of(nodes)


def _group(node: Node) -> Node:
    if depth_of(node) > _DEEPEST:
        raise _Wrong(f"at most {_DEEPEST} groups may lie within each other", 0)
    return node


def _word(vocabulary: Vocabulary, token: Token) -> Node:
    like = _OPPOSITE_ELSEWHERE.match(token)
    if like is not None and vocabulary.named(like[1]) is not None:
        raise _Wrong(f"the opposite of a condition is !{token[1:]}", _start(token))
    return Text(str(token))


def _quoted(token: Token) -> Node:
    return Text(_not_empty(unescaped(token[1:-1]), token))


def _regex(token: Token) -> Node:
    return _pattern(token)


def _condition(vocabulary: Vocabulary, name: Token, sign: Token, *values: Token) -> Node:
    asked = vocabulary.named(name)
    if asked is None:
        advice = near(name, vocabulary.names) or "; a text with such signs in it goes into quotes"
        raise _Wrong(f"unknown field {str(name)!r}{advice}", _start(name))
    end = sign.end_pos
    for token in values:
        if token.start_pos != end:
            raise _Wrong(f"expected a value directly behind {text_of(name, sign)!r}", end or 0)
        end = token.end_pos
    found = [_value(asked, name, token) for token in values if token.type != "COMMA"]
    if sign in (":", "="):
        if asked.kind is Kind.TIME and (sign == ":" or not all(map(_is_exact, values))):
            raise _Wrong(f"compare a time: {name}>-10m or {name}<14:02", _start(sign))
        return Matched(asked, tuple(dict.fromkeys(found)))
    if asked.kind.is_text or asked.kind is Kind.FLAG:
        raise _Wrong(f"{name} is {asked.kind.value}, and cannot be greater or less; use {name}:", _start(sign))
    if len(found) > 1:
        raise _Wrong(f"expected one value to compare {name} with", _start(values[1]))
    return Compared(asked, str(sign), found[0])  # type: ignore[arg-type]  # neither text nor flag: a number or a time


def _is_exact(time: str) -> bool:
    return time == "," or time.isdigit()


def text_of(*tokens: Token) -> str:
    """The text of some tokens that follow each other."""
    return "".join(tokens)


def _value(asked: Field, name: Token, token: Token) -> Value:
    if token.type == "REGEX":
        if not asked.kind.is_text:
            raise _Wrong(f"{name} is {asked.kind.value}, which a regular expression does not fit", _start(token))
        return _pattern(token)
    if asked.kind.is_text:
        wanted = with_wildcards(token[1:-1], escapes=True) if token.type == "QUOTED" else with_wildcards(str(token))
        _not_empty(wanted.text, token)
        try:
            return _checked(asked, wanted, exact=token.type == "QUOTED")
        except ValueError as error:
            raise _Wrong(str(error), _start(token)) from None
    text = unescaped(token[1:-1]) if token.type == "QUOTED" else str(token)
    try:
        return _amount(asked, str(name), text)
    except ValueError as error:
        raise _Wrong(f"{error}, found {text!r}", _start(token)) from None


def value_of(asked: Field, name: str, value: object) -> Value:
    """A value that a program gives for a field: text, which may have wildcards, or what the field is made of.

    Raises:
        ValueError: it does not fit the field.
    """
    if isinstance(value, str):
        value = str(value)
        if asked.kind.is_text:
            return _checked(asked, with_wildcards(value), exact=False)
        if asked.kind is Kind.TIME and not _is_exact(value):
            raise ValueError("expected nanoseconds since 1970; a text such as 'time>-10m' compares")
        return _amount(asked, name, value)
    if asked.kind is Kind.FLAG and isinstance(value, bool):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and not asked.kind.is_text:
        stored = finite(value)
        return moment(f"{int(value):09}") if asked.kind is Kind.TIME else stored * asked.unit_ms
    raise ValueError(f"{name} is {asked.kind.value}, found {value!r}")


def _amount(asked: Field, name: str, text: str) -> Moment | float | bool:
    match asked.kind:
        case Kind.TIME:
            return moment(text)
        case Kind.SPAN:
            return span(text, plain_ms=asked.unit_ms if name.endswith("_ms") else None)
        case Kind.SIZE:
            return size(text)
        case Kind.FLAG:
            if text.lower() not in _FLAGS:
                raise ValueError("expected true or false")
            return _FLAGS[text.lower()]
        case Kind.PERCENT:
            return number(text.removesuffix("%"))
    return number(text)


def _checked(asked: Field, wanted: Wanted, *, exact: bool) -> Wanted:
    """Refuse what can be no value of the field."""
    if wanted.wild:
        return wanted
    if asked.closed and not exact and wanted.text not in asked.known:
        advice = near(wanted.text, asked.known) or "; in a filter's text, quotes take it as it is"
        raise ValueError(f"unknown {asked.name} {wanted.text!r}{advice}")
    if asked.name in _NAMES_ON_THE_WIRE:
        check_name(_NAMES_ON_THE_WIRE[asked.name], wanted.text)
    if not wanted.text:
        raise ValueError("expected some text")
    return wanted


def _pattern(token: Token) -> Pattern:
    source = re.sub(r"\\(.)", lambda found: "/" if found[1] == "/" else found[0], token[1:-1], flags=re.DOTALL)
    try:
        check_pattern(source)
    except ValueError as error:
        raise _Wrong(str(error), _start(token)) from None
    return Pattern(source)


def _not_empty(text: str, token: Token) -> str:
    if not text:
        raise _Wrong("expected some text between the quotes", _start(token))
    return text


def _start(token: Token) -> int:
    return token.start_pos or 0


_BUILDERS: dict[str, Callable[..., Node]] = {
    "either": _either,
    "all": _all,
    "opposite": Not.of,
    "group": _group,
    "quoted": _quoted,
    "regex": _regex,
}
_BUILDERS_BY_FIELDS: dict[str, Callable[..., Node]] = {"condition": _condition, "word": _word}
"""Those that look at the fields that there are."""
