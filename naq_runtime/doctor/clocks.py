"""The clocks, all against that of the server."""

from __future__ import annotations

from naq_runtime.doctor.check import Check, Unknown, bad, named, ok, skipped, warn
from naq_runtime.doctor.facts import Facts
from naq_runtime.events.messages import duration_text

__all__ = ["check_clocks", "check_our_clock"]

WARN_MS = 500.0
BAD_MS = 30_000.0

_MEANING = (
    "events are put in order all the same, since each process measures it; but a moment that it is given, as the time "
    "of a job, counts by the wrong clock, and certificates and tokens may not be valid"
)
_REMEDY = "have the clock set by NTP (chrony, systemd-timesyncd), and look whether it runs"


def check_our_clock(facts: Facts) -> Check:
    """How far this machine and the server are apart."""
    skew = facts.server_skew
    if isinstance(skew, Unknown):
        return skipped("clock", skew.why)
    off = abs(skew.skew_ms) - skew.within_ms
    found = f"this machine is {_apart(-skew.skew_ms)} the server"
    if off < WARN_MS:
        return ok(
            "clock", f"this machine and the server are within {duration_text(abs(skew.skew_ms) + skew.within_ms)}"
        )
    said = bad if off >= BAD_MS else warn
    return said("clock", found, meaning=_MEANING, remedy=_REMEDY)


def check_clocks(facts: Facts) -> Check:
    """How far processes and the server are apart, as they say themselves."""
    skews = facts.skews
    if isinstance(skews, Unknown):
        return skipped("clocks", skews.why)
    if not skews:
        return ok("clocks", "no process has said anything of its clock lately")
    off = [skew for skew in skews if abs(skew.skew_ms) >= WARN_MS]
    if not off:
        return ok(
            "clocks", f"{named(len(skews), 'process', 'processes')} within {duration_text(WARN_MS)} of the server"
        )
    said = bad if abs(off[0].skew_ms) >= BAD_MS else warn
    return said(
        "clocks",
        f"the clocks of {named(len(off), 'process', 'processes')} are wrong",
        meaning=_MEANING,
        remedy=_REMEDY,
        details=[
            f"{skew.role or 'process'} {skew.hostname}:{skew.pid} is {_apart(skew.skew_ms)} the server" for skew in off
        ],
    )


def _apart(milliseconds: float) -> str:
    return f"{duration_text(abs(milliseconds))} {'ahead of' if milliseconds > 0 else 'behind'}"
