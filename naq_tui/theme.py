"""Our own colours: calm, dark, and legible from the other side of the desk."""

from __future__ import annotations

from textual.theme import Theme

__all__ = ["NIGHT"]

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
