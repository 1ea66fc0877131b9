"""What Salesforce's records mean on the account timeline.

A record is read as it is now, again and again. What happens once (created, won, solved, held) has a natural key, so it
is one fact however often its record comes, as it was when first seen; what a record was like after each change is an
event of its own version and carries the state. Facts are told at Salesforce's times, also where these contradict each
other: imported cases may be closed before they were created, and the state still comes from the newest change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from hub import sdk
from hub_salesforce import models
from hub_salesforce.config import SalesforceConfig

ROLES: Mapping[str, str] = {
    "administrator": "administrator",
    "business user": "end_user",
    "champion": "champion",
    "decision maker": "sponsor",
    "economic buyer": "sponsor",
    "economic decision maker": "sponsor",
    "end user": "end_user",
    "executive sponsor": "sponsor",
    "project sponsor": "sponsor",
}
"""Roles of contacts in opportunities, in lower case, where they are one of the hub's."""

EMITS_OF_ACCOUNT = frozenset({"account.identified", "account.merged", "x.salesforce.account.deleted"})
EMITS_OF_CONTACT = frozenset({"person.identified", "person.aliased", "person.removed"})
EMITS_OF_OPPORTUNITY = frozenset({"opportunity.created", "opportunity.changed", "opportunity.won", "opportunity.lost"})
EMITS_OF_CASE = frozenset({"ticket.created", "ticket.updated", "ticket.solved"})
EMITS_OF_TASK = frozenset({"task.created", "task.updated", "task.completed"})
EMITS_OF_MEETING = frozenset({"meeting.scheduled", "meeting.held"})
EMITS_OF_CONTRACT = frozenset({"contract.signed", "contract.changed"})


def place(account: str) -> sdk.Account:
    """An account's place, as other records know it."""
    return sdk.Account(f"account:{account}", (sdk.keys.external("salesforce.account", account),))


def contact(contact_id: str) -> sdk.Person:
    """A contact, as other records know them."""
    return sdk.Person(f"contact:{contact_id}", (sdk.keys.external("salesforce.contact", contact_id),))


def waiting_with(contact_id: str) -> sdk.Account:
    """The place of what is known of a contact without an account, until it is known whose contact that is."""
    return sdk.Account(f"contact:{contact_id}", (sdk.Key("salesforce.contact", contact_id),))


def whereabouts(account: str | None, who: str | None) -> sdk.Account | None:
    """Where a record belongs; None when it names neither an account nor a contact."""
    if account:
        return place(account)
    return waiting_with(who) if people(who) and who else None


def people(contact_id: str | None) -> tuple[sdk.Person, ...]:
    """Whom a record is about, if that is a contact (003) and not a lead (00Q)."""
    return (contact(contact_id),) if contact_id and contact_id.startswith("003") else ()


def of_account(account: models.Account, config: SalesforceConfig) -> Iterable[sdk.Event]:
    """What Salesforce knows of it; that it lost a merge, and to which account; or that it is gone."""
    if account.winner:
        # Both ids at one place: from now on they are one account, as they are in Salesforce.
        keys = tuple(sdk.keys.external("salesforce.account", one) for one in (account.id, account.winner))
        yield sdk.Event(
            kind="account.merged",
            occurred_at=account.stamp,
            account=sdk.Account(f"account:{account.id}", keys),
            natural_key=f"account.merged:{account.id}",
            attributes={"into": account.winner},
        )
    elif account.is_deleted:
        yield sdk.Event("x.salesforce.account.deleted", account.stamp, place(account.id))
    else:
        yield sdk.Event("account.identified", account.modified, _identified(account, config))


def _identified(account: models.Account, config: SalesforceConfig) -> sdk.Account:
    keys = [sdk.keys.external("salesforce.account", account.id)]
    group = (account.model_extra or {}).get(config.account_group_field or "")
    if group:
        keys.append(sdk.keys.group(str(group)))
    profile = {
        "name": account.name,
        "industry": account.industry,
        "employees": account.employees,
        "owner": account.owner_email,
        "account_type": account.type,
        "parent_account": account.parent,
    }
    if domain := domain_of(account.website):
        keys.append(sdk.keys.domain(domain))
        profile["domain"] = domain
    return sdk.Account(f"account:{account.id}", tuple(keys), profile, account.modified)


def domain_of(website: str | None) -> str | None:
    """The host of what people write as a web site: `https://www.acme.example/de` and `acme.example` alike."""
    if not website:
        return None
    text = website.strip()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return None
    host = host.removeprefix("www.")
    return host if "." in host and " " not in host else None


