"""Adding, checking, reconnecting and removing connections; the configuration stays a secret all the while."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, field_validator
from sqlalchemy import text
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from hub.access.service import Role, Viewer
from hub.connections import registry
from hub.connections import service as connections
from hub.connections.configs import to_seal, validated, without_secrets
from hub.connections.jobs import drain_streams_to_sync, keep_house
from hub.connections.model import Connection, ConnectionStatus
from hub.connections.registry import Registry
from hub.connections.service import Ended, sync_stream
from hub.kit.errors import Invalid, NotAllowed, NotFound
from hub.kit.runtime import Kit
from hub.sdk.errors import AuthExpired, ConnectorError, Misconfigured, Unavailable
from hub.sdk.secrecy import printable, secrets_of
from tests.connections.vendor import API_KEY, SIGNING_SECRET, Surveys, SurveysConfig, Vendor, answer, scalar


def config_for(vendor: Vendor, **more: Any) -> dict[str, Any]:
    return {"api_key": API_KEY, "base_url": vendor.url, **more}


async def add(kit: Kit, registry: Registry, name: str, config: dict[str, Any], **more: Any) -> Connection:
    async with kit.transaction() as session:
        return await connections.add(session, kit.vault, registry, "surveys", name, config, now=kit.clock.now(), **more)


async def test_a_connection_is_checked_sealed_and_scheduled(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """Adding asks the vendor who we are, stores the configuration encrypted, and has the streams read."""
    assert (connection.tenant, connection.status) == ("tenant-1", ConnectionStatus.ACTIVE)
    sealed = bytes(await scalar(kit, "SELECT sealed_config FROM connection"))
    assert API_KEY.encode() not in sealed
    assert kit.vault.open(sealed)["api_key"] == API_KEY
    assert await scalar(kit, "SELECT count(*) FROM work_item WHERE list = 'streams_to_sync'") == 2
    assert await scalar(kit, "SELECT count(*) FROM audit_entry WHERE action = 'connection.added'") == 1


async def test_one_tenant_has_one_connection(kit: Kit, vendor: Vendor, surveys: Registry) -> None:
    """Two connections to one account of a vendor are refused, also when both are added at once."""
    results = await asyncio.gather(
        *(add(kit, surveys, name, config_for(vendor)) for name in ("one", "two")), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Connection", "Invalid"]
    vendor.tenant = "tenant-2"
    await add(kit, surveys, "three", config_for(vendor))
    assert await scalar(kit, "SELECT count(*) FROM connection") == 2


async def test_a_name_is_taken_once(kit: Kit, vendor: Vendor, surveys: Registry, connection: Connection) -> None:
    """A second connection of the same name is refused with what to do."""
    vendor.tenant = "tenant-2"
    with pytest.raises(Invalid, match="named 'panel' already") as raised:
        await add(kit, surveys, "panel", config_for(vendor))
    assert raised.value.path == ("name",)


async def test_a_name_is_fit_for_an_address(kit: Kit, vendor: Vendor, surveys: Registry) -> None:
    """A name is part of webhook addresses, and kept to what needs no escaping."""
    for name in ("", "Panel", "a/b", "a b", "-a", "ä", "x" * 64):
        with pytest.raises(Invalid) as raised:
            await add(kit, surveys, name, config_for(vendor))
        assert raised.value.path == ("name",)


async def test_a_configuration_that_does_not_fit_shows_fields_and_no_values(
    kit: Kit, vendor: Vendor, surveys: Registry
) -> None:
    """What is wrong with a configuration is told by field; what was entered is not repeated."""
    with pytest.raises(Invalid) as raised:
        await add(kit, surveys, "panel", {"api_key": {"x": API_KEY}, "page": "many-private"})
    told = str(raised.value)
    assert "base_url: Field required" in told
    assert "page" in told
    assert API_KEY not in told
    assert "many-private" not in told


async def test_a_failed_check_adds_nothing_and_shows_no_secret(kit: Kit, vendor: Vendor, surveys: Registry) -> None:
    """Refused, forbidden or garbage: the right error, no connection, and no secret in it."""
    faults: list[tuple[Response, type[ConnectorError]]] = [
        (Response(status_code=401), AuthExpired),
        (Response(status_code=403), Misconfigured),
        (Response(API_KEY, status_code=200), Unavailable),
        (JSONResponse({"nothing": API_KEY}), Unavailable),
    ]
    for fault, error in faults:
        vendor.faults = [fault]
        with pytest.raises(error) as raised:
            await add(kit, surveys, "panel", config_for(vendor))
        assert API_KEY not in f"{raised.value.message} {raised.value.detail}"
    assert await scalar(kit, "SELECT count(*) FROM connection") == 0


async def test_without_a_check_the_tenant_is_learnt_later(kit: Kit, vendor: Vendor, surveys: Registry) -> None:
    """A connection may be added while its vendor is away; the first check that succeeds names the tenant."""
    await add(kit, surveys, "panel", config_for(vendor), check=False)
    assert vendor.requests == []
    async with kit.transaction() as session:
        await connections.check(session, kit.vault, "panel", now=kit.clock.now())
    assert await scalar(kit, "SELECT tenant FROM connection") == "tenant-1"


async def test_other_credentials_of_another_tenant_are_refused(
    kit: Kit, vendor: Vendor, surveys: Registry, connection: Connection
) -> None:
    """Reconnecting keeps the tenant: what was read would otherwise be mixed with somebody else's."""
    vendor.tenant = "tenant-2"
    with pytest.raises(Misconfigured, match="another account"):
        async with kit.transaction() as session:
            await connections.reconnect(session, kit.vault, surveys, "panel", config_for(vendor), now=kit.clock.now())


