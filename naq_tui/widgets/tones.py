"""The colours of text, from the variables of the theme.

They are worked out once a theme, instead of as component classes of each widget: a dozen classes for each of a dozen
widgets would be most of the time that it takes to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from rich.style import Style
from textual.color import Color

__all__ = ["SEVERITY_TONES", "Back", "Palette", "Tone", "palette_of"]

Tone = Literal["text", "dim", "faint", "strong", "good", "bad", "warn", "begin", "accent", "name", "key", "bar"]
"""What a piece of text is; the theme decides its colour."""

Back = Literal["", "cursor", "cursor-blurred", "bad"]
"""What is behind a line."""

Palette = Mapping[str, Style]
"""Styles by tone, and backgrounds by ``back-`` and their name."""

_TONES: dict[Tone, tuple[str, float, bool]] = {
    "text": ("foreground", 1.0, False),
    "dim": ("foreground", 0.62, False),
    "faint": ("foreground", 0.34, False),
    "strong": ("foreground", 1.0, True),
    "good": ("success", 1.0, False),
    "bad": ("error", 1.0, False),
    "warn": ("warning", 1.0, False),
    "begin": ("primary", 1.0, False),
    "accent": ("accent", 1.0, False),
    "name": ("secondary", 1.0, False),
    "key": ("accent", 1.0, True),
    "bar": ("primary", 0.6, False),
}
"""The variable, its opacity, and whether it is bold."""

SEVERITY_TONES: dict[str, Tone] = {"critical": "bad", "warning": "warn", "info": "begin"}
"""Of an alert."""

_BACKS: dict[Back, tuple[str, float]] = {
    "cursor": ("primary", 0.28),
    "cursor-blurred": ("foreground", 0.07),
    "bad": ("error", 0.09),
}


_PLAIN: dict[Tone, Style] = {
    "text": Style(),
    "dim": Style(dim=True),
    "faint": Style(dim=True),
    "strong": Style(bold=True),
    "good": Style(),
    "bad": Style(bold=True),
    "warn": Style(bold=True),
    "begin": Style(),
    "accent": Style(bold=True),
    "name": Style(),
    "key": Style(bold=True),
    "bar": Style(),
}
"""Where there are no colours."""

_UNMIXED_BACKS: dict[Back, Style] = {
    "cursor": Style(reverse=True),
    "cursor-blurred": Style(underline=True),
    "bad": Style(),
}
"""Where colours cannot be mixed."""


def palette_of(variables: Mapping[str, str]) -> Palette:
    """The styles of a theme with these variables; foregrounds carry no background, so that they lie on any."""
    if variables["error"] == variables["foreground"]:  # a theme without colours
        backs = {f"back-{back}": style for back, style in _UNMIXED_BACKS.items()}
        return {**{str(tone): style for tone, style in _PLAIN.items()}, **backs}
    ground = Color.parse(variables["background"])
    found: dict[str, Style] = {}
    for tone, (name, alpha, bold) in _TONES.items():
        colour = Color.parse(variables[name])
        if colour.ansi is None:
            found[tone] = Style(color=ground.blend(colour, alpha).rich_color, bold=bold)
        else:
            found[tone] = Style(color=colour.rich_color, bold=bold, dim=alpha < 1)
    for back, (name, alpha) in _BACKS.items():
        colour = Color.parse(variables[name])
        if colour.ansi is None:
            found[f"back-{back}"] = Style(bgcolor=ground.blend(colour, alpha).rich_color)
        else:
            found[f"back-{back}"] = _UNMIXED_BACKS[back]
    return found