def of_contact(person: models.Contact) -> Iterable[sdk.Event]:
    """Who they are and where; that they turned out to be another contact; or that they are gone."""
    account = _place_of(person)
    known = contact(person.id)
    if person.winner:
        both = (*known.keys, *contact(person.winner).keys)
        yield sdk.Event(
            kind="person.aliased",
            occurred_at=person.stamp,
            account=account,
            people=(sdk.Person(known.place, both),),
            natural_key=f"person.aliased:{person.id}",
        )
    elif person.is_deleted:
        yield sdk.Event("person.removed", person.stamp, account, (known,))
    else:
        keys = (*known.keys, sdk.keys.email(person.email)) if person.email else known.keys
        profile = {"name": person.name, "email": person.email, "title": person.title}
        told = sdk.Person(known.place, keys, profile, person.modified)
        yield sdk.Event("person.identified", person.modified, account, (told,))


def _place_of(person: models.Contact) -> sdk.Account:
    """A contact without an account waits where the domain of the address says."""
    if person.account:
        return place(person.account)
    waiting = waiting_with(person.id)
    _, _, domain = (person.email or "").rpartition("@")
    keys = (*waiting.keys, sdk.keys.member_of(sdk.keys.domain(domain))) if domain else waiting.keys
    return sdk.Account(waiting.place, keys)


def of_contact_role(role: models.ContactRole) -> Iterable[sdk.Event]:
    """What somebody is in an opportunity, where it is a role that the hub knows."""
    known = ROLES.get((role.role or "").strip().lower())
    if known and role.account:
        who = contact(role.contact)
        told = sdk.Person(who.place, who.keys, {"role": known}, role.modified)
        yield sdk.Event("person.identified", role.modified, place(role.account), (told,))


def of_opportunity(opportunity: models.Opportunity, config: SalesforceConfig) -> Iterable[sdk.Event]:
    """Its beginning, its state after this change, and its end."""
    if opportunity.account is None:
        return
    account = place(opportunity.account)
    yield sdk.Event(
        kind="opportunity.created",
        occurred_at=opportunity.created,
        account=account,
        natural_key=f"opportunity.created:{opportunity.id}",
        attributes={"opportunity": opportunity.id},
    )
    amount = _amount(opportunity.amount, opportunity.currency, config)
    state = ("won" if opportunity.is_won else "lost") if opportunity.is_closed else "open"
    facts = {
        "stage": opportunity.stage,
        "type": opportunity.type,
        "probability": opportunity.probability,
        "close_date": opportunity.close_date.isoformat(),
        "owner": opportunity.owner_email,
        **_money(amount),
    }
    yield sdk.Event(
        kind="opportunity.changed",
        occurred_at=opportunity.modified,
        account=account,
        subject=sdk.Subject("opportunity", opportunity.id, state, facts),
        amount=amount,
        title=opportunity.name,
        url=_url(config, opportunity.id),
    )
    if opportunity.is_closed:
        ended = opportunity.stage_since or _midnight(opportunity.close_date)
        yield sdk.Event(
            kind=f"opportunity.{state}",
            occurred_at=ended,
            account=account,
            amount=amount,
            title=opportunity.name,
            natural_key=f"opportunity.{state}:{opportunity.id}:{ended.isoformat()}",
            attributes={"opportunity": opportunity.id, "stage": opportunity.stage},
        )


def of_opportunity_entry(entry: models.OpportunityEntry, config: SalesforceConfig) -> Iterable[sdk.Event]:
    """An entry of the history: the opportunity as it was from then on. Its state follows from the forecast."""
    if entry.account is None:
        return
    amount = _amount(entry.amount, entry.currency, config)
    facts = {
        "stage": entry.stage,
        "probability": entry.probability,
        "close_date": entry.close_date.isoformat() if entry.close_date else None,
        **_money(amount),
    }
    yield sdk.Event(
        kind="opportunity.stage_changed",
        occurred_at=entry.created,
        account=place(entry.account),
        subject=sdk.Subject("opportunity", entry.opportunity, _state_of(entry), facts),
        amount=amount,
        natural_key=f"opportunity.entry:{entry.id}",
    )


def _state_of(entry: models.OpportunityEntry) -> str:
    """`Closed` is the forecast category of a won stage; a lost one is omitted from forecasts, at no probability."""
    if entry.forecast == "Closed":
        return "won"
    return "lost" if entry.forecast == "Omitted" and not entry.probability else "open"


def of_case(case: models.Case, config: SalesforceConfig) -> Iterable[sdk.Event]:
    """A ticket was opened, how it is after this change, and when it was solved."""
    account, who = whereabouts(case.account, case.contact), people(case.contact)
    if account is None:
        return
    known = {"ticket": case.id, "number": case.number}
    yield sdk.Event(
        kind="ticket.created",
        occurred_at=case.created,
        account=account,
        people=who,
        natural_key=f"ticket.created:{case.id}",
        attributes=known,
    )
    facts = {
        "number": case.number,
        "status": case.status,
        "priority": case.priority,
        "channel": case.origin,
        "escalated": case.is_escalated,
        "assignee": case.owner_email,
    }
    yield sdk.Event(
        kind="ticket.updated",
        occurred_at=case.modified,
        account=account,
        people=who,
        subject=sdk.Subject("ticket", case.id, "solved" if case.is_closed else "open", facts),
        title=case.subject,
        url=_url(config, case.id),
    )
    if case.is_closed and case.closed:
        yield sdk.Event(
            kind="ticket.solved",
            occurred_at=case.closed,
            account=account,
            people=who,
            natural_key=f"ticket.solved:{case.id}:{case.closed.isoformat()}",
            attributes=known,
        )


