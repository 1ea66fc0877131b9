"""Bulk API 2.0: query jobs, made when they are asked for, looked at until they are complete, read behind a locator.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from hub.sandbox.salesforce.ids import make_id
from hub.sandbox.salesforce.org import Org, Record
from hub.sandbox.salesforce.refusals import Refusal
from hub.sandbox.salesforce.rendering import as_csv
from hub.sandbox.salesforce.soql import Query, parse

NO_MORE = "null"
"""The locator behind the last piece: this text, not the absence of one."""


@dataclass(slots=True)
class Job:
    """A query job; `left` is how often it will still be found in progress."""

    id: str
    query: Query
    text: str
    operation: str
    created: datetime
    records: list[Record]
    left: int


@dataclass(slots=True)
class Bulk:
    """The jobs of an org. `looks`: how often a new one is found in progress. `piece`: rows of a piece at most."""

    org: Org
    rng: Random
    looks: int = 0
    piece: int = 250_000
    jobs: dict[str, Job] = field(default_factory=dict)
    broken: str | None = None
    """Why jobs fail, when they shall."""

    def create(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """A new job over the records as they are now."""
        if wanted.get("operation") not in ("query", "queryAll"):
            raise Refusal(400, "INVALIDJOB", "operation must be query or queryAll")
        query = parse(self.org, str(wanted.get("query", "")))
        if query.order or query.limit is not None:
            raise Refusal(400, "MALFORMED_QUERY", "ORDER BY and LIMIT disable chunking; this double refuses them")
        records = [dict(one) for one in query.run(self.org, deleted=wanted["operation"] == "queryAll")]
        job = Job(
            id=make_id(self.rng, "QueryJob"),
            query=query,
            text=wanted["query"],
            operation=wanted["operation"],
            created=self.org.clock(),
            records=records,
            left=self.looks,
        )
        self.jobs[job.id] = job
        return self._shown(job, "UploadComplete")

    def look(self, job_id: str) -> dict[str, Any]:
        """How far a job is."""
        job = self._find(job_id)
        if job.left > 0:
            job.left -= 1
            return self._shown(job, "InProgress")
        if self.broken is not None:
            return self._shown(job, "Failed") | {"errorMessage": self.broken}
        return self._shown(job, "JobComplete") | {"numberRecordsProcessed": len(job.records)}

    def results(self, job_id: str, most: int | None, locator: str | None) -> tuple[bytes, dict[str, str]]:
        """A piece of the results as CSV, and its headers."""
        job = self._find(job_id)
        if job.left > 0 or self.broken is not None:
            raise Refusal(400, "INVALIDJOBSTATE", "Results are only available when the job is complete")
        start = _offset(locator) if locator else 0
        size = min(most or self.piece, self.piece)
        rows, end = job.records[start : start + size], start + size
        headers = {
            "Sforce-NumberOfRecords": str(len(rows)),
            "Sforce-Locator": _locator(end) if end < len(job.records) else NO_MORE,
        }
        return as_csv(self.org, rows, job.query.fields), headers

    def forget(self) -> None:
        """Jobs are kept for seven days; they have passed."""
        self.jobs.clear()

    def _find(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise Refusal.missing()
        return self.jobs[job_id]

    def _shown(self, job: Job, state: str) -> dict[str, Any]:
        return {
            "id": job.id,
            "operation": job.operation,
            "object": job.query.object,
            "createdDate": job.created,
            "systemModstamp": self.org.clock(),
            "state": state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": 62.0,
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }


def _locator(offset: int) -> str:
    return base64.b64encode(str(offset).encode()).decode().rstrip("=")


def _offset(locator: str) -> int:
    try:
        return int(base64.b64decode(locator + "=" * (-len(locator) % 4)))
    except ValueError:
        raise Refusal(400, "INVALIDLOCATOR", "The locator is invalid") from None
