"""What is known of the alerts of a rule: the record that the leader of the schedulers keeps, and others read."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from naq_runtime.errors import SerializationError
from naq_runtime.events.models import AlertEvent, Count

__all__ = ["Alert", "AlertRecord", "AlertState", "Notice", "decode_alerts", "encode_alerts"]


_LATE_NS = 30_000_000_000
"""Another leader may need so long to take over."""


class AlertState(StrEnum):
    """How an alert stands, or the worst of a rule."""

    OK = "ok"
    NO_DATA = "no data"
    """There is nothing to measure: nobody knows."""
    PENDING = "pending"
    """What the rule says holds, but not for long enough yet."""
    FIRING = "firing"


class Alert(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One that is pending or fires. Times are by the server's clock."""

    labels: dict[str, str]
    state: AlertState
    since_ns: Count
    """From when on what the rule says has held."""
    fired_ns: Count = 0
    value: float | None = None
    """The last that was measured; ``None`` while there is nothing to measure."""
    clear_since_ns: Count = 0
    """From when on it has been clear; 0 while it is not."""
    missing_since_ns: Count = 0
    """From when on there has been nothing to measure; 0 while there is."""
    acknowledged_by: str = ""
    """Who has seen it, and cares for it; not in the leader's record."""
    acknowledged_ns: Count = 0
    """When they said so; not in the leader's record."""


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A transition of which not everybody has been told yet."""

    event: AlertEvent
    told: bool = False
    """Whether it is in the log."""
    posted: bool = False
    """Whether the webhook has it, or has given up."""


class AlertRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule, and its alerts."""

    name: str
    rule: str
    severity: str = "warning"
    text: str = ""
    """What the config has to say of it."""
    state: AlertState = AlertState.OK
    """The worst of its alerts."""
    alerts: tuple[Alert, ...] = ()
    """Those that are pending or fire."""
    hidden: Count = 0
    """How many more there would be."""
    as_of_ns: Count = 0
    """When it was evaluated, by the server's clock; it is written now and then."""
    due_ns: Count = 0
    """When it is written again at the latest: after that nobody watches the rule any more."""
    by: str = ""
    """The scheduler that did so."""
    notices: tuple[Notice, ...] = ()
    silenced_until_ns: Count = 0
    """Its webhook is not called until then; not in the leader's record."""

    def is_watched(self, now_ns: int) -> bool:
        """Whether somebody evaluates the rule, at a moment of the server's clock."""
        return now_ns < self.due_ns + _LATE_NS

    @property
    def firing(self) -> tuple[Alert, ...]:
        """Those that fire."""
        return tuple(alert for alert in self.alerts if alert.state is AlertState.FIRING)


encode_alerts = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AlertRecord).decode


def decode_alerts(data: bytes) -> AlertRecord:
    """The record of its JSON.

    Raises:
        SerializationError: the bytes are no record of alerts.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SerializationError(f"not a record of alerts: {error}") from error
