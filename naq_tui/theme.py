"""Our own colours: calm, and legible from the other side of the desk; one theme for the night and one for the day."""

from __future__ import annotations

from textual.theme import Theme

__all__ = ["DAY", "NIGHT"]

NIGHT = Theme(
    name="naq-night",
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
    name="naq-day",
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
