"""What an SMTP server has to be told, and what is sent by it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
"""An address as nearly everybody has one (a subset of RFC 5321's Mailbox): nothing in it can be taken for syntax."""

Address = Annotated[str, StringConstraints(pattern=f"^{ADDRESS}$", max_length=254)]
Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\r\n\x00]*$")]
"""Text of one line, so that a header cannot become two."""


class Config(BaseModel):
    """The server, and who the messages are from."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(min_length=1, max_length=253, description="The SMTP server, e.g. smtp.example.com")
    port: int = Field(587, ge=1, le=65535, description="587 with starttls, 465 with tls, 25 within your own network.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls from the first byte, or none: only for a relay on your own network."
    )
    user: str | None = Field(None, max_length=320, description="Who signs in; unset: nobody does.")
    password: SecretStr | None = Field(None, description="The user's password, or an app password.")
    sender: Address = Field(description="The address that messages are from.")
    sender_name: Annotated[Line, Field(max_length=100)] | None = Field(None, description="The name beside it.")
    reply_to: Address | None = Field(None, description="Where answers go; unset: to the sender.")

    @model_validator(mode="after")
    def _signs_in_safely(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.user is not None and self.security == "none":
            raise ValueError("a password is only sent over starttls or tls")
        return self


class SendMessage(BaseModel):
    """A message to one person."""

    model_config = ConfigDict(extra="forbid")

    email: Address = Field(description="The recipient's address; in a play it is the person's.")
    subject: Line = Field(max_length=200, description="One line.")
    text: str = Field(min_length=1, max_length=100_000, description="Plain text.")
    html: str | None = Field(None, max_length=500_000, description="The same as HTML, for readers that show it.")


class MessageSent(BaseModel):
    """The server has taken the message over; whether it arrives is its business."""

    message_id: str = Field(description="The Message-ID, as the recipient's reader knows it.")
