"""Where Salesforce's records belong: at an account, or, until it is known whose it is, with a contact."""

from __future__ import annotations

from urllib.parse import urlsplit

from hub import sdk
from hub_salesforce.config import SalesforceConfig


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


def url_of(config: SalesforceConfig, record: str) -> str:
    """Where a person looks at the record."""
    return f"{str(config.base_url).rstrip('/')}/{record}"
