"""From JSON back to what a function's annotations ask for."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naq_runtime.arguments import ArgumentPlan
from naq_runtime.errors import ArgumentError
from naq_runtime.job import Job
from naq_runtime.serializer import JsonSerializer

SERIALIZER = JsonSerializer()


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: int


class Options(TypedDict, total=False):
    width: int
    colour: Colour


@dataclass
class Item:
    name: str
    price: Decimal
    where: Path | None = None


@dataclass(frozen=True)
class Order:
    id: UUID
    placed: datetime
    items: list[Item] = field(default_factory=list)


class Reading(msgspec.Struct):
    at: datetime
    values: tuple[float, ...] = ()
    raw: bytes = b""


def plan_for(hint: object) -> ArgumentPlan:
    """The plan of a function of one parameter with this annotation."""

    def function(value: object) -> None: ...

    function.__annotations__ = {"value": hint}
    return ArgumentPlan.of(function)


def travelled(value: object, hint: object) -> object:
    """What a worker's function is given for a value that a producer gave."""
    arrived = SERIALIZER.decode_job(SERIALIZER.encode_job(Job("module.function", (value,))))
    return plan_for(hint).convert(arrived.args, arrived.kwargs)[0][0]


def refusal(function: Callable[..., object], args: Sequence[Any] = (), **kwargs: Any) -> str:
    """The words with which arguments are refused."""
    with pytest.raises(ArgumentError) as error:
        ArgumentPlan.of(function).convert(args, kwargs)
    return str(error.value)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=4)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes() | st.datetimes(timezones=offsets)
paths = st.sampled_from([Path("/tmp/a b"), Path("relative/x.txt"), Path()])
items = st.builds(Item, name=texts, price=decimals, where=st.none() | paths)
floats = st.floats(allow_nan=False, allow_infinity=False)

TYPES: dict[str, tuple[object, st.SearchStrategy[Any]]] = {
    "datetime": (datetime, moments),
    "date": (date, st.dates()),
    "time": (time, st.times()),
    "timedelta": (timedelta, st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000))),
    "UUID": (UUID, st.uuids()),
    "Decimal": (Decimal, decimals),
    "bytes": (bytes, st.binary(max_size=30)),
    "enum": (Colour, st.sampled_from(Colour)),
    "integer enum": (Level, st.sampled_from(Level)),
    "path": (Path, paths),
    "pure path": (PurePosixPath, st.just(PurePosixPath("/a/b"))),
    "optional": (UUID | None, st.none() | st.uuids()),
    "set": (set[int], st.sets(st.integers(), max_size=4)),
    "frozen set": (frozenset[str], st.frozensets(texts, max_size=4)),
    "tuple": (tuple[int, str], st.tuples(st.integers(), texts)),
    "list of dates": (list[date], st.lists(st.dates(), max_size=3)),
    "mapping": (dict[str, Decimal], st.dictionaries(texts, decimals, max_size=3)),
    "mapping by number": (dict[int, str], st.dictionaries(st.integers(-(2**63), 2**63 - 1), texts, max_size=3)),
    "mapping by date": (dict[date, int], st.dictionaries(st.dates(), st.integers(), max_size=3)),
    "named tuple": (Point, st.builds(Point, st.integers(), st.integers())),
    "typed dict": (Options, st.fixed_dictionaries({}, optional={"width": st.integers()})),
    "literal": (Literal["a", "b"], st.sampled_from("ab")),
    "dataclass": (Order, st.builds(Order, id=st.uuids(), placed=moments, items=st.lists(items, max_size=2))),
    "dataclass or none": (Item | None, st.none() | items),
    "struct": (Reading, st.builds(Reading, at=moments, values=st.lists(floats).map(tuple), raw=st.binary())),
    "sequence": (Sequence[int], st.lists(st.integers(), max_size=3)),
    "constrained": (Annotated[int, msgspec.Meta(ge=0)], st.integers(0)),
}


