"""The desk: what a Zendesk account holds, row by row as its API shows it.

Beside the time of its last edit each row has a *generated timestamp*, when Zendesk noticed a change: exports are
ordered by that, and it may move without an edit. Every change of a ticket is kept as an event and an audit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeAlias

from hub.sandbox.zendesk.refusals import Refusal

Row: TypeAlias = dict[str, Any]

KINDS = ("organizations", "users", "tickets", "ticket_events", "satisfaction_ratings")


def wire_time(at: datetime) -> str:
    """`2026-05-01T07:25:37Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Desk:
    """One account; `clock` gives the present time."""

    clock: Callable[[], datetime]
    tables: dict[str, dict[int, Row]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    generated: dict[str, dict[int, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    audits: dict[int, list[Row]] = field(default_factory=dict)
    _ids: count = field(default_factory=lambda: count(900_000_000_001))  # type: ignore[type-arg]

    def put(self, kind: str, at: datetime | None = None, **fields: Any) -> Row:
        """A new row, made at a time of one's choice or now."""
        moment = at or self.clock()
        row = {"id": next(self._ids), "created_at": wire_time(moment), "updated_at": wire_time(moment)} | fields
        self.tables[kind][row["id"]] = row
        self.notice(kind, row["id"], moment)
        return row

    def notice(self, kind: str, row_id: int, at: datetime | None = None) -> None:
        """Zendesk notices that something about the row changed; nobody need have edited it."""
        self.generated[kind][row_id] = int((at or self.clock()).timestamp())

    def get(self, kind: str, row_id: int) -> Row:
        """A row. Raises `Refusal` for one that is not there."""
        row = self.tables[kind].get(row_id)
        if row is None or row.get("status") == "deleted":
            raise Refusal.missing()
        return row

    def edit(self, kind: str, row_id: int, at: datetime | None = None, **fields: Any) -> Row:
        """Other values, at a time of one's choice or now."""
        row, moment = self.get(kind, row_id), at or self.clock()
        row.update(fields, updated_at=wire_time(moment))
        self.notice(kind, row_id, moment)
        return row

    def change_ticket(self, row_id: int, at: datetime | None = None, **fields: Any) -> Row:
        """The same for a ticket, with the event and the audit that tell of it. `metadata` stays in the audit."""
        moment = at or self.clock()
        metadata = fields.pop("metadata", {})
        before = dict(self.get("tickets", row_id))
        ticket = self.edit("tickets", row_id, moment, **fields)
        changes = [
            {"id": next(self._ids), "event_type": "Change", name: value, "previous_value": before.get(name)}
            for name, value in fields.items()
            if before.get(name) != value
        ]
        self.tell(row_id, moment, changes, metadata)
        return ticket

    def tell(self, ticket_id: int, at: datetime, changes: list[Row], metadata: Row) -> None:
        """An event and an audit of the ticket."""
        self.put(
            "ticket_events",
            at,
            ticket_id=ticket_id,
            timestamp=int(at.timestamp()),
            updater_id=1,
            via="Web form",
            child_events=changes,
            event_type="Audit",
        )
        audit = {"id": next(self._ids), "ticket_id": ticket_id, "created_at": wire_time(at), "events": changes}
        self.audits.setdefault(ticket_id, []).append(audit | {"metadata": {"system": {}, "custom": metadata}})

    def delete_ticket(self, row_id: int, at: datetime | None = None) -> None:
        """The ticket is exported once more, its texts scrubbed."""
        self.edit("tickets", row_id, at, status="deleted", subject="SCRUBBED", description="X")

    def merge_tickets(self, winner: int, loser: int, at: datetime | None = None) -> None:
        """The loser is closed and says so by a tag."""
        self.get("tickets", winner)
        tags = [*self.get("tickets", loser)["tags"], "closed_by_merge"]
        self.change_ticket(loser, at, status="closed", tags=tags)

    def delete_user(self, row_id: int, at: datetime | None = None) -> None:
        """Softly: the user stays, not active."""
        self.edit("users", row_id, at, active=False)

    def merge_users(self, winner: int, loser: int, at: datetime | None = None) -> None:
        """The loser is deleted, the loser's tickets are the winner's."""
        moment = at or self.clock()
        self.delete_user(loser, moment)
        for ticket in self.tables["tickets"].values():
            if ticket["requester_id"] == loser and ticket["status"] != "deleted":
                self.edit("tickets", ticket["id"], moment, requester_id=winner)
