"""GraphQL over HTTP as its specification says: media types, status codes, and errors as JSON everywhere.

POST with a JSON body, or GET for what only reads. The answer is `application/json` (200 even for a refused document,
which is what old clients expect) or, when the client accepts it, `application/graphql-response+json` (a 4xx for a
request that was not carried out). `text/event-stream` streams: see `events`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import orjson
from graphql import GraphQLError
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from hub.graphql import events, explorer
from hub.graphql.context import Context, Gate
from hub.graphql.credentials import KeyRing, bearer_key
from hub.graphql.errors import Code, coded, presentable
from hub.graphql.metrics import observed
from hub.graphql.schema import HubSchema
from hub.graphql.trusted import Trusted
from hub.kit.runtime import Kit

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"
MOST_BODY_BYTES = 500_000
DEEPEST_VARIABLES = 30
TELL_COST = "x-hub-cost"
"""The request header with which a client asks for `extensions.cost`."""


READING = (OperationType.QUERY,)
READING_AND_WRITING = (OperationType.QUERY, OperationType.MUTATION)

STATUS: dict[str, HTTPStatus] = {
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.NOT_ACCEPTABLE: HTTPStatus.NOT_ACCEPTABLE,
    Code.PAYLOAD_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    Code.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.INTERNAL_SERVER_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Status codes of requests that were not carried out; 400 where none is given."""