async def test_a_removed_connection_forgets_its_secrets_and_keeps_what_it_sent(
    kit: Kit, vendor: Vendor, connection: Connection
) -> None:
    """After a removal the sealed configuration holds no secret, and its records are still there and readable."""
    vendor.answers = [answer(1)]
    await sync_stream(kit, connection.id, "answers")
    async with kit.transaction() as session:
        await connections.remove(session, kit.vault, "panel", now=kit.clock.now())
        opened = kit.vault.open(bytes((await session.get_one(Connection, connection.id)).sealed_config))
        assert opened["base_url"] == vendor.url
        assert API_KEY not in str(opened)
        assert SIGNING_SECRET not in str(opened)
        pure = await connections.pure_connector(session, kit.vault, connection.id)
        assert [pending.record_id for pending in await connections.claim_pending(session, 10)] == ["answer-1"]
    assert isinstance(pure, Surveys)
    async with kit.transaction() as session:
        assert await connections.listing(session) == []
        with pytest.raises(NotFound):
            await connections.find(session, "panel")


async def test_a_tenant_that_comes_back_is_the_same_connection(
    kit: Kit, vendor: Vendor, surveys: Registry, connection: Connection
) -> None:
    """Adding a removed tenant again revives its connection, so nothing that it sends again is new."""
    vendor.answers = [answer(1)]
    await sync_stream(kit, connection.id, "answers")
    async with kit.transaction() as session:
        await connections.remove(session, kit.vault, "panel", now=kit.clock.now())
    again = await add(kit, surveys, "other", config_for(vendor))
    assert again.id == connection.id
    outcome = await sync_stream(kit, connection.id, "answers", backfill=True)
    assert (outcome.records, outcome.new) == (1, 0)


async def test_the_name_of_a_removed_connection_is_free(
    kit: Kit, vendor: Vendor, surveys: Registry, connection: Connection
) -> None:
    """Another tenant may take the name, and both stay apart."""
    async with kit.transaction() as session:
        await connections.remove(session, kit.vault, "panel", now=kit.clock.now())
    vendor.tenant = "tenant-2"
    other = await add(kit, surveys, "panel", config_for(vendor))
    assert other.id != connection.id
    async with kit.transaction() as session:
        assert [one.tenant for one in await connections.listing(session)] == ["tenant-2"]


async def test_only_an_admin_may_touch_connections(kit: Kit, vendor: Vendor, surveys: Registry) -> None:
    """Another role is refused before the vendor is asked."""
    with pytest.raises(NotAllowed):
        await add(kit, surveys, "panel", config_for(vendor), viewer=Viewer("key:x", Role.CSM))
    assert vendor.requests == []


async def test_a_list_shows_how_fresh_a_connection_is(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """Records, the last reading and what is in quarantine stand beside the name."""
    vendor.answers = [answer(1), answer(2, score=None)]
    await sync_stream(kit, connection.id, "answers")
    async with kit.reading() as session:
        (shown,) = await connections.listing(session)
    assert (shown.name, shown.connector, shown.status) == ("panel", "surveys", ConnectionStatus.ACTIVE)
    assert (shown.records, shown.quarantined) == (2, 1)
    assert shown.last_read_at is not None


async def test_house_keeping_finds_streams_that_nobody_reads(kit: Kit, vendor: Vendor, connection: Connection) -> None:
    """A stream that is on no list, as after an upgrade of a plugin, is put on it."""
    await drain_streams_to_sync(kit)
    async with kit.transaction() as session:
        await session.execute(text("DELETE FROM work_item WHERE key LIKE '%members%'"))
    await keep_house(kit)
    assert await scalar(kit, "SELECT count(*) FROM work_item WHERE list = 'streams_to_sync'") == 2


async def test_house_keeping_forgets_deliveries_that_were_read(kit: Kit, connection: Connection) -> None:
    """Deliveries that were read long ago go; those that wait, or could not be read, stay."""
    async with kit.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO webhook_delivery "
                "(id, connection_id, webhook, path, headers, body, received_at, processed_at, problem) "
                "SELECT gen_random_uuid(), :connection, 'hook', 'hook', '{}', '', now() - interval '9 days', "
                "CASE WHEN n <= 3000 THEN now() - interval '8 days' WHEN n = 3001 THEN now() END, "
                "CASE WHEN n = 3002 THEN 'unreadable' END FROM generate_series(1, 3003) AS n"
            ),
            {"connection": connection.id},
        )
    assert await keep_house(kit) == 3_000
    assert await scalar(kit, "SELECT count(*) FROM webhook_delivery") == 3


