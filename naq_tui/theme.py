"""Our own colours: calm, and legible from the other side of the desk."""

from __future__ import annotations

from textual.theme import Theme

from naq_tui.look import LOOKS

__all__ = ["THEMES"]

_OWN = "ansi_default"
"""Whatever the terminal draws text with, or has behind it."""

NIGHT = Theme(
    name=LOOKS["night"],
    primary="#6cb6ff",
    secondary="#93c4d6",
    accent="#f0b866",
    success="#7ccf8f",
    warning="#f0b866",
    error="#ff7b72",
    foreground="#d5dde6",
    background="#0e1318",
    surface="#131a21",
    panel="#1a222b",
    dark=True,
    variables={
        "border": "#6cb6ff",
        "border-blurred": "#2a3540",
        "input-cursor-background": "#d5dde6",
        "input-cursor-foreground": "#0e1318",
    },
)

DAY = Theme(
    name=LOOKS["day"],
    primary="#0b5cad",
    secondary="#1d6a80",
    accent="#8f5200",
    success="#1a7434",
    warning="#8f5200",
    error="#bf2430",
    foreground="#1b2631",
    background="#f8fafb",
    surface="#eff3f6",
    panel="#e4eaef",
    dark=False,
    variables={
        "border": "#0b5cad",
        "border-blurred": "#c3ced7",
        "input-cursor-background": "#1b2631",
        "input-cursor-foreground": "#f8fafb",
    },
)

DISTINCT = Theme(
    name=LOOKS["distinct"],
    primary="#959aec",
    secondary="#b8c6d6",
    accent="#efb7f3",
    success="#2fd6ae",
    warning="#f7ee6a",
    error="#f07f24",
    foreground="#e2e6ea",
    background="#101214",
    surface="#16191c",
    panel="#1e2226",
    dark=True,
    variables={
        "border": "#959aec",
        "border-blurred": "#30363c",
        "input-cursor-background": "#e2e6ea",
        "input-cursor-foreground": "#101214",
    },
)
"""For people who do not tell all colours apart: tones that differ in protanopia, deuteranopia and tritanopia, too."""


def _of_terminal(name: str, *, cursor: str, **colours: str) -> Theme:
    """A theme of the terminal's own colours, on its own background, be that dark or light."""
    grounds = dict.fromkeys(("foreground", "background", "surface", "panel", "boost"), _OWN)
    variables = {
        "ansi-background": _OWN,
        "ansi-foreground": _OWN,
        "border": colours["primary"],
        "border-blurred": _OWN,
        "block-cursor-foreground": _OWN,
        "block-cursor-background": cursor,
        "block-cursor-text-style": "reverse" if cursor == _OWN else "none",
        "input-cursor-background": _OWN,
        "input-cursor-foreground": _OWN,
        "input-cursor-text-style": "reverse",
        "input-selection-background": cursor,
    }
    return Theme(name=name, ansi=True, variables=variables, **grounds, **colours)  # type: ignore[arg-type]


ANSI = _of_terminal(
    LOOKS["ansi"],
    cursor="ansi_cyan",
    primary="ansi_cyan",
    secondary="ansi_cyan",
    accent="ansi_magenta",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
)
"""The sixteen colours that somebody has chosen for the terminal."""

PLAIN = _of_terminal(
    LOOKS["plain"],
    cursor=_OWN,
    **dict.fromkeys(("primary", "secondary", "accent", "success", "warning", "error"), _OWN),
)
"""No colour at all."""

THEMES = (NIGHT, DAY, DISTINCT, ANSI, PLAIN)
