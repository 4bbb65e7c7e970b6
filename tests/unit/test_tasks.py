"""Marking functions as tasks, and the names by which workers find them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from naq_runtime.errors import InvalidName, NotImportable, TaskError
from naq_runtime.tasks import Task, TaskOptions, options_of, reference, task
from tests.unit import workload


def plain(number: int) -> int:
    """A function of a module."""
    return number + 1


async def asynchronous() -> None:
    """An async function of a module."""


class Service:
    """Something with methods."""

    def method(self) -> None:
        """A method."""

    def __call__(self) -> None:
        """Being called."""


class TestMarking:
    def test_a_marked_function_stays_as_it_is(self) -> None:
        marked = task(plain)

        assert marked is plain
        assert marked(1) == 2
        assert options_of(plain) == TaskOptions()

    def test_options_become_the_defaults_of_its_jobs(self) -> None:
        def function() -> None: ...

        function.__qualname__ = "function"
        marked = task(queue="mail", result_ttl=60.0)(function)

        assert marked is function
        assert options_of(function) == TaskOptions(queue="mail", result_ttl=60.0)

    def test_without_options_the_parentheses_do_no_harm(self) -> None:
        assert options_of(task()(asynchronous)) == TaskOptions()

    @pytest.mark.parametrize("other", [5, "text", None, Service().method, object()])
    def test_what_is_not_marked_has_no_options(self, other: object) -> None:
        assert options_of(other) is None

    @pytest.mark.parametrize("which", ["retry_on", "ignore_on"])
    @pytest.mark.parametrize("kinds", [["ValueError"], "ValueError", ValueError, [ValueError("x")], [OSError, int], 5])
    def test_what_is_no_class_of_errors_is_refused_at_once(self, which: str, kinds: Any) -> None:
        with pytest.raises(TypeError, match=f"{which} takes .*classes of errors, such as"):
            task(retries=1, **{which: kinds})

    @pytest.mark.parametrize("queue", ["", "mail.urgent", "a b", ">"])
    def test_a_queue_that_cannot_be_on_the_wire_is_refused_at_once(self, queue: str) -> None:
        with pytest.raises(InvalidName, match="queue"):
            task(queue=queue)


def _nested() -> Callable[[], None]:
    def inner() -> None: ...

    return inner


NO_TASKS: dict[str, tuple[Any, str]] = {
    "lambda": (lambda: None, "a lambda has no name that a worker could import"),
    "nested": (_nested(), "_nested.<locals>.inner is defined inside a function"),
    "bound method": (Service().method, "only functions of a module can be enqueued"),
    "callable object": (Service(), "only functions of a module can be enqueued"),
    "partial": (functools.partial(plain, 1), "only functions of a module can be enqueued"),
    "built-in": (len, "only functions of a module can be enqueued"),
    "class": (Service, "only functions of a module can be enqueued"),
    "method of a class": (Service.method, "Service.method"),
}


class TestRefusals:
    @pytest.mark.parametrize(("function", "words"), NO_TASKS.values(), ids=NO_TASKS)
    def test_what_no_worker_could_import_cannot_be_marked(self, function: Any, words: str) -> None:
        with pytest.raises(NotImportable) as refusal:
            task(function)
        assert words in str(refusal.value)

    @pytest.mark.parametrize(("function", "words"), NO_TASKS.values(), ids=NO_TASKS)
    def test_what_no_worker_could_import_cannot_be_referred_to(self, function: Any, words: str) -> None:
        with pytest.raises(NotImportable) as refusal:
            reference(function)
        assert words in str(refusal.value)

    def test_a_function_of_main_may_be_marked_but_not_referred_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plain, "__module__", "__main__")

        assert task(plain) is plain
        with pytest.raises(NotImportable, match=r"plain\(\) is defined in __main__.*move it into a module"):
            reference(plain)

    def test_a_refusal_is_an_error_of_tasks(self) -> None:
        assert issubclass(NotImportable, TaskError)


class TestReference:
    def test_a_function_is_named_by_module_and_qualified_name(self) -> None:
        assert reference(plain) == "tests.unit.test_tasks.plain"

    def test_a_name_is_taken_as_it_is(self) -> None:
        assert reference("shop.tasks.send") == "shop.tasks.send"

    @pytest.mark.parametrize("name", ["", "send", ".send", "shop.", "shop..send", "shop.send()", "shop send.x", "a.1b"])
    def test_what_cannot_be_such_a_name_is_refused(self, name: str) -> None:
        with pytest.raises(NotImportable, match=r"write it as module\.function"):
            reference(name)


class TestInspection:
    def test_a_task_knows_whether_it_is_async(self) -> None:
        assert Task.of(workload.add).is_async
        assert not Task.of(workload.add_plainly).is_async

    def test_a_task_of_an_unmarked_function_has_no_options(self) -> None:
        def unmarked() -> None: ...

        assert Task.of(unmarked, name="any.name").options == TaskOptions()

    def test_a_task_may_be_given_another_name(self) -> None:
        assert Task.of(plain, name="other.name").name == "other.name"
