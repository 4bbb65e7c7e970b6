"""The text of a filter: what it is read as, what is wrong with it, and that it is written back as it was."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from naq_runtime.errors import FilterError
from naq_runtime.events.filters import EventFilter
from naq_runtime.events.filters.fields import Field, Kind, field_named, fields
from naq_runtime.events.filters.grammar import LONGEST, parse
from naq_runtime.events.filters.nodes import All, Compared, Either, Matched, Node, Not, Pattern, Text, Wanted
from naq_runtime.events.filters.patterns import with_wildcards
from naq_runtime.events.filters.values import Ago, At, Daytime

EXAMPLE = (
    "queue:email type:failed,retry_scheduled worker:w-1* error:Timeout duration>500ms wait>=2s attempt>1 "
    '"some text" /regex/ !type:heartbeat (a OR b)'
)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_AMOUNTS = st.floats(0, 1e12, allow_nan=False) | st.integers(0, 10**12).map(float)
_SOURCES = st.sampled_from(["a+", "a/b", r"\d{3}", r"a\\/b", "(x|y)*", "[/]", "ä "])
_MOMENTS = (
    st.builds(Ago, _AMOUNTS)
    | st.builds(Daytime, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
    | st.builds(At, st.integers(0, 2**63 - 1))
)
_ON_THE_WIRE = ("job", "queue", "worker", "schedule", "type")


def _fields(*kinds: Kind) -> st.SearchStrategy[Field]:
    return st.sampled_from([one for one in fields().values() if one.kind in kinds and one.name not in _ON_THE_WIRE])


def _several(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


_VALUES = _TEXTS.map(Wanted) | _TEXTS.map(with_wildcards) | _SOURCES.map(Pattern)
_LEAVES: st.SearchStrategy[Node] = st.one_of(
    _TEXTS.map(Text),
    _SOURCES.map(Pattern),
    st.builds(Matched, _fields(Kind.NAME, Kind.TEXT, Kind.FUNCTION), _several(_VALUES)),
    st.builds(Matched, _fields(Kind.NUMBER, Kind.PERCENT, Kind.SPAN, Kind.SIZE), _several(_AMOUNTS)),
    st.builds(Matched, _fields(Kind.FLAG), _several(st.booleans())),
    st.builds(
        Compared,
        _fields(Kind.NUMBER, Kind.PERCENT, Kind.SPAN, Kind.SIZE),
        st.sampled_from([">", ">=", "<", "<="]),
        _AMOUNTS,
    ),
    st.builds(Compared, _fields(Kind.TIME), st.sampled_from([">", ">=", "<", "<="]), _MOMENTS),
    st.builds(Matched, _fields(Kind.TIME), _several(st.builds(At, st.integers(0, 2**63 - 1)))),
    st.builds(Compared, _fields(Kind.SPAN, Kind.NUMBER), st.just("<"), _AMOUNTS.map(lambda amount: -amount)),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: (
        inner.map(Not.of)
        | st.lists(inner, min_size=2, max_size=3).map(All.of)
        | st.lists(inner, min_size=2, max_size=3).map(Either.of)
    ),
    max_leaves=8,
)
_PIECES = st.sampled_from(
    [
        *("queue", "type:", ":", "a", ",", "(", ")", "!", " ", '"', "\\", "/", "OR", "AND", "NOT", ">", "<=", "=", "5"),
        *("ms", "duration>", "time<", "-", "*", "?", "\n", "ä", "final:", "/x/", '"a b"', "failed"),
    ]
)
_SCRIBBLES = st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=20)


@given(_TREES)
@example(Text("OR"))
@example(Text("a:b"))
@example(Text('"\\'))
@example(All.of([Matched(fields()["by"], (Wanted("x"),)), Text(",y")]))
@example(Matched(fields()["by"], (with_wildcards("a b*\\"),)))
def test_what_is_written_back_reads_as_the_same_filter(tree: Node) -> None:
    assert parse(str(tree)) == tree


@given(_SCRIBBLES)
@example("(" * 400 + "a" + ")" * 400)
@example("time>1e308d")
@example("time>0001-01-01")
@example("duration>9e999s")
@example('"')
@example("by:*\\x")
@example("a\\")
@example("time<9999-12-31")
@example("time>--5m")
def test_whatever_is_typed_is_a_filter_or_a_mistake_at_a_place_in_the_text(text: str) -> None:
    mistake = None
    try:
        wanted = EventFilter(text)
    except FilterError as error:
        mistake = error
    if mistake is None:
        assert EventFilter(str(wanted)) == wanted
    else:
        assert 0 <= mistake.position <= len(text)
        assert mistake.text == text
        assert mistake.reason


def test_nothing_is_everything() -> None:
    assert EventFilter("") == EventFilter(" \t") == EventFilter() == EventFilter(None) == EventFilter({})
    assert str(EventFilter()) == ""


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (EXAMPLE, EXAMPLE),
        ("a AND b", "a b"),
        ("NOT a", "!a"),
        ("!!a", "a"),
        ("!!!a", "!a"),
        ("((a b)) c", "a b c"),
        ("a OR (b OR c)", "a OR b OR c"),
        ("(a OR b) c", "(a OR b) c"),
        ("!(a b)", "!(a b)"),
        ("queue_name:a", "queue:a"),
        ("duration_ms>1500", "duration>1500ms"),
        ("duration>2000ms", "duration>2s"),
        ("rss>1500kB", "rss>1500kB"),
        ("rss_bytes>2MiB", "rss>2097152B"),
        ("cpu>80%", "cpu>80"),
        ("final:yes", "final:true"),
        ("duration>1m30s", "duration>90s"),
        ("time>-1h30m", "time>-90m"),
        ("clock_skew<-5ms", "clock_skew<-5ms"),
        ("time=1700000000000000000,1700000000000000001", "time=1700000000000000000,1700000000000000001"),
        ('by:"a"', "by:a"),
        (r'by:"a\*b"', r'by:"a\*b"'),
        ("type:failed,failed", "type:failed"),
        (r"/a\/b/", r"/a\/b/"),
    ],
)
def test_there_is_one_way_to_write_a_filter_back(text: str, same: str) -> None:
    assert str(EventFilter(text)) == same


def test_a_space_binds_more_than_or() -> None:
    assert parse("a b OR c") == Either.of([All.of([Text("a"), Text("b")]), Text("c")])


def test_a_word_is_looked_for_as_it_is() -> None:
    for text in ("-x:y", "1>b", "[/red]", "a/b", "w-1*", "what?", "14:02:11", "ORDER", "NOTHING", "it's", "-x"):
        assert parse(text) == Text(text)


def test_in_quotes_a_backslash_in_front_of_any_other_character_is_one() -> None:
    assert parse(r'"C:\temp"') == Text(r"C:\temp")
    assert parse(r'by:"C:\temp"') == Matched(fields()["by"], (Wanted(r"C:\temp"),))
    assert parse(r'by:"C:\te*"') == Matched(fields()["by"], (Wanted(r"C:\\te*", wild=True),))


def test_quotes_hold_a_text_together_and_a_backslash_lets_a_quote_stand_for_itself() -> None:
    assert parse(r'"a \"b\" \\ OR c"') == Text('a "b" \\ OR c')


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("quue:a", 1, "unknown field 'quue', did you mean queue?"),
        ("a Xyzzy:b", 3, "unknown field 'Xyzzy'; a text with such signs in it goes into quotes"),
        ("type:faild", 6, "unknown type 'faild', did you mean failed?"),
        ("level:error", 7, "unknown level 'error', did you mean ERROR?"),
        ("severity:crit", 10, "unknown severity 'crit', did you mean critical?"),
        ("type:xyzzy", 6, "unknown type 'xyzzy'; in a filter's text, quotes take it as it is"),
        ("category:jobs", 10, "unknown category 'jobs', did you mean job?"),
        ("queue:", 7, "expected a value, found the end"),
        ("queue: a", 7, "expected a value directly behind 'queue:'"),
        ("type:failed,", 13, "expected a value, found the end"),
        ("type:failed, started", 13, "expected a value directly behind"),
        ("queue:,", 7, "expected a value, found ','"),
        ("a OR", 5, "expected a condition or a text, found the end"),
        ("OR a", 1, "expected a condition or a text"),
        ("(a", 3, "expected ')', found the end"),
        ("a)", 2, "expected the end, found ')'"),
        ("()", 2, "expected a condition or a text, found ')'"),
        ("!", 2, "expected a condition or a text, found the end"),
        ('x "abc', 3, 'a text that begins with " has no end'),
        ('""', 1, "expected some text between the quotes"),
        ("/x", 1, "a regular expression ends with /"),
        ("a /(/", 3, "the regular expression is wrong"),
        ("duration:abc", 10, "expected a duration with its unit, such as 500ms, 2s, 5m or 1h, found 'abc'"),
        ("duration>5", 10, "expected a duration with its unit"),
        ("duration>5ms,6ms", 13, "expected one value to compare duration with"),
        ("size>5XB", 6, "expected a size such as"),
        ("attempt>two", 9, "expected a number, found 'two'"),
        ("attempt:/2/", 9, "attempt is a number, which a regular expression does not fit"),
        ("error>4", 6, "error is a text, and cannot be greater or less"),
        ("final:maybe", 7, "expected true or false, found 'maybe'"),
        ("time:14:02", 5, "compare a time: time>-10m or time<14:02"),
        ("time>25:00", 6, "expected a time such as"),
        ("time=14:02", 5, "compare a time: time>-10m or time<14:02"),
        ("time=2026-11-27", 5, "compare a time"),
        ("a duration > 5s", 12, "a condition has no spaces in it: duration>5s"),
        ("queue :email", 7, "a condition has no spaces in it"),
        (">5s", 1, "a condition has no spaces in it"),
        ("-type:heartbeat", 1, "the opposite of a condition is !type:heartbeat"),
        ("error:call(5)", 11, "put a space before '(', or all of it into quotes"),
        ('error:no"such"', 9, "put a space before '\"', or all of it into quotes"),
        ('"a"b', 4, "put a space before 'b', or all of it into quotes"),
        ("call(5)", 5, "put a space before '(', or all of it into quotes"),
        ("日本\t(queue:a.b", 11, "queue 'a.b' is not a valid name"),
        ("queue:a.b", 7, "queue 'a.b' is not a valid name"),
    ],
)
def test_a_mistake_says_where_and_what_was_expected(text: str, column: int, reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        EventFilter(text)

    assert reason in caught.value.reason
    assert caught.value.position == column - 1
    assert str(caught.value).startswith(f"the filter is wrong at column {column}: ")


def test_a_type_that_is_not_known_yet_is_found_in_quotes() -> None:
    assert str(EventFilter('type:"invented"')) == 'type:"invented"'
    assert str(EventFilter('level:ERROR,"AUDIT"')) == 'level:ERROR,"AUDIT"'


def test_a_filter_has_bounds() -> None:
    with pytest.raises(FilterError, match="at most 2,000 characters"):
        EventFilter("a" * (LONGEST + 1))
    with pytest.raises(FilterError, match="30 groups may lie within each other"):
        EventFilter("(a OR (b " * 40 + "c" + "))" * 40)


@pytest.mark.parametrize(
    "pattern", ["((((a{1000}){1000}){1000}){1000})", "(?:a?){60000}", "(?:[(]{99}){99,}", "a{9999}"]
)
def test_a_pattern_that_would_fill_the_memory_is_refused_before_it_is_compiled(pattern: str) -> None:
    began = time.process_time()

    with pytest.raises(FilterError, match="come to at most 5,000 pieces"):
        EventFilter(f"error:/{pattern}/")

    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}",
        "([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12},?){9}",
        r"\({500}a{0,9000}",
        "[({]{9}",
    ],
)
def test_a_pattern_that_counts_as_people_do_is_none_of_them(pattern: str) -> None:
    assert EventFilter(f"error:/{pattern}/").node == Matched(fields()["error"], (Pattern(pattern),))


def test_every_field_has_a_short_name_and_the_one_of_the_models() -> None:
    assert field_named("queue") is field_named("queue_name")
    assert field_named("duration") is field_named("duration_ms")
    assert field_named("colour") is None
