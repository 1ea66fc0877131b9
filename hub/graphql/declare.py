"""Declaring the schema so that nothing goes without a description: docstrings are what API readers see."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from typing_extensions import dataclass_transform

T = TypeVar("T")


def about(description: str) -> Any:
    """A field with its description."""
    return strawberry.field(description=description)


def maybe(description: str, *, default: None = None) -> Any:
    """A field of an input that may be left out."""
    return strawberry.field(description=description, default=default)


@dataclass_transform(kw_only_default=True, field_specifiers=(about, maybe, strawberry.field))
def output(cls: type[T]) -> type[T]:
    """An object type, described by its docstring."""
    return strawberry.type(cls, description=described(cls))


@dataclass_transform(kw_only_default=True, field_specifiers=(about, maybe, strawberry.field))
def interface(cls: type[T]) -> type[T]:
    """An interface, described by its docstring."""
    return strawberry.interface(cls, description=described(cls))


@dataclass_transform(kw_only_default=True, field_specifiers=(about, maybe, strawberry.field))
def given(cls: type[T]) -> type[T]:
    """An input type, described by its docstring."""
    return strawberry.input(cls, description=described(cls))


def resolved(function: Callable[..., Any]) -> StrawberryField:
    """A field with a resolver, described by its docstring."""
    return strawberry.field(function, description=described(function))


def mutation(function: Callable[..., Any]) -> StrawberryField:
    """A mutation, described by its docstring."""
    return strawberry.mutation(function, description=described(function))


def subscription(function: Callable[..., Any]) -> StrawberryField:
    """A subscription, described by its docstring."""
    return strawberry.subscription(function, description=described(function))


def argument(description: str) -> Any:
    """The metadata of an argument: `Annotated[int, argument("…")]`."""
    return strawberry.argument(description=description)


def vocabulary(enum: type[StrEnum], **meanings: str) -> None:
    """Make a closed vocabulary of the domain an enum of the schema: its docstring and the meaning of each value.

    Raises `TypeError` when a value is not explained, or one is explained that does not exist.
    """
    if meanings.keys() != enum.__members__.keys():
        odd = ", ".join(sorted(meanings.keys() ^ enum.__members__.keys()))
        raise TypeError(f"{enum.__name__}: explain every value, and only those: {odd}")
    strawberry.enum(enum, description=described(enum))
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]  # set above
    for value in definition.values:
        value.description = meanings[value.name]


def described(thing: type | Callable[..., Any]) -> str:
    """The docstring as running text. Raises `TypeError` when there is none."""
    text = inspect.cleandoc(thing.__doc__ or "")
    if not text:
        raise TypeError(f"{thing.__qualname__} needs a docstring: it is the description that API readers see")
    return " ".join(text.split())
