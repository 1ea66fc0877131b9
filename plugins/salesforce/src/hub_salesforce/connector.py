"""The Salesforce connector: nine objects, read live and by bulk jobs; messages say what changed; two ways to write."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpx

from hub import sdk
from hub.sdk.errors import ConnectorError, Misconfigured, Rejected
from hub_salesforce import mapping, messages, models
from hub_salesforce.api import Api, Refused, authorized, exact_json, judged
from hub_salesforce.config import SalesforceConfig
from hub_salesforce.models import FieldsUpdated, FieldUpdate, NewTask, TaskEnded, TaskMade, TaskToEnd
from hub_salesforce.reading import Position, Source, backfill, flat, live, row_or_tombstone

STREAM: dict[str, Any] = {
    "cursor": Position,
    "key": lambda row: row.id,
    "version": lambda row: row.version(),
    "interval": timedelta(minutes=5),
}

OBJECTS: Mapping[str, tuple[str, type[models.Row]]] = {
    "accounts": ("Account", models.Account),
    "contacts": ("Contact", models.Contact),
    "contact_roles": ("OpportunityContactRole", models.ContactRole),
    "opportunities": ("Opportunity", models.Opportunity),
    "opportunity_history": ("OpportunityHistory", models.OpportunityEntry),
    "cases": ("Case", models.Case),
    "tasks": ("Task", models.Task),
    "meetings": ("Event", models.Meeting),
    "ended_meetings": ("Event", models.EndedMeeting),
    "contracts": ("Contract", models.Contract),
}
"""Each stream's object and record."""

TOLD_WHEN_DELETED = frozenset({"accounts", "contacts"})
"""Streams whose deleted records mean something: a merge, or that somebody left."""


