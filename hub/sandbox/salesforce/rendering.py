"""Rendering: a record as JSON of the REST API, and as CSV of a bulk job.

JSON has `attributes` beside the fields, related records nested, times with `+0000` and decimals as numbers, large ones
in scientific notation. CSV quotes everything, names related fields by their path, writes times with `Z`, and has
nothing where there is null.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from hub.sandbox.salesforce.fields import RELATIONS
from hub.sandbox.salesforce.org import Org, Record
from hub.sandbox.salesforce.soql import value_of

_NUMBER = re.compile(r'"\\u0000([^"]+)"')
"""Where a decimal stands until the text is made: Python's JSON would turn it into a binary fraction."""


def as_json(body: Any) -> bytes:
    """The JSON of an answer, its decimals exact."""
    return _NUMBER.sub(r"\1", json.dumps(body, default=_plain)).encode()


def as_object(org: Org, kind: str, record: Record, paths: Sequence[str], version: str) -> dict[str, Any]:
    """A record of a query's answer with the fields that were asked for."""
    shown: dict[str, Any] = {"attributes": _attributes(kind, record, version)}
    for path in paths:
        relation, dot, name = path.rpartition(".")
        if not dot:
            shown[path] = record[path]
            continue
        related = org.related(record, relation)
        if related is None:
            shown[relation] = None
            continue
        nested = shown.setdefault(relation, {"attributes": _attributes(RELATIONS[relation][1], related, version)})
        nested[name] = related[name]
    return shown


def as_csv(org: Org, records: Iterable[Record], paths: Sequence[str]) -> bytes:
    """Records of a bulk job, with the line of their names."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(paths)
    writer.writerows([_cell(value_of(org, record, path)) for path in paths] for record in records)
    return text.getvalue().encode()


def _attributes(kind: str, record: Record, version: str) -> dict[str, str]:
    return {"type": kind, "url": f"/services/data/{version}/sobjects/{kind}/{record['Id']}"}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "+0000")
        case date():
            return value.isoformat()
        case Decimal():
            return f"\0{value.normalize():E}" if value >= 10_000_000 and value == value.to_integral() else f"\0{value}"
    raise TypeError(type(value).__name__)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case _:
            return str(value)
