"""What Zendesk sends, as far as the hub reads it; the rest stays in the raw record."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Literal, Self

import orjson
from pydantic import AnyHttpUrl, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, model_validator


class ZendeskConfig(BaseModel):
    """The account, one of two ways to sign in, and how its webhooks are signed."""

    model_config = ConfigDict(extra="forbid")

    base_url: AnyHttpUrl = Field(description="The account: https://acme.zendesk.com")
    email: str | None = Field(None, description="Of the agent whose API token it is.")
    api_token: SecretStr | None = Field(None, description="With email: an API token of the Admin Center.")
    oauth_token: SecretStr | None = Field(None, description="An OAuth access token with the scope read instead.")
    webhook_secret: SecretStr | None = Field(None, description="The webhook's signing secret; unset: it is refused.")
    previous_webhook_secret: SecretStr | None = Field(None, description="Still accepted while it is being changed.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        by_token = self.api_token is not None and self.email is not None
        if by_token == (self.oauth_token is not None):
            raise ValueError("sign in one way: email and api_token, or oauth_token")
        return self


class Row(BaseModel):
    """A record of any kind."""

    model_config = ConfigDict(extra="ignore")

    id: int


class Edited(Row):
    """A record that can be edited."""

    created_at: AwareDatetime
    updated_at: AwareDatetime

    def version(self) -> str:
        """When it was last edited, and what it was like: Zendesk's times have whole seconds, which edits may share."""
        content = orjson.dumps(self.model_dump(mode="json"))
        return f"{self.updated_at.astimezone(UTC).isoformat()}#{hashlib.sha256(content).hexdigest()[:12]}"


class Organization(Edited):
    """https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/"""

    name: str
    external_id: str | None = None
    domain_names: list[str] = Field(default_factory=list)


class User(Edited):
    """https://developer.zendesk.com/api-reference/ticketing/users/users/"""

    name: str | None = None
    email: str | None = None
    role: str | None = None
    time_zone: str | None = Field(None, alias="iana_time_zone")
    organization_id: int | None = None
    active: bool = True


class Ticket(Edited):
    """https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/"""

    subject: str | None = None
    status: str
    priority: str | None = None
    type: str | None = None
    requester_id: int | None = None
    assignee_id: int | None = None
    organization_id: int | None = None
    via: dict[str, Any] = Field(default_factory=dict)
    tags: list[str] = Field(default_factory=list)


class TicketEvent(Row):
    """A change of a ticket: `child_events` tell what changed. `organization_id` is looked up by the connector.

    https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/
    """

    ticket_id: int
    created_at: AwareDatetime
    child_events: list[dict[str, Any]] = Field(default_factory=list)
    organization_id: int | None = None
    requester_id: int | None = None


class Rating(Edited):
    """A rating of satisfaction, or that one was offered. `organization_id` is looked up by the connector.

    https://developer.zendesk.com/api-reference/ticketing/ticket-management/satisfaction_ratings/
    """

    score: str
    comment: str | None = None
    ticket_id: int
    requester_id: int | None = None
    organization_id: int | None = None


class UserMerge(BaseModel):
    """That two users turned out to be one, as only a webhook tells. Made by the connector of `user.merged`."""

    user: int
    other: int
    at: AwareDatetime
    organization_id: int | None = None


class After(BaseModel):
    """Behind a cursor of Zendesk's."""

    cursor: str | None = None


class Since(BaseModel):
    """From a second on, in unix time, that second included."""

    second: int | None = None


class Rated(BaseModel):
    """Ratings made since `second`; in the middle of them, behind `after`, with the newest one met so far."""

    second: int | None = None
    newest: int | None = None
    after: str | None = None


class NewTicket(BaseModel):
    """A ticket that the hub opens, e.g. for a customer who is in trouble."""

    subject: str = Field(min_length=1, max_length=150)
    body: str = Field(min_length=1, max_length=60_000)
    priority: Literal["urgent", "high", "normal", "low"] = "normal"
    requester: int | None = Field(None, description="Id of the user for whom it is; default: the hub's own.")
    organization: int | None = None


class TicketMade(BaseModel):
    """The ticket, made now or by an earlier attempt."""

    ticket: int


class NewComment(BaseModel):
    """A comment on a ticket; the customer sees it only when it is public."""

    ticket: int = Field(gt=0)
    body: str = Field(min_length=1, max_length=60_000)
    public: bool = False


class Commented(BaseModel):
    """The ticket, with the comment."""

    ticket: int


class NewPriority(BaseModel):
    """How urgent a ticket is from now on."""

    ticket: int = Field(gt=0)
    priority: Literal["urgent", "high", "normal", "low"]


class Prioritized(BaseModel):
    """The ticket and its priority afterwards."""

    ticket: int
    priority: str


def second(text: str) -> datetime:
    """A time of Zendesk's, aware."""
    return datetime.fromisoformat(text)
