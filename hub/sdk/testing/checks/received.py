"""What deliveries bring: signed, received, judged as rows, and turned into events with what their ids derive from."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from hub.sdk.connector import Connector, Refetch, Tombstone, Webhook
from hub.sdk.rows import BadRow, RawRow, read_row
from hub.sdk.testing.fixtures import Sent, as_json, deliveries
from hub.sdk.testing.hosting import NOW
from hub.sdk.testing.plugin import NotAPlugin, Plugin
from hub.sdk.testing.verdicts import NotApplicable
from hub.sdk.webhooks import Delivery, Signing

Identity = tuple[str, ...]


def sent_by_vendor(plugin: Plugin) -> list[Sent]:
    if not plugin.kind.webhooks:
        raise NotApplicable("no webhook is declared")
    try:
        return deliveries(plugin.kind, plugin.fixtures)
    except ValueError as error:
        raise NotAPlugin(f"fixtures/webhooks/: {error}") from None


def received(connector: Connector[Any], webhook: Webhook, delivery: Delivery) -> list[RawRow | BadRow | Refetch]:
    found: list[RawRow | BadRow | Refetch] = []
    for item in webhook.receive(connector, delivery):
        if item.stream not in webhook.handles:
            raise ValueError(f"it gives a record of {item.stream!r}: add that to handles=")
        if isinstance(item, Refetch):
            found.append(item)
        else:
            found.append(
                read_row(connector.streams[item.stream], item if isinstance(item, Tombstone) else item.row, NOW)
            )
    return found


def signed(one: Sent, secret: str) -> Delivery:
    """A delivery with its signature, received now. Its scheme has to be one that signs."""
    scheme = one.webhook.signature
    assert isinstance(scheme, Signing)  # noqa: S101  # asked before
    return scheme.sign(one.delivery(NOW), secret)


def told_of(connector: Connector[Any], row: RawRow) -> list[tuple[Identity, dict[str, Any]]]:
    """A record's events, each with what its id is derived from."""
    stream = connector.streams[row.stream]
    if row.payload is None or stream.normalizer is None:
        return []
    ordinals: Counter[str] = Counter()
    found: list[tuple[Identity, dict[str, Any]]] = []
    for event in stream.normalizer(connector, stream.record.model_validate(orjson.loads(row.payload))):
        own = (row.stream, row.record_id, row.version, event.kind, str(ordinals[event.kind]))
        found.append(((event.kind, event.natural_key) if event.natural_key is not None else own, as_json(event)))
        ordinals[event.kind] += 1
    return found


def events_of_delivery(connector: Connector[Any], one: Sent) -> list[dict[str, Any]]:
    """What a delivery's records become, as JSON. Raises whatever the connector raises."""
    rows = received(connector, one.webhook, one.delivery(NOW))
    return [event for row in rows if isinstance(row, RawRow) for _, event in told_of(connector, row)]
