"""Refusals: what a mutation answers when it does not do what was asked. Values, not errors.

A mutation's resolver calls the room's service; what the service raises of `hub.kit.errors` becomes the refusal of the
same name, wherever the mutation's result includes it.
"""

from __future__ import annotations

import strawberry
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from hub.graphql.declare import about, interface, output
from hub.kit import errors


@interface
class Refusal:
    """Why something was not done. Every mutation's result includes the refusals that it may give."""

    message: str = about("What is wrong, in one line, for people.")
    remedy: str | None = about("What to do about it, where there is something.")


@output
class NotAllowed(Refusal):
    """The role of the key does not permit it."""


@output
class NotFound(Refusal):
    """What was named does not exist."""


@output
class InvalidInput(Refusal):
    """The input breaks a rule."""

    path: list[str] = about("The part of the input that is wrong; empty for the whole.")


@output
class Conflict(Refusal):
    """It has changed since it was read: its version is another one than the one expected."""


def refusal_of(error: errors.HubError) -> Refusal:
    """The refusal of the same name, for results that list what was refused."""
    message, remedy = error.message, error.remedy or None
    match error:
        case errors.NotAllowed():
            return NotAllowed(message=message, remedy=remedy)
        case errors.NotFound():
            return NotFound(message=message, remedy=remedy)
        case errors.Conflict():
            return Conflict(message=message, remedy=remedy)
        case errors.Invalid():
            return InvalidInput(message=message, remedy=remedy, path=list(error.path))
        case _:
            raise error


class RefuseNotAllowed(strawberry.ExceptionHandler[errors.NotAllowed, NotAllowed]):
    """`errors.NotAllowed` as a value."""

    def handle(self, exception: errors.NotAllowed, *, field: StrawberryField, info: Info) -> NotAllowed:
        return NotAllowed(message=exception.message, remedy=exception.remedy or None)


class RefuseNotFound(strawberry.ExceptionHandler[errors.NotFound, NotFound]):
    """`errors.NotFound` as a value."""

    def handle(self, exception: errors.NotFound, *, field: StrawberryField, info: Info) -> NotFound:
        return NotFound(message=exception.message, remedy=exception.remedy or None)


class RefuseInvalid(strawberry.ExceptionHandler[errors.Invalid, InvalidInput]):
    """`errors.Invalid` as a value."""

    def handle(self, exception: errors.Invalid, *, field: StrawberryField, info: Info) -> InvalidInput:
        return InvalidInput(message=exception.message, remedy=exception.remedy or None, path=list(exception.path))


class RefuseConflict(strawberry.ExceptionHandler[errors.Conflict, Conflict]):
    """`errors.Conflict` as a value."""

    def handle(self, exception: errors.Conflict, *, field: StrawberryField, info: Info) -> Conflict:
        return Conflict(message=exception.message, remedy=exception.remedy or None)


HANDLERS = (RefuseNotAllowed(), RefuseNotFound(), RefuseInvalid(), RefuseConflict())
