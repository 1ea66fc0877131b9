"""Accounts and contacts: who they are, and that two of them turned out to be one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub import sdk
from hub_salesforce import models
from hub_salesforce.config import SalesforceConfig
from hub_salesforce.places import contact, domain_of, place, waiting_with

EMITS_OF_ACCOUNT = frozenset({"account.identified", "account.merged", "x.salesforce.account.deleted"})
EMITS_OF_CONTACT = frozenset({"person.identified", "person.aliased", "person.removed"})

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
