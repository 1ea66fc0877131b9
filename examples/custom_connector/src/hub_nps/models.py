"""The vendor's formats."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, SecretStr


class Settings(BaseModel):
    """What a person enters to connect the vendor."""

    api_key: SecretStr
    signing_secret: SecretStr | None = None
    previous_secret: SecretStr | None = None
    base_url: str = "https://api.nps.example"


class Team(BaseModel):
    """Whose key it is."""

    team: str = Field(min_length=1)


class Response(BaseModel):
    """What somebody answered; changing it changes `changed_at`."""

    id: str
    changed_at: AwareDatetime
    score: int = Field(ge=0, le=10)
    comment: str | None = None
    company_id: str
    email: str


class Since(BaseModel):
    """How far the responses were read. Many share their second, so the id belongs to it."""

    changed_at: str
    id: str


class ResponsePage(BaseModel):
    """Responses as they came, where the next page begins, and whether there is one already."""

    responses: list[dict[str, Any]]
    next: Since | None
    more: bool


class FollowUp(BaseModel):
    """A note on a response, for whoever reads it at the vendor."""

    response: str
    text: str = Field(max_length=1000)


class Note(BaseModel):
    """A note as the vendor keeps it."""

    id: str


class Notes(BaseModel):
    """The notes that carry one reference."""

    notes: list[Note]