class TestConversion:
    @pytest.mark.parametrize("name", TYPES)
    @given(data=st.data())
    def test_a_value_arrives_as_what_it_was(self, name: str, data: st.DataObject) -> None:
        hint, values = TYPES[name]
        value = data.draw(values)

        arrived = travelled(value, hint)

        assert arrived == value
        assert type(arrived) is type(value)

    def test_an_instant_keeps_its_offset(self) -> None:
        moment = datetime(2026, 3, 29, 1, 30, 0, 123456, timezone(timedelta(hours=5, minutes=30)))
        arrived = travelled(moment, datetime)

        assert isinstance(arrived, datetime)
        assert arrived.utcoffset() == timedelta(hours=5, minutes=30)

    def test_an_annotation_of_object_or_any_takes_everything(self) -> None:
        assert travelled([1, {"a": None}], Any) == [1, {"a": None}]
        assert travelled([1, {"a": None}], object) == [1, {"a": None}]

    def test_an_iterable_of_something_is_a_list_of_it(self) -> None:
        arrived = travelled([Colour.RED], Iterable[Colour])

        assert isinstance(arrived, Iterable)
        assert list(arrived) == [Colour.RED]

    def test_without_annotations_values_come_as_json_gives_them(self) -> None:
        def function(a, *rest, b=None, **named):  # type: ignore[no-untyped-def]
            ...

        args, kwargs = ArgumentPlan.of(function).convert(["2026-01-01", {"x": 1}, None], {"b": [1], "c": "d"})

        assert args == ["2026-01-01", {"x": 1}, None]
        assert kwargs == {"b": [1], "c": "d"}

    def test_an_annotation_that_only_type_checkers_know_leaves_the_value_as_it_came(self) -> None:
        def function(value: OnlyForTypeCheckers) -> None:  # type: ignore[name-defined]  # noqa: F821
            ...

        assert ArgumentPlan.of(function).convert(["text"], {}) == (["text"], {})

    def test_an_annotation_that_only_type_checkers_know_does_not_spoil_the_others(self) -> None:
        def function(day: date, value: OnlyForTypeCheckers) -> None:  # type: ignore[name-defined]  # noqa: F821
            ...

        assert ArgumentPlan.of(function).convert(["2026-01-01", "text"], {}) == ([date(2026, 1, 1), "text"], {})

    def test_a_return_type_that_only_type_checkers_know_does_not_spoil_the_arguments(self) -> None:
        def function(day: date) -> OnlyForTypeCheckers:  # type: ignore[name-defined]  # noqa: F821
            ...

        assert ArgumentPlan.of(function).convert(["2026-01-01"], {}) == ([date(2026, 1, 1)], {})


class TestShapes:
    def test_rest_by_position_is_converted_one_by_one(self) -> None:
        def function(first: int, *rest: date) -> None: ...

        args, _ = ArgumentPlan.of(function).convert([1, "2026-01-01", "2026-01-02"], {})

        assert args == [1, date(2026, 1, 1), date(2026, 1, 2)]

    def test_rest_by_name_is_converted_one_by_one(self) -> None:
        def function(**rest: date) -> None: ...

        assert ArgumentPlan.of(function).convert([], {"due": "2026-01-01"}) == ([], {"due": date(2026, 1, 1)})

    def test_keyword_only_parameters_are_converted_by_name(self) -> None:
        def function(*, due: date, colour: Colour = Colour.RED) -> None: ...

        assert ArgumentPlan.of(function).convert([], {"due": "2026-01-01"}) == ([], {"due": date(2026, 1, 1)})
        _, kwargs = ArgumentPlan.of(function).convert([], {"due": "2026-01-01", "colour": "blue"})
        assert kwargs["colour"] is Colour.BLUE

    def test_a_parameter_may_be_given_by_position_or_by_name(self) -> None:
        def function(due: date, count: int = 1) -> None: ...

        plan = ArgumentPlan.of(function)

        assert plan.convert(["2026-01-01"], {}) == ([date(2026, 1, 1)], {})
        assert plan.convert([], {"count": 2, "due": "2026-01-01"}) == ([], {"count": 2, "due": date(2026, 1, 1)})
        assert plan.convert(["2026-01-01"], {"count": 2}) == ([date(2026, 1, 1)], {"count": 2})

    def test_a_default_that_is_not_given_stays_the_functions_business(self) -> None:
        def function(value: int | None = None, *rest: int, flag: bool = False) -> None: ...

        assert ArgumentPlan.of(function).convert([], {}) == ([], {})

    def test_rest_by_name_may_have_the_name_of_a_positional_only_parameter(self) -> None:
        def function(value: int, /, **rest: str) -> None: ...

        assert ArgumentPlan.of(function).convert([1], {"value": "text"}) == ([1], {"value": "text"})


