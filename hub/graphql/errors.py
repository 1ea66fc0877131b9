"""Errors as clients see them: a message, a code, and never how the hub works inside.

GraphQL errors are for malformed requests and for bugs; what a person may run into is a value of the schema
(`refusals`). Whatever is not expected here is a bug: it is logged with its traceback, and the client gets the id of the
request to quote.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import structlog
from asyncpg import InterfaceError, PostgresConnectionError
from graphql import GraphQLError, GraphQLSyntaxError
from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError as SqlInterfaceError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hub.kit.errors import HubError, Invalid, NotAllowed, NotFound, Unreachable

log = structlog.get_logger()

AWAY = (
    OperationalError,
    SqlInterfaceError,
    PoolTimeoutError,
    InterfaceError,
    PostgresConnectionError,
    RedisError,
    OSError,
    Unreachable,
)


class Code(StrEnum):
    """`extensions.code` of an error."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    BAD_REQUEST = "BAD_REQUEST"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    OPERATION_RESOLUTION_FAILED = "OPERATION_RESOLUTION_FAILED"
    DOCUMENT_TOO_LARGE = "DOCUMENT_TOO_LARGE"
    DOCUMENT_TOO_DEEP = "DOCUMENT_TOO_DEEP"
    DOCUMENT_TOO_COMPLEX = "DOCUMENT_TOO_COMPLEX"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    TOO_MANY_NODES = "TOO_MANY_NODES"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    TIMEOUT = "TIMEOUT"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


def coded(message: str, code: Code) -> GraphQLError:
    """An error of the API's own."""
    return GraphQLError(message, extensions={"code": code.value})


def presentable(errors: Sequence[GraphQLError], request_id: str) -> list[GraphQLError]:
    """The errors as clients see them; one cause that failed many fields is told, and logged, once."""
    told: dict[object, GraphQLError] = {}
    for error in errors:
        cause = error.original_error or error
        if (same := _sameness(cause)) not in told:
            told[same] = _presented(error, cause, request_id)
    return list(told.values())


def _sameness(cause: Exception) -> object:
    if isinstance(cause, GraphQLError) and (cause.extensions or {}).get("code") == Code.TOO_MANY_NODES:
        return Code.TOO_MANY_NODES
    return id(cause)


def _presented(error: GraphQLError, cause: Exception, request_id: str) -> GraphQLError:
    extensions: dict[str, object]
    match cause:
        case NotAllowed():
            message, extensions = cause.message, {"code": Code.FORBIDDEN.value}
        case NotFound():
            message, extensions = cause.message, {"code": Code.NOT_FOUND.value}
        case Invalid():
            message, extensions = cause.message, {"code": Code.BAD_USER_INPUT.value, "argument": list(cause.path)}
        case GraphQLError():
            return _of_graphql(error, cause, request_id)
        case TimeoutError():
            message, extensions = "The operation took too long and was stopped.", {"code": Code.TIMEOUT.value}
        case _ if isinstance(cause, AWAY):
            log.warning("graphql.unavailable", error=str(cause).partition("\n")[0], request_id=request_id)
            message, extensions = (
                "The hub cannot answer now; try again.",
                {"code": Code.UNAVAILABLE.value},
            )
        case HubError():
            message, extensions = cause.message, {"code": Code.UNAVAILABLE.value}
        case _:
            return _bug(error, cause, request_id)
    if isinstance(cause, HubError) and cause.remedy:
        extensions["remedy"] = cause.remedy
    return _like(error, message, extensions)


def _of_graphql(error: GraphQLError, cause: GraphQLError, request_id: str) -> GraphQLError:
    if (error.extensions or {}).get("code"):
        return error
    if isinstance(cause, GraphQLSyntaxError):
        return _like(error, error.message, {"code": Code.GRAPHQL_PARSE_FAILED.value})
    if error.path and not error.message.startswith("Argument "):
        # A value that the schema cannot show: what we said of it is wrong.
        return _bug(error, cause, request_id)
    return _like(error, error.message, {"code": Code.BAD_USER_INPUT.value})


def _bug(error: GraphQLError, cause: Exception, request_id: str) -> GraphQLError:
    log.error("graphql.bug", path=error.path, request_id=request_id, exc_info=cause)
    message = "Something went wrong on our side; quote the request id when you tell us."
    return _like(error, message, {"code": Code.INTERNAL_SERVER_ERROR.value, "requestId": request_id})


def _like(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
