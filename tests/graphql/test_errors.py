"""Errors tell what a client may know, and the log the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from graphql import GraphQLError
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Role, Viewer
from hub.graphql.context import Context
from hub.graphql.errors import presentable
from hub.graphql.schema import HubSchema
from hub.health import queries as health
from hub.kit import errors
from hub.kit.runtime import Kit


def code_of(cause: Exception, **more: Any) -> tuple[str, str]:
    (error,) = presentable([GraphQLError("inside", original_error=cause, **more)], "r-1")
    return str((error.extensions or {})["code"]), error.message


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (errors.NotAllowed("no", remedy="ask"), "FORBIDDEN"),
        (errors.NotFound("no"), "NOT_FOUND"),
        (errors.Invalid("no", path=("first",)), "BAD_USER_INPUT"),
        (errors.SettingsInvalid("no"), "UNAVAILABLE"),
        (TimeoutError(), "TIMEOUT"),
        (ConnectionRefusedError("10.0.0.1:5432"), "UNAVAILABLE"),
        (OperationalError("SELECT secret", {}, Exception("db.internal")), "UNAVAILABLE"),
        (KeyError("secret"), "INTERNAL_SERVER_ERROR"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_cause_has_its_code_and_bugs_say_nothing(cause: Exception, code: str) -> None:
    """What is ours to tell is told; what is not expected shows neither its text nor its statement."""
    with structlog.testing.capture_logs():
        found, message = code_of(cause)
    assert found == code
    for word in ("secret", "SELECT", "10.0.0.1", "db.internal", "inside"):
        assert word not in message


def test_a_bug_is_logged_with_its_traceback_and_the_request() -> None:
    """The client quotes the id of the request; the log has it with the cause."""
    cause = ValueError("deep inside")
    with structlog.testing.capture_logs() as logs:
        (error,) = presentable([GraphQLError("x", original_error=cause, path=["accounts"])], "r-7")
    assert error.extensions == {"code": "INTERNAL_SERVER_ERROR", "requestId": "r-7"}
    assert (logs[0]["event"], logs[0]["exc_info"], logs[0]["request_id"]) == ("graphql.bug", cause, "r-7")


def test_one_cause_that_failed_many_fields_is_told_once() -> None:
    """A database that is away fails a hundred fields; one error and one line in the log are enough."""
    cause = ConnectionRefusedError("gone")
    with structlog.testing.capture_logs() as logs:
        found = presentable([GraphQLError("x", original_error=cause, path=[nth]) for nth in range(100)], "r-1")
    assert len(found) == len(logs) == 1


def test_a_value_that_the_schema_cannot_show_is_a_bug() -> None:
    """An error of GraphQL's own at a field, without a code, is not the client's fault."""
    with structlog.testing.capture_logs():
        (error,) = presentable([GraphQLError("Enum cannot represent 'x'", path=["a"])], "r-1")
    assert (error.extensions or {})["code"] == "INTERNAL_SERVER_ERROR"


class Anybody:
    """A credential that is always accepted."""

    async def viewer(self) -> Viewer:
        return Viewer("test", Role.CSM)


@asynccontextmanager
async def slow_kit(kit: Kit) -> AsyncIterator[Context]:
    yield Context(kit, Anybody(), Viewer("test", Role.CSM), request_id="r-1")


async def test_an_operation_that_takes_too_long_is_stopped(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time the client gets an answer, and nothing goes on behind it."""
    stopped = asyncio.Event()

    async def forever(session: AsyncSession, *_: object) -> None:
        try:
            await session.connection()
            await asyncio.sleep(60)
        finally:
            stopped.set()

    monkeypatch.setattr(health, "portfolio", forever)
    async with slow_kit(kit) as context:
        result = await HubSchema(seconds=0.2, compiled=False).execute("{ accounts { nodes { id } } }", None, context)
    assert result.data is None
    assert result.errors is not None
    assert (result.errors[0].extensions or {})["code"] == "TIMEOUT"
    assert stopped.is_set()


async def test_a_bug_in_a_resolver_shows_no_stack(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole answer holds neither the text of the exception nor a file's name."""

    async def broken(*_: object) -> None:
        raise RuntimeError("hub_secret at /srv/hub/health.py")

    monkeypatch.setattr(health, "portfolio", broken)
    async with slow_kit(kit) as context:
        with structlog.testing.capture_logs():
            result = await HubSchema(compiled=False).execute("{ accounts { nodes { id } } }", None, context)
    assert result.errors is not None
    assert "hub_secret" not in str(result.errors[0].formatted)
    assert ".py" not in str(result.errors[0].formatted)
