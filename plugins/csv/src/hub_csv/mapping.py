"""What a row means on the account timeline. A corrected row replaces its former self, so facts are named by its key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hub import sdk
from hub_csv.models import AccountRow, ContractRow, EventRow, PersonRow, Row, event_key, moment, person_key
from hub_csv.money import minor, monthly_minor

ACCOUNT_FACTS = ("name", "plan", "industry", "employees", "licences", "owner", "time_zone")


def of_account(row: AccountRow, source: str) -> Iterator[sdk.Event]:
    """`account.identified`, with all that the row says."""
    profile: dict[str, Any] = {name: value for name in ACCOUNT_FACTS if (value := getattr(row, name)) is not None}
    keys = [_own(source, row.key)]
    if row.group:
        keys.append(sdk.keys.group(row.group))
    if row.domain:
        domain = _host(row.domain)
        keys.append(sdk.keys.domain(domain))
        profile["domain"] = domain
    if row.renews_at:
        profile["renews_at"] = moment(row.renews_at)
    profile = {**row.attributes, **profile}
    place = f"account:{row.key}"
    yield sdk.Event(
        kind="account.identified",
        occurred_at=row.as_of,
        account=sdk.Account(place, (*keys, *_identities(row)), profile, row.as_of),
        subject=sdk.Subject("account", place, attributes=profile),
        natural_key=f"account:{row.key}",
    )


def of_person(row: PersonRow, source: str) -> Iterator[sdk.Event]:
    """`person.identified`, at the account that the row names, or that the e-mail's domain tells."""
    key = person_key(row)
    named = {name: value for name in ("name", "title", "time_zone") if (value := getattr(row, name)) is not None}
    profile = {**row.attributes, **named, "email": row.email.lower()}
    if row.role:
        profile["role"] = row.role.lower().replace(" ", "_")
    domain = row.domain or row.email.rpartition("@")[2]
    yield sdk.Event(
        kind="person.identified",
        occurred_at=row.as_of,
        account=_account(row.account, domain, source),
        people=(sdk.Person(f"person:{key}", (sdk.keys.email(row.email),), profile, row.as_of),),
        natural_key=f"person:{key}",
    )


def of_contract(row: ContractRow, source: str) -> Iterator[sdk.Event]:
    """Its start, its state, and its end where it was canceled."""
    account = _account(row.account, row.domain, source, _identities(row))
    facts = {
        **row.attributes,
        "plan": row.plan,
        "quantity": row.quantity,
        "interval": row.per,
        "mrr_minor": monthly_minor(row.amount, row.currency, row.per, row.starts_at, row.ends_at),
        "currency": row.currency,
        "current_period_end": moment(row.ends_at) if row.ends_at else None,
        "cancel_at_period_end": row.canceled_at is not None,
    }
    yield sdk.Event(
        kind="subscription.started",
        occurred_at=row.starts_at,
        account=account,
        attributes={"subscription": row.key},
        natural_key=f"contract.started:{row.key}",
    )
    yield sdk.Event(
        kind="subscription.changed",
        occurred_at=row.starts_at,
        account=account,
        subject=sdk.Subject("subscription", row.key, "active", facts),
        amount=sdk.Amount(minor(row.amount, row.currency), row.currency),
        natural_key=f"contract:{row.key}",
    )
    if row.canceled_at:
        yield sdk.Event(
            kind="subscription.canceled",
            occurred_at=row.canceled_at,
            account=account,
            subject=sdk.Subject("subscription", row.key, "canceled", {"mrr_minor": 0}),
            natural_key=f"contract.canceled:{row.key}",
        )


def of_event(row: EventRow, source: str) -> Iterator[sdk.Event]:
    """The event of the kind that the row names; a ticket's are about the ticket."""
    if row.amount is not None and row.currency is None:
        raise ValueError("an amount needs a currency: map the column, or set currency in the mapping")
    attributes: dict[str, Any] = dict(row.attributes)
    if row.kind == "product.used":
        attributes["feature"] = row.feature or row.title
    elif row.feature:
        attributes["feature"] = row.feature
    person = _person(row.person)
    domain = row.domain or (row.person.rpartition("@")[2] if person and row.person else None)
    yield sdk.Event(
        kind=row.kind,
        occurred_at=row.at,
        account=_account(row.account, domain, source, _identities(row)),
        people=(person,) if person else (),
        subject=_ticket(row),
        amount=sdk.Amount(minor(row.amount, row.currency), row.currency)
        if row.amount is not None and row.currency
        else None,
        value=float(row.value) if row.value is not None else None,
        attributes=attributes,
        title=row.title or row.feature,
        natural_key=f"event:{event_key(row)}",
    )


def _ticket(row: EventRow) -> sdk.Subject | None:
    if row.kind not in ("ticket.created", "ticket.solved"):
        return None
    return sdk.Subject("ticket", event_key(row), "open" if row.kind == "ticket.created" else "solved")


def _account(key: str | None, domain: str | None, source: str, identities: Iterable[sdk.Key] = ()) -> sdk.Account:
    """Where a row's facts lie: at the account of its key, or, without one, of its domain. Raises `ValueError`."""
    if key:
        return sdk.Account(f"account:{key}", (_own(source, key), *identities))
    if domain:
        host = _host(domain)
        return sdk.Account(f"domain:{host}", (sdk.keys.domain(host), *identities))
    raise ValueError("the row names no account: map a column to account (the accounts' key) or to domain")


def _own(source: str, key: str) -> sdk.Key:
    return sdk.keys.external(f"{source}.account", key)


def _identities(row: Row) -> tuple[sdk.Key, ...]:
    return tuple(sdk.keys.external(kind, value) for kind, value in sorted(row.identities.items()))


def _person(email: str | None) -> sdk.Person | None:
    if email is None or "@" not in email:
        return None
    return sdk.Person(f"person:{email.lower()}", (sdk.keys.email(email),))


def _host(domain: str) -> str:
    return domain.partition("://")[2].partition("/")[0] if "://" in domain else domain.partition("/")[0]
