"""How alerts come and go, by a clock that is set by hand."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from naq_runtime.alerts.evaluation import GAP_NS, LIMIT, STALE_NS, evaluate, withdraw
from naq_runtime.alerts.record import AlertRecord, AlertState, decode_alerts, encode_alerts
from naq_runtime.alerts.rules import Labels, parse_rule
from naq_runtime.events.models import AlertEventType

SECOND = 1_000_000_000
MAIL: Labels = (("queue", "mail"),)
START_NS = 1_700_000_000 * SECOND


class Story:
    """A rule, and what was measured of it by and by."""

    def __init__(self, rule: str) -> None:
        self.rule = parse_rule(rule)
        self.now_ns = START_NS
        self.record = AlertRecord(name="tested", rule=self.rule.text)
        self.told: list[tuple[float, str]] = []
        """The seconds since the beginning, and what was told then."""

    def measure(self, *values: float | None, every_s: float = 5, labels: Labels = MAIL) -> Story:
        """Evaluate each value, and let time pass after it."""
        for value in values:
            self.evaluate({labels: value})
            self.wait(every_s)
        return self

    def evaluate(self, values: dict[Labels, float | None] | None) -> None:
        self.record, transitions = evaluate(self.record, self.rule, values, self.now_ns)
        self.record = decode_alerts(encode_alerts(self.record))  # as the next leader reads it
        since_s = (self.now_ns - START_NS) / SECOND
        self.told += [(since_s, f"{kind.value.partition('_')[2]} {reason}".strip()) for kind, _, reason in transitions]

    def wait(self, seconds: float) -> Story:
        self.now_ns += int(seconds * SECOND)
        return self

    @property
    def state(self) -> str:
        return self.record.state.value


def test_it_fires_once_it_has_held_for_as_long_as_the_rule_says() -> None:
    story = Story("queue_depth > 10 for 10s").measure(11, 12)
    assert story.state == AlertState.PENDING

    story.measure(13, 14, 15)

    assert story.state == AlertState.FIRING
    assert story.told == [(10, "firing")]
    assert story.record.alerts[0].since_ns == START_NS


def test_it_begins_anew_when_it_did_not_hold_in_between() -> None:
    assert Story("queue_depth > 10 for 10s").measure(11, 12, 10, 11, 12).told == []


def test_it_fires_on_above_the_threshold_at_which_it_is_clear() -> None:
    story = Story("queue_depth > 10 clear < 5 for 0s").measure(11, 7, 5, 9)
    assert story.told == [(0, "firing")]

    assert story.measure(4).told == [(0, "firing"), (20, "resolved")]


def test_it_is_over_when_it_was_clear_for_long_enough_without_a_break() -> None:
    story = Story("queue_depth > 10 clear for 10s").measure(11, 0, 0, 11, 0, 0, 0)

    assert story.told == [(0, "firing"), (30, "resolved")]
    assert story.state == AlertState.OK


def test_nothing_measured_lets_nothing_begin_and_nothing_end() -> None:
    assert Story("failed_rate > 5%").measure(None, None).state == AlertState.NO_DATA
    story = Story("failed_rate > 5% clear for 0s").measure(0.5, None, None)

    assert story.told == [(0, "firing")]
    assert story.state == AlertState.FIRING
    assert story.record.alerts[0].value is None


def test_a_short_time_without_data_does_not_begin_a_wait_anew_and_does_not_end_it() -> None:
    story = Story("failed_rate > 5% for 10s").measure(0.5, 0.5, None, None)
    assert story.told == []

    assert story.measure(0.5).told == [(20, "firing")]


def test_a_long_time_without_data_does() -> None:
    story = Story("failed_rate > 5% for 10s").measure(0.5, *[None] * (GAP_NS // SECOND // 5 + 3), 0.5)

    assert story.told == []
    assert story.state == AlertState.PENDING


def test_what_cannot_be_measured_for_a_quarter_of_an_hour_is_over() -> None:
    story = Story("queue_depth > 10").measure(11, *[None] * (STALE_NS // SECOND // 5 + 3))

    assert [what for _, what in story.told] == ["firing", "resolved there is nothing to measure any more"]


def test_nobody_looking_for_a_while_proves_nothing() -> None:
    pending = Story("queue_depth > 10 for 100s").measure(11).wait(90).measure(11, 11, 11)
    assert pending.told == []

    clearing = Story("queue_depth > 10 clear for 100s").measure(11, 0).wait(95).measure(0, 0)
    assert clearing.told == [(0, "firing")]


def test_a_short_change_of_leaders_is_no_break() -> None:
    assert Story("queue_depth > 10 for 60s").measure(11).wait(40).measure(11, 11, 11, 11).told == [(60, "firing")]


def test_each_set_of_labels_goes_its_own_way() -> None:
    story = Story("queue_depth > 10 clear for 0s")
    news: Labels = (("queue", "news"),)
    story.evaluate({MAIL: 11, news: 3})
    story.evaluate({MAIL: 11, news: 30})
    story.evaluate({MAIL: 0, news: 30})

    assert [alert.labels for alert in story.record.firing] == [{"queue": "news"}]
    assert [what for _, what in story.told] == ["firing", "firing", "resolved"]


def test_a_rule_that_is_changed_judges_what_fires_and_lets_go_what_it_does_not_know() -> None:
    story = Story("queue_depth > 10").measure(11)
    story.rule = parse_rule("workers < 5")
    story.evaluate({(): 9})

    assert [what for _, what in story.told] == ["firing", "resolved its rule was changed"]


def test_a_rule_that_is_removed_ends_what_fires() -> None:
    story = Story("queue_depth > 10").measure(11)
    record, transitions = withdraw(story.record, "gone")

    assert record.alerts == ()
    assert [(kind, reason) for kind, _, reason in transitions] == [(AlertEventType.RESOLVED, "gone")]


def test_more_alerts_than_a_record_can_hold_are_counted_and_not_told() -> None:
    story = Story("queue_depth > 10")
    many: dict[Labels, float | None] = {(("queue", f"q{number:03}"),): 11.0 for number in range(LIMIT + 5)}
    story.evaluate(many)
    story.evaluate(many)

    assert len(story.record.alerts) == LIMIT
    assert story.record.hidden == 5
    assert len(story.told) == LIMIT


def test_a_clock_that_is_set_back_fires_nothing_early() -> None:
    story = Story("queue_depth > 10 for 10s").measure(11).wait(-3600).measure(11, 11)
    assert story.told == []

    assert len(story.measure(11, 11).told) == 1


_STEPS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 20)), st.sampled_from([1, 5, 30, 61, 1000])), max_size=60
)


@settings(max_examples=300, deadline=None)
@given(_STEPS, st.sampled_from([0, 10, 60]), st.sampled_from([0, 10, 60]))
def test_whatever_is_measured_begin_and_end_alternate_and_are_as_far_apart_as_the_rule_says(
    steps: list[tuple[int | None, int]], for_s: int, clear_for_s: int
) -> None:
    story = Story(f"queue_depth > 10 for {for_s}s clear < 5 for {clear_for_s}s")
    for value, wait_s in steps:
        story.measure(value, every_s=wait_s)

    words = [what.partition(" ")[0] for _, what in story.told]
    assert words == ["firing", "resolved"] * (len(words) // 2) + ["firing"] * (len(words) % 2)
    assert (story.state == AlertState.FIRING) is (words[-1:] == ["firing"])
    for (begin_s, _), (end_s, what) in zip(story.told[::2], story.told[1::2], strict=False):
        assert end_s - begin_s >= clear_for_s or "measure" in what
    for (end_s, _), (begin_s, _) in zip(story.told[1::2], story.told[2::2], strict=False):
        assert begin_s - end_s >= for_s


@settings(max_examples=200, deadline=None)
@given(_STEPS)
def test_it_fires_only_if_every_value_within_the_time_before_was_above(steps: list[tuple[int | None, int]]) -> None:
    story = Story("queue_depth > 10 for 10s clear for 0s")
    seen: list[tuple[float, int | None]] = []
    for value, wait_s in steps:
        seen.append(((story.now_ns - START_NS) / SECOND, value))
        story.measure(value, every_s=wait_s)

    for at_s, what in story.told:
        if what == "firing":
            lately = [value for when_s, value in seen if at_s - 10 <= when_s <= at_s]
            assert all(value is None or value > 10 for value in lately)
