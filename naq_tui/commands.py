"""Every command, once: its key, its name in the palette, its line in the help and its word in the footer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from textual.binding import Binding, BindingType

from naq_tui.acts import ActKind
from naq_tui.scopes import ACTS, Scope

__all__ = ["ACTS", "COMMANDS", "Command", "Scope", "act_bindings", "bindings", "commands_of", "hints", "places"]


class Command(msgspec.Struct, frozen=True):
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
    of_marks: bool = False
    """Whether the footer names it only while rows are marked."""
    like: str = ""
    """The title of the command whose key it has, whichever is chosen for that one."""

    @property
    def name(self) -> str:
        """What it is called in the settings; empty when its keys stay as they are."""
        return "" if "ctrl+c" in self.keys else (self.like or self.title).lower().replace(" ", "-")

    @property
    def method(self) -> str:
        """The method that runs it."""
        return f"action_{self.action.partition('(')[0]}"


def _act(
    kind: ActKind, scope: Scope, key: str, title: str, help: str, *, rank: int, hint: str = "", like: str = ""
) -> Command:
    """A command that changes something, after a question; what pauses also lets go on what is paused."""
    kinds = f"{kind} {ActKind.RESUME}" if kind is ActKind.PAUSE else kind.value
    return Command(f"act('{kinds}')", scope, key, key, title, help, hint or kind.value, rank, like=like)


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
    Command("view('events')", Scope.APP, "2", "2", "Events", "All events, as far back as the log goes."),
    Command("view('jobs')", Scope.APP, "3", "3", "Jobs", "Every job, wherever it stands; why jobs fail."),
    Command("view('queues')", Scope.APP, "4", "4", "Queues", "How deep, how fast and how reliable each queue is."),
    Command("view('workers')", Scope.APP, "5", "5", "Workers", "Who is busy, late, stuck or lost, and with what."),
    Command("view('schedules')", Scope.APP, "6", "6", "Schedules", "What comes again and again, and when."),
    Command("view('statistics')", Scope.APP, "7", "7", "Statistics", "Counts, rates and percentiles over a time."),
    Command("view('server')", Scope.APP, "8", "8", "Server", "Streams, consumers, limits and the cluster."),
    Command(
        "travel",
        Scope.APP,
        "t",
        "t",
        "Time travel",
        "Go to a moment of the past: -10m, 14:02, 2026-11-27T14:02.",
        "past",
        6,
    ),
    Command("view('alerts')", Scope.APP, "a", "a", "Alerts", "Which alerts fire, and the rules behind them."),
    Command("copy_row", Scope.APP, "c", "c", "Copy", "Copy what the cursor is on to the clipboard of the terminal."),
    Command(
        "copy_command", Scope.APP, "C", "C", "Copy as command", "Copy the naq command that tells the same in a shell."
    ),
    Command("write", Scope.APP, "w", "w", "Write", "Write what is shown to a file, as JSON lines or CSV."),
    Command("quit", Scope.APP, "ctrl+c,ctrl+q", "Ctrl-C Ctrl-Q", "Quit", "Leave, even while typing.", always=True),
    Command("live", Scope.PAST, "L", "L", "Live", "Go back to the present; nothing of it was missed.", "live", 0),
    Command(
        "step(-1)", Scope.PAST, "left_square_bracket", "[", "Event back", "Stand still, one event back.", "back", 2
    ),
    Command("step(1)", Scope.PAST, "right_square_bracket", "]", "Event on", "Stand still, one event on.", "on", 2),
    Command("shift(-1)", Scope.PAST, "left_curly_bracket", "{", "Second back", "Stand still, one second back."),
    Command("shift(1)", Scope.PAST, "right_curly_bracket", "}", "Second on", "Stand still, one second on."),
    Command("speed(-1)", Scope.PAST, "comma", ",", "Slower", "Play slower: ×100, ×10, ×1, ×0.", "slower", 3),
    Command("speed(1)", Scope.PAST, "full_stop", ".", "Faster", "Play faster: ×0, ×1, ×10, ×100.", "faster", 3),
    Command("scrub(-1)", Scope.PAST, "left", "←", "Bar back", "One bar of the time line back, as does a click on it."),
    Command("scrub(1)", Scope.PAST, "right", "→", "Bar on", "One bar of the time line on."),
    Command("peak", Scope.PAST, "circumflex_accent", "^", "Highest bar", "Go to the highest bar; then to the next."),
    Command("zoom_time(-1)", Scope.PAST, "left_parenthesis", "(", "Shorter time line", "Show a shorter time there."),
    Command("zoom_time(1)", Scope.PAST, "right_parenthesis", ")", "Longer time line", "Show up to a week there."),
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
    Command(
        "mark_all", Scope.MARK, "asterisk", "*", "Mark all", "Mark every row that matches.", "all", 2, of_marks=True
    ),
    Command("unmark", Scope.MARK, "u", "u", "Unmark all", "Take all marks away.", "unmark", 2, of_marks=True),
    Command("open", Scope.FEED, "enter", "Enter", "Open job", "Open the job, or the schedule, of the line.", "job", 4),
    Command("follow", Scope.FEED, "f", "f", "Follow", "Keep to the newest line; scrolling up stops that.", "follow", 7),
    Command("keep", Scope.TYPING, "enter", "Enter", "Keep filter", "Keep the filter.", "keep", 1),
    Command("discard", Scope.TYPING, "escape", "Esc", "Clear filter", "Clear the filter.", "clear", 2),
    Command("earlier", Scope.TYPING, "up", "↑", "Earlier filter", "Recall an earlier filter.", "earlier", 3),
    Command("later", Scope.TYPING, "down", "↓", "Later filter", "Go on to the filter after it."),
    Command(
        "complete", Scope.COMPLETING, "tab", "Tab", "Complete", "Take the first of what may come next.", "complete", 4
    ),
    Command(
        "open", Scope.JOBS, "enter", "Enter", "Open", "Open the job of the row, or the jobs of a group.", "open", 4
    ),
    Command(
        "filter",
        Scope.JOBS,
        "slash",
        "/",
        "Find jobs",
        "Find jobs: an id, words, state:failed, queue:email, args:ada, error:Timeout, time>-1h, duration>2s.",
        "find",
        2,
        always=True,
    ),
    Command("failures", Scope.JOBS, "F", "F", "Failures", "Show why jobs fail, by error, or the jobs.", "failures", 3),
    Command("renew", Scope.JOBS, "n", "n", "Look again", "Look again, for what has come since.", "new", 7),
    Command("back", Scope.JOBS, "escape", "Esc", "Back", "Leave the group, clear the filter, then go back."),
    Command("longer", Scope.FAILURES, "greater_than_sign", ">", "Longer", "Look further back.", "longer", 5),
    Command("shorter", Scope.FAILURES, "less_than_sign", "<", "Shorter", "Look back less far.", "shorter", 5),
    Command("keep", Scope.MOMENT, "enter", "Enter", "Go there", "Go to the moment.", "go", 1),
    Command("discard", Scope.MOMENT, "escape", "Esc", "Stay", "Go nowhere.", "stay", 2),
    Command("earlier", Scope.MOMENT, "up", "↑", "Earlier moment", "Recall where you went before.", "earlier", 3),
    Command("later", Scope.MOMENT, "down", "↓", "Later moment", "Go on to the moment after it."),
    Command(
        "filter",
        Scope.PANED,
        "slash",
        "/",
        "Filter",
        "Show only what matches: a text, or in the events a filter such as queue:email type:failed.",
        "filter",
        2,
        always=True,
    ),
    Command("next_pane", Scope.PANED, "tab,shift+tab", "Tab", "Other pane", "Go to the details, or back from them."),
    Command("details", Scope.PANED, "d", "d", "Details", "Show the details of the row, or hide them.", "details", 6),
    Command("back", Scope.PANED, "escape", "Esc", "Back", "Go back to the rows, clear the filter, leave the view."),
    Command("open", Scope.EVENTS, "enter", "Enter", "Open job", "Open the job or schedule of the event.", "job", 4),
    Command("open", Scope.QUEUES, "enter", "Enter", "Open queue", "Show what is in the queue.", "open", 4),
    Command("open", Scope.WORKERS, "enter", "Enter", "Open worker", "Show all that is known of the worker.", "open", 4),
    Command(
        "former",
        Scope.WORKERS,
        "i",
        "i",
        "Include stopped",
        "Show those, too, that have stopped or were lost within a day; or no more.",
        "stopped",
        5,
    ),
    Command("open", Scope.WORKER, "enter", "Enter", "Open oldest job", "Open the job that runs longest.", "job", 3),
    Command("close", Scope.WRITING, "escape", "Esc", "Write nothing", "Go back, and write nothing."),
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
    Command(
        "open", Scope.STATISTICS, "enter", "Enter", "Its jobs", "Show the jobs of the row in that time.", "jobs", 4
    ),
    Command("group(1)", Scope.STATISTICS, "tab", "Tab", "Group", "Count by queue, function or worker.", "group", 3),
    Command("group(-1)", Scope.STATISTICS, "shift+tab", "Shift-Tab", "Group before", "Go back to the grouping before."),
    Command(
        "window(1)", Scope.STATISTICS, "greater_than_sign", ">", "Longer", "Count over 5 min, 1 h or 24 h.", "time", 4
    ),
    Command("window(-1)", Scope.STATISTICS, "less_than_sign", "<", "Shorter", "Count over a shorter time."),
    Command(
        "filter",
        Scope.STATISTICS,
        "slash",
        "/",
        "Filter rows",
        "Show only rows whose name contains a text.",
        "filter",
        2,
        always=True,
    ),
    Command("swap", Scope.STATISTICS, "h", "h", "Histogram", "Histogram or chart, where one has room.", "bars", 6),
    Command("back", Scope.STATISTICS, "escape", "Esc", "Back", "Clear the filter, then go back to the overview."),
    Command("next_pane", Scope.SERVER, "tab", "Tab", "Next pane", "Go to the other table.", "pane", 4),
    Command("back", Scope.SERVER, "escape", "Esc", "Back", "Go back to the streams, then to the overview."),
    Command("open", Scope.ALERTS, "enter", "Enter", "Open alert", "Show all that is known of the alert.", "open", 4),
    Command("back", Scope.ALERTS, "escape,backspace", "Esc", "Back", "Go back.", "back", 2),
    _act(
        ActKind.RETRY,
        Scope.JOB_ACTS,
        "R",
        "Retry job",
        "Put the job, when it has failed for good, back into its queue; it begins anew.",
        rank=4,
    ),
    _act(ActKind.CANCEL, Scope.JOB_ACTS, "X", "Cancel job", "End the job, wherever it stands.", rank=4),
    _act(ActKind.DELETE, Scope.JOB_ACTS, "D", "Delete job", "Delete the job from the dead letters, for good.", rank=6),
    _act(
        ActKind.PAUSE,
        Scope.QUEUE_ACTS,
        "P",
        "Pause queue",
        "Begin no more jobs of the queue, or let it go on that is paused.",
        rank=4,
        hint="pause queue",
    ),
    _act(
        ActKind.PURGE,
        Scope.QUEUE_ACTS,
        "D",
        "Purge queue",
        "Cancel all jobs of the queue that no worker has.",
        rank=6,
        like="Delete job",
    ),
    _act(
        ActKind.STOP,
        Scope.WORKER_ACTS,
        "X",
        "Stop worker",
        "Have the worker leave when its jobs have ended; asked again, it hands them back at once.",
        rank=4,
        like="Cancel job",
    ),
    _act(
        ActKind.PAUSE,
        Scope.SCHEDULE_ACTS,
        "P",
        "Pause schedule",
        "Have no more jobs come of the schedule, or let it go on that is paused or has failed.",
        rank=4,
        hint="pause schedule",
        like="Pause queue",
    ),
    _act(ActKind.TRIGGER, Scope.SCHEDULE_ACTS, "T", "Trigger schedule", "Have a job of the schedule come now.", rank=5),
    _act(
        ActKind.CANCEL,
        Scope.SCHEDULE_ACTS,
        "X",
        "Cancel schedule",
        "End the schedule, for good.",
        rank=6,
        like="Cancel job",
    ),
    _act(
        ActKind.ACKNOWLEDGE,
        Scope.ALERT_ACTS,
        "A",
        "Acknowledge alert",
        "Say that you care for the alert, until it is over.",
        rank=3,
        hint="ack",
    ),
    Command("yes", Scope.CONFIRM, "y", "y", "Yes", "Do it."),
    Command(
        "no",
        Scope.CONFIRM,
        "n,escape",
        "n Esc",
        "No",
        "Do nothing; once it is begun: begin no more of it, then give up.",
    ),
    Command("choose", Scope.CONFIRM, "enter", "Enter", "Choose", "Do what the button with the mark says."),
    Command("other", Scope.CONFIRM, "tab,left,right", "Tab ← →", "Other button", "Go to the other button."),
    Command("other", Scope.CONFIRM, "shift+tab", "Shift-Tab", "Button before", "Go to the other button."),
    Command("enter", Scope.SECTIONS, "enter", "Enter", "Open or fold", "Fold the section, or open the job.", "open", 3),
    Command("next_section", Scope.SECTIONS, "tab", "Tab", "Next section", "Go to the next section.", "section", 5),
    Command(
        "previous_section", Scope.SECTIONS, "shift+tab", "Shift-Tab", "Previous section", "Go to the section before."
    ),
    Command("next_hit", Scope.SECTIONS, "n", "n", "Next hit", "Go to the next line with the text that is looked for."),
    Command("previous_hit", Scope.SECTIONS, "N", "N", "Previous hit", "Go to the line before with that text."),
    Command("filter", Scope.JOB, "slash", "/", "Find", "Look for a text in the page.", "find", 4, always=True),
    Command("raw", Scope.JOB, "e", "e", "Events as JSON", "Show the events as they are stored.", "events", 6),
    Command("back", Scope.BACK, "escape,backspace", "Esc", "Back", "Go back.", "back", 2),
)


def commands_of(scopes: Iterable[Scope]) -> list[Command]:
    """The commands of these places, in the order of the places."""
    return [command for scope in scopes for command in COMMANDS if command.scope is scope]


def bindings(*scopes: Scope) -> list[BindingType]:
    """The bindings of the commands of these places."""
    return [_binding(command) for command in commands_of(scopes)]


def act_bindings() -> list[BindingType]:
    """The bindings of all keys that change something: each is for whatever it means where it is pressed."""
    meant: dict[tuple[str, str], dict[str, None]] = {}
    for command in commands_of(ACTS):
        meant.setdefault((command.keys, command.name), {})[command.action.split("'")[1]] = None
    return [Binding(key, f"app.act('{' '.join(kinds)}')", show=False, id=name) for (key, name), kinds in meant.items()]


def _binding(command: Command) -> Binding:
    # Spelled out, they work from a screen that lies over others, too.
    action = f"app.{command.action}" if command.scope in (Scope.APP, Scope.PAST) else command.action
    return Binding(
        command.keys,
        action,
        command.title,
        show=False,
        priority=command.always,
        tooltip=command.help,
        id=command.name or None,
    )


def hints(scopes: Sequence[Scope], *, marked: bool = False) -> list[Command]:
    """The commands that the footer names, by the order in which it gives them up.

    Args:
        marked: whether rows are marked.
    """
    named = (one for one in commands_of(scopes) if one.hint and (marked or not one.of_marks))
    return sorted(named, key=lambda command: command.rank)


def places() -> list[Command]:
    """The commands that lead to a view by its number, in their order."""
    views = [command for command in COMMANDS if command.action.startswith("view(") and command.keys.isdigit()]
    return sorted(views, key=lambda command: command.keys)
