"""Health rolled up: of a segment, and of an account with all that belong to it, weighted by what a year of each is
worth.

A roll-up is worked out when it is read, in one statement, from the newest scores: `Σ points x revenue / Σ revenue`,
both sums exact. What has no value is not guessed: an account without a score, or whose revenue is not known, is left
out of the sums and counted beside them. The revenue is `Health.revenue_minor`, twelve times the blueprint's `mrr`; a
base with several currencies brings them to one there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.queries import READERS


@dataclass(frozen=True, slots=True)
class RollUp:
    """The health of several accounts together.

    `weighted` is the exact sum of micro-points times revenue (minor units a year) over the `weighed` accounts,
    `revenue_minor` the sum of their revenues. `unscored` accounts have a revenue and no score, together worth
    `unscored_revenue_minor`; `unvalued` ones have a score and no known revenue; the rest of `accounts` has neither. The
    four bands and unknown count all accounts by the band in effect.
    """

    accounts: int
    weighed: int
    weighted: int
    revenue_minor: int
    unscored: int
    unscored_revenue_minor: int
    unvalued: int
    red: int
    yellow: int
    green: int
    purple: int
    unknown: int

    @property
    def micro_points(self) -> int | None:
        """The weighted mean, rounded half up to a micro-point; None when nothing weighs anything."""
        if not self.revenue_minor:
            return None
        return (2 * self.weighted + self.revenue_minor) // (2 * self.revenue_minor)


_REVENUE: Final = "CASE WHEN h.revenue_minor IS NOT NULL THEN greatest(h.revenue_minor, 0) END"  # a NULL stays one
_BANDS: Final = ("red", "yellow", "green", "purple", "unknown")
_SUMS: Final = ", ".join(
    (
        "count(*) AS accounts",
        f"count(*) FILTER (WHERE {_REVENUE} IS NOT NULL AND h.micro_points IS NOT NULL) AS weighed",
        f"coalesce(sum(h.micro_points::numeric * {_REVENUE}), 0) AS weighted",
        f"coalesce(sum({_REVENUE}) FILTER (WHERE h.micro_points IS NOT NULL), 0) AS revenue_minor",
        "count(*) FILTER (WHERE h.micro_points IS NULL AND h.revenue_minor IS NOT NULL) AS unscored",
        f"coalesce(sum({_REVENUE}) FILTER (WHERE h.micro_points IS NULL), 0) AS unscored_revenue_minor",
        "count(*) FILTER (WHERE h.micro_points IS NOT NULL AND h.revenue_minor IS NULL) AS unvalued",
        *(f"count(*) FILTER (WHERE coalesce(h.band, 'unknown') = '{band}') AS {band}" for band in _BANDS),
    )
)

_SEEN = "(CAST(:owner AS text) IS NULL OR a.owner = CAST(:owner AS text))"
"""Who is limited to an owner sees sums of that owner's accounts alone."""


async def of_segments(session: AsyncSession, viewer: Viewer) -> dict[str, RollUp]:
    """The roll-up of each segment that has accounts, by name; accounts that are in none are under the empty name."""
    viewer.require(*READERS)
    found = await session.execute(
        text(
            f"SELECT coalesce(h.segment, '') AS of, {_SUMS} FROM account a LEFT JOIN health h ON h.account_id = a.id "
            f"WHERE a.merged_into IS NULL AND {_SEEN} GROUP BY 1 ORDER BY 1"
        ),
        {"owner": viewer.owner},
    )
    return {row.of: _roll_up(row) for row in found}


async def of_families(session: AsyncSession, viewer: Viewer, account_ids: Sequence[UUID]) -> dict[UUID, RollUp]:
    """The roll-up of each account together with the accounts below it, however deep. One statement for all of them.

    What belongs to an account that was merged into another belongs to that one.
    """
    viewer.require(*READERS)
    found = await session.execute(
        text(
            "WITH RECURSIVE family AS (SELECT id AS root, id FROM unnest(CAST(:ids AS uuid[])) AS asked(id) "
            "UNION SELECT f.root, below.id FROM family f CROSS JOIN LATERAL ("
            "SELECT c.id FROM account c WHERE c.parent_id = f.id "
            "UNION ALL SELECT m.id FROM account m WHERE m.merged_into = f.id) AS below) "
            f"SELECT f.root AS of, {_SUMS} FROM family f "
            f"JOIN account a ON a.id = f.id AND a.merged_into IS NULL AND {_SEEN} "
            "LEFT JOIN health h ON h.account_id = a.id GROUP BY f.root"
        ),
        {"ids": list(account_ids), "owner": viewer.owner},
    )
    return {row.of: _roll_up(row) for row in found}


def _roll_up(row: Any) -> RollUp:
    return RollUp(**{name: int(getattr(row, name)) for name in RollUp.__dataclass_fields__})