async def test_a_removed_connection_is_readable_whatever_its_secrets_looked_like(kit: Kit, vendor: Vendor) -> None:
    """Blotted secrets may break the rules of their fields: the records that were sent are read all the same."""

    class Strict(SurveysConfig):
        @field_validator("api_key")
        @classmethod
        def _looks_like_a_key(cls, key: SecretStr) -> SecretStr:
            if not key.get_secret_value().startswith("key-"):
                raise ValueError("a key begins with key-")
            return key

    class StrictSurveys(Surveys):
        Config = Strict

    vendor.answers = [answer(1)]
    with registry.using(Registry.of(StrictSurveys)) as found:
        added = await add(kit, found, "panel", config_for(vendor))
        await sync_stream(kit, added.id, "answers")
        async with kit.transaction() as session:
            await connections.remove(session, kit.vault, "panel", now=kit.clock.now())
            connector = await connections.pure_connector(session, kit.vault, added.id)
    assert connector.config.base_url == vendor.url
    assert API_KEY not in repr(connector.config.model_dump())


async def test_a_configuration_that_no_longer_fits_pauses_the_connection(
    kit: Kit, vendor: Vendor, connection: Connection
) -> None:
    """After an upgrade that asks for more, the connection says which field is missing."""

    class MoreConfig(SurveysConfig):
        region: str

    class MoreSurveys(Surveys):
        Config = MoreConfig  # type: ignore[assignment]  # as another version of the plugin would have it

    with registry.using(Registry.of(MoreSurveys)):
        outcome = await sync_stream(kit, connection.id, "answers")
    assert outcome.ended is Ended.PAUSED
    assert "region: Field required" in str(await scalar(kit, "SELECT problem FROM connection"))


class Nested(BaseModel):
    """Secrets at any depth."""

    name: str
    tokens: list[SecretStr] = []
    inner: dict[str, SecretStr] = {}


class NestedSurveys(Surveys):
    """With a configuration of its own."""

    Config = Nested  # type: ignore[assignment]


def test_secrets_are_found_at_any_depth_and_blotted_out() -> None:
    """Lists and mappings of secrets are secrets; a text that repeats one does not show it."""
    document = {"name": "n", "tokens": ["first-token", SecretStr("second-token")], "inner": {"a": "third"}}
    config = validated(NestedSurveys, document)
    assert secrets_of(config) == ["second-token", "first-token", "third"]
    assert to_seal(document)["tokens"] == ["first-token", "second-token"]
    assert "token" not in str(without_secrets(config, to_seal(document))["tokens"])
    assert printable("it said second-token and third\x00", secrets_of(config)) == "it said [redacted] and [redacted]�"
    assert len(printable("x" * 5_000)) == 1_000


async def test_nothing_about_a_connection_is_logged(kit: Kit, vendor: Vendor, surveys: Registry) -> None:
    """Adding, failing and reading leave no secret in the log."""
    with capture_logs() as logs:
        added = await add(kit, surveys, "panel", config_for(vendor))
        vendor.faults = [JSONResponse({API_KEY: API_KEY})]
        await sync_stream(kit, added.id, "answers")
    assert "sync.failed" in str(logs)
    assert API_KEY not in str(logs)


async def test_some_settings_are_changed_and_the_others_stay(
    kit: Kit, vendor: Vendor, surveys: Registry, connection: Connection
) -> None:
    """A rotated secret is entered alone; None takes a setting away; what does not fit changes nothing."""

    async def change(**changes: Any) -> dict[str, Any]:
        async with kit.transaction() as session:
            row = await connections.change(session, kit.vault, surveys, "panel", changes, now=kit.clock.now())
            return dict(kit.vault.open(row.sealed_config))

    changed = await change(signing_secret="rotated")
    assert (changed["signing_secret"], changed["api_key"]) == ("rotated", API_KEY)
    assert "signing_secret" not in await change(signing_secret=None)
    with pytest.raises(Invalid):
        await change(api_key=None)
    assert (await change(page=50))["api_key"] == API_KEY
    assert await scalar(kit, "SELECT count(*) FROM audit_entry WHERE action = 'connection.reconnected'") == 3
