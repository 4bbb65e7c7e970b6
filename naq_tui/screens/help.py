"""All keys, over whatever was on the screen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen

from naq_tui.commands import Scope, bindings
from naq_tui.keys import keys_in
from naq_tui.pages.help import help_page
from naq_tui.widgets.document import Document

__all__ = ["Help"]


class Help(ModalScreen[None]):
    """The page of the keys."""

    BINDINGS = bindings(Scope.BACK, Scope.APP)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.BACK,)

    def compose(self) -> ComposeResult:
        """The page."""
        keys = keys_in(self.app)
        page = Document(lambda width: help_page(width, keys), classes="pane")
        page.set_border(Content("Keys"), Content("Esc goes back"))
        yield page

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()
