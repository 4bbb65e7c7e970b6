"""When garbage is collected: not while all is loaded and built, and later seldom, and not among what stays for good."""

from __future__ import annotations

import gc

__all__ = ["put_off", "take_up"]

_YOUNG = 10_000
"""New objects before the next collection: events on their way live through those of every few hundred."""


def put_off() -> None:
    """Collect nothing until `take_up`: a start makes hardly any garbage, but each collection walks all there is."""
    gc.disable()


def take_up() -> None:
    """Collect again, among what comes from now on; nothing happens where it was not put off."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
        gc.enable()
