"""Intercom's answers: documents, refusals, and several of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, TypeVar

import httpx
import orjson

from hub.sdk.errors import Misconfigured, Unavailable

T = TypeVar("T")


async def together(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give; where one fails the others are stopped, and not left to go on behind the reader's back."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def document(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object. Raises `Misconfigured` for a refusal, `Unavailable` for what is none."""
    if answer.is_error:
        raise Misconfigured(f"Intercom refused {answer.request.url.path}: {reason(answer)}")
    try:
        found = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable(f"{answer.request.url.path} did not answer with JSON.", detail=answer.text[:200])
    return found


def updated(row: Mapping[str, Any], unknown: int) -> int:
    """When a row was updated; one that does not say so is judged, and shown, by the host."""
    at = row.get("updated_at")
    return at if isinstance(at, int) else unknown


def _errors(answer: httpx.Response) -> list[dict[str, Any]]:
    """The entries of an `error.list`, Intercom's shape of a refusal."""
    try:
        errors: list[dict[str, Any]] = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return errors


def codes(answer: httpx.Response) -> set[str]:
    """What kinds of refusal an answer names."""
    return {str(error.get("code")) for error in _errors(answer)}


def reason(answer: httpx.Response) -> str:
    """What Intercom says of a refusal."""
    said = "; ".join(str(error.get("message")) for error in _errors(answer))
    return said or f"HTTP {answer.status_code}"
