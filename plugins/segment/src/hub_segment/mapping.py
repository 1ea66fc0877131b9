"""What each Segment call means on the account timeline.

B2B SaaS event names (https://segment.com/docs/connections/spec/b2b-saas/) have kinds of their own; every other `track`
is product usage under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub import sdk
from hub_segment.models import Message

SAAS_EVENTS: Mapping[str, str] = {
    "account created": "account.created",
    "account deleted": "account.deleted",
    "account added user": "person.added",
    "account removed user": "person.removed",
    "signed up": "person.signed_up",
    "signed in": "person.signed_in",
    "signed out": "person.signed_out",
    "invite sent": "person.invited",
    "trial started": "trial.started",
    "trial ended": "trial.ended",
}
"""Names of the B2B SaaS specification, compared in lower case."""

USUAL_EVENTS: Mapping[str, str] = {
    "setup completed": "setup.completed",
    "data exported": "data.exported",
    "report viewed": "report.viewed",
    "survey answered": "survey.answered",
}
"""Names that products commonly use for what the hub has a kind of its own for."""

KIND_OF_CALL: Mapping[str, str] = {
    "identify": "person.identified",
    "group": "account.identified",
    "alias": "person.aliased",
    "page": "page.viewed",
    "screen": "page.viewed",
    "delete": "person.erasure_requested",
}

ANONYMOUS = "segment.anonymous"

EMITS = frozenset({*SAAS_EVENTS.values(), *USUAL_EVENTS.values(), *KIND_OF_CALL.values(), "product.used"})

PERSON_TRAITS: Mapping[str, tuple[str, ...]] = {
    "email": ("email",),
    "name": ("name",),
    "role": ("role",),
    "title": ("title", "position"),
    "time_zone": ("timezone", "timeZone", "time_zone"),
}
ROLES: Mapping[str, str] = {"admin": "administrator", "user": "end_user", "end user": "end_user"}
ACCOUNT_TRAITS: Mapping[str, tuple[str, ...]] = {
    "name": ("name",),
    "domain": ("domain", "website"),
    "plan": ("plan",),
    "employees": ("employees",),
    "industry": ("industry",),
    "licences": ("licences", "licenses", "seats"),
    "renews_at": ("renewsAt", "renews_at", "renewalDate"),
    "owner": ("owner", "csm"),
    "time_zone": ("timezone", "timeZone"),
}


def events(message: Message) -> list[sdk.Event]:
    """The event of one message, at its group where it names one, otherwise at its user."""
    kind = _kind(message)
    person = _person(message)
    if person is None and message.group_id is None and message.context.group_id is None:
        raise ValueError("the message names neither a user nor a group: set userId, anonymousId or groupId")
    account = _account(message, person)
    return [
        sdk.Event(
            kind=kind,
            occurred_at=message.happened_at,
            account=account,
            people=(person,) if person else (),
            subject=sdk.Subject("account", account.place, attributes=account.profile) if account.profile else None,
            attributes=_attributes(message, kind),
            value=_value(message, kind),
            title=message.event or message.name,
        ),
        *_membership(message, person),
    ]


def _kind(message: Message) -> str:
    if message.type != "track":
        return KIND_OF_CALL[message.type]
    name = (message.event or "").strip().lower()
    return SAAS_EVENTS.get(name) or USUAL_EVENTS.get(name) or "product.used"


def _person(message: Message) -> sdk.Person | None:
    user = message.user_id or message.anonymous_id
    if user is None:
        return None
    place = f"user:{message.user_id}" if message.user_id else f"anonymous:{message.anonymous_id}"
    traits = message.traits if message.type == "identify" else message.context.traits
    profile = _known(traits, PERSON_TRAITS)
    if isinstance(profile.get("role"), str):
        role = profile["role"].strip().lower()
        profile["role"] = ROLES.get(role, role)
    return sdk.Person(place, tuple(_person_keys(message, profile)), profile, message.happened_at if profile else None)


def _person_keys(message: Message, profile: Mapping[str, Any]) -> list[sdk.Key]:
    found = [sdk.keys.user(message.user_id)] if message.user_id else []
    if message.anonymous_id and (not message.user_id or message.type in {"identify", "alias"}):
        # Only these two calls mean to say that visitor and user are one: a shared machine sends both ids with any call.
        found.append(sdk.keys.external(ANONYMOUS, message.anonymous_id))
    if message.type == "alias" and message.previous_id:
        # An alias may name a former user id or an anonymous one: the call does not say which.
        found += [sdk.keys.user(message.previous_id), sdk.keys.external(ANONYMOUS, message.previous_id)]
    email = profile.get("email")
    if isinstance(email, str) and "@" in email:
        found.append(sdk.keys.email(email))
    return found


def _account(message: Message, person: sdk.Person | None) -> sdk.Account:
    if message.type == "group" and message.group_id:
        profile = _known(message.traits, ACCOUNT_TRAITS)
        keys = [sdk.keys.group(message.group_id)]
        if isinstance(profile.get("domain"), str) and "." in profile["domain"]:
            keys.append(sdk.keys.domain(_host(profile["domain"])))
            profile["domain"] = keys[-1].value
        return sdk.Account(f"group:{message.group_id}", tuple(keys), profile, message.happened_at)
    group = message.context.group_id
    if group:
        return sdk.Account(f"group:{group}", (sdk.keys.group(group),))
    assert person is not None  # noqa: S101  # checked by `events`
    return _place_of(person)


def _place_of(person: sdk.Person, *memberships: sdk.Key) -> sdk.Account:
    """Where somebody's events wait when the message names no company: their own place, until a company is known."""
    users = [
        sdk.Key(key.kind.removeprefix("external:"), key.value)
        for key in person.keys
        if key.kind in (sdk.keys.USER, f"external:{ANONYMOUS}")
    ]
    email = next((key.value for key in person.keys if key.kind == sdk.keys.EMAIL), None)
    belongs = [sdk.keys.member_of(sdk.keys.domain(email.rpartition("@")[2]))] if email else []
    return sdk.Account(person.place, (*users, *memberships, *belongs))


def _membership(message: Message, person: sdk.Person | None) -> list[sdk.Event]:
    """A `group` call with a user also says where that user's own events belong."""
    if message.type != "group" or person is None or message.group_id is None:
        return []
    return [
        sdk.Event(
            kind="person.identified",
            occurred_at=message.happened_at,
            account=_place_of(person, sdk.keys.member_of(sdk.keys.group(message.group_id))),
            people=(person,),
            attributes={"group": message.group_id},
        )
    ]


def _attributes(message: Message, kind: str) -> dict[str, Any]:
    if message.type in {"identify", "group"}:
        return dict(message.traits)
    if message.type == "alias":
        return {"previous": message.previous_id}
    own = dict(message.properties)
    if kind == "product.used":
        own.setdefault("feature", own.get("feature") or message.event)
    return own


def _value(message: Message, kind: str) -> float | None:
    if kind != "survey.answered":
        return None
    for name in ("nps", "score", "rating", "value"):
        number = message.properties.get(name)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return float(number)
    return None


def _known(traits: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for ours, theirs in names.items():
        for name in theirs:
            if traits.get(name) not in (None, ""):
                found[ours] = traits[name]
                break
    return found


def _host(domain: str) -> str:
    return domain.partition("://")[2].partition("/")[0] if "://" in domain else domain.partition("/")[0]
