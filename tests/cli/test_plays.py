"""`hub play` from the shell: what there is, what it would do, and whether it runs."""

from __future__ import annotations

from hub.accounts.model import Account
from hub.kit.clock import SystemClock
from hub.kit.ids import new_id
from hub.kit.runtime import open_kit
from hub.kit.settings import Settings

from .conftest import Hub


async def test_plays_are_looked_at_and_switched(hub: Hub, settings: Settings) -> None:
    """In words and in JSON; whoever switches one on or off is asked what becomes of those who are concerned."""
    await hub("blueprint", "apply", "--yes")
    now = SystemClock().now()
    async with open_kit(settings) as kit, kit.transaction() as session:
        session.add(Account(id=new_id(), name="Acme", time_zone="UTC", facts={}, created_at=now, first_seen_at=now))
    listed = {one["play"]: one for one in (await hub("play", "list", "--json")).json}
    assert listed["escalation"]["state"] == "on"
    shown = (await hub("play", "show", "escalation", "--json")).json
    assert shown["effect"]["verdict"] == "not_enough_yet"
    [said] = (await hub("play", "preview", "escalation", "Acme", "--json")).json
    assert said["says"]["task"] == "Escalate Acme: health is red"
    asked = await hub("play", "on", "escalation")
    assert (asked.code, "--existing, or --new" in asked.err) == (1, True)
    off = await hub("play", "off", "escalation", "--tasks", "leave", "--json")
    assert off.json == {"play": "escalation", "state": "off", "moved": 0}
    assert "is off" in (await hub("play", "start", "escalation", "Acme")).err
    assert (await hub("play", "on", "escalation", "--new")).out == "escalation is on.\n"
    assert len((await hub("play", "start", "escalation", "Acme", "--json")).json["runs"]) == 1
    [run] = (await hub("play", "runs", "escalation", "--json")).json
    assert (run["account"], run["status"]) == ("Acme", "running")
    tried = await hub("play", "simulate", "escalation", "--since", "30d", "--json")
    assert (tried.json["accounts"], tried.json["runs"]) == (1, [])
