"""What Intercom sends, as far as the hub reads it; the rest stays in the raw record.

Times are unix seconds in the API and ISO texts in the items of notifications, for the same object: `Seconds` reads
both. https://developers.intercom.com/docs/references/rest-api/api.intercom.io/contacts/contact
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

API_VERSION = "2.11"
REGIONS = {"us": "https://api.intercom.io", "eu": "https://api.eu.intercom.io", "au": "https://api.au.intercom.io"}


class IntercomConfig(BaseModel):
    """The workspace's token, where it is kept, and how its notifications are signed."""

    model_config = ConfigDict(extra="forbid")

    access_token: SecretStr = Field(min_length=8, description="Of an app of your own workspace (Developer Hub).")
    region: Literal["us", "eu", "au"] = Field("us", description="Where the workspace's data is kept.")
    client_secret: SecretStr | None = Field(None, description="Of the same app; it signs notifications.")
    previous_client_secret: SecretStr | None = Field(None, description="Still accepted while it is being rotated.")
    admin_id: str | None = Field(None, description="The teammate in whose name messages are sent.")
    base_url: AnyHttpUrl | None = Field(None, description="Where the API is; unset: the region's address.")

    @property
    def api(self) -> str:
        """The base URL of the API."""
        return str(self.base_url) if self.base_url is not None else REGIONS[self.region]


def _seconds(value: Any) -> Any:
    """An ISO text as unix seconds; everything else is left for the model to judge."""
    if not isinstance(value, str) or value.isdecimal():
        return value
    at = datetime.fromisoformat(value)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=0)]
"""A moment as whole unix seconds."""


class Object(BaseModel):
    """Anything that Intercom sends."""

    model_config = ConfigDict(extra="allow")


class Reference(Object):
    """Another object, by its id alone."""

    id: str


class References(Object):
    """The first ten of what a contact has many of."""

    data: list[Reference] = Field(default_factory=list)


class Contact(Object):
    """https://developers.intercom.com/docs/references/rest-api/api.intercom.io/contacts/contact"""

    id: str = Field(min_length=1)
    role: str | None = None
    external_id: str | None = None
    email: str | None = None
    name: str | None = None
    created_at: Seconds
    updated_at: Seconds
    companies: References | None = None
    custom_attributes: dict[str, Any] = Field(default_factory=dict)


class Plan(Object):
    """What a company pays for."""

    name: str | None = None


class Company(Object):
    """https://developers.intercom.com/docs/references/rest-api/api.intercom.io/companies/company"""

    id: str = Field(min_length=1)
    company_id: str | None = None
    name: str | None = None
    website: str | None = None
    industry: str | None = None
    size: int | None = None
    plan: Plan | None = None
    created_at: Seconds
    updated_at: Seconds

    @property
    def domain(self) -> str | None:
        """The host of its website, however that is written, without `www.`."""
        website = (self.website or "").strip()
        try:
            host = urlsplit(website if "://" in website else f"//{website}").hostname
        except ValueError:
            return None
        return host.removeprefix("www.") if host and "." in host else None


class Author(Object):
    """Who wrote: a contact (`user`, `lead`, `contact`), one of ours (`admin`, `team`) or a `bot`."""

    type: str
    id: str
    name: str | None = None
    email: str | None = None


class Part(Object):
    """One thing that happened in a conversation; the message that opened it has the id `source`."""

    id: str
    part_type: str
    created_at: Seconds
    body: str | None = None
    author: Author | None = None


class Participant(Reference):
    """A contact that takes part in a conversation."""

    external_id: str | None = None


class Rating(Object):
    """What a contact thought of a conversation, from 1 to 5; the words may come later."""

    rating: int = Field(ge=1, le=5)
    remark: str | None = None
    created_at: Seconds
    contact: Reference | None = None


class Happening(BaseModel):
    """One part or the rating of a conversation, with who took part when it was first seen.

    `state` is the conversation's afterwards. Made by `happenings`, from a whole conversation or from a notification.
    """

    conversation: str
    contacts: list[Participant]
    subject: str | None = None
    channel: str | None = None
    state: str | None = None
    part: Part | None = None
    rating: Rating | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Happening:
        if (self.part is None) == (self.rating is None):
            raise ValueError("a happening is a part or a rating")
        return self

    @property
    def key(self) -> str:
        """Which happening of which conversation."""
        return f"{self.conversation}:{self.part.id if self.part else 'rating'}"

    @property
    def version(self) -> str:
        """A part never changes; a rating may be given anew, and words may follow it."""
        if self.rating is not None:
            return f"{self.rating.created_at:012}:{int(bool(self.rating.remark))}"
        return self.part.id.zfill(20) if self.part and self.part.id != "source" else "0"


class Merge(BaseModel):
    """A contact that others were merged into, with the conversations that it has since then."""

    contact: Contact
    conversations: list[str]


class Since(BaseModel):
    """How far a search has come. `since` is what this walk began from, `newest` the newest time seen in it.

    `after` is Intercom's place in the walk; without one the walk has ended, and the next begins at `since`.
    """

    since: int
    newest: int | None = None
    after: str | None = None


class Scroll(BaseModel):
    """A scroll and how many pages of it are kept; `asked` while the next one is being fetched."""

    scroll: str
    page: int
    asked: bool = False


class SendMessage(BaseModel):
    """An in-app message to one contact, named by Intercom's id or by the product's user id."""

    model_config = ConfigDict(extra="forbid")

    contact: str | None = Field(None, min_length=1, description="Intercom's id of the contact.")
    user: str | None = Field(None, min_length=1, description="The product's id of the user (Intercom: external_id).")
    body: str = Field(min_length=1, max_length=10_000, description="The text; simple HTML is allowed.")
    admin: str | None = Field(None, description="The teammate who sends it; unset: the connection's admin_id.")

    @model_validator(mode="after")
    def _names_one(self) -> SendMessage:
        if (self.contact is None) == (self.user is None):
            raise ValueError("name the recipient by contact or by user, not by both")
        return self


class MessageSent(BaseModel):
    """Intercom took the message."""

    message: str = Field(description="The message's id at Intercom.")
    contact: str = Field(description="Intercom's id of the contact that it went to.")


def moment(seconds: int) -> datetime:
    """Unix seconds as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)
