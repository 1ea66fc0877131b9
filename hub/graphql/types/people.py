"""People at an account."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from hub.accounts import queries as accounts
from hub.graphql.context import Info
from hub.graphql.declare import about, output, resolved
from hub.graphql.types.node import AnAccount, Node, promised_account


@output
class Person(Node):
    """Somebody at an account. Personal data: name, e-mail address, title."""

    account_key: strawberry.Private[UUID | None]
    name: str | None = about("Their name; null when no source told it.")
    email: str | None = about("Their e-mail address; null when no source told it.")
    role: str | None = about("`administrator`, `champion`, `sponsor` or `end_user`; null when unknown.")
    title: str | None = about("Their title at work; null when unknown.")
    time_zone: str | None = about("Their IANA time zone, e.g. `Europe/Berlin`; null when unknown.")
    do_not_contact: bool = about("Whether they asked not to be contacted.")
    first_seen_at: datetime = about("When the hub first heard of them.")
    erased_at: datetime | None = about("When they were erased: what is left counts and says nothing of them.")

    @resolved
    def account(self, info: Info) -> AnAccount | None:
        """The account that they belong to; null while that is not known."""
        return promised_account(info, self.account_key) if self.account_key else None

    @classmethod
    def of(cls, row: accounts.Person) -> Person:
        """The person as the API shows it."""
        return cls(
            id=strawberry.ID(f"per_{row.id.hex}"),
            account_key=row.account_id,
            name=row.name,
            email=row.email,
            role=row.role,
            title=row.title,
            time_zone=row.time_zone,
            do_not_contact=row.do_not_contact,
            first_seen_at=row.first_seen_at,
            erased_at=row.erased_at,
        )
