"""The language of rules.

::

    METRIC[WINDOW]{LABEL=PATTERN, …} OP NUMBER [for DURATION] [clear [OP NUMBER] [for DURATION]]

    failed_rate{queue=mail} > 5% for 2m
    failed_rate[15m]{queue=*, function!=shop.import.*} > 10% clear < 2%
    queue_age > 1m
    workers{queue=mail} < 2 for 30s clear for 5m
    worker_lost
"""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple, NoReturn

from naq_runtime.alerts.metrics import EXPECTED, METRICS, Metric, Unit
from naq_runtime.errors import InvalidRule
from naq_runtime.events.messages import value_text

__all__ = ["Condition", "Labels", "Matcher", "Rule", "labels_text", "parse_condition", "parse_rule"]

Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order in which the metric names its labels."""

DEFAULT_WINDOW_S = 300.0
SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 10.0, 3600.0
LONGEST_S = 86_400.0
"""The longest ``for``."""
CLEAR_FOR_S = 60.0
"""An alert of a rule that does not say otherwise ends when it was clear for so long, or for as long as its ``for``."""

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_RULE = 500

_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_PATTERN = re.compile(r'"([^"]*)"|([^\s,{}"=!]+)')
_OPERATOR = re.compile(r">=|<=|>|<")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_UNIT = re.compile(r"ms|s|m|h|d")
_BLANK = re.compile(r"\s*")


class Matcher(NamedTuple):
    """What a label must be, or must not be."""

    label: str
    pattern: str
    """With ``*`` for any text and ``?`` for any character."""
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.label}{'!=' if self.negated else '='}{self.pattern}"

    def takes(self, value: str) -> bool:
        """Whether a value fits."""
        return fnmatchcase(value, self.pattern) is not self.negated

    @property
    def is_exact(self) -> bool:
        """Whether one value fits, and no other."""
        return not self.negated and not any(wild in self.pattern for wild in "*?[")


class Condition(NamedTuple):
    """A comparison with a threshold."""

    operator: str
    threshold: float

    def holds(self, value: float) -> bool:
        """Whether it is so."""
        return _OPERATORS[self.operator](value, self.threshold)


class Rule(NamedTuple):
    """A rule, read. Shares are from 0 to 1, times are seconds."""

    text: str
    metric: Metric
    window_s: float
    where: tuple[Matcher, ...]
    breach: Condition
    """When it is so for `for_s`, the alert fires."""
    for_s: float
    clear: Condition
    """When it is so for `clear_for_s`, the alert is over."""
    clear_for_s: float

    @property
    def by(self) -> tuple[str, ...]:
        """The labels of each alert of this rule: one that is only left out parts nothing."""
        named = {matcher.label for matcher in self.where if not matcher.negated}
        return tuple(label for label in self.metric.labels if label in self.metric.by or label in named)

    def wants(self, labels: Mapping[str, str]) -> bool:
        """Whether something of these labels is watched."""
        return all(matcher.takes(labels.get(matcher.label, "")) for matcher in self.where)

    @property
    def exact(self) -> Labels | None:
        """The labels of the one alert that this rule can have; ``None`` when there may be several."""
        known = {matcher.label: matcher.pattern for matcher in self.where if matcher.is_exact}
        if len(self.where) != len(known) or any(label not in known for label in self.by):
            return None
        return tuple((label, known[label]) for label in self.by)

    @property
    def threshold_text(self) -> str:
        """``> 5 %``."""
        return f"{self.breach.operator} {value_text(self.metric.unit, self.breach.threshold)}"


def labels_text(labels: Mapping[str, str]) -> str:
    """``queue=mail, function=shop.mail.send``; empty for none."""
    return ", ".join(f"{name}={value}" for name, value in labels.items())


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Raises:
        InvalidRule: it cannot be read; the message says in which column, and what was expected there.
    """
    return _parser(text).rule()


def parse_condition(text: str, *, window_s: float = DEFAULT_WINDOW_S) -> Rule:
    """Read a rule that is asked about once: it has neither ``for`` nor ``clear``.

    Args:
        window_s: how far it looks back where it does not say so itself.

    Raises:
        InvalidRule: as `parse_rule`; also of a window that is too short or too long to be a rule's.
    """
    return _parser(text).rule(window_s, once=True)


def _parser(text: str) -> _Parser:
    if len(text) > _LONGEST_RULE:
        raise InvalidRule(f"a rule has {_LONGEST_RULE} characters at most", _LONGEST_RULE + 1)
    return _Parser(text)


