"""What is configured for an endpoint: where it is, what it wants to know, and the secrets that it verifies with."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

TOPIC = re.compile(r"^(\*|[a-z_]+\.(\*|[a-z_]+))$")

USUAL_TOPICS = (
    "score.changed",
    "band.changed",
    "alert.*",
    "stage.entered",
    "milestone.*",
    "watch.*",
    "run.*",
    "task.*",
    "feedback.*",
)


def _listed(value: Any) -> Any:
    """`band.changed,alert.*`, as it is written on a command line, as a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _topic(value: str) -> str:
    if not TOPIC.match(value):
        raise ValueError(f"{value!r} is no topic: write object.action, object.* or *")
    return value


def _secret(value: SecretStr) -> SecretStr:
    """By Standard Webhooks: base64 of 24 to 64 bytes, with `whsec_` before it."""
    try:
        length = len(base64.b64decode(value.get_secret_value().removeprefix("whsec_"), validate=True))
    except binascii.Error:
        raise ValueError("a secret is whsec_ and base64: echo whsec_$(openssl rand -base64 32)") from None
    if not 24 <= length <= 64:
        raise ValueError("a secret holds 24 to 64 bytes: echo whsec_$(openssl rand -base64 32)")
    return value


def _plain(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password or url.fragment:
        raise ValueError("the address holds no user, password or fragment: the signature says who sends")
    return url


Secret = Annotated[SecretStr, AfterValidator(_secret)]
Topic = Annotated[str, AfterValidator(_topic)]


class EndpointConfig(BaseModel):
    """One endpoint."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[AnyHttpUrl, AfterValidator(_plain)] = Field(description="Where messages are posted to.")
    secret: Secret = Field(description="What messages are signed with: whsec_…")
    previous_secret: Secret | None = Field(None, description="Signs too, while the secret is being rotated.")
    topics: Annotated[list[Topic], BeforeValidator(_listed)] = Field(
        list(USUAL_TOPICS), min_length=1, description="Which facts: band.changed, alert.*, or * for all."
    )

    @property
    def secrets(self) -> list[str]:
        """The active secrets, the new one first."""
        return [one.get_secret_value() for one in (self.secret, self.previous_secret) if one is not None]
