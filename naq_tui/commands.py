"""Every command, once: its key, its name in the palette, its line in the help and its word in the footer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding, BindingType

__all__ = ["COMMANDS", "Command", "Scope", "bindings", "commands_of", "hints", "places"]


class Scope(StrEnum):
    """Where a command works; the value is its heading in the help."""

    APP = "Everywhere"
    OVERVIEW = "Overview"
    MOVE = "Moving in a list or a text"
    TABLE = "Queues and workers"
    SORT = "In a table"
    COLUMNS = "While choosing columns"
    MARK = "In a table of what can be acted on"
    FEED = "Events"
    TYPING = "While typing a filter"
    COMPLETING = "While typing a filter of events"
    SCHEDULES = "Schedules"
    SCHEDULE = "In a schedule"
    BACK = "In a job, in a schedule and in this help"


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a person can ask for."""

    action: str
    """The action it runs, where it works, with its arguments."""
    scope: Scope
    keys: str
    """As Textual calls them, separated by commas."""
    label: str
    """The keys as people read them."""
    title: str
    """What it is called in the palette."""
    help: str
    """One sentence of what it does."""
    hint: str = ""
    """One word for the footer; left out of it when empty."""
    rank: int = 9
    """The footer keeps low numbers longest."""
    always: bool = False
    """Whether it comes before whatever has the focus, and before keys that are typed right after it."""

    @property
    def name(self) -> str:
        """What it is called in the settings; empty when its keys stay as they are."""
        return "" if "ctrl+c" in self.keys else self.title.lower().replace(" ", "-")

    @property
    def method(self) -> str:
        """The method that runs it."""
        return f"action_{self.action.partition('(')[0]}"