class _Parser:
    """Reads from left to right; the position is always at the next character that is no blank."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skip_blanks()

    def rule(self, window_s: float = DEFAULT_WINDOW_S, *, once: bool = False) -> Rule:
        metric = self._metric()
        window_s = self._window(metric, window_s)
        where = self._matchers(metric)
        breach = self._condition(metric) or self._implied(metric)
        if once and self._at < len(self._text):
            self._fail("expected the end: what is asked about once has no 'for' and no 'clear'")
        for_s = self._for() or 0.0
        clear, clear_for_s = self._clear(metric, breach)
        if self._at < len(self._text):
            self._fail("expected 'for', 'clear' or the end")
        kept_s = max(for_s, CLEAR_FOR_S) if clear_for_s is None else clear_for_s
        return Rule(self._text.strip(), metric, window_s, where, breach, for_s, clear, kept_s)

    # The parts

    def _metric(self) -> Metric:
        at = self._at
        name = self._take(_NAME)
        metric = METRICS.get(name or "")
        if metric is None:
            near = difflib.get_close_matches(name or "", METRICS, n=1)
            self._fail(
                f"expected a metric such as {near[0]}" if near else f"expected a metric: {', '.join(METRICS)}", at
            )
        return metric

    def _window(self, metric: Metric, usual_s: float) -> float:
        if not self._sees("["):
            if metric.windowed and not SHORTEST_WINDOW_S <= usual_s <= LONGEST_WINDOW_S:
                self._fail(f"expected a window from 10s to 1h, such as {metric.name}[5m]")
            return usual_s
        at = self._at
        if not metric.windowed:
            self._fail(f"{metric.name} is as it is now, and takes no window", at)
        self._expect("[")
        at = self._at
        window_s = self._duration()
        if not SHORTEST_WINDOW_S <= window_s <= LONGEST_WINDOW_S:
            self._fail("expected a window from 10s to 1h", at)
        self._expect("]")
        return window_s

    def _matchers(self, metric: Metric) -> tuple[Matcher, ...]:
        found: list[Matcher] = []
        if not self._sees("{"):
            return ()
        self._expect("{")
        while not self._sees("}"):
            found.append(self._matcher(metric))
            if not self._sees("}"):
                self._expect(",", "expected ',' or '}'")
        self._expect("}")
        return tuple(found)

    def _matcher(self, metric: Metric) -> Matcher:
        at = self._at
        label = self._take(_NAME)
        if label not in metric.labels:
            known = f"expected one of its labels: {', '.join(metric.labels)}" if metric.labels else "it has no labels"
            self._fail(f"{metric.name}: {known}", at)
        negated = self._sees("!=")
        self._expect("!=" if negated else "=", "expected '=' or '!='")
        at = self._at
        pattern = self._take(_PATTERN)
        if pattern is None:
            self._fail(f'expected a value for {label}, such as mail, mail-* or "mail"', at)
        return Matcher(label, pattern.strip('"'), negated)

    def _condition(self, metric: Metric) -> Condition | None:
        sign = self._take(_OPERATOR)
        return None if sign is None else Condition(sign, self._value(metric.unit))

    def _implied(self, metric: Metric) -> Condition:
        if not metric.is_state:
            self._fail("expected a comparison: >, >=, < or <= with a value")
        return Condition(">", 0.0)

    def _for(self) -> float | None:
        if not self._word("for"):
            return None
        at = self._at
        seconds = self._duration()
        if seconds > LONGEST_S:
            self._fail("expected a duration of a day at most", at)
        return seconds

    def _clear(self, metric: Metric, breach: Condition) -> tuple[Condition, float | None]:
        opposite = Condition(_OPPOSITE[breach.operator], breach.threshold)
        if not self._word("clear"):
            return opposite, None
        at = self._at
        named = self._condition(metric)
        clear_for_s = self._for()
        if named is None and clear_for_s is None:
            self._fail("expected a comparison or 'for' after 'clear'", at)
        if named is not None and named.operator[0] != opposite.operator[0]:
            self._fail(f"expected {opposite.operator[0]} or {opposite.operator[0]}=, against {breach.operator}", at)
        if named is not None and _overlap(breach, named):
            self._fail("expected a threshold at which the alert does not fire, too", at)
        return named or opposite, clear_for_s

    # What they are made of

    def _value(self, unit: Unit) -> float:
        if unit is Unit.SECONDS:
            return self._duration(unit)
        at = self._at
        digits = self._take(_NUMBER, blanks=False)
        if digits is None:
            self._fail(f"expected {EXPECTED[unit]}", at)
        value = float(digits)
        if unit is Unit.SHARE:
            if not self._sees("%") or value > 100:
                self._fail(f"expected {EXPECTED[unit]}, of 100% at most", at)
            self._expect("%")
            return value / 100
        if unit is Unit.RATE and self._sees("/s"):
            self._at += len("/s")
        if self._at < len(self._text) and not self._text[self._at].isspace():
            self._fail(f"expected {EXPECTED[unit]}", at)
        self._skip_blanks()
        return value

    def _duration(self, unit: Unit = Unit.SECONDS) -> float:
        at, seconds, parts = self._at, 0.0, 0
        while (digits := self._take(_NUMBER, blanks=False)) is not None:
            named = self._take(_UNIT, blanks=False)
            if named is None:
                self._fail(f"expected {EXPECTED[unit]}", at)
            seconds, parts = seconds + float(digits) * _SECONDS[named], parts + 1
        after = self._text[self._at : self._at + 1]
        if not parts or after.isalnum() or not math.isfinite(seconds):
            self._fail(f"expected {EXPECTED[unit]}", at)
        self._skip_blanks()
        return seconds

    def _take(self, pattern: re.Pattern[str], *, blanks: bool = True) -> str | None:
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        if blanks:
            self._skip_blanks()
        return found[0]

    def _word(self, word: str) -> bool:
        found = _NAME.match(self._text, self._at)
        if found is None or found[0] != word:
            return False
        self._at = found.end()
        self._skip_blanks()
        return True

    def _sees(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _expect(self, text: str, message: str = "") -> None:
        if not self._sees(text):
            self._fail(message or f"expected {text!r}")
        self._at += len(text)
        self._skip_blanks()

    def _skip_blanks(self) -> None:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _fail(self, message: str, at: int | None = None) -> NoReturn:
        at = self._at if at is None else at
        found = self._text[at : at + 20].split(" ")[0]
        came = f", got {found!r}" if found else ", got the end of the rule"
        raise InvalidRule(message + came, at + 1)


def _overlap(breach: Condition, clear: Condition) -> bool:
    """Whether one value can be a breach and clear."""
    if breach.threshold == clear.threshold:
        return "=" in breach.operator and "=" in clear.operator
    return (clear.threshold > breach.threshold) is (breach.operator[0] == ">")
