"""What a column shows where there is little room."""

from __future__ import annotations

import pytest

from naq_tui.widgets.columns import dotted


@pytest.mark.parametrize("name", ["shop.mail.send", "shop.reports.of_all_shops.in_the_world.made_anew"])
def test_names_of_a_column_that_is_not_as_wide_as_it_can_be_are_all_short(name: str) -> None:
    assert dotted(name, 20, 32) == name.rpartition(".")[2][:20]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("shop.mail.send", "shop.mail.send"),
        ("shop.reports.of_all.made_anew", "…orts.of_all.made_anew"),
        ("send", "send"),
    ],
)
def test_names_of_a_column_of_full_width_are_all_whole_and_cut_before_their_end(name: str, shown: str) -> None:
    assert dotted(name, 22, 22) == shown
