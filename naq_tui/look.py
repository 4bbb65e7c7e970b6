"""How everything looks: what the terminal can show, and what somebody has asked for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from naq_runtime.errors import ConfigError

__all__ = ["LOOKS", "Look", "look_for"]

LOOKS: dict[str, str] = {
    "night": "naq-night",
    "day": "naq-day",
    "distinct": "naq-distinct",
    "ansi": "naq-ansi",
    "plain": "naq-plain",
}
"""The names of our themes as people write them, and as Textual knows them."""


class Look(msgspec.Struct, frozen=True):
    """What is drawn with."""

    theme: str = LOOKS["night"]
    """As Textual knows it."""
    ascii: bool = False
    """Whether nothing but ASCII reaches the terminal."""
    colours: bool = True
    """Whether anything but bold, dim and reverse text does."""


def look_for(environ: Mapping[str, str], *, theme: str = "", ascii: bool | None = None) -> Look:
    """The look for a terminal.

    Args:
        environ: what the terminal says of itself, and ``NO_COLOR``. theme: the one that is asked for; without one, the
        terminal decides. ascii: whether only ASCII is wanted; ``None`` to have the locale decide.

    Raises:
        ConfigError: there is no theme of this name.
    """
    if theme and theme.removeprefix("naq-") not in LOOKS:
        raise ConfigError(f"theme: expected one of {', '.join(LOOKS)}, got {theme!r}")
    only_ascii = not _speaks_unicode(environ) if ascii is None else ascii
    name = theme.removeprefix("naq-")
    if environ.get("NO_COLOR") or name == "plain" or environ.get("TERM") in ("dumb", "unknown"):
        return Look(LOOKS["plain"], only_ascii, colours=False)
    return Look(LOOKS[name or ("night" if _has_many_colours(environ) else "ansi")], only_ascii)


def _has_many_colours(environ: Mapping[str, str]) -> bool:
    """Whether there are more than the sixteen colours that somebody has chosen for the terminal."""
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return True
    said = f"{environ.get('TERM', '')} {environ.get('TEXTUAL_COLOR_SYSTEM', '')}"
    return any(word in said for word in ("256", "truecolor", "direct", "kitty"))


def _speaks_unicode(environ: Mapping[str, str]) -> bool:
    """Whether the locale is one of UTF-8; where nothing is said, it is taken for one."""
    chosen = {name: value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environ.get(name))}
    if chosen.get("LC_CTYPE") == "C.UTF-8" and chosen.get("LANG") in ("C", "POSIX"):
        del chosen["LC_CTYPE"]  # Python has put it there
    said = next(iter(chosen.values()), "UTF-8")
    return "utf8" in said.lower().replace("-", "")
