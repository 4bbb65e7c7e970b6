"""All keys, over whatever was on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
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
    """The page of the keys.

    Args:
        here: the places whose keys work where one comes from; those of the view itself come first.
        acting: whether anything can be changed.
    """

    BINDINGS = bindings(Scope.BACK, Scope.APP)
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.BACK,)

    def __init__(self, here: Sequence[Scope], *, acting: bool) -> None:
        super().__init__()
        self._here = here
        self._acting = acting

    def compose(self) -> ComposeResult:
        """The page; without the keys that change something where nothing can be changed."""
        page_of = partial(help_page, keys=keys_in(self.app), here=self._here, acting=self._acting)
        page = Document(page_of, classes="pane")
        page.set_border(Content("Keys"), Content("Esc goes back"))
        yield page

    def action_back(self) -> None:
        """Go back."""
        self.dismiss()
