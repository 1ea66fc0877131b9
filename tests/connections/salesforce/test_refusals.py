"""Signing in to Salesforce, its refusals, its budget of requests, and bad days, through the real host."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.connections import service as connections
from hub.connections.model import Connection, ConnectionStatus
from hub.connections.registry import Registry
from hub.connections.service import Ended, sync_stream
from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.sandbox import Fault, Sandbox
from hub.sdk.errors import AuthExpired, Misconfigured
from tests.connections.salesforce.crm import connect, ids, read, rows


async def test_a_token_is_renewed_once(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """An expired session costs one new token; when that is refused as well a person has to act."""
    app = world.salesforce.signing_in
    before = app.issued
    app.expire()
    await read(kit, crm, "accounts")
    assert app.issued == before + 1
    world.salesforce.faults.strike(Fault.EXPIRED, None, Fault.EXPIRED)
    outcome = await sync_stream(kit, crm.id, "accounts")
    assert outcome.ended is Ended.PAUSED
    assert app.issued == before + 2


async def test_tokens_are_kept_between_readings(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """A token is good for hours: all streams share the one that the check got."""
    await read(kit, crm)
    assert world.salesforce.signing_in.issued == 1


async def test_a_revoked_user_pauses_the_connection(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """When the app is no longer approved the connection pauses and says what Salesforce says."""
    world.salesforce.signing_in.expire()
    world.salesforce.signing_in.username = "somebody.else@sandbox.example"
    assert (await sync_stream(kit, crm.id, "accounts")).ended is Ended.PAUSED
    [(status, problem)] = await rows(kit, "SELECT status, problem FROM connection")
    assert status == ConnectionStatus.PAUSED
    assert "approved" in problem


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"audience": "https://test.salesforce.com"}, AuthExpired, "audience"),
        ({"username": "nobody@sandbox.example"}, AuthExpired, "approved"),
        ({"client_id": "3MVG9.of.another.app"}, Misconfigured, "client identifier"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----"}, Misconfigured, "PEM"),
        ({"organization_id": "00DDn00000OTHER"}, Misconfigured, "another org"),
        ({"username": None, "private_key": None, "client_secret": "wrong"}, Misconfigured, "invalid client"),
    ],
)
async def test_a_check_says_what_is_wrong(
    kit: Kit,
    world: Sandbox,
    plugins: Registry,
    changed: dict[str, str | None],
    error: type[Exception],
    says: str,
) -> None:
    """Wrong credentials, another org, half a key: the message names the cause."""
    with pytest.raises(error, match=says):
        await connect(kit, world, **changed)


async def test_client_credentials_open_the_org_too(kit: Kit, world: Sandbox, plugins: Registry) -> None:
    """The other flow, with the org's id as the tenant."""
    secret = world.salesforce.signing_in.client_secret
    crm = await connect(kit, world, username=None, private_key=None, client_secret=secret)
    assert crm.tenant == world.salesforce.org.id
    await read(kit, crm, "accounts")


async def test_a_missing_field_is_named(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """An administrator takes a field away: the connection pauses and says which one, live and in a backfill."""
    world.salesforce.org.dropped.add(("Account", "Industry"))
    outcome = await sync_stream(kit, crm.id, "accounts")
    assert outcome.ended is Ended.PAUSED
    assert "Industry" in str(outcome.problem)
    world.salesforce.org.dropped.clear()
    async with kit.transaction() as session:
        await connections.check(session, kit.vault, "crm", now=kit.clock.now())
    await read(kit, crm, "accounts")


async def test_live_reading_comes_before_a_backfill(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock
) -> None:
    """At half of the org's requests a backfill waits, at four fifths all do, without asking; after an hour they go."""
    await read(kit, crm, "accounts")
    double = world.salesforce
    double.used = int(double.daily_limit * 0.6)
    assert (await sync_stream(kit, crm.id, "accounts")).ended is Ended.DONE
    asked = len(double.paths)
    outcome = await sync_stream(kit, crm.id, "contacts")
    assert (outcome.ended, outcome.retry_after) == (Ended.RETRY, timedelta(hours=1))
    assert len(double.paths) == asked
    double.used = int(double.daily_limit * 0.9)
    assert (await sync_stream(kit, crm.id, "accounts")).ended is Ended.DONE, "the answer tells that it was the last one"
    clock.advance(timedelta(minutes=20))
    outcome = await sync_stream(kit, crm.id, "accounts")
    assert (outcome.ended, outcome.retry_after) == (Ended.RETRY, timedelta(minutes=40))
    assert "api_share" in str(outcome.problem)
    double.used = 0
    clock.advance(timedelta(minutes=40))
    await read(kit, crm, "accounts", "contacts")


async def test_a_spent_limit_is_no_missing_permission(
    kit: Kit, world: Sandbox, crm: Connection, clock: FrozenClock
) -> None:
    """403 REQUEST_LIMIT_EXCEEDED is waited out for an hour; the connection does not pause."""
    world.salesforce.used = world.salesforce.daily_limit
    outcome = await sync_stream(kit, crm.id, "accounts")
    assert (outcome.ended, outcome.retry_after) == (Ended.RETRY, timedelta(hours=1))
    world.salesforce.used = 0
    clock.advance(timedelta(hours=1))
    await read(kit, crm, "accounts")
    assert await rows(kit, "SELECT status FROM connection") == [(ConnectionStatus.ACTIVE,)]


async def test_a_bad_day_loses_nothing(kit: Kit, world: Sandbox, crm: Connection) -> None:
    """Errors, cut answers and expired sessions at random: in the end everything is there once."""
    world.salesforce.faults.share = {Fault.SERVER_ERROR: 0.15, Fault.CUT: 0.15, Fault.EXPIRED: 0.15}
    world.salesforce.page = 20
    for stream in ("accounts", "contacts", "cases"):
        for _ in range(40):
            outcome = await sync_stream(kit, crm.id, stream)
            if outcome.ended is Ended.DONE:
                break
            if outcome.ended is Ended.PAUSED:
                world.salesforce.faults.strike(None, None)
                async with kit.transaction() as session:
                    await connections.check(session, kit.vault, "crm", now=kit.clock.now())
    for stream, name in (("accounts", "Account"), ("contacts", "Contact"), ("cases", "Case")):
        assert await ids(kit, stream) == sorted(world.salesforce.org.tables[name])
    assert world.salesforce.faults.fallen
