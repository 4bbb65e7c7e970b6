"""What is wanted of the monitor: by the settings, and above them by the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from msgspec.structs import replace

from naq_runtime.config import read_section
from naq_runtime.config_layers import Layer, user_file
from naq_runtime.errors import ConfigError
from naq_runtime.events.filters import EventFilter, FilterError
from naq_tui.look import Look, look_for
from naq_tui.preferences import Preferences
from naq_tui.settings import TopSettings

__all__ = ["Wishes", "check_filter", "in_browser", "wishes_of"]


class Wishes(TypedDict):
    """As `naq_tui.app.run_app` takes them."""

    look: Look
    preferences: Preferences
    begin_at: str
    log_file: Path | None


def wishes_of(
    layers: Sequence[Layer],
    theme: str,
    only_ascii: bool | None,
    *,
    begin_at: str,
    read_only: bool,
    log_file: Path | None,
    filter: str | None = None,
    refresh: float | None = None,
) -> Wishes:
    """The wishes in layers of settings, and above them those on the command line, which are not written down.

    Raises:
        ConfigError: a setting cannot be.
    """
    settings = read_section("top", TopSettings, layers)
    check_filter(settings.filter)
    only_ascii = settings.ascii if only_ascii is None else only_ascii
    look = look_for(os.environ, theme=theme or settings.theme, ascii=only_ascii)
    # Who looks at a page that is read-only changes nothing here, and not what it looks like for others.
    above = {name: value for name, value in (("filter", filter), ("refresh", refresh)) if value is not None}
    preferences = Preferences(replace(settings, **above), None if read_only and in_browser() else user_file())
    return {"look": look, "preferences": preferences, "begin_at": begin_at, "log_file": log_file}


def in_browser() -> bool:
    """Whether we draw for a page, to which a process of `--serve` takes it."""
    return bool(os.environ.get("TEXTUAL_DRIVER"))


def check_filter(text: str) -> None:
    """Make sure that the filter at the start can be read.

    Raises:
        ConfigError: it cannot.
    """
    try:
        EventFilter(text)
    except FilterError as error:
        raise ConfigError(f"setting top.filter: {error}") from error
