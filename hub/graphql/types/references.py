"""References: who could speak for us, and what may be claimed. All that the marketing role sees."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from hub.accounts.queries import READERS
from hub.graphql.context import Info
from hub.graphql.declare import about, output, resolved, vocabulary
from hub.graphql.types.node import AnAccount, Node, promised_account
from hub.graphql.types.scores import MICRO
from hub.references import service as references
from hub.references.service import EvidenceKind

vocabulary(
    EvidenceKind,
    HEALTH="Its health.",
    MILESTONE="A milestone that it reached.",
    SURVEY="An answer to a survey.",
)


@output
class Evidence:
    """One fact that a claim may rest on."""

    kind: EvidenceKind = about("What sort of fact.")
    statement: str = about("The fact as a sentence. It names no person: nobody has consented yet.")
    at: datetime = about("When it was so.")


@output
class Reference(Node):
    """An account that could be quoted: its band is purple."""

    account_key: strawberry.Private[UUID]
    name: str = about("What the company is called.")
    domain: str | None = about("Its internet domain; null when not known.")
    purple_since: datetime = about("Since when its band has been purple.")
    points: float = about("Its score now, 0 to 100.")
    evidence: list[Evidence] = about("What speaks for it.")

    @resolved
    def account(self, info: Info) -> AnAccount | None:
        """The account; null for roles that may not see accounts, e.g. marketing."""
        return promised_account(info, self.account_key) if info.context.viewer.may(*READERS) else None

    @classmethod
    def of(cls, reference: references.Reference) -> Reference:
        """The reference as the API shows it."""
        return cls(
            id=strawberry.ID(f"ref_{reference.account_id.hex}"),
            account_key=reference.account_id,
            name=reference.name,
            domain=reference.domain,
            purple_since=reference.purple_since,
            points=reference.micro_points / MICRO,
            evidence=[Evidence(kind=one.kind, statement=one.statement, at=one.at) for one in reference.evidence],
        )
