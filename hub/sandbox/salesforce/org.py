"""The org: all records by object, with the stamps that Salesforce keeps.

A deleted record stays, marked, until the recycle bin is emptied. Merging marks the loser with the winner's id and moves
what belonged to it. A stamp has milliseconds; whatever one import writes has one and the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeAlias

from hub.sandbox.salesforce.fields import EXTERNAL_IDS, FIELDS, RELATIONS, REQUIRED
from hub.sandbox.salesforce.ids import make_id
from hub.sandbox.salesforce.refusals import Refusal

Record: TypeAlias = dict[str, Any]

_CHILDREN = ("Contact", "Opportunity", "Case", "Task", "Event", "Contract")


@dataclass(slots=True)
class Org:
    """One org. `clock` gives the present time; `changed` are told of every record that is written."""

    id: str
    rng: Random
    clock: Callable[[], datetime]
    tables: dict[str, dict[str, Record]] = field(default_factory=lambda: {name: {} for name in FIELDS})
    dropped: set[tuple[str, str]] = field(default_factory=set)
    """Fields that an administrator took away: (object, name)."""
    changed: list[Callable[[str, Record], None]] = field(default_factory=list)

    def fields_of(self, kind: str) -> frozenset[str]:
        """The fields of an object. Raises `Refusal` for one that does not exist."""
        if kind not in FIELDS:
            raise Refusal.no_object(kind)
        return frozenset(name for name in FIELDS[kind] if (kind, name) not in self.dropped)

    def get(self, kind: str, record_id: str) -> Record | None:
        """A record by its id of 15 or 18 characters, deleted ones included."""
        table = self.tables[kind]
        return table.get(record_id) or next((one for key, one in table.items() if key[:15] == record_id), None)

    def related(self, record: Record, relation: str) -> Record | None:
        """The record that one of this name relates to."""
        key, kind = RELATIONS[relation]
        found = record.get(key)
        return self.get(kind, found) if found else None

    def insert(self, kind: str, at: datetime | None = None, **fields: Any) -> Record:
        """A new record, created (and stamped) at a time of one's choice or now."""
        self._check(kind, fields)
        if absent := [name for name in REQUIRED.get(kind, ()) if not fields.get(name)]:
            raise Refusal(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: {absent}")
        moment = _milliseconds(at or self.clock())
        known = dict.fromkeys(FIELDS[kind])
        stamps = {"CreatedDate": moment, "LastModifiedDate": moment, "SystemModstamp": moment}
        record = known | {name: at for name, at in stamps.items() if name in known} | fields
        record_id: str = fields.get("Id") or make_id(self.rng, kind)
        record["Id"] = record_id
        if "IsDeleted" in known:
            record["IsDeleted"] = False
        self.tables[kind][record_id] = record
        self._tell(kind, record)
        return record

    def update(self, kind: str, record_id: str, at: datetime | None = None, **fields: Any) -> Record:
        """Other values, at a time of one's choice or now. Raises `Refusal` for a record that is not there."""
        record = self.get(kind, record_id)
        if record is None or record.get("IsDeleted"):
            raise Refusal(404, "ENTITY_IS_DELETED" if record else "NOT_FOUND", "entity is deleted")
        self._check(kind, fields)
        record.update(fields)
        self._touch(record, at)
        self._tell(kind, record)
        return record

    def upsert(self, kind: str, external: str, value: str, **fields: Any) -> tuple[Record, bool]:
        """The record with this external id, changed or created; and whether it was created."""
        if external not in EXTERNAL_IDS.get(kind, ()):
            raise Refusal(
                404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {external}"
            )
        found = [one for one in self.tables[kind].values() if one[external] == value and not one["IsDeleted"]]
        if found:
            return self.update(kind, found[0]["Id"], **fields), False
        return self.insert(kind, None, **{external: value}, **fields), True

    def delete(self, kind: str, record_id: str, at: datetime | None = None) -> None:
        """Into the recycle bin."""
        record = self.update(kind, record_id, at)
        record["IsDeleted"] = True

    def undelete(self, kind: str, record_id: str, at: datetime | None = None) -> None:
        """Out of it again."""
        record = self.tables[kind][record_id]
        record["IsDeleted"] = False
        self._touch(record, at)

    def merge(self, kind: str, winner: str, loser: str, at: datetime | None = None) -> None:
        """The loser is deleted and names the winner, to which all that belonged to the loser goes over."""
        moment = at or self.clock()
        self.delete(kind, loser, moment)
        self.tables[kind][loser]["MasterRecordId"] = winner
        self.update(kind, winner, moment)
        if kind == "Account":
            for child in _CHILDREN:
                for record in self.tables[child].values():
                    if record["AccountId"] == loser:
                        record["AccountId"] = winner
                        self._touch(record, moment)

    def empty_bin(self) -> None:
        """What was deleted is gone for good."""
        for kind, table in self.tables.items():
            self.tables[kind] = {key: one for key, one in table.items() if not one.get("IsDeleted")}

    def _check(self, kind: str, fields: Record) -> None:
        for name in fields:
            if name not in self.fields_of(kind):
                raise Refusal.no_field(name, kind)

    def _touch(self, record: Record, at: datetime | None) -> None:
        moment = _milliseconds(at or self.clock())
        record["SystemModstamp"] = moment
        if "LastModifiedDate" in record:
            record["LastModifiedDate"] = moment

    def _tell(self, kind: str, record: Record) -> None:
        for listener in self.changed:
            listener(kind, record)


def _milliseconds(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)
