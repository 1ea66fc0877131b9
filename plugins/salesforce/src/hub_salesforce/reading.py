"""Reading an object: live by keyset over (SystemModstamp, Id), its history by Bulk API 2.0.

Many records share one SystemModstamp, so it alone is no cursor. And a transaction may commit records with a stamp a
few seconds older than what was read already: a position counts as settled once Salesforce's clock is ten seconds
past it; from one that is not, reading goes back ten seconds, and the host drops what it knows.

A bulk job is made by Salesforce from the whole object, deleted records included, and read in pieces behind a locator.
Live reading then goes on from the moment the job was created.
https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import AwareDatetime, BaseModel

from hub import sdk
from hub.sdk.errors import ConnectorError, CursorExpired, Misconfigured, Unavailable
from hub_salesforce.api import Api, Refused, exact_json

LOOK_BACK = timedelta(seconds=10)
BULK_ROWS = 10_000
LONGEST_POLL = 20.0
RUNNING = frozenset({"UploadComplete", "InProgress"})


class Position(BaseModel):
    """How far an object was read: up to (`at`, `id`), or up to `locator` of the bulk job that began at `began`."""

    at: AwareDatetime | None = None
    id: str | None = None
    settled: bool | None = None
    job: str | None = None
    locator: str | None = None
    began: AwareDatetime | None = None
    polls: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What is read: an object, its fields, and the field that orders it.

    `buried`: deleted records become tombstones; otherwise they are rows, for `normalize` to tell what that means.
    `until_now`: only what lies in the past by the order's field.
    """

    stream: str
    object: str
    fields: tuple[str, ...]
    order: str = "SystemModstamp"
    buried: bool = True
    until_now: bool = False

    def soql(self, after: tuple[datetime, str] | None, now: datetime) -> str:
        """The query for everything behind a position."""
        order, conditions = self.order, []
        if after is not None:
            at = literal(after[0])
            conditions.append(f"({order} > {at} OR ({order} = {at} AND Id > '{after[1]}'))")
        if self.until_now:
            conditions.append(f"{order} <= {literal(now)}")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {', '.join(self.fields)} FROM {self.object}{where} ORDER BY {order}, Id"


