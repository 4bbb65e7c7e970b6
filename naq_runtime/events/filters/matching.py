"""A tree as a function of an event: nothing of the tree is looked at any more when an event comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from operator import ge, gt, le, lt
from typing import Any

from naq_runtime.events.filters.fields import Field, Kind
from naq_runtime.events.filters.nodes import All, Compared, Either, Matched, Node, Not, Pattern, Text, Value, Wanted
from naq_runtime.events.filters.patterns import Test, containing, matching, searching
from naq_runtime.events.filters.values import Ago, At, Daytime
from naq_runtime.events.models import AlertEvent, Event, JobEvent, ScheduleEvent, WorkerEvent

__all__ = ["Predicate", "compiled", "line_of"]

Predicate = Callable[[Any], bool]

_IN_A_ROW = 8
"""So many tests are asked one from within the other."""
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}


def line_of(event: Event) -> str:
    """The text of an event in which words are looked for: the local time, type, ids, queue, worker and message."""
    kind = event.event_type
    clock = _clock(event.moment_ns)
    if isinstance(event, JobEvent):
        return f"{clock} {kind} {event.job_id} {event.queue_name} {event.worker_id or '-'} {event.message}"
    if isinstance(event, WorkerEvent):
        return f"{clock} {kind} - - {event.worker_id} {event.message}"
    queue = getattr(event, "queue_name", None) or "-"
    about = "-"
    if isinstance(event, ScheduleEvent):
        about = event.schedule_id
    elif isinstance(event, AlertEvent):
        about = event.alert
    return f"{clock} {kind} {about} {queue} - {event.message}"


def _clock(time_ns: int) -> str:
    second, rest = divmod(time_ns, 1_000_000_000)
    return f"{_clock_of_second(second)}.{rest // 1_000_000:03d}"


@lru_cache(maxsize=1024)
def _clock_of_second(second: int) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(second))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"


def compiled(node: Node, now_ns: int, line: Callable[[Any], str] = line_of) -> Predicate:
    """Whether an event matches, or whatever else the fields of the tree are of.

    Args:
        now_ns: what ages are counted from, in nanoseconds since 1970.
        line: the text of it in which words are looked for.
    """
    compile_ = partial(compiled, now_ns=now_ns, line=line)
    match node:
        case Text(text):
            return _of_line(containing(Wanted(text)), line)
        case Pattern():
            return _of_line(searching(node), line)
        case Matched():
            return _matched(node, now_ns)
        case Compared():
            return _compared(node, now_ns)
        case Not(inner):
            return _opposite(compile_(inner))
        case All(nodes):
            return _all([compile_(one) for one in sorted(nodes, key=_cost)])
        case Either(nodes):
            return _any([compile_(one) for one in nodes])


def _cost(node: Node) -> int:
    """What takes long comes last, and is seldom needed then."""
    match node:
        case Pattern():
            return 3
        case Text() | Either() | All():
            return 2
        case Not(inner):
            return _cost(inner)
    return 0


def _of_line(test: Test, line: Callable[[Any], str]) -> Predicate:
    return lambda event: test(line(event))


def _opposite(test: Predicate) -> Predicate:
    return lambda event: not test(event)


def _all(tests: list[Predicate]) -> Predicate:
    if not tests:
        return lambda event: True
    if len(tests) == 1:
        return tests[0]
    cut = _cut(tests)
    first, rest = _all(tests[:cut]), _all(tests[cut:])
    return lambda event: first(event) and rest(event)


def _any(tests: list[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]
    cut = _cut(tests)
    first, rest = _any(tests[:cut]), _any(tests[cut:])
    return lambda event: first(event) or rest(event)


def _cut(tests: list[Predicate]) -> int:
    """Few are asked in a row, which is quickest; many are halved, since calls go only so deep."""
    return 1 if len(tests) <= _IN_A_ROW else len(tests) // 2


def _matched(node: Matched, now_ns: int) -> Predicate:
    asked, get = node.asked, node.asked.get
    if not asked.kind.is_text:
        return _one_of_numbers(asked, node.values, now_ns)
    if len(asked.attributes) > 1:
        return _any([_matched(_single(asked, name, node.values), now_ns) for name in asked.attributes])
    literals = frozenset(value.text for value in node.values if isinstance(value, Wanted) and not value.wild)
    if asked.kind is Kind.NAME and len(literals) == len(node.values):
        return _one_of(get, literals)
    return _having(get, [_test(asked, value) for value in node.values])


def _one_of_numbers(asked: Field, values: tuple[Value, ...], now_ns: int) -> Predicate:
    get, unit_ms = asked.get, asked.unit_ms
    numbers = {_stored(asked, value, now_ns) for value in values}
    if unit_ms == 1:
        return lambda event: get(event) in numbers

    def is_one(event: Event) -> bool:
        value = get(event)  # neither way of conversion gives back each number exactly
        return value is not None and (value in numbers or value * unit_ms in values)

    return is_one


def _single(asked: Field, name: str, values: tuple[Value, ...]) -> Matched:
    return Matched(Field(name, Kind.TEXT, (name,), asked.categories), values)


def _one_of(get: Callable[[Event], Any], literals: frozenset[str]) -> Predicate:
    """The commonest of all, with nothing in its way."""
    if len(literals) == 1:
        (literal,) = literals

        def is_it(event: Event) -> bool:
            value = get(event)
            return value == literal or (type(value) is tuple and literal in value)

        return is_it

    def is_one(event: Event) -> bool:
        value = get(event)
        return not literals.isdisjoint(value) if type(value) is tuple else value in literals

    return is_one


def _test(asked: Field, value: Value) -> Test:
    if isinstance(value, Pattern):
        return searching(value)
    assert isinstance(value, Wanted), "only numbers and times are anything else"
    if asked.kind is Kind.TEXT:
        return containing(value)
    whole = matching(value)
    if asked.kind is not Kind.FUNCTION:
        return whole
    if value.wild:
        return lambda text: any(map(whole, _tails(text)))
    tail = f".{value.text}"
    return lambda text: whole(text) or text.endswith(tail)


def _tails(dotted: str) -> Iterable[str]:
    """A dotted name, and what is behind each of its dots."""
    while True:
        yield dotted
        _, dot, dotted = dotted.partition(".")
        if not dot:
            return


def _having(get: Callable[[Event], Any], tests: list[Test]) -> Predicate:
    test = tests[0] if len(tests) == 1 else lambda text: any(one(text) for one in tests)

    def has(event: Event) -> bool:
        value = get(event)
        if value is None:
            return False
        if isinstance(value, str):
            return test(value)
        parts = [f"{key}={item}" for key, item in value.items()] if isinstance(value, dict) else value
        return any(map(test, parts))

    return has


def _compared(node: Compared, now_ns: int) -> Predicate:
    get, sign, bound = node.asked.get, _SIGNS[node.sign], _stored(node.asked, node.value, now_ns)

    def holds(event: Event) -> bool:
        value = get(event)
        return value is not None and sign(value, bound)

    return holds


def _stored(asked: Field, value: Value, now_ns: int) -> float | bool:
    """A value as events have it."""
    if isinstance(value, Ago | At | Daytime):
        return value.at_ns(now_ns)
    assert isinstance(value, int | float), "texts are not compared"
    if asked.kind is not Kind.SPAN:
        return value
    return value / asked.unit_ms if asked.unit_ms >= 1 else round(value / asked.unit_ms)
