"""What Salesforce's objects hold, as far as the hub reads them. The aliases are the fields that are asked for.

A field of a related object is named by its path (`Owner.Email`), in JSON answers (flattened) as in bulk results.
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_list.htm
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

Moment = Annotated[AwareDatetime, BeforeValidator(lambda value: _moment(value))]
"""`2026-05-01T07:25:37.000+0000` in JSON, `2026-05-01T07:25:37.000Z` in bulk results."""

MAX_FIELDS = 50


class Row(BaseModel):
    """A record of any object."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(alias="Id", min_length=15, max_length=18)
    is_deleted: bool = Field(False, alias="IsDeleted")
    created: Moment = Field(alias="CreatedDate")
    stamp: Moment = Field(alias="SystemModstamp")

    def version(self) -> str:
        """When the record was last touched, also by the system: texts sort as times do."""
        return self.stamp.astimezone(UTC).isoformat(timespec="milliseconds")


class Edited(Row):
    """A record that can be edited."""

    modified: Moment = Field(alias="LastModifiedDate")


class Account(Edited):
    """A company. Custom fields that the configuration names stay in `model_extra`."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(alias="Name")
    website: str | None = Field(None, alias="Website")
    type: str | None = Field(None, alias="Type")
    industry: str | None = Field(None, alias="Industry")
    employees: int | None = Field(None, alias="NumberOfEmployees")
    owner_email: str | None = Field(None, alias="Owner.Email")
    parent: str | None = Field(None, alias="ParentId")
    winner: str | None = Field(None, alias="MasterRecordId")
    """Of a merge in which this account lost."""


class Contact(Edited):
    """Somebody at an account."""

    account: str | None = Field(None, alias="AccountId")
    name: str | None = Field(None, alias="Name")
    email: str | None = Field(None, alias="Email")
    title: str | None = Field(None, alias="Title")
    winner: str | None = Field(None, alias="MasterRecordId")


class ContactRole(Edited):
    """What a contact is in an opportunity: `OpportunityContactRole`."""

    opportunity: str = Field(alias="OpportunityId")
    contact: str = Field(alias="ContactId")
    role: str | None = Field(None, alias="Role")
    account: str | None = Field(None, alias="Opportunity.AccountId")


class Opportunity(Edited):
    """A sale or a renewal, as it is now."""

    account: str | None = Field(None, alias="AccountId")
    name: str = Field(alias="Name")
    stage: str = Field(alias="StageName")
    stage_since: Moment | None = Field(None, alias="LastStageChangeDate")
    type: str | None = Field(None, alias="Type")
    amount: Decimal | None = Field(None, alias="Amount")
    currency: str | None = Field(None, alias="CurrencyIsoCode")
    probability: float | None = Field(None, alias="Probability")
    close_date: date = Field(alias="CloseDate")
    is_closed: bool = Field(alias="IsClosed")
    is_won: bool = Field(alias="IsWon")
    owner_email: str | None = Field(None, alias="Owner.Email")


class OpportunityEntry(Row):
    """An entry of an opportunity's history: `OpportunityHistory`. It is written once."""

    opportunity: str = Field(alias="OpportunityId")
    account: str | None = Field(None, alias="Opportunity.AccountId")
    stage: str = Field(alias="StageName")
    amount: Decimal | None = Field(None, alias="Amount")
    currency: str | None = Field(None, alias="CurrencyIsoCode")
    probability: float | None = Field(None, alias="Probability")
    forecast: str | None = Field(None, alias="ForecastCategory")
    close_date: date | None = Field(None, alias="CloseDate")


class Case(Edited):
    """A support ticket. Imported ones may be closed before they were created."""

    account: str | None = Field(None, alias="AccountId")
    contact: str | None = Field(None, alias="ContactId")
    number: str | None = Field(None, alias="CaseNumber")
    subject: str | None = Field(None, alias="Subject")
    status: str = Field(alias="Status")
    priority: str | None = Field(None, alias="Priority")
    origin: str | None = Field(None, alias="Origin")
    is_closed: bool = Field(alias="IsClosed")
    is_escalated: bool = Field(False, alias="IsEscalated")
    closed: Moment | None = Field(None, alias="ClosedDate")
    owner_email: str | None = Field(None, alias="Owner.Email")


