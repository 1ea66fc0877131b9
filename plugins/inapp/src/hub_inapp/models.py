"""The channel's own wire format: what the hub is asked to show, and what the product's page reports back."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr


class Config(BaseModel):
    """The secret that the product's server signs its end users with."""

    model_config = ConfigDict(extra="forbid")

    secret: SecretStr = Field(min_length=32, description="Shared with the product's server: openssl rand -hex 32")
    previous_secret: SecretStr | None = Field(None, description="Still accepted while the secret is being rotated.")


class SendMessage(BaseModel):
    """A message to one end user."""

    model_config = ConfigDict(extra="forbid")

    user: str = Field(min_length=1, max_length=255, description="The product's id of the end user.")
    title: str = Field(min_length=1, max_length=200, description="One line.")
    body: str = Field(max_length=4_000, description="Plain text.")
    kind: Literal["callout", "banner", "survey"] = Field("callout", description="How it is shown.")
    url: str | None = Field(None, pattern=r"^(https?://|/)", max_length=2_000, description="Where a click leads.")
    expires_at: AwareDatetime | None = Field(None, description="When it is no longer shown; unset: it waits.")


class MessageSent(BaseModel):
    """The message waits for the end user's next visit."""

    message: str = Field(description="The message's id, as reports name it.")


class Report(BaseModel):
    """What became of a message, as the page reports it. `id` is made by the page, so a report sent twice is one."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    type: Literal["shown", "clicked", "dismissed", "answered"]
    message: str = Field(min_length=1, max_length=100)
    user: str = Field(min_length=1, max_length=255)
    at: AwareDatetime
    answer: str | float | None = None

    @property
    def occurred_at(self) -> datetime:
        return self.at
