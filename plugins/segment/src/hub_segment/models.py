"""What Segment sends (https://segment.com/docs/connections/spec/), as far as the hub reads it; the rest stays raw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

MAX_DATE = datetime.max.replace(tzinfo=UTC)


class Config(BaseModel):
    """How this hub plays Segment's part, and how Segment signs what it forwards."""

    model_config = ConfigDict(extra="forbid")

    write_key: SecretStr = Field(
        min_length=16, description="The key that sources send; make it with: openssl rand -hex 16"
    )
    previous_write_key: SecretStr | None = Field(None, description="Still accepted while sources are being moved.")
    shared_secret: SecretStr | None = Field(None, description="Of the webhook destination; unset: it is refused.")
    previous_shared_secret: SecretStr | None = Field(None, description="Still accepted while it is being rotated.")


def _text(value: object) -> object:
    """Ids come as numbers from careless clients; absent ones as empty text."""
    if isinstance(value, bool) or value == "":
        return None
    return str(value) if isinstance(value, int | float) else value


def _mapping(value: object) -> object:
    return {} if value is None else value


Id = Annotated[str | None, BeforeValidator(_text)]
Mapping = Annotated[dict[str, Any], BeforeValidator(_mapping)]


class Context(BaseModel):
    """The part of `context` that the hub reads."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    group_id: Id = Field(None, alias="groupId")
    traits: Mapping = Field(default_factory=dict)


class Message(BaseModel):
    """One call of the source API, with the times of its way here.

    Unknown fields pass: the raw record keeps them. `receivedAt` is put in by this connector, or by Segment.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    type: Literal["identify", "track", "page", "screen", "group", "alias", "delete"]
    message_id: str = Field(alias="messageId", min_length=1, max_length=512)
    user_id: Id = Field(None, alias="userId")
    anonymous_id: Id = Field(None, alias="anonymousId")
    group_id: Id = Field(None, alias="groupId")
    previous_id: Id = Field(None, alias="previousId")
    event: Id = None
    name: Id = None
    traits: Mapping = Field(default_factory=dict)
    properties: Mapping = Field(default_factory=dict)
    context: Annotated[Context, BeforeValidator(_mapping)] = Field(default_factory=Context)
    timestamp: datetime | None = None
    original_timestamp: datetime | None = Field(None, alias="originalTimestamp")
    sent_at: datetime | None = Field(None, alias="sentAt")
    received_at: datetime = Field(alias="receivedAt")

    @property
    def happened_at(self) -> datetime:
        """`receivedAt − (sentAt − originalTimestamp)`, which corrects a client's wrong clock.

        A source sends its own time as `timestamp`; Segment renames that to `originalTimestamp` and forwards a
        corrected `timestamp`. https://segment.com/docs/connections/spec/common/#timestamps
        """
        received = aware(self.received_at)
        if self.original_timestamp is not None and self.timestamp is not None:
            return aware(self.timestamp)
        told = self.original_timestamp or self.timestamp
        if told is None:
            return received
        if self.sent_at is None:
            return aware(told)
        delay = aware(self.sent_at) - aware(told)
        return received - delay if abs(delay) < timedelta(days=36_500) else aware(told)


def aware(time: datetime) -> datetime:
    """UTC, which the specification says where a client leaves the offset out."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