class Task(Edited):
    """Something to do, or a call or an e-mail that was logged."""

    account: str | None = Field(None, alias="AccountId")
    who: str | None = Field(None, alias="WhoId")
    subject: str | None = Field(None, alias="Subject")
    status: str = Field(alias="Status")
    priority: str | None = Field(None, alias="Priority")
    subtype: str | None = Field(None, alias="TaskSubtype")
    due: date | None = Field(None, alias="ActivityDate")
    is_closed: bool = Field(alias="IsClosed")
    completed: Moment | None = Field(None, alias="CompletedDateTime")
    owner_email: str | None = Field(None, alias="Owner.Email")


class Meeting(Edited):
    """An entry in a calendar: `Event`."""

    account: str | None = Field(None, alias="AccountId")
    who: str | None = Field(None, alias="WhoId")
    subject: str | None = Field(None, alias="Subject")
    start: Moment | None = Field(None, alias="StartDateTime")
    end: Moment | None = Field(None, alias="EndDateTime")
    is_child: bool = Field(False, alias="IsChild")
    """The copy of an invitee."""
    is_series: bool = Field(False, alias="IsRecurrence")
    """The head of a series, which is no meeting itself."""
    owner_email: str | None = Field(None, alias="Owner.Email")


class EndedMeeting(Meeting):
    """The same, once its end has passed."""

    def version(self) -> str:
        ended = self.end or self.stamp
        return ended.astimezone(UTC).isoformat(timespec="milliseconds")


class Contract(Edited):
    """What was agreed, and until when."""

    account: str = Field(alias="AccountId")
    number: str | None = Field(None, alias="ContractNumber")
    status: str = Field(alias="Status")
    state: str | None = Field(None, alias="StatusCode")
    start: date | None = Field(None, alias="StartDate")
    end: date | None = Field(None, alias="EndDate")
    months: int | None = Field(None, alias="ContractTerm")
    activated: Moment | None = Field(None, alias="ActivatedDate")
    owner_email: str | None = Field(None, alias="Owner.Email")


FieldValue = str | int | float | bool | None


class NewTask(BaseModel):
    """A task for a colleague, at an account."""

    account: str = Field(pattern=r"^001[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$", description="Id of the Salesforce account.")
    subject: str = Field(min_length=1, max_length=200)
    description: str | None = Field(None, max_length=32_000)
    due: date | None = None
    priority: str = Field("Normal", max_length=40)
    owner: str | None = Field(
        None, pattern=r"^005[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$", description="Id of a user; default: the hub's own."
    )
    owner_email: str | None = Field(
        None, max_length=80, description="E-mail of a user, where the id is not known; an unknown one names nobody."
    )
    contact: str | None = Field(
        None, pattern=r"^003[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$", description="Id of the contact whom it is about."
    )


class TaskToEnd(BaseModel):
    """A task that is done."""

    task: str = Field(pattern=r"^00T[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$", description="Id of the task.")


class TaskEnded(BaseModel):
    """The task, which is done."""

    task: str


class TaskMade(BaseModel):
    """The task, made now or by an earlier attempt."""

    task: str


class FieldUpdate(BaseModel):
    """Values for custom fields of one record, which an external id names."""

    object: str = Field("Account", pattern=r"^[A-Za-z]\w*$")
    external_field: str = Field("Id", pattern=r"^(Id|[A-Za-z]\w*__c)$", description="The external id's field, or Id.")
    external_id: str = Field(min_length=1, max_length=255)
    fields: dict[str, FieldValue] = Field(
        min_length=1, max_length=MAX_FIELDS, description="Custom fields (…__c) and their new values."
    )


class FieldsUpdated(BaseModel):
    """The record; `created` says that the external id was new."""

    external_id: str
    created: bool


def _moment(value: Any) -> Any:
    """Python reads `+0000` everywhere, pydantic only with a colon."""
    if isinstance(value, str) and value[-5:-4] in "+-" and ":" not in value[-5:]:
        return datetime.fromisoformat(value)
    return value
