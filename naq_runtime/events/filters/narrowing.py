"""What a filter demands of where an event is stored, so that no more has to be read than that."""

from __future__ import annotations

import re
from itertools import product

from naq_runtime.events.filters.fields import CATEGORIES
from naq_runtime.events.filters.nodes import All, Compared, Either, Matched, Node, Wanted
from naq_runtime.naming import Names

__all__ = ["subjects_of"]

_MOST = 16
"""Subjects; what would need more is looked for everywhere."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ENTITIES = {"worker": "worker", "schedule": "schedule", "system": "instance", "alert": "alert"}
"""By what the events of a category are stored, other than those of jobs."""
_STORED_BY = {"category", "type", "event", "job", "queue", *_ENTITIES.values()}

Demands = dict[str, frozenset[str]]
"""The values that a matching event may have, by field; where a field is missing, any. Together, all of them hold."""


def subjects_of(node: Node, names: Names) -> tuple[str, ...]:
    """Subjects under which every matching event is stored; none when nothing can match.

    No event is stored under two of them.
    """
    subjects = dict.fromkeys(s for demands in _demands(node) for s in _subjects(demands, names))
    if names.events in subjects or len(subjects) > _MOST or _overlap(tuple(subjects)):
        return (names.events,)
    return tuple(subjects)


def _demands(node: Node) -> list[Demands]:
    """What a matching event must have: the one, or the other."""
    match node:
        case Matched(_, values) if len(values) > _MOST:
            return [{}]
        case Matched(asked, values):
            demands = _of_categories(asked.categories)
            literals = [v.text for v in values if isinstance(v, Wanted) and not v.wild and _TOKEN.fullmatch(v.text)]
            if asked.name in _STORED_BY and len(literals) == len(values):
                demands[asked.name] = frozenset(literals)
            return [demands]
        case Compared(asked):
            return [_of_categories(asked.categories)]
        case Either(nodes):
            found = [demands for one in nodes for demands in _demands(one)]
            return found if len(found) <= _MOST else [{}]
        case All(nodes):
            together: list[Demands] = [{}]
            for one in nodes:
                both = [_both(a, b) for a, b in product(together, _demands(one))]
                possible = [demands for demands in both if demands is not None]
                together = possible if len(possible) <= _MOST else together
            return together
    return [{}]


def _of_categories(categories: frozenset[str]) -> Demands:
    return {"category": categories} if categories else {}


def _both(one: Demands, other: Demands) -> Demands | None:
    """What is demanded by both; ``None`` when nothing can meet that."""
    found = dict(one)
    for name, values in other.items():
        found[name] = found.get(name, values) & values
    return found if all(found.values()) else None


def _subjects(demands: Demands, names: Names) -> list[str]:
    types, ids = _tokens(demands, "type"), _tokens(demands, "event")
    categories = demands.get("category")
    if categories is None:
        if types == ids == ["*"]:
            return [names.events]
        others = [names.entity_event("*", "*", kind, one) for kind, one in product(types, ids)]
        return [*_of_jobs(demands, types, ids, names), *others]
    found = []
    for category in sorted(categories):
        if category == "job":
            found += _of_jobs(demands, types, ids, names)
        elif category in CATEGORIES:
            entities = _tokens(demands, _ENTITIES[category])
            found += [names.entity_event(category, *tokens) for tokens in product(entities, types, ids)]
        else:
            found.append(names.category_events(category))
    return found


def _of_jobs(demands: Demands, types: list[str], ids: list[str], names: Names) -> list[str]:
    jobs, queues = _tokens(demands, "job"), _tokens(demands, "queue")
    return [names.job_event(*tokens) for tokens in product(jobs, queues, types, ids)]


def _tokens(demands: Demands, name: str) -> list[str]:
    return sorted(demands.get(name, ("*",)))


def _overlap(subjects: tuple[str, ...]) -> bool:
    """Whether an event may be stored under two of them."""
    tokens = [subject.split(".") for subject in subjects]
    return any(_meet(a, b) for place, a in enumerate(tokens) for b in tokens[place + 1 :])


def _meet(one: list[str], other: list[str]) -> bool:
    for a, b in zip(one, other, strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(one) == len(other)
