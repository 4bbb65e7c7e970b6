"""From JSON back to what a function's annotations ask for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from naq_runtime.errors import ArgumentError

__all__ = ["ArgumentPlan", "decode_hook"]


def decode_hook(kind: type, value: Any) -> Any:
    """Types beyond those of msgspec: paths are text, and what can be gone through is a list."""
    if kind is object:
        return value
    if isinstance(kind, type) and issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    if (get_origin(kind) or kind) is Iterable and isinstance(value, list):
        return msgspec.convert(value, _list_of(kind), str_keys=True, dec_hook=decode_hook)
    raise NotImplementedError(f"no conversion from JSON to {getattr(kind, '__name__', kind)}")


@dataclass(frozen=True, slots=True)
class ArgumentPlan:
    """How a function's arguments are converted; worked out once for each task."""

    signature: inspect.Signature
    positional: tuple[Any, ...]
    """The annotation of each parameter that may be given by position; ``Any`` where there is none."""
    by_name: Mapping[str, Any]
    rest: Any
    """The annotation of ``*args``, ``None`` when there is no such parameter."""
    rest_by_name: Any
    required: int
    """How many positional arguments suffice when none is given by name; -1 when that never suffices."""

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, function: Callable[..., Any]) -> ArgumentPlan:
        """Read the signature and the annotations of a function."""
        signature = inspect.signature(function)
        namespace = getattr(inspect.unwrap(function), "__globals__", {})
        positional, by_name, rest, rest_by_name, required = [], {}, None, None, 0
        for name, parameter in signature.parameters.items():
            kind = _hint(parameter.annotation, namespace)
            mandatory = parameter.default is parameter.empty
            match parameter.kind:
                case parameter.VAR_POSITIONAL:
                    rest = kind
                case parameter.VAR_KEYWORD:
                    rest_by_name = kind
                case parameter.KEYWORD_ONLY:
                    by_name[name] = kind
                    required = -1 if mandatory else required
                case parameter.POSITIONAL_ONLY:
                    positional.append(kind)
                    required += mandatory
                case _:
                    positional.append(kind)
                    by_name[name] = kind
                    required += mandatory
        return cls(signature, tuple(positional), by_name, rest, rest_by_name, required)

    def convert(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Convert decoded JSON to the annotated types.

        Raises:
            ArgumentError: they do not fit the signature or an annotation; it says which and why.
        """
        self.check(args, kwargs)
        converted = [
            _convert(value, self.positional[i] if i < len(self.positional) else self.rest, i)
            for i, value in enumerate(args)
        ]
        named = {
            name: _convert(value, self.by_name.get(name, self.rest_by_name), name) for name, value in kwargs.items()
        }
        return converted, named

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """See that the function could be called so, whatever the types.

        Raises:
            ArgumentError: one is missing, or there is one too many.
        """
        if not kwargs and 0 <= self.required <= len(args) <= len(self.positional):
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"the arguments do not fit {self.signature}: {error}") from error


def _hint(annotation: Any, namespace: Mapping[str, Any]) -> Any:
    """What an annotation means; ``Any`` when there is none, or when only type checkers know."""
    if annotation is inspect.Parameter.empty:
        return Any
    holder = SimpleNamespace(__annotations__={"value": annotation})
    try:
        return get_type_hints(holder, globalns=dict(namespace), include_extras=True)["value"]
    except Exception:  # user code: an annotation may be any expression
        return Any


def _convert(value: Any, kind: Any, where: int | str) -> Any:
    if kind is Any or kind is None:
        return value
    try:
        return msgspec.convert(value, kind, str_keys=True, dec_hook=decode_hook)
    except (msgspec.ValidationError, TypeError, NotImplementedError) as error:
        label = f"argument {where + 1}" if isinstance(where, int) else f"argument {where!r}"
        raise ArgumentError(f"{label}: {error}") from error


def _list_of(kind: Any) -> Any:
    items = get_args(kind)
    return list.__class_getitem__(items[0]) if items else list
