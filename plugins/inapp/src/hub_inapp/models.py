"""The channel's own wire format: what the hub is asked to show, and what the product's page reports back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, model_validator

Link = Annotated[str, Field(pattern=r"^(https?://|/)", max_length=2_000)]
Survey = Literal["nps", "csat", "text"]
SCALES = {"nps": range(11), "csat": range(1, 6)}
"""What may be answered: 0–10 how likely somebody is to recommend us; 1–5 how satisfied somebody is."""


class Config(BaseModel):
    """The secret that the product's server signs its end users with."""

    model_config = ConfigDict(extra="forbid")

    secret: SecretStr = Field(min_length=32, description="Shared with the product's server: openssl rand -hex 32")
    previous_secret: SecretStr | None = Field(None, description="Still accepted while the secret is being rotated.")


class Item(BaseModel):
    """One thing to do, of a checklist."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9_-]{1,50}$", description="Its name within the checklist, as reports tell it.")
    title: str = Field(min_length=1, max_length=200, description="One line.")
    url: Link | None = Field(None, description="Where it is done.")
    event: str | None = Field(
        None, min_length=1, max_length=200, description="The product's own event that ticks it; unset: ticked by hand."
    )


class SendMessage(BaseModel):
    """A message to one end user."""

    model_config = ConfigDict(extra="forbid")

    user: str = Field(min_length=1, max_length=255, description="The product's id of the end user.")
    title: str = Field(min_length=1, max_length=200, description="One line; of a survey, the question.")
    body: str = Field("", max_length=4_000, description="Plain text.")
    kind: Literal["callout", "banner", "survey", "checklist"] = Field("callout", description="How it is shown.")
    url: Link | None = Field(None, description="Where a click leads.")
    expires_at: AwareDatetime | None = Field(None, description="When it is no longer shown; unset: it waits.")
    target: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="CSS selector of the element that a call-out points at: it waits until that is on the page.",
    )
    corner: Literal["bottom-end", "bottom-start", "top-end", "top-start"] | None = Field(
        None, description="Where it stands without a target; unset: bottom-end, a checklist bottom-start."
    )
    button: str | None = Field(None, min_length=1, max_length=50, description="What its button says.")
    survey: Survey | None = Field(
        None, description="What a survey asks for: 0–10 (nps, the default), 1–5 (csat), or a text."
    )
    comment: str | None = Field(
        None, min_length=1, max_length=200, description="A survey's second question, for a text."
    )
    low: str | None = Field(None, min_length=1, max_length=50, description="What the lowest number of a survey means.")
    high: str | None = Field(None, min_length=1, max_length=50, description="What the highest number means.")
    items: list[Item] | None = Field(None, min_length=1, max_length=30, description="What a checklist lists.")

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> SendMessage:
        allowed = {
            "callout": {"target"},
            "survey": {"survey", "comment", "low", "high"},
            "checklist": {"items"},
        }.get(self.kind, set())
        for name in ("target", "survey", "comment", "low", "high", "items"):
            if getattr(self, name) is not None and name not in allowed:
                raise ValueError(f"a {self.kind} takes no {name}: leave it out, or choose another kind")
        if self.kind == "checklist" and not self.items:
            raise ValueError("a checklist needs items, each with id and title")
        names = [item.id for item in self.items or ()]
        if len(set(names)) < len(names):
            raise ValueError("two items of the checklist have the same id")
        return self

    def shown(self) -> dict[str, Any]:
        """The message as a page gets it: what is not set is left out, except the four fields that were always there."""
        body = {"url": None, **self.model_dump(mode="json", exclude={"user", "expires_at"}, exclude_none=True)}
        return body | {"survey": self.survey or "nps"} if self.kind == "survey" else body


class MessageSent(BaseModel):
    """The message waits for the end user's next visit."""

    message: str = Field(description="The message's id, as reports name it.")


class Report(BaseModel):
    """What became of a message, as the page reports it. `id` is made by the page, so a report sent twice is one."""

    model_config = ConfigDict(extra="ignore")

    id: UUID
    type: Literal["shown", "clicked", "dismissed", "answered", "ticked"]
    message: str = Field(min_length=1, max_length=100)
    user: str = Field(min_length=1, max_length=255)
    at: AwareDatetime
    answer: str | float | None = None
    survey: Survey | None = None
    comment: str | None = None
    item: str | None = Field(None, min_length=1, max_length=50)

    @model_validator(mode="after")
    def _is_complete(self) -> Report:
        if self.type == "ticked" and self.item is None:
            raise ValueError("a report of a tick names the item")
        if self.survey in SCALES and self.answer not in SCALES[self.survey]:
            raise ValueError(f"{self.answer!r} is no answer to {self.survey}")
        if self.survey == "text" and not isinstance(self.answer, str):
            raise ValueError("the answer to a question for a text is a text")
        return self

    @property
    def occurred_at(self) -> datetime:
        return self.at
