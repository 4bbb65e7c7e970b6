"""The jobs around a job as trees, whatever they look like."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.job import After, Job, JobStatus
from naq_runtime.snapshot import JobDetail
from naq_runtime.surroundings import Family, Member
from naq_tui.pages.blocks import Block, Stop
from naq_tui.pages.family import dependants, dependencies
from naq_tui.pages.history import History
from tests.tui.builders import job_event, stored

DONE = Member(JobStatus.COMPLETED, "shop.load")


def history(*needs: str) -> History:
    job = Job("shop.f", job_id="job-1", depends_on=tuple(After(one) for one in needs))
    events = stored([job_event("waiting_for_dependencies", "job-1")])
    return History(JobDetail(job_id="job-1", status=JobStatus.WAITING, job=job, events=events))


def lines(block: Block | None) -> list[str]:
    assert block is not None
    return ["".join(piece for piece, _ in line.spans).rstrip() for line in block.lines]


def above(needs: Mapping[str, tuple[str, ...]], *first: str) -> Block | None:
    members = dict.fromkeys({*needs, *(parent for parents in needs.values() for parent in parents)}, DONE)
    return dependencies(history(*first), Family(members=members, needs=needs), 100)


def below(needed_by: Mapping[str, tuple[str, ...]]) -> Block | None:
    members = {one: DONE for children in needed_by.values() for one in children}
    return dependants(history(), Family(members=members, needed_by=needed_by), 100)


def test_what_it_depends_on_stands_above_what_that_depends_on() -> None:
    assert lines(above({"join": ("orders", "prices")}, "join")) == [
        "  ✓ join        completed  shop.load  must succeed",
        "    ├ ✓ orders  completed  shop.load",
        "    └ ✓ prices  completed  shop.load",
    ]


def test_each_line_can_be_opened() -> None:
    block = above({"join": ("orders",)}, "join")

    assert block is not None
    assert block.stops == {0: Stop("job", "join"), 1: Stop("job", "orders")}


def test_those_that_depend_on_it_stand_in_a_tree_of_their_own() -> None:
    block = below({"job-1": ("report",), "report": ("mail",)})

    assert lines(block) == ["  ✓ report    completed  shop.load", "    └ ✓ mail  completed  shop.load"]


def test_without_any_there_is_no_section() -> None:
    assert above({}) is None
    assert below({}) is None


def test_a_job_that_several_depend_on_is_followed_once() -> None:
    shown = lines(above({"a": ("base",), "b": ("base",), "base": ("root",)}, "a", "b"))

    assert sum("root" in line for line in shown) == 1
    assert sum("shown elsewhere" in line for line in shown) == 1


def test_a_circle_ends() -> None:
    shown = lines(above({"a": ("b",), "b": ("a", "job-1")}, "a"))

    assert len(shown) == 4
    assert sum("shown elsewhere" in line for line in shown) == 2


def test_of_very_many_only_some_are_shown_and_the_rest_counted() -> None:
    shown = lines(below({"job-1": tuple(f"mail-{number}" for number in range(160))}))

    assert len(shown) == 41
    assert shown[-1] == "  … 120 more"


def test_one_that_was_not_looked_at_says_so() -> None:
    family = Family(needed_by={"job-1": ("far",)})

    assert lines(dependants(history(), family, 100)) == ["  ? far   not looked at"]


@given(
    st.dictionaries(
        st.sampled_from(["job-1", *"abcdefgh"]),
        st.lists(st.sampled_from(["job-1", *"abcdefgh"]), max_size=9, unique=True).map(tuple),
    )
)
def test_whatever_depends_on_whatever_a_tree_is_drawn(edges: dict[str, tuple[str, ...]]) -> None:
    block = below(edges)

    if block is not None:
        opened = [stop.target for stop in block.stops.values()]
        assert set(opened) >= {one for one in edges.get("job-1", ()) if one != "job-1"}
        assert len(block.lines) < 100
