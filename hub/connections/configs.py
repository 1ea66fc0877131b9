"""A connection's configuration: validated, sealed, and blotted out when the connection is removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from hub.kit.errors import Invalid
from hub.sdk.connector import Connector
from hub.sdk.secrecy import secrets_of


def validated(connector: type[Connector[Any]], document: Mapping[str, Any]) -> BaseModel:
    """The configuration as the connector's model. Raises `Invalid`, which names fields and never shows values."""
    try:
        return connector.Config.model_validate(dict(document))
    except ValidationError as error:
        problems = [
            (".".join(str(part) for part in problem["loc"]) or "configuration", problem["msg"])
            for problem in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise Invalid(
            "; ".join(f"{place}: {message}" for place, message in problems),
            remedy=f"The fields of {connector.id}: {', '.join(connector.Config.model_fields)}.",
            path=("config", problems[0][0]),
        ) from None


def to_seal(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as plain JSON values, secrets readable: only for the vault."""
    return {name: _revealed(value) for name, value in document.items()}


def without_secrets(config: BaseModel, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every secret value blotted out, for a connection that was removed."""
    hidden = set(secrets_of(config))

    def blot(value: Any) -> Any:
        match value:
            case dict():
                return {name: blot(part) for name, part in value.items()}
            case list():
                return [blot(part) for part in value]
            case str() if value in hidden:
                return "x" * len(value)
            case _:
                return value

    return {name: blot(value) for name, value in document.items()}


def _revealed(value: Any) -> Any:
    match value:
        case SecretStr() | SecretBytes():
            secret = value.get_secret_value()
            return secret.decode() if isinstance(secret, bytes) else secret
        case Mapping():
            return {str(name): _revealed(part) for name, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_revealed(part) for part in value]
        case _:
            return value