ALWAYS: frozenset[str] = frozenset(STATUS) - {Code.INTERNAL_SERVER_ERROR, Code.FORBIDDEN} | {Code.BAD_REQUEST}
"""Codes whose status is used whatever the client accepts: they concern the request and not the document."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, read."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


class Endpoint:
    """The ASGI application at `/graphql`, for HTTP."""

    def __init__(self, kit: Kit, schema: HubSchema, ring: KeyRing, turns: asyncio.Semaphore, gate: Gate) -> None:
        self._turns = turns
        self._gate = gate
        self._kit = kit
        self._schema = schema
        self._ring = ring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        accepts = accepted(headers.get("accept"))
        request_id: str = scope.get("request_id", "")
        if self._kit.settings.graphiql and explorer.is_asked_for(scope["query_string"], scope["method"], accepts):
            await explorer.page(send)
            return
        try:
            media = negotiated(accepts)
            asked = await read_request(scope, headers, receive, self._gate.trusted)
            context = await self._context(headers, request_id)
            if media == EVENTS:
                await self._stream(scope, receive, send, asked, context)
                return
            allowed = (
                (OperationType.QUERY,) if scope["method"] == "GET" else (OperationType.QUERY, OperationType.MUTATION)
            )
            with observed() as outcome:
                result = await self._schema.execute(
                    asked.query, asked.variables, context, None, asked.operation_name, allowed
                )
                outcome.of(result)
            if TELL_COST in headers and context.cost:
                result = replace(result, extensions={"cost": {**context.cost, "actual": context.spent}})
        except Exception as error:  # whatever it is, the client gets JSON, and a bug its log line
            result, media = _failed(error, request_id), GRAPHQL_JSON if GRAPHQL_JSON in accepts else JSON
        await answer(send, result, media)

    async def _context(self, headers: dict[str, str], request_id: str) -> Context:
        credential = bearer_key(self._ring, headers.get("authorization"))
        return Context(
            self._kit,
            credential,
            await credential.viewer(),
            request_id=request_id,
            turns=self._turns,
            resume_after=headers.get("last-event-id") or None,
            gate=self._gate,
        )

    async def _stream(self, scope: Scope, receive: Receive, send: Send, asked: Asked, context: Context) -> None:
        kind = self._schema.kind_of(asked.query, asked.operation_name)
        if kind is OperationType.MUTATION and scope["method"] == "GET":
            raise coded("Mutations are sent by POST.", Code.METHOD_NOT_ALLOWED)
        results = await self._schema.stream(asked.query, asked.variables, context, operation_name=asked.operation_name)
        await events.send_stream(receive, send, results, context)


def accepted(header: str | None) -> list[str]:
    """The media types that a client accepts, the one it likes best first; any, when it does not say."""
    ranges: list[tuple[float, int, str]] = []
    for nth, part in enumerate((header or "*/*").split(",")):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            weight = 0.0
        if media and weight > 0:
            ranges.append((-weight, nth, media))
    return [media for _, _, media in sorted(ranges)]


def negotiated(accepts: list[str]) -> str:
    """The media type to answer with. Raises `GraphQLError` (NOT_ACCEPTABLE) when there is none."""
    for media in accepts:
        if media in (GRAPHQL_JSON, JSON, EVENTS):
            return media
        if media in ("*/*", "application/*"):
            return JSON
    raise coded(f"Answers are {GRAPHQL_JSON}, {JSON} or {EVENTS}.", Code.NOT_ACCEPTABLE)


async def read_request(scope: Scope, headers: dict[str, str], receive: Receive, trusted: Trusted) -> Asked:
    """What is asked. Raises `GraphQLError` with a code for what is no GraphQL request."""
    match scope["method"]:
        case "GET":
            return checked(_from_url(scope["query_string"]), trusted)
        case "POST":
            media, _, parameters = headers.get("content-type", "").partition(";")
            charset = parameters.strip().lower().removeprefix("charset=").strip('"')
            if media.strip().lower() != JSON or charset not in ("", "utf-8", "utf8"):
                raise coded(f"Send the request as {JSON} in UTF-8.", Code.UNSUPPORTED_MEDIA_TYPE)
            return checked(_json(await _body(headers, receive), "The body"), trusted)
        case _:
            raise coded("GraphQL is asked by GET or POST.", Code.METHOD_NOT_ALLOWED)


async def _body(headers: dict[str, str], receive: Receive) -> bytes:
    too_large = coded(f"The body has more than {MOST_BODY_BYTES} bytes.", Code.PAYLOAD_TOO_LARGE)
    if headers.get("content-encoding", "identity") != "identity":
        raise coded("Send the body without a Content-Encoding.", Code.UNSUPPORTED_MEDIA_TYPE)
    if headers.get("content-length", "").isdigit() and int(headers["content-length"]) > MOST_BODY_BYTES:
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise coded("The body is incomplete.", Code.BAD_REQUEST)
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def _from_url(query_string: bytes) -> dict[str, Any]:
    try:
        found = parse_qs(query_string.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError:
        raise coded("The query string cannot be read.", Code.BAD_REQUEST) from None
    parameters: dict[str, Any] = {name: values[-1] for name, values in found.items()}
    for name in ("variables", "extensions"):
        if name in parameters:
            parameters[name] = _json(parameters[name].encode() or b"null", f"`{name}`")
    parameters["operationName"] = parameters.get("operationName") or None
    return parameters


def _json(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise coded(f"{what} is not JSON.", Code.BAD_REQUEST) from None


def checked(parameters: Any, trusted: Trusted) -> Asked:
    """The parts of a request. Raises `GraphQLError` (BAD_REQUEST, DOCUMENT_NOT_FOUND)."""
    if not isinstance(parameters, dict):
        raise coded("The request is a JSON object with `query`; batches are not taken.", Code.BAD_REQUEST)
    query, variables = parameters.get("query"), parameters.get("variables")
    if query is None and "documentId" in parameters:
        query = trusted.text(parameters["documentId"])
    operation_name, extensions = parameters.get("operationName"), parameters.get("extensions")
    if not isinstance(query, str) or not query.strip():
        raise coded("`query` is the text of a document, or `documentId` the id of a trusted one.", Code.BAD_REQUEST)
    if variables is not None and not isinstance(variables, dict):
        raise coded("`variables` is an object.", Code.BAD_REQUEST)
    if operation_name is not None and not isinstance(operation_name, str):
        raise coded("`operationName` is a text.", Code.BAD_REQUEST)
    if extensions is not None and not isinstance(extensions, dict):
        raise coded("`extensions` is an object.", Code.BAD_REQUEST)
    if _is_deeper(variables, DEEPEST_VARIABLES):
        raise coded(f"`variables` are nested deeper than {DEEPEST_VARIABLES} levels.", Code.BAD_REQUEST)
    return Asked(query, variables, operation_name)


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    below = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in below)


def _failed(error: Exception, request_id: str) -> ExecutionResult:
    """A request that never became an operation."""
    found = error if isinstance(error, GraphQLError) else GraphQLError("", original_error=error)
    return PreExecutionError(None, presentable([found], request_id))


def encoded(result: ExecutionResult) -> dict[str, Any]:
    """A result as the specification shapes it: no `data` when nothing was carried out."""
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if not isinstance(result, PreExecutionError):
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def status_of(result: ExecutionResult, media: str) -> HTTPStatus:
    """The status code of an answer. A document that was carried out has 200, even where an error took all its data."""
    if not result.errors or result.data is not None:
        return HTTPStatus.OK
    code = str((result.errors[0].extensions or {}).get("code"))
    if code in ALWAYS or (media == GRAPHQL_JSON and isinstance(result, PreExecutionError)):
        return STATUS.get(code, HTTPStatus.BAD_REQUEST)
    return HTTPStatus.OK


async def answer(send: Send, result: ExecutionResult, media: str) -> None:
    """Send a result."""
    status = status_of(result, media)
    body = orjson.dumps(encoded(result))
    headers = [
        (b"content-type", f"{media}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"GET, POST"))
    if status is HTTPStatus.TOO_MANY_REQUESTS and result.errors:
        headers.append((b"retry-after", str((result.errors[0].extensions or {}).get("retryAfter", 1)).encode()))
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="hub"'))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
