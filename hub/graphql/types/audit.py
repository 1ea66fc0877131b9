"""The audit log: what people and keys changed. For administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from hub.access import queries as access
from hub.graphql.declare import about, given, maybe, output
from hub.graphql.scalars import BigInt
from hub.graphql.types.node import text


@output
class AuditEntry:
    """One change, noted in the transaction that made it."""

    number: BigInt = about("Its number: later changes have higher ones.")
    at: datetime = about("When it was made.")
    actor: str = about("Who made it: `key:…` for an API key, `person:…` for somebody who signed in, `hub` for itself.")
    action: str = about("What was done, e.g. `alert.acknowledged`.")
    subject: str = about("What was changed, e.g. `account:…`, with the id as the database has it.")
    details: JSON = about("What else is known of the change.")

    @classmethod
    def of(cls, row: access.AuditEntry) -> AuditEntry:
        """The entry as the API shows it."""
        return cls(
            number=BigInt(row.id),
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            details=JSON(row.details),
        )


@given
class AuditFilter:
    """Which changes. All that is given has to hold."""

    actor: str | None = maybe("Made by this actor.")
    action: str | None = maybe("Of this sort.")
    subject: str | None = maybe("Of this subject.")
    since: datetime | None = maybe("Made at this time or later.")
    until: datetime | None = maybe("Made before this time.")


WantedAudit = Annotated[AuditFilter | None, strawberry.argument(description="Which changes; all when left out.")]


def wanted_audit(wanted: AuditFilter | None) -> access.AuditFilter:
    """The filter as the room reads it. Raises `Invalid`."""
    if wanted is None:
        return access.AuditFilter()
    return access.AuditFilter(
        actor=text(wanted.actor, "filter", "actor"),
        action=text(wanted.action, "filter", "action"),
        subject=text(wanted.subject, "filter", "subject"),
        since=wanted.since,
        until=wanted.until,
    )
