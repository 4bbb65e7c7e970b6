"""``naq stats``: how the queues do now, and whether that is as it should be."""

from __future__ import annotations

from contextlib import AsyncExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from naq_tui.cli.context import EXIT_CONDITION, EXIT_FAILURE, EXIT_USAGE, fail
from naq_tui.cli.format import Format, a_span
from naq_tui.cli.watching import Watch, watched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from naq_runtime.alerts.evaluation import Values
    from naq_runtime.alerts.rules import Rule
    from naq_runtime.config import NAQConfig
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager
    from naq_runtime.snapshot import QueueState
    from naq_runtime.statistics.answer import EventStatistics

__all__ = ["stats"]

_WINDOW = "5m"
_LONGEST_S = 90_000 * 3600.0


class By(StrEnum):
    """What has a line each."""

    QUEUE = "queue"
    FUNCTION = "function"
    WORKER = "worker"


def _a_window(text: str) -> float:
    seconds = a_span(text)
    if not 1 <= seconds <= _LONGEST_S:
        raise typer.BadParameter(f"expected a second or more, up to 90,000 hours, got {text!r}")
    return seconds


class _Look(NamedTuple):
    """What was found at once."""

    answer: EventStatistics
    queues: Sequence[QueueState]
    measured: Sequence[Values | None]


async def stats(
    *,
    window: Annotated[
        float, typer.Option("--window", "-w", metavar="SPAN", parser=_a_window, help="How far to look back.")
    ] = _WINDOW,  # type: ignore[assignment]  # it is read as if it had been given
    by: Annotated[By, typer.Option("--by", help="What has a line each.")] = By.QUEUE,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="End with 5 when this holds: 'failed_rate>5%'; may be repeated."),
    ] = None,
    min_samples: Annotated[
        int, typer.Option(min=1, metavar="N", help="For --fail-if: shares and percentiles of fewer jobs say nothing.")
    ] = 1,
    watch: Watch = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print.")] = Format.TABLE,
    config: NAQConfig,
) -> None:
    """Print how the queues do: what waits and runs now, what was done lately, and how long it took.

    --fail-if takes the rules of alerts, without 'for' and 'clear'. What holds is said on stderr, and the exit code is
    5; with --watch, as soon as something holds.

    Example: naq stats --window 10m --fail-if 'failed_rate{queue=mail} > 5%' --fail-if 'queue_age > 1m'
    """
    from naq_runtime.monitor import Monitor
    from naq_runtime.services.manager import ServiceManager

    rules = [_rule(text, window) for text in fail_if or ()]
    async with ServiceManager(config, role="monitor") as services, AsyncExitStack() as stack:
        monitor = await services.get_service(Monitor)
        services.connection.on_restored.append(_reading_anew(monitor))
        measure = await _measuring(services, rules, min_samples, stack)

        async def read() -> _Look:
            return await _read(monitor, window, by, measure)

        def show(look: _Look) -> None:
            _print(look, by, format)
            _note_unknown_queues(rules, look)
            _judge(rules, look.measured, once=watch is None)

        await watched(services, watch, read, show, format)


def _rule(text: str, window_s: float) -> Rule:
    """A condition, read; the end of the command when it is none."""
    from naq_runtime.alerts.rules import parse_condition
    from naq_runtime.errors import InvalidRule

    try:
        return parse_condition(text, window_s=window_s)
    except InvalidRule as error:
        fail(f"--fail-if {text!r}, {error}", EXIT_USAGE)


def _reading_anew(monitor: Monitor) -> Callable[[], Awaitable[None]]:
    async def read_anew() -> None:
        monitor.read_statistics_anew()

    return read_anew


async def _measuring(
    services: ServiceManager, rules: Sequence[Rule], min_samples: int, stack: AsyncExitStack
) -> Callable[[], Awaitable[Sequence[Values | None]]]:
    """What measures the rules as often as it is asked; nothing is read for none."""
    from naq_runtime.services.alerts import AlertService

    if not rules:

        async def nothing() -> Sequence[Values | None]:
            return ()

        return nothing
    alerts = await services.get_service(AlertService)
    return await stack.enter_async_context(alerts.measuring(rules, min_samples=min_samples))


async def _read(
    monitor: Monitor, window_s: float, by: By, measure: Callable[[], Awaitable[Sequence[Values | None]]]
) -> _Look:
    from naq_tui.cli.progress import progress

    with progress("reading events") as tell:
        trends = await monitor.trends(window_s, [by.value], progress=tell)
    snapshot = await monitor.snapshot()
    return _Look(trends.statistics, snapshot.queues, await measure())


def _print(look: _Look, by: By, format: Format) -> None:
    from naq_tui.cli.event_statistics import print_statistics

    if by is not By.QUEUE:
        print_statistics(look.answer, [by.value], format)
        return
    standing = {queue.name: (queue.waiting, queue.running) for queue in look.queues}
    print_statistics(_of_all_queues(look.answer, standing), [by.value], format, standing=standing)


def _of_all_queues(answer: EventStatistics, names: Iterable[str]) -> EventStatistics:
    """The answer with a group for each queue, also where nothing happened, and none for what is of no queue."""
    from msgspec.structs import replace

    from naq_runtime.statistics.answer import GroupStatistics

    known = {group.queue: group for group in answer.groups if group.queue is not None}
    for name in names:
        known.setdefault(name, GroupStatistics(queue=name))
    return replace(answer, groups=tuple(known[name] for name in sorted(known)))


# Conditions


def _note_unknown_queues(rules: Sequence[Rule], look: _Look) -> None:
    """Name the queues of rules that are not there: they may be slips of the pen."""
    from naq_tui.cli.output import note

    known = {queue.name for queue in look.queues} | {group.queue for group in look.answer.groups}
    named = {where.pattern for rule in rules for where in rule.where if where.label == "queue" and where.is_exact}
    for name in sorted(named - known):
        note(f"there is no queue {name}, which --fail-if names")


def _judge(rules: Sequence[Rule], measured: Sequence[Values | None], *, once: bool) -> None:
    """End the command with 5 when one of the rules holds, after a line on stderr for each value that it holds for.

    Args:
        once: whether it is not asked again, so that the end is an error when a rule cannot be told.
    """
    from naq_tui.cli.output import note

    pairs = list(zip(rules, measured, strict=True))
    holding = [line for rule, values in pairs for line in _holding(rule, values or {})]
    for line in holding:
        note(line)
    if holding:
        raise typer.Exit(EXIT_CONDITION)
    if once and (untold := [rule.text for rule, values in pairs if values is None]):
        fail(f"{untold[0]}: it cannot be told now, since events come faster than they can be read", EXIT_FAILURE)


def _holding(rule: Rule, values: Values) -> Iterator[str]:
    from naq_runtime.alerts.rules import labels_text
    from naq_runtime.events.messages import value_text

    for labels, value in sorted(values.items()):
        if value is not None and rule.breach.holds(value):
            name = f"{rule.metric.name}{{{labels_text(dict(labels))}}}" if labels else rule.metric.name
            yield f"{name} is {value_text(rule.metric.unit, value)}, {rule.threshold_text}"