def of_task(task: models.Task) -> Iterable[sdk.Event]:
    """Something to do was noted, how it is after this change, and that it was done."""
    account, who = whereabouts(task.account, task.who), people(task.who)
    if account is None:
        return
    done = (task.completed or task.modified) if task.is_closed else None
    facts = {
        "status": task.status,
        "priority": task.priority,
        "type": task.subtype,
        "due": task.due.isoformat() if task.due else None,
        "owner": task.owner_email,
    }
    yield sdk.Event(
        kind="task.updated",
        occurred_at=task.modified,
        account=account,
        people=who,
        subject=sdk.Subject("task", task.id, "completed" if task.is_closed else "open", facts),
        title=task.subject,
    )
    for kind, at in (("task.created", task.created), ("task.completed", done)):
        if at is not None:
            yield sdk.Event(
                kind=kind,
                occurred_at=at,
                account=account,
                people=who,
                flow=sdk.Flow.OPERATIONAL_EXECUTION,
                natural_key=f"{kind}:{task.id}",
                attributes={"task": task.id, "type": task.subtype},
            )


def of_meeting(meeting: models.Meeting) -> Iterable[sdk.Event]:
    """It was planned, or, when it was noted after its end, held."""
    if meeting.end is not None and meeting.end <= meeting.stamp:
        yield from of_ended_meeting(meeting)
    elif _counts(meeting) and meeting.start and (account := whereabouts(meeting.account, meeting.who)):
        yield sdk.Event(
            kind="meeting.scheduled",
            occurred_at=meeting.modified,
            account=account,
            people=people(meeting.who),
            subject=sdk.Subject("meeting", meeting.id, "scheduled", _when(meeting)),
            title=meeting.subject,
        )


def of_ended_meeting(meeting: models.Meeting) -> Iterable[sdk.Event]:
    """It was held; one that was moved is held at the time to which it was moved."""
    account = whereabouts(meeting.account, meeting.who)
    if _counts(meeting) and account and meeting.end:
        yield sdk.Event(
            kind="meeting.held",
            occurred_at=meeting.end,
            account=account,
            people=people(meeting.who),
            subject=sdk.Subject("meeting", meeting.id, "held", _when(meeting)),
            title=meeting.subject,
            natural_key=f"meeting.held:{meeting.id}:{meeting.end.isoformat()}",
        )


def _counts(meeting: models.Meeting) -> bool:
    """An invitee's copy and the head of a series are entries in a calendar, but no meetings of their own."""
    return not (meeting.is_child or meeting.is_series)


def _when(meeting: models.Meeting) -> dict[str, Any]:
    return {
        "start": meeting.start.isoformat() if meeting.start else None,
        "end": meeting.end.isoformat() if meeting.end else None,
        "owner": meeting.owner_email,
    }


def of_contract(contract: models.Contract) -> Iterable[sdk.Event]:
    """Its terms after this change, and when it came into force."""
    state = {"Activated": "active", "InApproval": "in_approval"}.get(contract.state or contract.status, "draft")
    facts = {
        "number": contract.number,
        "status": contract.status,
        "start_date": contract.start.isoformat() if contract.start else None,
        "end_date": contract.end.isoformat() if contract.end else None,
        "months": contract.months,
        "owner": contract.owner_email,
    }
    yield sdk.Event(
        kind="contract.changed",
        occurred_at=contract.modified,
        account=place(contract.account),
        subject=sdk.Subject("contract", contract.id, state, facts),
    )
    if contract.activated:
        yield sdk.Event(
            kind="contract.signed",
            occurred_at=contract.activated,
            account=place(contract.account),
            natural_key=f"contract.signed:{contract.id}",
            attributes={"contract": contract.id, "number": contract.number},
        )


def _amount(amount: Decimal | None, currency: str | None, config: SalesforceConfig) -> sdk.Amount | None:
    return None if amount is None else sdk.Amount.of(amount, currency or config.currency)


def _money(amount: sdk.Amount | None) -> dict[str, Any]:
    """The amount among a thing's attributes, where measures find it."""
    return {"amount_minor": amount.minor, "currency": amount.currency} if amount else {}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _url(config: SalesforceConfig, record: str) -> str:
    return f"{str(config.base_url).rstrip('/')}/{record}"
