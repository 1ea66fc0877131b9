"""`hub play` from the shell: what there is, what it would do, and whether it runs."""

from __future__ import annotations

from hub.access.service import SYSTEM
from hub.accounts.model import Account
from hub.kit.clock import SystemClock
from hub.kit.ids import new_id
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings
from hub.sections import applying, read

from .conftest import Hub


async def test_plays_are_looked_at_and_switched(hub: Hub, settings: Settings) -> None:
    """In words and in JSON; whoever switches one on is asked what becomes of those who are there already."""
    now = SystemClock().now()
    async with open_kit(settings) as kit, kit.transaction() as session:
        await applying.apply(session, SYSTEM, read(None), comment=None, now=now)
        session.add(Account(id=new_id(), name="Acme", time_zone="UTC", facts={}, created_at=now, first_seen_at=now))
    listed = {one["play"]: one for one in (await hub("play", "list", "--json")).json}
    assert (listed["escalation"]["state"], listed["win_back"]["trigger"]) == ("on", "alert: active_people_decline")
    assert "Escalate Acme: health is red" in (await hub("play", "preview", "escalation", "Acme")).out
    asked = await hub("play", "on", "escalation")
    assert (asked.code, "--existing, or --new" in asked.err) == (1, True)
    begun = (await hub("play", "start", "escalation", "Acme", "--json")).json
    off = await hub("play", "off", "escalation", "--tasks", "leave", "--json")
    assert (len(begun["runs"]), off.json) == (1, {"play": "escalation", "state": "off", "moved": 1})
    tried = await hub("play", "simulate", "escalation", "--since", "30d", "--json")
    assert (tried.json["accounts"], tried.json["runs"]) == (1, [])