class Salesforce(sdk.Connector[SalesforceConfig]):
    """Reads sales, support, activities and contracts; writes tasks and custom fields."""

    id = "salesforce"
    name = "Salesforce"
    tier = "gold"
    Config = SalesforceConfig
    rate = sdk.Rate(per_second=10, backfill_share=0.5)

    @classmethod
    def hosts(cls, config: SalesforceConfig) -> Sequence[str]:
        return (str(config.base_url),)

    def authenticate(self, request: httpx.Request) -> httpx.Request:
        return authorized(request, self.config)

    def judge(self, answer: httpx.Response) -> ConnectorError | None:
        return judged(answer, self.config, self.clock.now())

    @cached_property
    def rest(self) -> Api:
        """The org's REST API."""
        return Api(self.config, self.http, self.clock.now)

    async def check(self) -> str:
        """Sign in anew, and ask which org this is."""
        told = await self.rest.sign_in()
        instance = httpx.URL(str(told.get("instance_url", self.config.base_url)))
        try:
            found = await self.rest.get("/query", {"q": "SELECT Id FROM Organization"})
        except Refused as refused:
            raise Misconfigured(f"{refused.message} If base_url is no My Domain, write {instance}.") from None
        org = str(found["records"][0]["Id"])
        if self.config.organization_id and self.config.organization_id[:15] != org[:15]:
            raise Misconfigured(f"organization_id is of another org: this one is {org}.")
        return org

    @sdk.stream(record=models.Account, emits=mapping.EMITS_OF_ACCOUNT, **STREAM)
    async def accounts(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """Accounts with their owners, merged and deleted ones included."""
        async for page in self._read("accounts", cursor):
            yield page

    @accounts.normalize
    def _(self, account: models.Account) -> Iterable[sdk.Event]:
        return mapping.of_account(account, self.config)

    @accounts.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("accounts", record)

    @sdk.stream(record=models.Contact, emits=mapping.EMITS_OF_CONTACT, **STREAM)
    async def contacts(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """Contacts, merged and deleted ones included."""
        async for page in self._read("contacts", cursor):
            yield page

    @contacts.normalize
    def _(self, contact: models.Contact) -> Iterable[sdk.Event]:
        return mapping.of_contact(contact)

    @contacts.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("contacts", record)

    @sdk.stream(record=models.ContactRole, emits={"person.identified"}, **STREAM)
    async def contact_roles(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """What contacts are in opportunities."""
        async for page in self._read("contact_roles", cursor):
            yield page

    @contact_roles.normalize
    def _(self, role: models.ContactRole) -> Iterable[sdk.Event]:
        return mapping.of_contact_role(role)

    @sdk.stream(record=models.Opportunity, emits=mapping.EMITS_OF_OPPORTUNITY, **STREAM)
    async def opportunities(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """Opportunities as they are."""
        async for page in self._read("opportunities", cursor):
            yield page

    @opportunities.normalize
    def _(self, opportunity: models.Opportunity) -> Iterable[sdk.Event]:
        return mapping.of_opportunity(opportunity, self.config)

    @opportunities.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("opportunities", record)

    @sdk.stream(record=models.OpportunityEntry, emits={"opportunity.stage_changed"}, **STREAM)
    async def opportunity_history(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """How opportunities came there."""
        async for page in self._read("opportunity_history", cursor):
            yield page

    @opportunity_history.normalize
    def _(self, entry: models.OpportunityEntry) -> Iterable[sdk.Event]:
        return mapping.of_opportunity_entry(entry, self.config)

    @sdk.stream(record=models.Case, emits=mapping.EMITS_OF_CASE, **STREAM)
    async def cases(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """Support tickets."""
        async for page in self._read("cases", cursor):
            yield page

    @cases.normalize
    def _(self, case: models.Case) -> Iterable[sdk.Event]:
        return mapping.of_case(case, self.config)

    @cases.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("cases", record)

    @sdk.stream(record=models.Task, emits=mapping.EMITS_OF_TASK, **STREAM)
    async def tasks(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """Tasks, logged calls and e-mails."""
        async for page in self._read("tasks", cursor):
            yield page

    @tasks.normalize
    def _(self, task: models.Task) -> Iterable[sdk.Event]:
        return mapping.of_task(task)

    @tasks.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("tasks", record)

    @sdk.stream(record=models.Meeting, emits=mapping.EMITS_OF_MEETING, **STREAM)
    async def meetings(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """Entries of calendars, as they are planned or noted."""
        async for page in self._read("meetings", cursor):
            yield page

    @meetings.normalize
    def _(self, meeting: models.Meeting) -> Iterable[sdk.Event]:
        return mapping.of_meeting(meeting)

    @meetings.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("meetings", record)

    @sdk.stream(record=models.EndedMeeting, emits={"meeting.held"}, **STREAM)
    async def ended_meetings(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """The same once they are over: nobody touches an entry only because its meeting has ended."""
        source = self._source("ended_meetings", order="EndDateTime", until_now=True)
        async for page in live(self.rest, source, cursor or Position()):
            yield page

    @ended_meetings.normalize
    def _(self, meeting: models.EndedMeeting) -> Iterable[sdk.Event]:
        return mapping.of_ended_meeting(meeting)

    @sdk.stream(record=models.Contract, emits=mapping.EMITS_OF_CONTRACT, **STREAM)
    async def contracts(self, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        """Contracts."""
        async for page in self._read("contracts", cursor):
            yield page

    @contracts.normalize
    def _(self, contract: models.Contract) -> Iterable[sdk.Event]:
        return mapping.of_contract(contract)

    @contracts.refetch
    async def _(self, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        return await self._one("contracts", record)

    @sdk.webhook(
        path="outbound/{secret}",
        signature=messages.SecretAddress(),
        secrets=messages.active_secrets,
        delivery_id=messages.delivery_id,
        handles=messages.STREAMS.values(),
        reply=messages.ACK,
        max_bytes=messages.MAX_BYTES,
    )
    def outbound(self, delivery: sdk.Delivery) -> Iterable[sdk.Refetch]:
        """Outbound messages: each names a record that changed, which is then read; other objects are passed over."""
        told = [one for one in messages.read(delivery.body).notifications if one.object in messages.STREAMS]
        return [sdk.Refetch(messages.STREAMS[one.object], one.record) for one in told]

    @sdk.action(input=NewTask, output=TaskMade, idempotency="lookup", scopes=("api",))
    async def create_task(self, task: NewTask, key: str) -> TaskMade:
        """Create a task for a colleague, once: a repeated call finds the first one."""
        field, mark = self._mark(task.subject, key)
        query = f"SELECT Id FROM Task WHERE WhatId = '{task.account}' AND {field} = '{_quoted(mark)}' LIMIT 1"
        found = await self.rest.get("/query", {"q": query})
        if found["records"]:
            return TaskMade(task=found["records"][0]["Id"])
        fields = {
            "WhatId": task.account,
            "WhoId": task.contact,
            "OwnerId": task.owner or await self._user(task.owner_email),
            "Subject": task.subject,
            "Description": task.description,
            "ActivityDate": task.due.isoformat() if task.due else None,
            "Priority": task.priority,
            field: mark,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        made = exact_json(await self.rest.send("POST", "/sobjects/Task", json=body))
        return TaskMade(task=made["id"])

    @sdk.action(input=TaskToEnd, output=TaskEnded, idempotency="upsert", scopes=("api",))
    async def complete_task(self, task: TaskToEnd, key: str) -> TaskEnded:
        """Say that a task is done; one that is done already stays so."""
        status = {"Status": self.config.closed_task_status}
        await self.rest.send("PATCH", f"/sobjects/Task/{task.task}", json=status)
        return TaskEnded(task=task.task)

    async def _user(self, email: str | None) -> str | None:
        """The active user with this address; None, as the hub's own, when there is none."""
        if email is None:
            return None
        query = f"SELECT Id FROM User WHERE Email = '{_quoted(email)}' AND IsActive = true LIMIT 1"
        found = (await self.rest.get("/query", {"q": query}))["records"]
        return str(found[0]["Id"]) if found else None

    @sdk.action(input=FieldUpdate, output=FieldsUpdated, idempotency="upsert", scopes=("api",))
    async def update_fields(self, update: FieldUpdate, key: str) -> FieldsUpdated:
        """Set custom fields of a record that an external id names, e.g. an account's health band and score."""
        if standard := sorted(name for name in update.fields if not name.endswith("__c")):
            raise Rejected(f"Only custom fields (…__c) are written; {', '.join(standard)} are Salesforce's own.")
        name = "" if update.external_field == "Id" else f"/{update.external_field}"
        path = f"/sobjects/{update.object}{name}/{quote(update.external_id, safe='')}"
        # To Salesforce nothing is null; a text from a template can only be empty.
        fields = {name: None if value == "" else value for name, value in update.fields.items()}
        answer = await self.rest.send("PATCH", path, json=fields)
        if answer.status_code == 300:
            raise Rejected(f"Several records have the external id {update.external_id!r}.")
        return FieldsUpdated(external_id=update.external_id, created=answer.status_code == 201)

    async def _read(self, stream: str, cursor: Position | None) -> AsyncIterator[sdk.Page]:
        source = self._source(stream)
        if cursor is not None and cursor.job is None:
            pages = live(self.rest, source, cursor)
        else:
            pages = backfill(self.rest, source, self.config.backfill_share, cursor)
        async for page in pages:
            yield page

    def _source(self, stream: str, **options: Any) -> Source:
        name, record = OBJECTS[stream]
        fields = [field.alias for field in record.model_fields.values() if field.alias]
        if not self.config.multi_currency:
            fields = [field for field in fields if field != "CurrencyIsoCode"]
        if stream == "accounts" and self.config.account_group_field:
            fields.append(self.config.account_group_field)
        return Source(stream, name, tuple(fields), buried=stream not in TOLD_WHEN_DELETED, **options)

    async def _one(self, stream: str, record: str) -> Mapping[str, Any] | sdk.Tombstone:
        """One record by its id, as a walk would give it."""
        if not record.isalnum():
            raise Rejected(f"{record!r} is no id of Salesforce's.")
        source = self._source(stream)
        query = f"SELECT {', '.join(source.fields)} FROM {source.object} WHERE Id = '{record}'"
        found = (await self.rest.get("/queryAll", {"q": query}))["records"]
        return row_or_tombstone(source, flat(found[0])) if found else sdk.Tombstone(stream, record)

    def _mark(self, subject: str, key: str) -> tuple[str, str]:
        """The field by which a task is found again, and its value: a field for it, or the end of the subject."""
        if self.config.task_key_field:
            return self.config.task_key_field, key[:255]
        return "Subject", f"{subject} [{hashlib.sha256(key.encode()).hexdigest()[:10]}]"


def _quoted(text: str) -> str:
    """A text inside quotes in SOQL."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
