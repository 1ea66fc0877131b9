"""Search over accounts and people, and the audit log: what is found by asking for it rather than by going there."""

from __future__ import annotations

from typing import Annotated

import strawberry

from hub.access import queries as access
from hub.accounts import searching
from hub.accounts.queries import Account as AccountRow
from hub.accounts.searching import Sought
from hub.graphql.context import Info
from hub.graphql.declare import argument, output, resolved, vocabulary
from hub.graphql.types.accounts import Account
from hub.graphql.types.audit import AuditEntry, WantedAudit, wanted_audit
from hub.graphql.types.people import Person
from hub.kit.errors import Invalid

MOST_HITS = 50
MOST_ENTRIES = 200

vocabulary(Sought, ACCOUNT="Accounts, by name and domain.", PERSON="People, by name, e-mail address and title.")

SearchResult = Annotated[
    Account | Person, strawberry.union("SearchResult", description="What `search` finds: an account or a person.")
]


@output
class FindingQuery:
    """What is found by asking for it."""

    @resolved
    async def search(
        self,
        info: Info,
        text: Annotated[str, argument("2 to 200 characters; words may be cut short and a little wrong.")],
        kind: Annotated[list[Sought] | None, argument("Only these kinds; all when left out.")] = None,
        first: Annotated[int, argument("How many at most, the best first: 1 to 50.")] = 20,
    ) -> list[SearchResult]:
        """Accounts and people that fit a text, the best first."""
        limit = _between(first, 1, MOST_HITS, "first")
        info.context.spend(limit)
        hits = await info.context.read(searching.search, text, tuple(kind or Sought), limit)
        return [Account.of(hit.row) if isinstance(hit.row, AccountRow) else Person.of(hit.row) for hit in hits]

    @resolved
    async def audit_log(
        self,
        info: Info,
        filter: WantedAudit = None,  # noqa: A002  # the argument's name in the schema
        first: Annotated[int, argument("How many, the latest first: 0 to 200.")] = 50,
        older_than: Annotated[int | None, argument("Only entries before the one of this number.")] = None,
    ) -> list[AuditEntry]:
        """What people and keys changed, the latest first. For admin."""
        limit = _between(first, 0, MOST_ENTRIES, "first")
        info.context.spend(limit)
        found = await info.context.read(access.audit_log, wanted_audit(filter), limit, older_than)
        return [AuditEntry.of(entry) for entry in found]


def _between(number: int, least: int, most: int, name: str) -> int:
    if not least <= number <= most:
        raise Invalid(f"`{name}` is a number from {least} to {most}.", path=(name,))
    return number
