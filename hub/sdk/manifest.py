"""The manifest: what a connector promises, derived from its decorators, so that it cannot differ from the code.

It is what an operator reads before installing, what the API shows, and what a release is compared with: nothing that
was promised may be dropped silently.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr

from hub.sdk.connector import Action, Connector, Endpoint, Idempotency, Outlet, Stream, Tier, Webhook


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RatePromise(_Part):
    """How fast the vendor is asked at most; a backfill takes its share of it."""

    per_second: float
    backfill_share: float


class StreamPromise(_Part):
    """A stream: the kinds that its records become, and how it is fed."""

    name: str
    emits: list[str]
    interval_seconds: float | None = Field(description="How often it is polled; null: only webhooks feed it.")
    full_refresh: bool = Field(description="Every read lists all there is, so what is gone is noticed.")
    refetches: bool = Field(description="One record can be read again by its id.")


class WebhookPromise(_Part):
    """A webhook: POST to /in/<connection>/<path>."""

    name: str
    path: str
    handles: list[str]
    signature: str
    max_bytes: int


class EndpointPromise(_Part):
    """A request of end users that is answered at once."""

    name: str
    path: str
    method: str


class ActionPromise(_Part):
    """Something that the hub can have the vendor do; `input` and `output` are JSON Schemas."""

    name: str
    description: str
    input: dict[str, Any]
    output: dict[str, Any]
    idempotency: Idempotency
    emits: str | None
    touch: bool
    destructive: bool
    scopes: list[str]


class OutletPromise(_Part):
    """The hub's facts leave through it, in their order."""

    name: str
    description: str


class Manifest(_Part):
    """All that a connector promises."""

    id: str
    name: str
    api: int
    tier: Tier | None = Field(None, description="How much of the contract its tests prove; null: nothing is claimed.")
    description: str
    config: dict[str, Any] = Field(description="JSON Schema of the configuration; secrets are writeOnly.")
    hosts: list[str] | None = Field(
        description="Base URLs it may talk to, {field} standing for a value of the configuration; null: only known "
        "from a whole configuration."
    )
    rate: RatePromise
    emits: list[str]
    scopes: list[str]
    streams: list[StreamPromise]
    webhooks: list[WebhookPromise]
    endpoints: list[EndpointPromise]
    actions: list[ActionPromise]
    outlets: list[OutletPromise] = Field(default_factory=list)  # older releases do not name them


def manifest_of(connector: type[Connector[Any]]) -> Manifest:
    """Derive the manifest of a connector class. Lists are sorted by name: the same class gives the same text."""
    streams = [_stream(stream) for _, stream in sorted(connector.streams.items())]
    actions = [_action(action) for _, action in sorted(connector.actions.items())]
    emitted = {kind for stream in streams for kind in stream.emits} | {action.emits for action in actions}
    return Manifest(
        id=connector.id,
        name=connector.name,
        api=connector.api,
        tier=connector.tier,
        description=(connector.__doc__ or "").strip().partition("\n")[0],
        config=connector.Config.model_json_schema(),
        hosts=_hosts(connector),
        rate=RatePromise(per_second=connector.rate.per_second, backfill_share=connector.rate.backfill_share),
        emits=sorted(kind for kind in emitted if kind is not None),
        scopes=sorted({scope for action in actions for scope in action.scopes}),
        streams=streams,
        webhooks=[_webhook(webhook) for _, webhook in sorted(connector.webhooks.items())],
        endpoints=[_endpoint(endpoint) for _, endpoint in sorted(connector.endpoints.items())],
        actions=actions,
        outlets=[_outlet(outlet) for _, outlet in sorted(connector.outlets.items())],
    )


def _stream(stream: Stream[Any]) -> StreamPromise:
    return StreamPromise(
        name=stream.name,
        emits=sorted(stream.emits),
        interval_seconds=stream.interval.total_seconds() if stream.interval is not None else None,
        full_refresh=stream.full_refresh,
        refetches=stream.fetch is not None,
    )


def _webhook(webhook: Webhook) -> WebhookPromise:
    return WebhookPromise(
        name=webhook.name,
        path=webhook.path,
        handles=sorted(webhook.handles),
        signature=type(webhook.signature).__name__,
        max_bytes=webhook.max_bytes,
    )


def _endpoint(endpoint: Endpoint) -> EndpointPromise:
    return EndpointPromise(name=endpoint.name, path=endpoint.path, method=endpoint.method)


def _action(action: Action) -> ActionPromise:
    return ActionPromise(
        name=action.name,
        description=action.description,
        input=action.input.model_json_schema(),
        output=action.output.model_json_schema(mode="serialization"),
        idempotency=action.idempotency,
        emits=action.emits,
        touch=action.touch,
        destructive=action.destructive,
        scopes=sorted(action.scopes),
    )


def _outlet(outlet: Outlet) -> OutletPromise:
    said = (outlet.deliver.__doc__ or "").strip().partition("\n")[0]
    return OutletPromise(name=outlet.name, description=said)


def _hosts(connector: type[Connector[Any]]) -> list[str] | None:
    """`hosts` of a configuration whose required texts are their own names: `https://{subdomain}.zendesk.com`."""
    names: dict[str, Any] = {
        name: f"{{{name}}}"
        for name, field in connector.Config.model_fields.items()
        if field.is_required() and field.annotation not in (SecretStr, SecretBytes)
    }
    try:
        return [str(host) for host in connector.hosts(connector.Config.model_construct(**names))]
    except Exception:  # a connector may compute its hosts in any way, e.g. look a region up in a table
        return None
