"""Alerts that the hub raises about itself, and no rule of the blueprint: that plays start each other without end.

Their rules are called `hub.…`, which no rule of a blueprint can be. Nothing but a person resolves them, and one that
was resolved may open again at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.accounts.model import Account
from hub.blueprint import service as blueprints
from hub.health import store
from hub.health.model import Alert, AlertStatus
from hub.health.section import Severity
from hub.journeys.telling import Told, tell
from hub.kit.ids import new_id

OWN: Final = "hub."
"""How the rules of these alerts begin."""


async def raise_alert(
    session: AsyncSession, account_id: UUID, rule: str, values: Mapping[str, Any], *, now: datetime
) -> None:
    """Open an alert of the hub's own on an account, unless one of its rule is open. Fact told: `alert.opened`.

    Raises `ValueError` for a rule that a blueprint could have.
    """
    if not rule.startswith(OWN):
        raise ValueError(f"the hub's own alerts are called {OWN}…, not {rule}")
    await session.execute(
        update(Alert)
        .where(
            Alert.account_id == account_id,
            Alert.rule == rule,
            Alert.status == AlertStatus.RESOLVED,
            Alert.rearmed_at.is_(None),
        )
        .values(rearmed_at=now)
    )
    owner = (await session.execute(select(Account.owner).where(Account.id == account_id))).scalar_one_or_none()
    row = {
        "id": new_id(),
        "account_id": account_id,
        "rule": rule,
        "severity": Severity.HIGH,
        "status": AlertStatus.OPEN,
        "opened_at": now,
        "updated_at": now,
        "values": dict(values),
        "owner": owner,
        "blueprint_version": await blueprints.version_in_force(session),
    }
    if not await store.open_alerts(session, [row]):
        return
    facts = {"alert_id": str(row["id"]), "rule": rule, "severity": str(Severity.HIGH), "values": dict(values)}
    told = Told(
        "alert.opened",
        str(account_id),
        occurred_at=now,
        natural_key=f"alert.opened:{row['id']}",
        title=f"Alert: {rule}",
        attributes=facts,
        payload=facts,
    )
    await tell(session, [told], now)
