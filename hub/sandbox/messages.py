"""Messages: one thing that a person did, in the shape in which a Segment client puts it on the wire.

The keys and their order are those of the real clients: server-side calls look like analytics-python's, page
views like analytics.js's. `timestamp` is the client's own time; Segment calls it `originalTimestamp` once it
has arrived.
"""

from datetime import UTC, datetime
from random import Random
from typing import Any, Final, TypeAlias
from uuid import UUID

from hub.sandbox.companies import Company, Person

Message: TypeAlias = dict[str, Any]

_SERVER: Final = {"name": "analytics-python", "version": "2.3.4"}
_BROWSER: Final = {"name": "analytics.js", "version": "npm:next-1.81.0"}
_PHONE: Final = {"name": "analytics-swift", "version": "1.8.0"}


def wire_time(at: datetime) -> str:
    """`2026-05-01T07:25:37.120Z`: UTC with milliseconds, so that texts sort as times do."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identify(rng: Random, person: Person, at: datetime) -> Message:
    traits = {
        "email": person.email,
        "name": person.name,
        "role": person.role.value,
        "createdAt": wire_time(person.joined),
        "timezone": person.zone.name,
    }
    return _message(rng, "identify", at, person.id, {"traits": traits}, {"library": _SERVER})


def group(rng: Random, company: Company, person: Person, at: datetime) -> Message:
    traits = {
        "name": company.name,
        "domain": company.domain,
        "plan": company.plan.value,
        "employees": company.employees,
        "industry": company.industry,
        "seats": company.licences_at(at),
        "renewalDate": company.renewal_after(at).isoformat(),
        "createdAt": wire_time(company.since),
    }
    fields = {"groupId": company.id, "traits": traits}
    return _message(rng, "group", at, person.id, fields, {"library": _SERVER})


def track(rng: Random, company: Company | None, person: Person, event: str, at: datetime, **properties: Any) -> Message:
    """Without a company the message carries no `context.groupId`, as calls outside of a workspace do."""
    context: dict[str, Any] = {"library": _SERVER}
    if company is not None:
        context["groupId"] = company.id
    return _message(rng, "track", at, person.id, {"event": event, "properties": properties}, context)


def page(rng: Random, user: str | None, anonymous: str | None, name: str, at: datetime) -> Message:
    """A page view, by somebody who is signed in (`user`) or not yet (`anonymous`)."""
    path = f"/{name.lower().replace(' ', '-')}"
    url = f"https://app.sandbox.example{path}"
    fields = {"name": name, "category": None, "properties": {"path": path, "url": url, "title": name}}
    context = {"library": _BROWSER, "page": {"path": path, "url": url, "title": name}, "locale": "en-GB"}
    return _message(rng, "page", at, user, fields, context, anonymous)


def screen(rng: Random, company: Company, person: Person, name: str, at: datetime) -> Message:
    """A screen of the mobile app."""
    context = {"library": _PHONE, "groupId": company.id, "device": {"type": "ios"}}
    return _message(rng, "screen", at, person.id, {"name": name, "properties": {}}, context)


def alias(rng: Random, person: Person, at: datetime) -> Message:
    """Says that whoever looked around as `previousId` is this person."""
    return _message(rng, "alias", at, person.id, {"previousId": person.anonymous_id}, {"library": _BROWSER})


def _message(
    rng: Random,
    kind: str,
    at: datetime,
    user: str | None,
    fields: Message,
    context: Message,
    anonymous: str | None = None,
) -> Message:
    return {
        "integrations": {},
        "anonymousId": anonymous,
        **fields,
        "timestamp": wire_time(at),
        "context": context,
        "userId": user,
        "type": kind,
        "messageId": str(UUID(int=rng.getrandbits(128), version=4)),
    }
