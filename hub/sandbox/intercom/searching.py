"""Searching: Intercom's query language, as far as it is asked here, and its walk through the results.

Times are compared by calendar day in the workspace's time zone: `>` begins on the day after the one that is named, `<`
ends on the day before, `=` is that whole day. A place in the results (`starting_after`) is what the last result was
sorted by, so what is added or changed meanwhile moves nothing that is still to come.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import orjson

from hub.sandbox.intercom.workspace import Contact, Conversation

T = TypeVar("T", Contact, Conversation)

MOST: Final = 150
DAY: Final = 86_400

_TIMES: Final = {"created_at": "created", "updated_at": "updated"}
_FIELDS: Final[Mapping[type, Mapping[str, str]]] = {
    Contact: {"id": "id", "role": "role", "email": "email", "external_id": "external"},
    Conversation: {"id": "id", "state": "state", "contact_ids": "contacts"},
}


class BadQuery(Exception):
    """The search is refused, for this reason."""


def search(things: Mapping[str, T], asked: Mapping[str, Any], offset: int) -> tuple[list[T], int, str | None]:
    """A page of the things that fit: they, how many fit in all, and the place behind them (None: the end).

    `offset` is the workspace's distance from UTC in seconds. Raises `BadQuery`.
    """
    kind = type(next(iter(things.values()))) if things else Contact
    fits = _fits(asked.get("query") or {}, kind, offset)
    sort = asked.get("sort") or {}
    attribute = _TIMES.get(sort.get("field", "created_at"))
    if attribute is None:
        raise BadQuery(f"sort field {sort.get('field')} is not supported")
    descending = sort.get("order", "descending") == "descending"
    found = sorted(
        (thing for thing in things.values() if fits(thing)),
        key=lambda thing: (getattr(thing, attribute), thing.id),
        reverse=descending,
    )
    pagination = asked.get("pagination") or {}
    limit = pagination.get("per_page", 50)
    if not isinstance(limit, int) or not 1 <= limit <= MOST:
        raise BadQuery(f"per_page must be between 1 and {MOST}")
    rest = found
    if (after := pagination.get("starting_after")) is not None:
        place = _place(after)
        rest = [one for one in found if _is_behind((getattr(one, attribute), one.id), place, descending)]
    page = rest[:limit]
    following = _token(getattr(page[-1], attribute), page[-1].id) if len(rest) > limit else None
    return page, len(found), following


def _fits(query: Mapping[str, Any], kind: type, offset: int) -> Callable[[Any], bool]:
    operator, value = query.get("operator"), query.get("value")
    if operator in ("AND", "OR") and isinstance(value, list):
        parts = [_fits(part, kind, offset) for part in value]
        return lambda thing: (all if operator == "AND" else any)(part(thing) for part in parts)
    name = str(query.get("field"))
    if name in _TIMES:
        return _by_day(_TIMES[name], str(operator), value, offset)
    attribute = _FIELDS[kind].get(name)
    if attribute is None:
        raise BadQuery(f"{name} is not a valid search field")
    if operator != "=":
        raise BadQuery(f"operator {operator} is not supported for {name}")

    def equals(thing: Any) -> bool:
        held = getattr(thing, attribute)
        return value in held if isinstance(held, tuple) else held == value

    return equals


def _by_day(attribute: str, operator: str, value: Any, offset: int) -> Callable[[Any], bool]:
    try:
        day = (int(value) + offset) // DAY
    except (TypeError, ValueError):
        raise BadQuery(f"{value!r} is not a time") from None

    def of(thing: Any) -> int:
        return int(getattr(thing, attribute) + offset) // DAY

    match operator:
        case ">":
            return lambda thing: of(thing) > day
        case "<":
            return lambda thing: of(thing) < day
        case "=":
            return lambda thing: of(thing) == day
        case _:
            raise BadQuery(f"operator {operator} is not supported for times")


def _is_behind(one: tuple[int, str], place: tuple[int, str], descending: bool) -> bool:
    return one < place if descending else one > place


def _token(at: int, id_: str) -> str:
    return base64.b64encode(orjson.dumps([at, id_])).decode()


def _place(token: str) -> tuple[int, str]:
    try:
        at, id_ = orjson.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise BadQuery("starting_after is not a valid cursor") from None
    return int(at), str(id_)
