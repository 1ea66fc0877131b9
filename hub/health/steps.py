"""The steps of an entry of the watch list, and the facts that tell of them: whoever takes one, a person or the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.health.store import THE_HUB
from hub.health.vocabulary import WatchStatus
from hub.journeys.telling import Told
from hub.kit.ids import new_id


def step(
    watch_id: UUID,
    account_id: UUID,
    status: WatchStatus,
    now: datetime,
    *,
    by: str = THE_HUB,
    note: str | None = None,
) -> dict[str, Any]:
    """A row of `WatchStep`."""
    return {
        "id": new_id(),
        "watch_id": watch_id,
        "account_id": account_id,
        "status": status,
        "at": now,
        "by": by,
        "note": note,
    }


def watch_entered(watch_id: UUID, account_id: UUID | str, reasons: Iterable[Mapping[str, Any]], now: datetime) -> Told:
    """An account came on the list; each reason by the name of its rule, the band, or as somebody's word."""
    names = [reason.get("rule") or reason.get("band") or reason["text"] for reason in reasons]
    return _told("watch.entered", str(watch_id), account_id, "Entered the watch list", {"reasons": names}, now)


def watch_moved(watch_id: UUID, account_id: UUID, status: WatchStatus, by: str, version: int, now: datetime) -> Told:
    """Saving an account came to another status, without an end."""
    facts = {"status": status.value, "by": by}
    title = f"Saving it: {status.replace('_', ' ')}"
    return _told("watch.moved", str(watch_id), account_id, title, facts, now, f":{version}")


def watch_left(watch_id: UUID, account_id: UUID | str, status: WatchStatus, by: str, now: datetime) -> Told:
    """An account left the list: it recovered, or was lost."""
    facts = {"status": status.value, "by": by}
    return _told("watch.left", str(watch_id), account_id, f"Left the watch list: {status}", facts, now)


def _told(
    topic: str,
    watch_id: str,
    account_id: UUID | str,
    title: str,
    facts: Mapping[str, Any],
    now: datetime,
    occasion: str = "",
) -> Told:
    said = {"watch_id": watch_id, **facts}
    return Told(topic, str(account_id), said, f"{topic}:{watch_id}{occasion}", now, title, said)
