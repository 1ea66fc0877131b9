"""Salesforce's formats: what records mean, how queries and messages look, and when the hub holds back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hub_salesforce import Salesforce
from hub_salesforce import messages as outbound
from hub_salesforce.budget import HOLD_BACK, Usage, hold_back, usage_in
from hub_salesforce.places import domain_of
from hub_salesforce.reading import LOOK_BACK, Position, Source, beginning, csv_rows, flat, row_or_tombstone
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub import sdk
from hub.sdk.errors import BadSignature, Unavailable
from hub.sdk.testing import normalized

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 5, 1, 7, 25, 37, 120_000, tzinfo=UTC)
SECRET = "s3cret-part-of-the-address"
ORG = "00DDn00000ORGabMAH"
CONFIG: dict[str, Any] = {
    "base_url": "https://acme.my.salesforce.com",
    "client_id": "3MVG9.consumer.key",
    "client_secret": "consumer-secret",
    "multi_currency": True,
    "account_group_field": "Hub_Account_Id__c",
    "organization_id": ORG[:15],
    "message_secret": SECRET,
}
connector = Salesforce(Salesforce.Config.model_validate(CONFIG))


def test_json_and_bulk_results_mean_the_same() -> None:
    """Texts for numbers and flags, another way to write times: the same version, the same events."""
    one, other = (FIXTURES / f"accounts.{name}.json" for name in ("identified", "bulk"))
    assert normalized(connector, one) == normalized(connector, other)
    stream = connector.streams["accounts"]
    versions = {stream.version(stream.record.model_validate_json(path.read_bytes())) for path in (one, other)}
    assert versions == {"2026-05-01T07:25:37.120+00:00"}


def test_a_case_closed_before_it_was_created_keeps_both_times() -> None:
    """Imported data contradicts itself: nothing is dropped or moved, and its state is that of its last change."""
    events = {event["kind"]: event for event in normalized(connector, FIXTURES / "cases.closed_before_created.json")}
    assert events["ticket.solved"]["occurred_at"] < events["ticket.created"]["occurred_at"]
    assert events["ticket.updated"]["subject"]["state"] == "solved"
    assert events["ticket.updated"]["occurred_at"] > events["ticket.created"]["occurred_at"]
    assert all("subject" not in events[kind] for kind in ("ticket.created", "ticket.solved"))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("139000.1", "EUR", 13_900_010),
        ("1.39E8", "JPY", 139_000_000),
        ("0.1", "KWD", 100),
        ("9999999999999999.99", "USD", 999_999_999_999_999_999),
        ("1234567890123456.78", "USD", 123_456_789_012_345_678),
        ("10.005", "USD", 1000),
        ("10.015", "USD", 1002),
        ("-0.01", "USD", -1),
    ],
)
def test_amounts_are_exact(amount: str, currency: str, minor: int) -> None:
    """Eighteen digits, scientific notation, currencies without and with three decimals; halves go to even."""
    assert sdk.Amount.of(Decimal(amount), currency).minor == minor


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("https://www.acme.example/de?x=1", "acme.example"),
        ("acme.example", "acme.example"),
        ("www.Acme.example:8080/", "acme.example"),
        ("n/a", None),
        ("ask Peter. Really", None),
        ("http://[broken", None),
        ("", None),
        (None, None),
    ],
)
def test_what_people_write_as_a_web_site(website: str | None, domain: str | None) -> None:
    """With and without scheme, path and port; what is no address gives none."""
    assert domain_of(website) == domain


def test_a_query_goes_on_behind_a_pair() -> None:
    """Many records share one stamp: the query asks for the rest of that stamp as well."""
    source = Source("accounts", "Account", ("Id", "SystemModstamp"))
    assert source.soql((NOW, "001A"), NOW) == (
        "SELECT Id, SystemModstamp FROM Account WHERE (SystemModstamp > 2026-05-01T07:25:37.120Z "
        "OR (SystemModstamp = 2026-05-01T07:25:37.120Z AND Id > '001A')) ORDER BY SystemModstamp, Id"
    )


def test_an_unsettled_position_is_read_again() -> None:
    """What was read within ten seconds of its stamp may have had slower neighbours; from what is older none come."""
    assert beginning(Position(at=NOW, id="001A", settled=True)) == (NOW, "001A")
    assert beginning(Position(at=NOW, id="001A", settled=False)) == (NOW - LOOK_BACK, "")
    assert beginning(Position()) is None


def test_related_fields_are_named_by_their_path() -> None:
    """JSON nests them, bulk results do not: both become one shape; what is not related is nothing."""
    row = {"attributes": {"type": "Case"}, "Id": "1", "Owner": {"attributes": {}, "Email": "a@b.example"}}
    assert flat(row) == {"Id": "1", "Owner.Email": "a@b.example"}
    assert flat({"Id": "1", "Owner": None}) == {"Id": "1", "Owner": None}


def test_a_deleted_record_is_a_tombstone() -> None:
    """At the time of its deletion; where normalize has something to say about it, it stays a row."""
    row = {"Id": "500A", "IsDeleted": "true", "SystemModstamp": "2026-05-01T07:25:37.120Z"}
    source = Source("cases", "Case", ("Id",))
    assert row_or_tombstone(source, row) == sdk.Tombstone("cases", "500A", NOW)
    assert row_or_tombstone(Source("accounts", "Account", ("Id",), buried=False), row) == row


def test_csv_is_read_as_it_is_written() -> None:
    """Quotes, line breaks and commas inside of a value; nothing where there is null; a torn row is refused."""
    text = '"Id","Subject","Owner.Email"\n"1","two\nlines, ""quoted""",""\n'
    assert list(csv_rows(httpx.Response(200, content=text.encode()))) == [
        {"Id": "1", "Subject": 'two\nlines, "quoted"', "Owner.Email": None}
    ]
    with pytest.raises(Unavailable):
        list(csv_rows(httpx.Response(200, content=b'"Id","Subject"\n"1"\n')))


