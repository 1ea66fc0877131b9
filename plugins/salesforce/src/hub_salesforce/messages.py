"""Outbound messages: SOAP 1.1 requests that Salesforce sends when a record changed.

They carry no signature. What authenticates them is an address that nobody else knows, together with the org's id, of
which 15 characters count: the last three repeat the case of the others. A message is unordered, may come again for a
day, and holds the fields as they are when it is sent; so it is only taken as the word that a record changed.
https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_understanding.htm
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from hub import sdk
from hub.sdk.errors import BadSignature
from hub_salesforce.config import SalesforceConfig

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
MAX_BYTES = 2_000_000
CERTAIN = 15

ACK = sdk.Reply(
    200,
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>",
    {"content-type": "text/xml; charset=utf-8"},
)

STREAMS: Mapping[str, str] = {
    "Account": "accounts",
    "Case": "cases",
    "Contact": "contacts",
    "Contract": "contracts",
    "Event": "meetings",
    "Opportunity": "opportunities",
    "Task": "tasks",
}
"""The objects that messages may be about."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One change: `id` names the notification, `object` and `record` what changed."""

    id: str
    object: str
    record: str


@dataclass(frozen=True, slots=True)
class Message:
    """What one request says: the org, and up to a hundred notifications."""

    organization: str
    notifications: tuple[Notification, ...]


@dataclass(frozen=True, slots=True)
class SecretAddress:
    """The last part of the path is the secret, and the message names our org. Secrets are `<secret> <org id>`."""

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        given = delivery.path.rpartition("/")[2].encode()
        known = [secret.partition(" ") for secret in secrets]
        orgs = {org[:CERTAIN] for secret, _, org in known if hmac.compare_digest(secret.encode(), given)}
        if not orgs:
            raise BadSignature("The address does not end in the configured message_secret.")
        if read(delivery.body).organization[:CERTAIN] not in orgs:
            raise BadSignature("The message is of another org than organization_id.")

    def sign(self, delivery: sdk.Delivery, secret: str) -> sdk.Delivery:
        """The delivery to the address that ends in the secret; which org it is of stands in its body."""
        path = delivery.path.rpartition("/")[0]
        return replace(delivery, path=f"{path}/{secret.partition(' ')[0]}")


def active_secrets(config: SalesforceConfig) -> list[str]:
    """The secrets for `SecretAddress`: two while the address is being changed."""
    found = (config.message_secret, config.previous_message_secret)
    return [f"{one.get_secret_value()} {config.organization_id}" for one in found if one is not None]


def read(body: bytes) -> Message:
    """The message. Raises `BadSignature` for anything else, entities and references to other documents included."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise BadSignature("The request holds no outbound message.") from None
    told = root.find(f"{ENVELOPE}Body/{OUTBOUND}notifications")
    if told is None:
        raise BadSignature("The request holds no outbound message.")
    found = told.findall(f"{OUTBOUND}Notification")
    return Message(_text(told, "OrganizationId"), tuple(filter(None, map(_notification, found))))


def delivery_id(delivery: sdk.Delivery) -> str | None:
    """The notifications' own ids: the same ones again are the same delivery."""
    ids = sorted(one.id for one in read(delivery.body).notifications)
    return ",".join(ids) or None


def _notification(element: Element) -> Notification | None:
    record = element.find(f"{OUTBOUND}sObject")
    if record is None:
        return None
    named = (child.text or "" for child in record if child.tag.rpartition("}")[2] == "Id")
    return Notification(_text(element, "Id"), record.get(TYPE, "").rpartition(":")[2], next(named, ""))


def _text(element: Element, name: str) -> str:
    return (element.findtext(f"{OUTBOUND}{name}") or "").strip()