COMMANDS: tuple[Command, ...] = (
    Command("help", Scope.APP, "question_mark", "?", "Help", "Show all keys.", "help", 0),
    Command("command_palette", Scope.APP, "ctrl+p", "Ctrl-P", "Palette", "Find any command, or a theme, by name."),
    Command(
        "pause", Scope.APP, "p", "p", "Pause", "Freeze what is shown, or go on; events are read meanwhile.", "pause", 3
    ),
    Command("quit", Scope.APP, "q", "q", "Quit", "Leave.", "quit", 1),
    Command("refresh(-1)", Scope.APP, "plus", "+", "Refresh faster", "Paint more often."),
    Command("refresh(1)", Scope.APP, "minus", "-", "Refresh slower", "Paint less often; events are read as ever."),
    Command(
        "mouse", Scope.APP, "m", "m", "Mouse", "Leave the mouse to the terminal, which can select text, or take it."
    ),
    Command("view('overview')", Scope.APP, "1", "1", "Overview", "Queues, workers and events."),
    Command("view('schedules')", Scope.APP, "6", "6", "Schedules", "What comes again and again, and when."),
    Command("view('alerts')", Scope.APP, "a", "a", "Alerts", "Which alerts fire, and the rules behind them."),
    Command("quit", Scope.APP, "ctrl+c,ctrl+q", "Ctrl-C Ctrl-Q", "Quit", "Leave, even while typing.", always=True),
    Command("next_pane", Scope.OVERVIEW, "tab", "Tab", "Next pane", "Go to the next pane.", "pane", 5),
    Command("previous_pane", Scope.OVERVIEW, "shift+tab", "Shift-Tab", "Previous pane", "Go to the pane before."),
    Command(
        "filter",
        Scope.OVERVIEW,
        "slash",
        "/",
        "Filter events",
        "Show only some events: words, queue:email, type:failed, duration>2s, !not, (a OR b).",
        "filter",
        2,
        always=True,
    ),
    Command("zoom", Scope.OVERVIEW, "z", "z", "Zoom", "Give the pane the whole screen, or give it back.", "zoom", 6),
    Command("back", Scope.OVERVIEW, "escape", "Esc", "Back", "Leave the zoom, then clear the filter."),
    Command("up", Scope.MOVE, "k,up", "k ↑", "Up", "One line up."),
    Command("down", Scope.MOVE, "j,down", "j ↓", "Down", "One line down."),
    Command("page_up", Scope.MOVE, "pageup,ctrl+b", "PgUp Ctrl-B", "Page up", "One page up."),
    Command("page_down", Scope.MOVE, "pagedown,ctrl+f", "PgDn Ctrl-F", "Page down", "One page down."),
    Command("top", Scope.MOVE, "g,home", "g Home", "First line", "Go to the first line."),
    Command("bottom", Scope.MOVE, "G,end", "G End", "Last line", "Go to the last line."),
    Command("open", Scope.TABLE, "enter", "Enter", "Its events", "Show only the events that name it.", "events", 4),
    Command("sort", Scope.SORT, "s", "s", "Sort", "Sort by the next column.", "sort", 7),
    Command("reverse", Scope.SORT, "r", "r", "Reverse", "Turn the order round.", "reverse", 8),
    Command("columns", Scope.SORT, "o", "o", "Columns", "Choose the columns of the table, and their order."),
    Command("show", Scope.COLUMNS, "space", "Space", "Show or hide", "Show the column, or hide it.", "show", 1),
    Command("carry(-1)", Scope.COLUMNS, "K,shift+up", "K", "Carry up", "Move the column to the left.", "left", 2),
    Command("carry(1)", Scope.COLUMNS, "J,shift+down", "J", "Carry down", "Move the column to the right.", "right", 3),
    Command("reset", Scope.COLUMNS, "0", "0", "Reset columns", "Have all columns as they were at first.", "reset", 4),
    Command("back", Scope.COLUMNS, "escape,enter,backspace", "Esc", "Done", "Go back to the table.", "done", 0),
    Command(
        "mark",
        Scope.MARK,
        "space",
        "Space",
        "Mark",
        "Mark the row, or take the mark away; what is done then is done to all that are marked.",
        "mark",
        8,
    ),
    Command("unmark", Scope.MARK, "u", "u", "Unmark all", "Take all marks away."),
    Command("open", Scope.FEED, "enter", "Enter", "Open job", "Open the job, or the schedule, of the line.", "job", 4),
    Command("follow", Scope.FEED, "f", "f", "Follow", "Keep to the newest line; scrolling up stops that.", "follow", 7),
    Command("keep", Scope.TYPING, "enter", "Enter", "Keep filter", "Keep the filter.", "keep", 1),
    Command("discard", Scope.TYPING, "escape", "Esc", "Clear filter", "Clear the filter.", "clear", 2),
    Command("earlier", Scope.TYPING, "up", "↑", "Earlier filter", "Recall an earlier filter.", "earlier", 3),
    Command("later", Scope.TYPING, "down", "↓", "Later filter", "Go on to the filter after it."),
    Command(
        "complete", Scope.COMPLETING, "tab", "Tab", "Complete", "Take the first of what may come next.", "complete", 4
    ),
    Command("open", Scope.SCHEDULES, "enter", "Enter", "Open schedule", "Open the schedule of the row.", "open", 4),
    Command(
        "filter",
        Scope.SCHEDULES,
        "slash",
        "/",
        "Filter schedules",
        "Show only schedules whose id, state, expression, queue or function contains a text.",
        "filter",
        2,
        always=True,
    ),
    Command("back", Scope.SCHEDULES, "escape", "Esc", "Back", "Clear the filter, then go back to the overview."),
    Command(
        "open", Scope.SCHEDULE, "enter", "Enter", "Open last job", "Open the job that it made last.", "last job", 3
    ),
    Command("back", Scope.BACK, "escape,backspace", "Esc", "Back", "Go back.", "back", 2),
)


def commands_of(scopes: Iterable[Scope]) -> list[Command]:
    """The commands of these places, in the order of the places."""
    return [command for scope in scopes for command in COMMANDS if command.scope is scope]


def bindings(*scopes: Scope) -> list[BindingType]:
    """The bindings of the commands of these places."""
    return [_binding(command) for command in commands_of(scopes)]


def _binding(command: Command) -> Binding:
    # Spelled out, they work from a screen that lies over others, too.
    action = f"app.{command.action}" if command.scope is Scope.APP else command.action
    return Binding(
        command.keys,
        action,
        command.title,
        show=False,
        priority=command.always,
        tooltip=command.help,
        id=command.name or None,
    )


def hints(scopes: Sequence[Scope]) -> list[Command]:
    """The commands that the footer names, by the order in which it gives them up."""
    return sorted((command for command in commands_of(scopes) if command.hint), key=lambda command: command.rank)


def places() -> list[Command]:
    """The commands that lead to a view by its number, in their order."""
    views = [command for command in COMMANDS if command.action.startswith("view(") and command.keys.isdigit()]
    return sorted(views, key=lambda command: command.keys)