@pytest.mark.parametrize(
    ("header", "share"),
    [
        ("api-usage=891/15000", 891 / 15_000),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=hub)", 17 / 250),
        ("api-usage=0/0", None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_usage_is_read_from_its_header(header: str | None, share: float | None) -> None:
    """The org's usage or the app's own, whichever is nearer to its limit."""
    found = usage_in(header, NOW)
    assert (found.share if found else None) == share


def test_a_spent_share_holds_back_for_an_hour() -> None:
    """Below the share one goes on; at it one waits; after the hour one request finds out."""
    spent = Usage(0.5, NOW)
    assert hold_back(None, 0.5, NOW) is None
    assert hold_back(spent, 0.8, NOW) is None
    assert hold_back(spent, 0.5, NOW) == HOLD_BACK
    assert hold_back(spent, 0.5, NOW + timedelta(minutes=50)) == timedelta(minutes=10)
    assert hold_back(spent, 0.5, NOW + HOLD_BACK) is None


def message(org: str = ORG, body: str = "") -> bytes:
    notification = body or (
        '<Notification><Id>04lA</Id><sObject xsi:type="sf:Account"><sf:Id>001A</sf:Id>'
        "<sf:Name>R&amp;D</sf:Name></sObject></Notification>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
        '<soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{org}</OrganizationId>{notification}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def accepted(body: bytes, secret: str = SECRET) -> bool:
    delivery = sdk.Delivery(f"outbound/{secret}", {}, body, NOW)
    webhook = connector.webhooks["outbound"]
    try:
        webhook.signature.verify(delivery, webhook.secrets(connector.config))
    except BadSignature:
        return False
    return True


def test_a_message_needs_the_address_and_the_org() -> None:
    """Of the org's id fifteen characters count; another address, another org and no XML are refused."""
    assert accepted(message())
    assert accepted(message(ORG[:15]))
    assert not accepted(message(), "another-part-of-the-address")
    assert not accepted(message(), "")
    assert not accepted(message("00DDn00000OTHERMAH"))
    assert not accepted(message(ORG.lower()))
    assert not accepted(message("")), "an empty org must not be taken for a prefix"
    assert not accepted(b"{}")
    assert not accepted(b"<a/>")


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE a [<!ENTITY b "00D">]>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">',
    ],
)
def test_entities_and_foreign_documents_are_refused(prolog: str) -> None:
    """A message with a document type is no message, whatever else it says."""
    assert not accepted(message().replace(b"?>", b"?>" + prolog.encode(), 1))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Reading raises nothing but a refusal."""
    assert accepted(body) is False


def test_without_a_configured_address_nothing_is_believed() -> None:
    """Deny by default; while the address is changed two are known."""
    bare = Salesforce.Config.model_validate({name: CONFIG[name] for name in ("base_url", "client_id", "client_secret")})
    assert outbound.active_secrets(bare) == []
    both = Salesforce.Config.model_validate(CONFIG | {"previous_message_secret": "the-part-that-was-used-before"})
    assert len(outbound.active_secrets(both)) == 2


def test_a_message_asks_for_its_records_to_be_read() -> None:
    """Its fields are as old as the message; an object that is not read is passed over."""
    webhook = connector.webhooks["outbound"]
    delivery = sdk.Delivery("outbound/{secret}", {}, message(), NOW)
    assert list(webhook.receive(connector, delivery)) == [sdk.Refetch("accounts", "001A")]
    assert webhook.delivery_id(delivery) == "04lA"
    assert b"<Ack>true</Ack>" in webhook.reply.body
    lead = message(
        body='<Notification><Id>04lB</Id><sObject xsi:type="sf:Lead"><sf:Id>00Q</sf:Id></sObject></Notification>'
    )
    assert list(webhook.receive(connector, sdk.Delivery("outbound/{secret}", {}, lead, NOW))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": None},
        {"private_key": "-----BEGIN", "username": "a@b.example"},
        {"client_secret": None, "private_key": "-----BEGIN"},
        {"organization_id": None},
        {"message_secret": "short"},
        {"api_share": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """One way to sign in, and a whole one; messages only with the org's id and a long secret."""
    given_settings = {name: value for name, value in (CONFIG | wrong).items() if value is not None}
    with pytest.raises(ValidationError):
        Salesforce.Config.model_validate(given_settings)
