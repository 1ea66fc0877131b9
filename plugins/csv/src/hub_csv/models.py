"""The rows that can be imported. `hub import` fills them from a file's columns; the titles are what columns are called.

Cells arrive as text that is exact already: numbers with a decimal point, dates in ISO 8601. What could not be brought
to that form is in `unread`, with the reason, and such a row is refused.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Key = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
Currency = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{3}$")]
Count = Annotated[int, Field(ge=0, le=10**12)]


class Config(BaseModel):
    """Where the files come from. Keys are unique within a source: two systems' exports are two connections."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field("csv", pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="What exported the files.")


def called(*titles: str, **more: Any) -> Any:
    """A field and the titles that its column usually has, compared without case, blanks and signs."""
    return Field(json_schema_extra={"called": list(titles)}, **more)


class Row(BaseModel):
    """What every row has.

    `as_of` is when the file said so. `attributes` are further columns, kept as they are. `identities` are ids that
    other systems know the account by, e.g. `{"stripe.customer": "cus_1"}`.
    """

    model_config = ConfigDict(extra="forbid")

    as_of: AwareDatetime
    attributes: dict[str, str] = Field(default_factory=dict)
    identities: dict[str, Text] = Field(default_factory=dict)
    unread: dict[str, str] = Field(default_factory=dict)

    @field_validator("unread")
    @classmethod
    def _nothing(cls, value: dict[str, str]) -> dict[str, str]:
        if value:
            raise ValueError("; ".join(f"{name}: {reason}" for name, reason in value.items()))
        return value

    def digest(self) -> str:
        """The version: another content is another version, whenever the file was made."""
        content = orjson.dumps(self.model_dump(mode="json", exclude={"as_of"}), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:24]


class AccountRow(Row):
    """One customer company."""

    key: Key = called("id", "account id", "customer id", "customer no", "account number", "account")
    name: Text | None = called("name", "company", "company name", "account name", "customer", default=None)
    domain: Text | None = called("domain", "website", "web site", "url", default=None)
    group: Text | None = called("group id", "workspace", "workspace id", "tenant", "product account", default=None)
    plan: Text | None = called("plan", "tier", "edition", default=None)
    industry: Text | None = called("industry", "sector", default=None)
    employees: Count | None = called("employees", "headcount", "company size", default=None)
    licences: Count | None = called("licences", "licenses", "seats", default=None)
    renews_at: AwareDatetime | None = called("renewal", "renewal date", "renews at", "renews", default=None)
    owner: Text | None = called("owner", "csm", "account manager", default=None)
    time_zone: Text | None = called("time zone", "timezone", default=None)


class PersonRow(Row):
    """Somebody at an account; without a key the e-mail address is the key."""

    key: Key | None = called("id", "user id", "contact id", "person id", default=None)
    email: Text = called("email", "e-mail", "mail", "email address")
    account: Key | None = called("account id", "account", "customer id", "customer no", "company id", default=None)
    domain: Text | None = called("domain", "website", "company domain", default=None)
    name: Text | None = called("name", "full name", "contact", default=None)
    role: Text | None = called("role", default=None)
    title: Text | None = called("title", "job title", "position", default=None)
    time_zone: Text | None = called("time zone", "timezone", default=None)


class ContractRow(Row):
    """A contract as it stands: its term, and what it brings.

    `amount` is for one `per`: a month, a year, or the whole `term` from `starts_at` to `ends_at`.
    """

    key: Key = called("contract id", "contract no", "contract", "id", "subscription id")
    account: Key | None = called("account id", "account", "customer id", "customer no", "company id", default=None)
    domain: Text | None = called("domain", "website", default=None)
    starts_at: AwareDatetime = called("start", "start date", "starts at", "begin", "from", "signed")
    ends_at: AwareDatetime | None = called("end", "end date", "ends at", "renewal date", "until", "to", default=None)
    amount: Decimal = called("amount", "value", "price", "arr", "acv", ge=0)
    currency: Currency = called("currency")
    per: Literal["month", "year", "term"] = called("per", "interval", "billing period", default="year")
    quantity: Count | None = called("quantity", "seats", "licences", "licenses", default=None)
    plan: Text | None = called("plan", "product", "tier", "edition", default=None)
    canceled_at: AwareDatetime | None = called("canceled at", "cancelled", "churned at", "churn date", default=None)


EVENT_KINDS = (
    "product.used",
    "page.viewed",
    "person.signed_in",
    "setup.completed",
    "report.viewed",
    "data.exported",
    "ticket.created",
    "ticket.solved",
    "survey.answered",
)


class EventRow(Row):
    """Something that happened; without a key its content is the key."""

    key: Key | None = called("id", "event id", "ticket id", "ticket", default=None)
    account: Key | None = called("account id", "account", "customer id", "customer no", "company id", default=None)
    domain: Text | None = called("domain", "website", default=None)
    at: AwareDatetime = called("at", "date", "time", "timestamp", "occurred at", "created at")
    kind: Literal[EVENT_KINDS] = called("kind", "type", default="product.used")  # type: ignore[valid-type]
    feature: Text | None = called("feature", "event", "event name", "action", default=None)
    person: Text | None = called("email", "person", "user", "user email", default=None)
    value: Decimal | None = called("value", "score", "nps", "rating", default=None)
    amount: Decimal | None = called("amount", "price", default=None)
    currency: Currency | None = called("currency", default=None)
    title: Text | None = called("title", "subject", "description", default=None)


def event_key(row: EventRow) -> str:
    """The row's own key, or one that follows from its content."""
    return row.key or f"content-{row.digest()}"


def person_key(row: PersonRow) -> str:
    """The row's own key, or the e-mail address."""
    return row.key or row.email.lower()


def moment(at: datetime) -> str:
    """A time as measures read it."""
    return at.isoformat()
