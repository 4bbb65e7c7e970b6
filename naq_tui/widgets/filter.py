"""The line in which a filter is typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from naq_runtime.events.filters import Completion, FilterError, complete
from naq_runtime.events.filters.fields import Vocabulary
from naq_runtime.events.filters.grammar import parse
from naq_tui.commands import Scope, bindings, commands_of
from naq_tui.widgets.filter_hint import FilterHint

__all__ = ["EventFilterInput", "FilterBar", "FilterInput", "Known"]

Known = Mapping[str, Iterable[str]]
"""Values that there are, by the short name of their field."""

_REMEMBERED = 50
_LONGEST = 500


class FilterInput(Input):
    """An input that remembers what was kept."""

    BINDINGS = bindings(Scope.TYPING)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.TYPING,)

    @dataclass
    class Closed(Message):
        """Typing is over; the text is what to filter by, empty for nothing."""

        text: str

    def __init__(self, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, compact=True, max_length=_LONGEST)
        self.cursor_blink = False
        self._actions = {key: one.action for one in commands_of(self.SCOPES) for key in one.keys.split(",")}
        self._kept: list[str] = []
        self._typing = False
        self._recalled = 0

    def begin(self, text: str) -> None:
        """Start to type, with this to begin with."""
        self.value = text
        self.cursor_position = len(text)
        self._recalled = len(self._kept)
        self._typing = True
        self.screen.set_focus(self)

    def on_key(self, event: events.Key) -> None:
        """Obey the keys in their order, even when they come faster than they are dealt with.

        A binding would be obeyed only after the keys that follow it; and keys that follow the end of typing are for
        whatever has the focus then.
        """
        action = self._actions.get(event.key)
        if self._typing and action is None:
            return
        event.stop()
        event.prevent_default()
        if action is not None and self._typing:
            getattr(self, f"action_{action}")()
        else:
            self.app.post_message(events.Key(event.key, event.character))

    def action_keep(self) -> None:
        """Keep what is typed."""
        text = self.value
        if text:
            self._kept = [*(kept for kept in self._kept if kept != text), text][-_REMEMBERED:]
        self._close(text)

    def action_discard(self) -> None:
        """Filter by nothing."""
        self._close("")

    def action_earlier(self) -> None:
        """Recall the one before."""
        self._recall(-1)

    def action_later(self) -> None:
        """Recall the one after."""
        self._recall(1)

    def _close(self, text: str) -> None:
        self._typing = False
        self.post_message(self.Closed(text))

    def _recall(self, step: int) -> None:
        self._recalled = max(0, min(len(self._kept), self._recalled + step))
        self.value = self._kept[self._recalled] if self._recalled < len(self._kept) else ""
        self.cursor_position = len(self.value)


class EventFilterInput(FilterInput):
    """An input for the grammar of filters: it is not kept before it is one, and Tab takes what may come next."""

    BINDINGS = bindings(Scope.COMPLETING)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.TYPING, Scope.COMPLETING)
    known: Known = {}  # noqa: RUF012  # replaced as a whole, never changed

    def __init__(self, placeholder: str, vocabulary: Vocabulary | None = None) -> None:
        super().__init__(placeholder)
        self._vocabulary = vocabulary

    @property
    def mistake(self) -> FilterError | None:
        """What is wrong with what is typed."""
        try:
            parse(self.value, self._vocabulary)
        except FilterError as error:
            return error
        return None

    @property
    def completion(self) -> Completion:
        """What may come where the cursor is."""
        return complete(self.value, self.cursor_position, self.known, self._vocabulary)

    def action_keep(self) -> None:
        """Keep what is typed, if it is a filter; else go to what is wrong."""
        mistake = self.mistake
        if mistake is None:
            super().action_keep()
        else:
            self.cursor_position = mistake.position
            self.app.bell()

    def action_complete(self) -> None:
        """Take the first of what may come next."""
        completion = self.completion
        if completion.options:
            self.value, self.cursor_position = completion.taken(self.value, completion.options[0])
        else:
            self.app.bell()


class FilterBar(Vertical):
    """The input with its prompt; there only while somebody types.

    Args:
        placeholder: what to type.
        known: values for a filter of events, by field, asked for whenever somebody begins to type; without it, the
            text is no filter, and only looked for.
        vocabulary: the fields that can be asked for, when it is not a filter of events.
    """

    def __init__(
        self, placeholder: str, known: Callable[[], Known] | None = None, vocabulary: Vocabulary | None = None
    ) -> None:
        super().__init__()
        self._placeholder = placeholder
        self._known = known
        self._vocabulary = vocabulary

    def compose(self) -> ComposeResult:
        """The prompt and the input, and below them what there is to say of a filter."""
        with Horizontal():
            yield Static("/", markup=False, id="prompt")
            if self._known is None:
                yield FilterInput(self._placeholder)
            else:
                yield EventFilterInput(self._placeholder, self._vocabulary)
        if self._known is not None:
            yield FilterHint()

    @property
    def input(self) -> FilterInput:
        """The input."""
        return self.query_one(FilterInput)

    @property
    def is_open(self) -> bool:
        """Whether somebody types."""
        return self.has_class("-open")

    def open(self, text: str) -> None:
        """Appear, ready to type."""
        if self._known is not None:
            self.query_one(EventFilterInput).known = self._known()
        self.add_class("-open")
        self.input.begin(text)
        # The grammar is made ready with the first filter: while nobody has typed yet.
        self.call_after_refresh(self._hint)

    def close(self) -> None:
        """Disappear."""
        self.remove_class("-open")

    def on_input_changed(self) -> None:
        """Say how it stands; the screen hears of it, too."""
        self._hint()

    def _hint(self) -> None:
        for typed in self.query(EventFilterInput):
            self.query_one(FilterHint).show(typed.value, typed.mistake, typed.completion)
