"""A window over a long list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_tui.widgets.viewport import THUMB, Viewport, scrollbar


def viewport(total: int = 100, height: int = 10, *, following: bool = False) -> Viewport:
    view = Viewport(following=following)
    view.resize(height)
    view.span(0, total)
    return view


def test_the_window_goes_where_the_cursor_goes() -> None:
    view = viewport()
    view.move(15)

    assert (view.cursor, view.top) == (15, 6)


def test_following_keeps_to_the_newest_line() -> None:
    view = viewport(following=True)
    view.span(0, 130)

    assert (view.cursor, view.top) == (129, 120)


def test_moving_ends_the_following_and_new_lines_move_nothing() -> None:
    view = viewport(following=True)
    view.move(-1)
    before = (view.cursor, view.top)

    view.span(0, 130)

    assert (view.cursor, view.top) == before
    assert not view.at_end


def test_a_line_that_goes_takes_the_window_along() -> None:
    view = viewport()
    view.span(50, 150)

    assert (view.first, view.cursor, view.top) == (50, 50, 50)


Step = st.one_of(
    st.tuples(st.sampled_from(["move", "scroll", "go"]), st.integers(-200, 200)),
    st.tuples(st.sampled_from(["resize"]), st.integers(-1, 40)),
    st.tuples(st.sampled_from(["append", "evict"]), st.integers(0, 60)),
    st.tuples(st.sampled_from(["follow"]), st.just(0)),
)


@given(st.lists(Step, max_size=30))
def test_the_cursor_is_always_on_a_line_inside_the_window(steps: list[tuple[str, int]]) -> None:
    view = viewport(30, 10)
    for name, amount in steps:
        if name == "append":
            view.span(view.first, view.end + amount)
        elif name == "evict":
            view.span(min(view.first + amount, view.end - 1), view.end)
        elif name == "follow":
            view.follow()
        else:
            getattr(view, name)(amount)

        assert view.first <= view.cursor < view.end
        assert view.top <= view.cursor < view.top + view.height
        assert view.first <= view.top <= max(view.first, view.end - view.height)


def test_there_is_no_scroll_bar_when_everything_is_shown() -> None:
    assert scrollbar(viewport(total=10), 0) == ""


@pytest.mark.parametrize(("top", "lit"), [(0, 0), (90, 9)])
def test_the_scroll_bar_shows_where_the_window_is(top: int, lit: int) -> None:
    view = viewport()
    view.scroll(top)

    assert [y for y in range(10) if scrollbar(view, y) == THUMB] == [lit]