def literal(at: datetime) -> str:
    """A moment in SOQL."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def beginning(cursor: Position) -> tuple[datetime, str] | None:
    """Where to read on from."""
    if cursor.at is None:
        return None
    return (cursor.at, cursor.id or "") if cursor.settled else (cursor.at - LOOK_BACK, "")


async def live(api: Api, source: Source, cursor: Position) -> AsyncIterator[sdk.Page]:
    """What changed since the cursor, oldest first. A server cursor that Salesforce has forgotten is no loss."""
    after = beginning(cursor)
    while True:
        answer = await _asked(api, "/queryAll", {"q": source.soql(after, api.vendor_now)})
        while True:
            rows = [flat(row) for row in answer["records"]]
            if rows:
                last = next(row for row in reversed(rows) if row.get("Id") and row.get(source.order))
                after = (_moment(last[source.order]), last["Id"])
                settled = api.vendor_now - after[0] > LOOK_BACK
                yield sdk.Page(page_rows(source, rows), Position(at=after[0], id=after[1], settled=settled))
            if answer["done"]:
                return
            try:
                # The URL may carry another host, and says /query/ also for /queryAll: its last part is what counts.
                answer = await api.get(f"/query/{str(answer['nextRecordsUrl']).rpartition('/')[2]}")
            except Refused as refused:
                if refused.code != "INVALID_QUERY_LOCATOR":
                    raise _cannot_read(refused) from None
                break


async def backfill(api: Api, source: Source, share: float, cursor: Position | None) -> AsyncIterator[sdk.Page]:
    """Everything, by a bulk job; goes on with the job of the cursor. Raises `CursorExpired` when that is gone."""
    if cursor is None or cursor.job is None:
        fields = ", ".join(source.fields)
        job = {"operation": "queryAll", "query": f"SELECT {fields} FROM {source.object}"}
        made = exact_json(await _sent(api, "POST", "/jobs/query", json=job, share=share))
        cursor = Position(job=made["id"], began=_moment(made["createdDate"]), polls=0)
        yield sdk.Page([], cursor)
    while cursor.locator is None and not await _completed(api, cursor, share):
        cursor = cursor.model_copy(update={"polls": (cursor.polls or 0) + 1})
        yield sdk.Page([], cursor)
    while True:
        where = {"maxRecords": BULK_ROWS} | ({"locator": cursor.locator} if cursor.locator else {})
        answer = await _sent(api, "GET", f"/jobs/query/{cursor.job}/results", params=where, share=share)
        locator = answer.headers.get("sforce-locator", "null")
        rows = list(csv_rows(answer))
        if locator == "null":
            yield sdk.Page(page_rows(source, rows), Position(at=cursor.began, id="", settled=False))
            return
        cursor = Position(job=cursor.job, began=cursor.began, locator=locator)
        yield sdk.Page(page_rows(source, rows), cursor)


async def _completed(api: Api, cursor: Position, share: float) -> bool:
    """Whether the job is done; waits ever longer between two looks."""
    if cursor.polls:
        await asyncio.sleep(min(LONGEST_POLL, 0.25 * 2**cursor.polls))
    job = exact_json(await _sent(api, "GET", f"/jobs/query/{cursor.job}", share=share))
    if job["state"] in RUNNING:
        return False
    if job["state"] == "Failed":
        raise Misconfigured(f"Salesforce could not carry the bulk job out: {job.get('errorMessage')}")
    if job["state"] != "JobComplete":
        raise CursorExpired(f"The bulk job was ended by somebody ({job['state']}).")
    return True


async def _asked(api: Api, path: str, params: Mapping[str, Any]) -> Any:
    try:
        return await api.get(path, params)
    except Refused as refused:
        raise _cannot_read(refused) from None


async def _sent(api: Api, method: str, path: str, **options: Any) -> httpx.Response:
    try:
        return await api.send(method, path, **options)
    except Refused as refused:
        if refused.code in ("NOT_FOUND", "INVALIDJOB", "INVALIDJOBSTATE"):
            raise CursorExpired(f"Salesforce has forgotten the bulk job: {refused.message}") from None
        raise _cannot_read(refused) from None


def _cannot_read(refused: Refused) -> ConnectorError:
    """A refused query names a field or an object that the integration user does not see."""
    if refused.code in ("INVALID_FIELD", "INVALID_TYPE", "INSUFFICIENT_ACCESS"):
        return Misconfigured(f"{refused.message} Give the integration user's permission set read access to it.")
    return Unavailable(refused.message)


def page_rows(source: Source, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any] | sdk.Tombstone]:
    """The rows as the host takes them."""
    return [row_or_tombstone(source, row) for row in rows]


def row_or_tombstone(source: Source, row: Mapping[str, Any]) -> Mapping[str, Any] | sdk.Tombstone:
    """A deleted record is a tombstone, at the time of its deletion, where the source says so."""
    if source.buried and row.get("IsDeleted") in (True, "true"):
        return sdk.Tombstone(source.stream, row["Id"], _moment(row["SystemModstamp"]))
    return row


def flat(row: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """A record without `attributes`, related records as paths: `{"Owner": {"Email": …}}` → `{"Owner.Email": …}`."""
    fields: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            if name != "attributes":
                fields |= flat(value, f"{path}{name}.")
        else:
            fields[path + name] = value
    return fields


def csv_rows(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """The rows of a bulk result; what is empty there is null."""
    text = answer.content.decode("utf-8-sig")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        if None in row or None in row.values():
            raise Unavailable("Salesforce's CSV ends in the middle of a row.")
        yield {name: value or None for name, value in row.items()}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
