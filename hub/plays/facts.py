"""What an action's input may say of an account beside its name, so that a play can write to its record at a vendor.

`{{ account.external['salesforce.account'] }}` is its id there, `{{ account.health.band }}` and
`{{ account.health.score or '' }}` (0–100, one decimal) its health. Read only where an input speaks of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import SYSTEM
from hub.accounts import queries as accounts
from hub.health import queries as health
from hub.health.model import Band
from hub.health.scoring import MICRO

NAMES = (b"account.external", b"account.health")


def speaks_of(texts: Any) -> bool:
    """Whether a step's texts name any of this."""
    written = orjson.dumps(texts)
    return any(name in written for name in NAMES)


async def facts_of(session: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, Mapping[str, Any]]:
    """`external` and `health` of these accounts, in two statements; none without accounts."""
    if not account_ids:
        return {}
    wanted = list(account_ids)
    external = await accounts.ids_at_vendors(session, SYSTEM, wanted)
    scored = await health.current(session, SYSTEM, wanted)
    return {
        account_id: {"external": external.get(account_id, {}), "health": _told(scored.get(account_id))}
        for account_id in wanted
    }


def _told(found: health.Health | None) -> Mapping[str, Any]:
    if found is None:
        return {"band": Band.UNKNOWN.value, "score": None}
    score = None if found.micro_points is None else round(found.micro_points / MICRO, 1)
    return {"band": found.band, "score": score}
