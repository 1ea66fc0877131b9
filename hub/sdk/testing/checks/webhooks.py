"""Checks 13 and 14: deliveries. Nothing forged passes, nothing genuine is lost, and a webhook says what a poll says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hub.sdk.connector import Refetch, Webhook
from hub.sdk.errors import BadSignature
from hub.sdk.rows import BadRow, RawRow, read_row
from hub.sdk.testing.checks.received import received, sent_by_vendor, signed, told_of
from hub.sdk.testing.checks.stages import told
from hub.sdk.testing.fixtures import UNKNOWN, Sent
from hub.sdk.testing.hosting import NOW
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.verdicts import Finding
from hub.sdk.webhooks import Delivery, Signing

FORGED_SECRET = "d2hzZWNfZm9yZ2VkX2J5X3RoZV9raXQ="  # noqa: S105  # base64, as some schemes want it
Row = RawRow | BadRow | Refetch
OFF = timedelta(hours=1)
LATER = timedelta(seconds=30)
MOMENTS = [
    datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 1, 2, 9, 5, tzinfo=UTC),
    datetime(2026, 1, 2, 10, 5, tzinfo=UTC),
    datetime(2026, 2, 1, 8, 0, tzinfo=UTC),
    datetime(2026, 2, 1, 8, 0, 0, 500_000, tzinfo=UTC),
]
"""When one record was changed, five times."""
Identity = tuple[str, ...]


def webhooks(plugin: Plugin) -> Iterator[Finding]:
    """13: genuine, changed, stale, future, unsigned, forged, rotated, doubled, out of order, of an unknown type."""
    sent = sent_by_vendor(plugin)
    for name, webhook in plugin.kind.webhooks.items():
        own = [one for one in sent if one.webhook is webhook]
        good = [one for one in own if one.case != UNKNOWN]
        secrets = list(webhook.secrets(plugin.config))
        if not good:
            yield Finding(
                "webhook.fixtures",
                f"No delivery of {name}: add fixtures/webhooks/{name}.<case>.json with "
                '{"body": what the vendor posts}.',
            )
        elif not isinstance(webhook.signature, Signing):
            scheme = type(webhook.signature).__name__
            yield Finding(
                "webhook.fixtures",
                f"{scheme} cannot sign, so nothing can be tried: add def sign(self, delivery, secret) to it, which "
                "returns the delivery with the headers that make it genuine.",
            )
        elif not secrets:
            yield Finding("webhook.rotated", f"config.json has no secret for {name}: set those that secrets= reads.")
        else:
            yield from _doors(plugin, webhook, good, secrets)
            yield from _contents(plugin, webhook, good, secrets[0])
            yield from _in_order(plugin, webhook)
            yield from _unknown(plugin, webhook, [one for one in own if one.case == UNKNOWN], secrets[0])


def _doors(plugin: Plugin, webhook: Webhook, good: list[Sent], secrets: list[str]) -> Iterator[Finding]:
    """Who gets in."""
    if len(secrets) < 2:
        yield Finding(
            "webhook.rotated",
            f"{webhook.name} takes one secret only: let Config have a previous one, secrets= return both, and "
            "config.json set both, so that one can be rotated without losing deliveries.",
        )
    for one in good:
        genuine = signed(one, secrets[0])
        for secret in secrets:
            if (why := _refused(webhook, signed(one, secret), secrets)) is not None:
                yield Finding("webhook.genuine", f"{one.file.name}, genuine, is refused: {why}")
        for aspect, what, forged in _forgeries(one, genuine):
            yield from _must_refuse(webhook, aspect, f"{one.file.name} {what}", forged, secrets)
        if _refused(webhook, genuine, []) is None:
            yield Finding(
                "webhook.forged", f"{webhook.name} takes deliveries while no secret is configured: refuse them."
            )


def _forgeries(one: Sent, genuine: Delivery) -> Iterator[tuple[str, str, Delivery]]:
    for changed in _one_byte_changed(genuine.body):
        yield "webhook.changed", "with one byte changed", replace(genuine, body=changed)
    yield "webhook.stale", "an hour old", replace(genuine, received_at=NOW + OFF)
    yield "webhook.future", "from the future", replace(genuine, received_at=NOW - OFF)
    yield "webhook.forged", "signed with another secret", signed(one, FORGED_SECRET)
    for name in genuine.headers.keys() - one.headers.keys():
        rest = {key: value for key, value in genuine.headers.items() if key != name}
        yield "webhook.unsigned", f"without its header {name}", replace(genuine, headers=rest)
    if genuine.headers.keys() == one.headers.keys() and genuine != one.delivery(NOW):
        yield "webhook.unsigned", "unsigned", one.delivery(NOW)


def _one_byte_changed(body: bytes) -> Iterator[bytes]:
    """The body with another letter or digit near its beginning, in its middle and near its end; JSON stays JSON."""
    places = [place for place, byte in enumerate(body) if chr(byte).isalnum() and byte < 128]
    for place in {places[0], places[len(places) // 2], places[-1]} if places else ():
        other = b"1" if chr(body[place]).isdigit() and body[place : place + 1] != b"1" else b"2"
        yield body[:place] + other + body[place + 1 :]


def _must_refuse(webhook: Webhook, aspect: str, what: str, forged: Delivery, secrets: list[str]) -> Iterator[Finding]:
    scheme = type(webhook.signature).__name__
    try:
        webhook.signature.verify(forged, secrets)
    except BadSignature:
        return
    except Exception as error:  # the intake would answer 500, and the vendor send it again and again
        yield Finding(aspect, f"{scheme} fails over {what} ({told(error)}): raise BadSignature.")
    else:
        yield Finding(
            aspect, f"{scheme} takes {what} for genuine: verify(delivery, secrets) has to raise BadSignature."
        )


def _refused(webhook: Webhook, delivery: Delivery, secrets: list[str]) -> str | None:
    try:
        webhook.signature.verify(delivery, secrets)
    except Exception as error:
        return told(error)
    return None


def _contents(plugin: Plugin, webhook: Webhook, good: list[Sent], secret: str) -> Iterator[Finding]:
    """What deliveries bring, whenever and however often they come."""
    connector = plugin.kind(plugin.config)
    names: Counter[str] = Counter()
    for one in good:
        genuine = signed(one, secret)
        again = replace(genuine, received_at=NOW + LATER)
        refusal = webhook.accept(genuine)
        if refusal is not None:
            yield Finding("webhook.genuine", f"accept refuses {one.file.name} with {refusal.status}: {refusal.body}")
            continue
        try:
            yield from _brought(one, received(connector, webhook, genuine), received(connector, webhook, again))
            name = webhook.delivery_id(genuine)
            if name != webhook.delivery_id(again):
                yield Finding(
                    "webhook.doubled", f"delivery_id names {one.file.name} anew each time: take the vendor's."
                )
            names.update([name] if name is not None else [])
        except Exception as error:  # receive and delivery_id may fail in any way
            yield Finding("webhook.genuine", f"{webhook.name} fails over {one.file.name}: {told(error)}")
    for name, times in names.items():
        if times > 1:
            text = f"delivery_id gives {name!r} to {times} deliveries: the later ones are lost."
            yield Finding("webhook.doubled", text)


def _brought(one: Sent, first: list[Row], later: list[Row]) -> Iterator[Finding]:
    """One delivery, read twice."""
    for row in first:
        if isinstance(row, BadRow):
            yield Finding("webhook.genuine", f"{one.file.name} brings a row that does not fit: {row.reason}")
    if not first:
        yield Finding("webhook.genuine", f"{one.file.name} brings nothing: return its records, or call it {UNKNOWN}.")
    if _keys(first) != _keys(later):
        yield Finding(
            "webhook.doubled",
            f"{one.file.name}, delivered twice, makes two records: take key and version from the record and not "
            "from the time of its delivery.",
        )


def _keys(rows: list[Row]) -> list[tuple[str, ...]]:
    return sorted(
        (row.stream, row.record_id, row.version) if isinstance(row, RawRow) else (row.stream, str(row)) for row in rows
    )


def _in_order(plugin: Plugin, webhook: Webhook) -> Iterator[Finding]:
    """Deliveries come in any order; the state that counts is the one whose version sorts last."""
    for stream in plugin.polled:
        if stream.name not in webhook.handles or plugin.vendor is None:
            continue
        vendor = plugin.new_vendor()
        judged = [read_row(stream, vendor.make(stream.name, 1, at), NOW) for at in MOMENTS]
        versions = [row.version for row in judged if isinstance(row, RawRow)]
        wrong = next(((one, other) for one, other in pairwise(versions) if one > other), None)
        if wrong is not None:
            yield Finding(
                "webhook.order",
                f"Versions of {stream.name} do not sort in the order in which they became true ({wrong[0]}, then "
                f"{wrong[1]}), so an old delivery that comes late would win: write times as ISO 8601 and numbers "
                "with leading zeros.",
            )


def _unknown(plugin: Plugin, webhook: Webhook, unknown: list[Sent], secret: str) -> Iterator[Finding]:
    if not unknown:
        yield Finding(
            "webhook.unknown",
            f"Vendors add types of deliveries: add fixtures/webhooks/{webhook.name}.{UNKNOWN}.json, one of a type that "
            "the connector does not know.",
        )
    connector = plugin.kind(plugin.config)
    for one in unknown:
        delivery = signed(one, secret)
        try:
            refusal = webhook.accept(delivery)
            rows = [] if refusal is not None else received(connector, webhook, delivery)
            gave = [event for row in rows if isinstance(row, RawRow) for event in told_of(connector, row)]
        except Exception as error:  # receive may fail in any way
            yield Finding(
                "webhook.unknown", f"{webhook.name} fails over an unknown type ({told(error)}): return nothing for it."
            )
            continue
        if gave:
            yield Finding("webhook.unknown", f"An unknown type becomes {gave[0][1]['kind']}: return nothing for it.")
