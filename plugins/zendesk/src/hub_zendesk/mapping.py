"""What Zendesk's records mean on the account timeline.

A ticket is read as it is now; that it was opened happens once, how it is after a change is an event of its version and
carries the state. When it was solved only its own changes tell, so those are read too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub import sdk
from hub_zendesk.models import Organization, Rating, Ticket, TicketEvent, User, UserMerge, ZendeskConfig

STATES: Mapping[str, str] = {"new": "open", "open": "open", "pending": "pending", "hold": "on_hold"}
"""What a ticket's status means; every other one (solved, closed) is solved."""

SCORES: Mapping[str, float] = {"good": 1.0, "good_with_comment": 1.0, "bad": 0.0, "bad_with_comment": 0.0}
"""What is a rating; `offered` and `unoffered` are none."""

EMITS_OF_TICKET = frozenset({"ticket.created", "ticket.updated"})
EMITS_OF_USER = frozenset({"person.identified", "person.removed"})


def place(organization: int) -> sdk.Account:
    """An organization's place, as other records know it."""
    return sdk.Account(f"organization:{organization}", (sdk.keys.external("zendesk.organization", str(organization)),))


def waiting_with(user_id: int) -> sdk.Account:
    """The place of what is known of a user without an organization, until it is known whose user that is."""
    return sdk.Account(f"user:{user_id}", (sdk.Key("zendesk.user", str(user_id)),))


def whereabouts(organization: int | None, user_id: int | None) -> sdk.Account | None:
    """Where a record belongs; None when it names nobody."""
    if organization:
        return place(organization)
    return waiting_with(user_id) if user_id else None


def user(user_id: int) -> sdk.Person:
    """A user, as other records know them."""
    return sdk.Person(f"user:{user_id}", (sdk.keys.external("zendesk.user", str(user_id)),))


def people(user_id: int | None) -> tuple[sdk.Person, ...]:
    """Whom a record is about."""
    return (user(user_id),) if user_id else ()


def of_organization(organization: Organization) -> Iterable[sdk.Event]:
    """What Zendesk knows of it. Its `external_id` is the product's account id, its domains are its customers'."""
    keys = [sdk.keys.external("zendesk.organization", str(organization.id))]
    if organization.external_id:
        keys.append(sdk.keys.group(organization.external_id))
    keys += [sdk.keys.domain(domain) for domain in organization.domain_names]
    account = sdk.Account(
        f"organization:{organization.id}", tuple(keys), {"name": organization.name}, organization.updated_at
    )
    yield sdk.Event("account.identified", organization.updated_at, account)


def of_user(one: User) -> Iterable[sdk.Event]:
    """A customer's person, or that they are gone; agents are ours."""
    if one.role not in (None, "end-user"):
        return
    account = _place_of(one)
    known = user(one.id)
    if not one.active:
        yield sdk.Event("person.removed", one.updated_at, account, (known,))
        return
    keys = (*known.keys, sdk.keys.email(one.email)) if one.email else known.keys
    profile = {"name": one.name, "email": one.email, "time_zone": one.time_zone}
    told = sdk.Person(known.place, keys, profile, one.updated_at)
    yield sdk.Event("person.identified", one.updated_at, account, (told,))


def _place_of(one: User) -> sdk.Account:
    """Whoever has no organization waits where the domain of the address says."""
    if one.organization_id:
        return place(one.organization_id)
    _, _, domain = (one.email or "").rpartition("@")
    waiting = waiting_with(one.id)
    keys = (*waiting.keys, sdk.keys.member_of(sdk.keys.domain(domain))) if domain else waiting.keys
    return sdk.Account(waiting.place, keys)


def of_user_merge(merge: UserMerge) -> Iterable[sdk.Event]:
    """Both ids are one person, whichever of them Zendesk kept."""
    keys = (*user(merge.user).keys, *user(merge.other).keys)
    yield sdk.Event(
        kind="person.aliased",
        occurred_at=merge.at,
        account=place(merge.organization_id) if merge.organization_id else waiting_with(merge.user),
        people=(sdk.Person(user(merge.user).place, keys),),
    )


def of_ticket(ticket: Ticket, config: ZendeskConfig) -> Iterable[sdk.Event]:
    """It was opened, and how it is after this change."""
    account, who = whereabouts(ticket.organization_id, ticket.requester_id), people(ticket.requester_id)
    if account is None:
        return
    yield sdk.Event(
        kind="ticket.created",
        occurred_at=ticket.created_at,
        account=account,
        natural_key=f"ticket.created:{ticket.id}",
        attributes={"ticket": ticket.id},
    )
    facts: dict[str, Any] = {
        "status": ticket.status,
        "priority": ticket.priority,
        "type": ticket.type,
        "channel": ticket.via.get("channel"),
        "assignee": ticket.assignee_id,
        "merged": "closed_by_merge" in ticket.tags,
    }
    yield sdk.Event(
        kind="ticket.updated",
        occurred_at=ticket.updated_at,
        account=account,
        people=who,
        subject=sdk.Subject("ticket", str(ticket.id), STATES.get(ticket.status, "solved"), facts),
        title=ticket.subject,
        url=f"{str(config.base_url).rstrip('/')}/agent/tickets/{ticket.id}",
    )


def of_ticket_event(change: TicketEvent) -> Iterable[sdk.Event]:
    """The ticket was solved; other changes are told by the ticket itself."""
    solved = any(
        child.get("event_type") == "Change" and child.get("status") == "solved" for child in change.child_events
    )
    account = whereabouts(change.organization_id, change.requester_id)
    if solved and account:
        yield sdk.Event(
            kind="ticket.solved",
            occurred_at=change.created_at,
            account=account,
            people=people(change.requester_id),
            natural_key=f"ticket.solved:{change.ticket_id}:{change.created_at.isoformat()}",
            attributes={"ticket": change.ticket_id},
        )


def of_rating(rating: Rating) -> Iterable[sdk.Event]:
    """1 for good, 0 for bad; that a rating was offered is none."""
    score = SCORES.get(rating.score)
    account = whereabouts(rating.organization_id, rating.requester_id)
    if score is not None and account:
        yield sdk.Event(
            kind="survey.answered",
            occurred_at=rating.updated_at,
            account=account,
            people=people(rating.requester_id),
            value=score,
            unit="csat",
            attributes={"ticket": rating.ticket_id, "survey": "csat", "comment": rating.comment},
        )
