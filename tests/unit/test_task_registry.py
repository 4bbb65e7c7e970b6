"""What a worker may run: the marked functions of the modules it was given."""

from __future__ import annotations

import sys

import pytest

from naq_runtime.errors import ModuleNotLoaded, UnknownTask
from naq_runtime.tasks import TaskOptions, TaskRegistry
from tests.unit.conftest import WriteModule

TWO_TASKS = """
from naq_runtime import task

@task
def first(): ...

@task(queue="mail", result_ttl=5)
async def second(): ...

def unmarked(): ...
"""


def refusal(module: str) -> str:
    """The words with which a module is refused."""
    with pytest.raises(ModuleNotLoaded) as error:
        TaskRegistry.load([module])
    return str(error.value)


def test_only_the_marked_functions_of_a_module_are_loaded(write_module: WriteModule) -> None:
    module = write_module(TWO_TASKS)

    registry = TaskRegistry.load([module])

    assert list(registry) == [f"{module}.first", f"{module}.second"]
    assert len(registry) == 2
    assert registry.get(f"{module}.second").is_async
    assert registry.get(f"{module}.second").options == TaskOptions("mail", 5)


def test_several_modules_are_loaded_together(write_module: WriteModule) -> None:
    modules = [write_module(TWO_TASKS), write_module(TWO_TASKS)]
    assert len(TaskRegistry.load(modules)) == 4


def test_tasks_that_a_module_imports_are_its_own_under_the_name_of_their_home(write_module: WriteModule) -> None:
    home = write_module(TWO_TASKS)
    module = write_module(f"from {home} import first as renamed")

    assert list(TaskRegistry.load([module])) == [f"{home}.first"]


def test_a_module_without_tasks_makes_an_empty_registry(write_module: WriteModule) -> None:
    assert len(TaskRegistry.load([write_module("x = 1")])) == 0
    assert len(TaskRegistry.load([])) == 0


def test_an_object_that_answers_to_every_attribute_is_no_task(write_module: WriteModule) -> None:
    source = "class Proxy:\n    def __getattr__(self, name): return name\nproxy = Proxy()"
    assert len(TaskRegistry.load([write_module(source)])) == 0


@pytest.mark.parametrize("name", ["", "os.system", "builtins.exec", "first"])
def test_a_function_that_is_not_among_them_is_refused_with_what_to_do(write_module: WriteModule, name: str) -> None:
    registry = TaskRegistry.load([write_module(TWO_TASKS)])

    with pytest.raises(UnknownTask) as error:
        registry.get(name)

    assert str(error.value) == (
        f"this worker has no task {name!r}: give it the module (--module), mark the function with @task, "
        "and restart the worker after changes"
    )


def test_an_unmarked_function_of_a_loaded_module_is_refused(write_module: WriteModule) -> None:
    module = write_module(TWO_TASKS)
    with pytest.raises(UnknownTask):
        TaskRegistry.load([module]).get(f"{module}.unmarked")


def test_looking_up_a_name_imports_nothing(write_module: WriteModule) -> None:
    registry, other = TaskRegistry.load([write_module(TWO_TASKS)]), write_module(TWO_TASKS)

    with pytest.raises(UnknownTask):
        registry.get(f"{other}.first")

    assert other not in sys.modules


class TestModulesThatDoNotLoad:
    @pytest.mark.parametrize("module", ["no_such_module", "no_such.module", "tests.unit.no_such_module"])
    def test_a_missing_module_is_named(self, module: str) -> None:
        words = refusal(module)
        assert words == f"there is no module {module!r} on the path: start in its folder, or install it"

    def test_a_missing_dependency_is_told_from_a_missing_module(self, write_module: WriteModule) -> None:
        module = write_module("import no_such_dependency")
        assert refusal(module) == f"module {module!r} does not import: No module named 'no_such_dependency'"

    def test_a_module_that_raises_is_named_with_the_error_and_its_line(self, write_module: WriteModule) -> None:
        module = write_module("x = 1\ny = x / 0\n")

        words = refusal(module)

        assert words.startswith(f"module {module!r} does not import: ZeroDivisionError: division by zero (")
        assert words.endswith(f"{module}.py, line 2)")

    def test_an_error_deeper_down_is_named_by_the_line_of_the_module(self, write_module: WriteModule) -> None:
        module = write_module("import json\n\n\njson.loads('{')\n")
        assert refusal(module).endswith(f"{module}.py, line 4)")

    def test_a_module_that_is_no_python_is_named_with_the_line(self, write_module: WriteModule) -> None:
        module = write_module("x = 1\ndef f(:\n")
        words = refusal(module)

        assert words.startswith(f"module {module!r} does not import: SyntaxError: ")
        assert "line 2" in words

    def test_a_name_that_is_not_in_an_imported_module_is_told(self, write_module: WriteModule) -> None:
        module = write_module("from json import no_such_name")
        assert "ImportError: cannot import name 'no_such_name' from 'json'" in refusal(module)

    def test_a_lambda_that_is_marked_is_refused_while_the_module_loads(self, write_module: WriteModule) -> None:
        module = write_module("from naq_runtime import task\nsend = task(lambda: None)\n")
        words = refusal(module)

        assert "NotImportable: a lambda has no name" in words
        assert words.endswith("line 2)")

    @pytest.mark.parametrize("name", ["", ".relative", "a..b"])
    def test_what_cannot_be_a_module_is_refused(self, name: str) -> None:
        assert repr(name) in refusal(name)

    def test_a_module_that_ends_the_process_is_refused_instead(self, write_module: WriteModule) -> None:
        module = write_module("import sys\nsys.exit(0)\n")
        try:
            words = refusal(module)
        except SystemExit:
            pytest.fail("the import ended the process of the worker")
        assert "SystemExit" in words
