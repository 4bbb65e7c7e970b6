"""The question before something is changed, then how far that has come, then what could not be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen

from naq_tui.acts import Act
from naq_tui.commands import Scope, bindings, commands_of
from naq_tui.pages.confirm import progress_line, question_page, report_page
from naq_tui.performing import Performance
from naq_tui.text import inert
from naq_tui.widgets.choice import Choice
from naq_tui.widgets.document import Document
from naq_tui.widgets.line import EMPTY, Line, LineWidget
from naq_tui.wording import named, wording_of

__all__ = ["Confirm"]

_TICK_S = 0.1
"""The bar moves so often at most."""


class _Body(Document, can_focus=False):
    """As high as what it says, and never so high that there is no room for the buttons."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The lines at this width."""
        return min(len(self._layout_lines(width - 1)), viewport.height * 6 // 10)


class _Bar(LineWidget):
    """How far it has come."""

    def __init__(self) -> None:
        super().__init__(id="bar")
        self.performance: Performance | None = None

    def line(self, y: int) -> Line:
        """The bar; nothing before it begins."""
        return EMPTY if self.performance is None else progress_line(self.performance, self.size.width)


class Confirm(ModalScreen[tuple[str, ...]]):
    """Names what is meant, and does it after a yes; it is closed with the targets to which it was done.

    What was named is what it is done to, whatever happens to the screen behind it meanwhile.

    Args:
        perform: does it to one target; see `Actions.perform`.
    """

    BINDINGS = [  # noqa: RUF012  # Textual declares it so
        *bindings(Scope.CONFIRM),
        *(Binding(command.keys, f"move('{command.action}')", show=False) for command in commands_of([Scope.MOVE])),
    ]
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.CONFIRM,)
    AUTO_FOCUS = None

    def __init__(self, act: Act, perform: Callable[[str], Awaitable[str | None]]) -> None:
        super().__init__(classes="-final" if wording_of(act).final else "")
        self._act = act
        self._wording = wording_of(act)
        self._perform = perform
        self._performance: Performance | None = None
        self._is_over = False
        self._body = _Body(lambda width: question_page(act, width), id="body")
        self._bar = _Bar()
        self._yes = Choice("yes", "y", f"Yes, {self._wording.yes}")
        self._no = Choice("no", "n", "No")

    def compose(self) -> ComposeResult:
        """The text, the bar and the buttons."""
        with Vertical(id="dialog") as dialog:
            dialog.border_title = Content(self._title())
            yield self._body
            yield self._bar
            yield Horizontal(self._yes, self._no, id="choices")

    def on_mount(self) -> None:
        """What cannot be undone is not done by Enter alone."""
        self.set_focus(self._no if self._wording.final else self._yes)

    def action_yes(self) -> None:
        """Do it."""
        if self._performance is None:
            self.run_worker(self._run(), name="act")

    def action_no(self) -> None:
        """Do nothing; once it is begun, begin no more of it; then wait no longer; when it is over, close."""
        if self._performance is None:
            self.dismiss(())
        elif self._is_over:
            self.dismiss(tuple(self._performance.done))
        elif self._performance.stopped:
            self._performance.give_up()
        else:
            self._performance.stop()
            self._no.say("Esc", "Wait no longer")
            self._bar.repaint()

    def action_choose(self) -> None:
        """Do what the button with the focus says."""
        if isinstance(self.focused, Choice):
            self._chosen(Choice.Chosen(self.focused.action))

    def action_other(self) -> None:
        """Go to the other button."""
        if self._performance is None:
            self.set_focus(self._no if self._yes.has_focus else self._yes)

    def action_move(self, how: str) -> None:
        """Scroll the text."""
        getattr(self._body, f"action_{how}")()

    @on(Choice.Chosen)
    def _chosen(self, event: Choice.Chosen) -> None:
        if event.action == "yes":
            self.action_yes()
        else:
            self.action_no()

    async def _run(self) -> None:
        self._performance = self._bar.performance = Performance(self._act.targets, self._perform)
        self._turn("-doing", "Esc", "Stop")
        ticking = self.set_interval(_TICK_S, self._bar.repaint)
        try:
            await self._performance.run()
        finally:
            ticking.stop()
            self._is_over = True
        if self._performance.is_complete:
            self._tell(self._performance)
            self.dismiss(tuple(self._performance.done))
        else:
            self._report(self._performance)

    def _turn(self, stage: str, key: str, text: str) -> None:
        """There is one button from now on."""
        self.add_class(stage)
        self._no.say(key, text)
        self.set_focus(self._no)

    def _tell(self, performance: Performance) -> None:
        said = [f"✓ {self._wording.done.format(named(self._act))}"]
        said += performance.remarks if len(performance.targets) == 1 else []
        self.notify(inert(": ".join(said), 200), markup=False)

    def _report(self, performance: Performance) -> None:
        self.remove_class("-doing")
        self._turn("-failed", "Esc", "Close")
        self._body.set_layout(lambda width: report_page(self._act, performance, width))
        self._body.refresh(layout=True)

    def _title(self) -> str:
        title = self._wording.ask.format(named(self._act))
        return f"! {title}" if self._wording.final else title
