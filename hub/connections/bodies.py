"""Request bodies from strangers: never more of them in memory than the cap, compressed or not."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from starlette.types import Receive

from hub.connections.answers import Answer, refuse

SECONDS_TO_ARRIVE = 30.0
GZIP = 31
DEFLATE = 15


async def read_body(headers: Mapping[str, str], receive: Receive, cap: int) -> bytes | Answer:
    """The body as the sender meant it, at most `cap` bytes before and after decompression; or why not.

    A body that is too large is refused by its declared length, or as soon as it exceeds the cap: never read to its end.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > cap:
        return too_large(cap)
    body = await _received(receive, cap)
    if isinstance(body, Answer) or not (encoding := headers.get("content-encoding")):
        return body
    return _decoded(body, encoding.strip().lower(), cap)


async def _received(receive: Receive, cap: int) -> bytes | Answer:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return _gone() if message["type"] == "http.disconnect" else body if len(body) <= cap else too_large(cap)
    parts, size = [body], len(body)
    try:
        async with asyncio.timeout(SECONDS_TO_ARRIVE):
            while message.get("more_body"):
                message = await receive()
                if message["type"] == "http.disconnect":
                    return _gone()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > cap:
                    return too_large(cap)
    except TimeoutError:
        return refuse(
            408, "body_too_slow", f"The body did not arrive within {SECONDS_TO_ARRIVE:.0f} seconds.", close=True
        )
    return b"".join(parts)


def _decoded(body: bytes, encoding: str, cap: int) -> bytes | Answer:
    match encoding:
        case "identity":
            return body
        case "gzip" | "x-gzip":
            window = GZIP
        case "deflate":
            window = DEFLATE
        case _:
            return refuse(415, "unknown_encoding", "Content-Encoding must be gzip, deflate or identity.")
    decompressor = zlib.decompressobj(window)
    try:
        plain = decompressor.decompress(body, cap + 1)
    except zlib.error:
        return refuse(400, "bad_encoding", f"The body is not valid {encoding}.")
    if len(plain) > cap:
        return too_large(cap)
    if not decompressor.eof:
        return refuse(400, "bad_encoding", f"The {encoding} body ends too early.")
    return plain


def too_large(cap: int) -> Answer:
    """413; the connection is closed, since the rest of the body is on its way and nobody will read it."""
    return refuse(413, "too_large", f"The body is larger than {cap} bytes.", close=True)


def _gone() -> Answer:
    return refuse(400, "disconnected", "The sender went away before the body was complete.", close=True)
