"""The application as a person wants it: colours, keys, columns, refresh rate and mouse, all remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from textual import on
from textual.app import App
from textual.filter import LineFilter, Monochrome, NoColor
from textual.theme import Theme
from textual.timer import Timer

from naq_runtime.errors import ConfigError
from naq_tui.glyphs import AsciiFilter
from naq_tui.keys import Keys
from naq_tui.look import Look
from naq_tui.preferences import Preferences
from naq_tui.settings import REFRESH_S, TableSettings
from naq_tui.theme import THEMES
from naq_tui.widgets.table import Table

__all__ = ["Customized"]

_WRITE_S = 0.5
"""Changes are written down so long after the last one."""
_SHORTLY_S = 2.0
"""How long it is said that something has changed."""


class Customized(App[None]):
    """What can be set, and is written down when it is changed here.

    Args:
        look: what is drawn with. preferences: what was chosen before.

    Raises:
        ConfigError: the keys that were chosen cannot be.
    """

    def __init__(self, *, look: Look | None = None, preferences: Preferences | None = None) -> None:
        super().__init__()
        self.look = look or Look()
        self.preferences = preferences or Preferences()
        self.command_keys = Keys(self.preferences.settings.keys)
        self._write_timer: Timer | None = None
        self._has_mouse = self.preferences.settings.mouse
        self._outgoing = self._filters_of_look()
        self.no_color = not self.look.colours
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.look.theme
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_keymap(self.command_keys.keymap)

    @property
    def paint_s(self) -> float:
        """The least time between two paints; a key is answered at once."""
        return self.preferences.settings.refresh

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What each line goes through on its way to the terminal."""
        kept = super().get_line_filters()
        if not self.look.colours:  # greys would be colours, too
            kept = [one for one in kept if not isinstance(one, Monochrome)]
        return [*kept, *self._outgoing]

    def refresh_css(self, animate: bool = True) -> None:
        """Read all styles anew for another theme; before there is anything to see, they are not read yet."""
        if self.screen_stack:
            super().refresh_css(animate)

    def on_mount(self) -> None:
        """Remember the theme that somebody chooses."""
        self.theme_changed_signal.subscribe(self, self._theme_chosen)

    def action_refresh(self, step: int) -> None:
        """Paint more often, or less."""
        place = min(range(len(REFRESH_S)), key=lambda index: abs(REFRESH_S[index] - self.paint_s))
        refresh = REFRESH_S[max(0, min(place + step, len(REFRESH_S) - 1))]
        self._change(refresh=refresh)
        self._say(f"painted at most every {refresh:g} s")

    def action_mouse(self) -> None:
        """Leave the mouse to the terminal, or take it."""
        driver: Any = self._driver
        if not hasattr(driver, "_enable_mouse_support"):
            self._say("the mouse cannot be left to what is around us here")
            return
        self._has_mouse = not self._has_mouse
        if self._has_mouse:
            driver._mouse = True
            driver._enable_mouse_support()
        else:
            driver._disable_mouse_support()
            driver._mouse = False
        self._change(mouse=self._has_mouse)
        self._say("the mouse is ours" if self._has_mouse else "the mouse is the terminal's: it can select text")

    def remember_filter(self, text: str) -> None:
        """Filter the events so at every start."""
        self._change(filter=text)
        self._say("filtered so at every start" if text else "all events are shown at every start")

    @on(Table.Ready)
    def _table_ready(self, event: Table.Ready) -> None:
        event.stop()
        wanted = self.preferences.settings.tables.get(event.table.settings_name)
        if wanted is None or wanted == TableSettings():
            return
        try:
            event.table.lay_out(wanted)
        except ConfigError as error:
            self.notify(str(error), severity="warning", markup=False)

    @on(Table.Arranged)
    def _table_arranged(self, event: Table.Arranged) -> None:
        event.stop()
        self.preferences.change_table(event.table.settings_name, event.table.layout_now)
        self._write_soon()

    @on(Table.ColumnsWanted)
    def _columns_wanted(self, event: Table.ColumnsWanted) -> None:
        from naq_tui.screens.columns import ColumnChoice

        event.stop()
        self.push_screen(ColumnChoice(event.table))

    def _filters_of_look(self) -> list[LineFilter]:
        filters: list[LineFilter] = [] if self.look.colours else [NoColor()]
        return [*filters, AsciiFilter()] if self.look.ascii else filters

    def _theme_chosen(self, theme: Theme) -> None:
        if theme.name != self.look.theme:
            self.look = Look(theme.name, self.look.ascii, self.look.colours)
            self._change(theme=theme.name.removeprefix("naq-"))

    def _change(self, **values: object) -> None:
        self.preferences.change(**values)
        self._write_soon()

    def _write_soon(self) -> None:
        if self._write_timer is not None:
            self._write_timer.stop()
        if self.preferences.changed:
            self._write_timer = self.set_timer(_WRITE_S, self._write)

    async def _write(self) -> None:
        try:
            await asyncio.to_thread(self.preferences.write)
        except ConfigError as error:
            self.notify(str(error), severity="warning", markup=False)

    def _say(self, text: str) -> None:
        self.clear_notifications()
        self.notify(text, timeout=_SHORTLY_S, markup=False)