class TestMisfits:
    def test_too_few_too_many_and_unknown_are_refused_with_the_signature(self) -> None:
        def function(a: int, b: int = 1) -> None: ...

        shape = "the arguments do not fit (a: 'int', b: 'int' = 1) -> 'None': "
        assert refusal(function) == shape + "missing a required argument: 'a'"
        assert refusal(function, [1, 2, 3]) == shape + "too many positional arguments"
        assert refusal(function, [1], c=2) == shape + "got an unexpected keyword argument 'c'"
        assert refusal(function, [1], a=2) == shape + "multiple values for argument 'a'"
        assert refusal(function, b=2) == shape + "missing a required argument: 'a'"

    def test_a_missing_keyword_only_argument_is_refused(self) -> None:
        def function(a: int = 0, *, key: str) -> None: ...

        assert "'key'" in refusal(function, [1])
        assert "too many positional arguments" in refusal(function, [1, "key"])

    def test_a_function_without_parameters_takes_none(self) -> None:
        def function() -> None: ...

        assert ArgumentPlan.of(function).convert([], {}) == ([], {})
        assert "too many positional arguments" in refusal(function, [None])

    @pytest.mark.parametrize(
        ("hint", "value", "words"),
        [
            (int, "5", "argument 1: Expected `int`, got `str`"),
            (int, None, "argument 1: Expected `int`, got `null`"),
            (datetime, "yesterday", "argument 1: Invalid RFC3339 encoded datetime"),
            (UUID, "not one", "argument 1: Invalid UUID"),
            (Colour, "green", "argument 1: Invalid enum value 'green'"),
            (Decimal, "much", "argument 1: Invalid decimal string"),
            (bytes, "§", "argument 1: Invalid base64 encoded string"),
            (Path, 5, "argument 1: no conversion from JSON to "),
            (Annotated[int, msgspec.Meta(ge=0)], -1, "argument 1: Expected `int` >= 0"),
            (Item, {"name": "pen"}, "argument 1: Object missing required field `price`"),
        ],
        ids=str,
    )
    def test_a_value_of_another_type_is_refused_by_its_place(self, hint: object, value: object, words: str) -> None:
        with pytest.raises(ArgumentError) as error:
            plan_for(hint).convert([value], {})
        assert str(error.value).startswith(words)

    def test_the_place_counts_from_one_and_a_name_is_shown(self) -> None:
        def function(a: int, *rest: int, key: int = 0) -> None: ...

        assert refusal(function, [1, 2, "three"]).startswith("argument 3: Expected `int`, got `str`")
        assert refusal(function, [1], key="x").startswith("argument 'key': Expected `int`, got `str`")

    def test_the_place_inside_of_a_value_is_named(self) -> None:
        words = refusal_of_order({"id": "0" * 32, "placed": "2026-01-01T00:00:00", "items": [{"name": 1, "price": 2}]})
        assert "$.items[0].name" in words

    def test_a_value_that_its_class_refuses_is_refused_in_the_words_of_the_class(self) -> None:
        @dataclass
        class Share:
            percent: int

            def __post_init__(self) -> None:
                if self.percent > 100:
                    raise ValueError("more than all")

        with pytest.raises(ArgumentError, match="argument 1: more than all"):
            plan_for(Share).convert([{"percent": 101}], {})

    def test_an_annotation_that_is_no_type_at_all_does_not_break_the_plan(self) -> None:
        def function(value: int) -> None: ...

        function.__annotations__ = {"value": "a number of pages"}
        assert ArgumentPlan.of(function).convert([5], {}) == ([5], {})


def refusal_of_order(value: object) -> str:
    with pytest.raises(ArgumentError) as error:
        plan_for(Order).convert([value], {})
    return str(error.value)
