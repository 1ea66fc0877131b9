"""What Stripe sends, as far as the hub reads it; the rest stays in the raw record.

Shapes moved over the years: fields that only some API versions have are optional here, and `mapping` looks in both
places. https://docs.stripe.com/changelog/basil
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr

API_VERSION = "2025-09-30.clover"


class StripeConfig(BaseModel):
    """The account's key, and how its webhooks are signed."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr = Field(min_length=8, description="A restricted key with read access: rk_live_…")
    webhook_secret: SecretStr | None = Field(None, description="Of the webhook endpoint: whsec_…; unset: refused.")
    previous_webhook_secret: SecretStr | None = Field(None, description="Still accepted while it is being rolled.")
    group_metadata: str = Field(
        "group_id", description="The customer's metadata key that holds the product's account id."
    )
    base_url: AnyHttpUrl = Field(AnyHttpUrl("https://api.stripe.com"), description="Where the API is.")


class Thing(BaseModel):
    """Any object of the resource lists."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1)
    object: str
    created: int = Field(ge=0)

    @property
    def made_at(self) -> datetime:
        return moment(self.created)

    def digest(self) -> str:
        """A version for objects that carry none: another content is another version."""
        content = orjson.dumps(self.model_dump(exclude_unset=True), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:24]


class Customer(Thing):
    """https://docs.stripe.com/api/customers/object"""

    name: str | None = None
    email: str | None = None
    currency: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class Subscription(Thing):
    """https://docs.stripe.com/api/subscriptions/object"""

    customer: str
    status: str
    currency: str
    start_date: int | None = None
    canceled_at: int | None = None
    ended_at: int | None = None
    items: dict[str, Any]
    current_period_start: int | None = None
    current_period_end: int | None = None
    cancel_at_period_end: bool = False
    trial_start: int | None = None
    trial_end: int | None = None


class Invoice(Thing):
    """https://docs.stripe.com/api/invoices/object"""

    customer: str
    currency: str
    status: str | None = None
    number: str | None = None
    amount_due: int
    amount_paid: int
    status_transitions: dict[str, int | None] = Field(default_factory=dict)
    subscription: str | None = None
    parent: dict[str, Any] | None = None
    attempt_count: int = 0
    hosted_invoice_url: str | None = None


class Charge(Thing):
    """https://docs.stripe.com/api/charges/object"""

    customer: str | None = None
    amount: int
    currency: str
    status: str
    failure_code: str | None = None


class OfCharge(Thing):
    """A refund or a dispute: it names its charge alone; `customer` is looked up by the connector."""

    charge: str | None = None
    amount: int
    currency: str
    status: str | None = None
    reason: str | None = None
    customer: str | None = None


class CreditNote(Thing):
    """https://docs.stripe.com/api/credit_notes/object"""

    customer: str
    amount: int
    currency: str
    reason: str | None = None
    invoice: str | None = None


class EventData(BaseModel):
    """The object after the event, and what its changed fields held before."""

    object: dict[str, Any]
    previous_attributes: dict[str, Any] = Field(default_factory=dict)


class StripeEvent(BaseModel):
    """A snapshot event (`object: event`), rendered in the API version of its creation."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1)
    object: str = Field(pattern="^event$")
    api_version: str | None = None
    created: int
    type: str
    data: EventData

    @property
    def happened_at(self) -> datetime:
        return moment(self.created)


class Newest(BaseModel):
    """First a walk back from the newest object to the oldest (`after`), then always what is newer than `last`."""

    last: str | None = None
    after: str | None = None


class UpdateMetadata(BaseModel):
    """Metadata to set on a customer; an empty value removes its key."""

    customer: str = Field(pattern=r"^cus_\w+$")
    metadata: dict[str, str] = Field(min_length=1, max_length=50)


class CustomerUpdated(BaseModel):
    """The customer's metadata afterwards."""

    customer: str
    metadata: dict[str, str]


def moment(seconds: int) -> datetime:
    """Unix seconds as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)
