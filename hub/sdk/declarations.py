"""What a connector class must declare to be usable, checked when it is registered and not when a customer waits.

Each complaint names the line to change. Nothing here runs a connector's code beyond its class body.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from hub.sdk.connector import TIERS, Connector
from hub.sdk.kinds import KINDS

SUPPORTED_APIS = (1,)
"""The versions of this contract that the hub serves: the current one and the one before."""

IDENTIFIER = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
SEGMENT = r"(\{[a-z_]+\}|[A-Za-z0-9._~-]+)"
ROUTE = re.compile(rf"^{SEGMENT}(/{SEGMENT})*$")
SECRET_NAME = re.compile(
    r"(^|_)(secrets?|tokens?|passwords?|passphrases?|credentials?|(api|write|private|signing|access|client|webhook)_keys?)$"
)


def complaints(connector: type[Connector[Any]]) -> list[str]:
    """Everything that is wrong with the declarations of a connector class; empty when it may be registered."""
    identity = list(_identity(connector))
    if identity:
        return identity
    return [
        *_config(connector.Config, "Config"),
        *_streams(connector),
        *_doors(connector),
        *_actions(connector),
        *_outlets(connector),
    ]


def kind_is_known(kind: str, connector_id: str) -> bool:
    """Whether a connector may emit the kind: one of the registry's, or its own `x.<connector>.…`."""
    return kind in KINDS or kind.startswith(f"x.{connector_id}.")


def _identity(connector: type[Connector[Any]]) -> Iterator[str]:
    for attribute in ("id", "name"):
        if not isinstance(getattr(connector, attribute, None), str):
            yield f'{attribute} is missing: write {attribute} = "…" in the class body'
    if isinstance(getattr(connector, "id", None), str) and not IDENTIFIER.match(connector.id):
        yield f"id {connector.id!r} must be lower case letters, digits and underscores"
    config = getattr(connector, "Config", None)
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        yield "Config is missing: write Config = YourConfig, a pydantic model"
    if connector.api not in SUPPORTED_APIS:
        served = " and ".join(str(version) for version in SUPPORTED_APIS)
        yield f"api = {connector.api} is not served; this hub serves {served}"
    if connector.tier is not None and connector.tier not in TIERS:
        yield f"tier = {connector.tier!r} is none: write one of {', '.join(TIERS)}"
    if connector.check is Connector.check:
        yield "check() is missing: an async method that returns the vendor's tenant id"


def _config(config: type[BaseModel], place: str) -> Iterator[str]:
    """A field that is named like a secret must be typed as one, so that no log and no error can show it."""
    for name, field in config.model_fields.items():
        parts = set(_parts(field.annotation))
        if SECRET_NAME.search(name) and not parts & {SecretStr, SecretBytes}:
            yield f"{place}.{name} holds a secret: type it as pydantic.SecretStr"
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel) and part is not config:
                yield from _config(part, f"{place}.{name}")


def _parts(annotation: Any) -> Iterator[Any]:
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _parts(argument)


def _streams(connector: type[Connector[Any]]) -> Iterator[str]:
    for name, stream in connector.streams.items():
        if stream.normalizer is None:
            yield f"stream {name} has no normalize: add @{name}.normalize to a method that takes one record"
        if not stream.emits:
            yield f"stream {name} emits nothing: name its event kinds in emits={{…}}"
        yield from _kinds(stream.emits, f"stream {name}", connector.id)
        if stream.interval is not None and stream.interval.total_seconds() < 1:
            yield f"stream {name} polls more often than once a second: give it a longer interval"


def _doors(connector: type[Connector[Any]]) -> Iterator[str]:
    taken: set[tuple[str, str]] = set()
    doors = [("POST", webhook.path, name) for name, webhook in connector.webhooks.items()]
    doors += [(endpoint.method, endpoint.path, name) for name, endpoint in connector.endpoints.items()]
    for method, path, name in doors:
        if not ROUTE.match(path):
            yield f"{name}: path {path!r} must be segments of letters and digits, or {name}, joined by /"
        if (method, path) in taken:
            yield f"{name}: {method} {path} is declared twice"
        taken.add((method, path))
    for name, webhook in connector.webhooks.items():
        if not callable(getattr(webhook.signature, "verify", None)):
            yield f"webhook {name} has no signature scheme: give signature= one with verify(delivery, secrets)"
        for stream in sorted(webhook.handles - connector.streams.keys()):
            yield f"webhook {name} handles {stream!r}, which is no stream of this connector"


def _actions(connector: type[Connector[Any]]) -> Iterator[str]:
    for name, action in connector.actions.items():
        for side, model in (("input", action.input), ("output", action.output)):
            if not (isinstance(model, type) and issubclass(model, BaseModel)):
                yield f"action {name}: {side} must be a pydantic model"
        if action.emits is not None:
            yield from _kinds([action.emits], f"action {name}", connector.id)


def _outlets(connector: type[Connector[Any]]) -> Iterator[str]:
    if len(connector.outlets) > 1:
        named = ", ".join(sorted(connector.outlets))
        yield f"outlets {named}: a connector has one, as its facts are in one order; tell topics apart inside of it"


def _kinds(kinds: Iterable[str], place: str, connector_id: str) -> Iterator[str]:
    for kind in sorted(kinds):
        if not kind_is_known(kind, connector_id):
            yield (
                f"{place} emits {kind!r}, which is neither in the registry of kinds nor of the form "
                f"x.{connector_id}.object.action"
            )
